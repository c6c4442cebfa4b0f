// What people say of a call: acknowledged, false alarm, confirmed, a note; with the name of who says it.

import { postMark } from "./api.js";
import { make, setText } from "./make.js";
import { MARKS, moment } from "./words.js";

const WHO = "who marks";
const TITLES = { acknowledged: "Acknowledge", false_alarm: "False alarm", confirmed: "Confirmed", note: "Note" };
const $ = (id) => document.getElementById(id);
const who = () => localStorage.getItem(WHO) ?? "";

export class Marks {
  /** subject: () => the id of the call that is open, or "". done: takes a mark once the monitor has it. notify: says something. */
  constructor(subject, done, notify) {
    Object.assign(this, { subject, done, notify });
    for (const button of $("marks-bar").querySelectorAll("button")) button.addEventListener("click", () => this.set(button.dataset.mark));
    $("mark-cancel").addEventListener("click", () => $("mark-dialog").close());
    $("mark-note").addEventListener("keydown", (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.save(); });
    $("mark-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.save();
    });
  }

  /** At once, where who says it is known and nothing more is to be said. */
  set(kind) {
    if (!this.subject()) return;
    if (kind !== "note" && who()) this.post(kind, "");
    else this.ask(kind);
  }

  ask(kind) {
    this.kind = kind;
    setText($("mark-title"), TITLES[kind]);
    setText($("mark-wrong"), "");
    $("mark-note").value = "";
    $("mark-note").required = kind === "note";
    $("mark-by").value = who();
    $("mark-dialog").showModal();
    (kind === "note" || who() ? $("mark-note") : $("mark-by")).focus();
  }

  async save() {
    const [by, note] = [$("mark-by").value.trim(), $("mark-note").value.trim()];
    if (!by || (this.kind === "note" && !note)) {
      setText($("mark-wrong"), by ? "The note is empty." : "Your name is missing.");
      return;
    }
    localStorage.setItem(WHO, by);
    try {
      await this.send(this.kind, note);
      $("mark-dialog").close();
    } catch (error) {
      setText($("mark-wrong"), `Not saved: ${error.message}.`);
    }
  }

  async post(kind, note) {
    try {
      await this.send(kind, note);
    } catch (error) {
      this.notify(`Not saved: ${error.message}.`, true);
    }
  }

  async send(kind, note) {
    const mark = await postMark(this.subject(), { kind, alert: null, note, by: who() });
    this.notify(`Saved: ${MARKS[kind]}.`);
    this.done(mark);
  }

  /** details: of the call, as the API has them. */
  write(details) {
    const { marks } = details;
    const mark = marks.map((one) => one.id).join() + who();
    if ($("marks").dataset.mark === mark) return;
    $("marks").dataset.mark = mark;
    const newest = [...marks].reverse();
    $("marks").replaceChildren(...newest.map((one) => make("li", {}, make("strong", {}, MARKS[one.kind]),
      make("span", { class: "dim" }, ` ${one.by || one.key || "somebody"} · ${moment(one.time)}`), ...(one.note ? [make("p", {}, one.note)] : []))));
    if (!marks.length) $("marks").append(make("li", { class: "dim" }, "No marks yet."));
    const verdict = newest.find((one) => one.kind === "false_alarm" || one.kind === "confirmed")?.kind;
    const seen = marks.some((one) => one.kind === "acknowledged");
    const tags = [seen ? MARKS.acknowledged : "", verdict ? MARKS[verdict] : ""].filter(Boolean);
    $("call-marks").replaceChildren(...tags.map((tag) => make("li", { class: "tag" }, tag)));
    for (const button of $("marks-bar").querySelectorAll("button")) {
      const on = button.dataset.mark === verdict || (button.dataset.mark === "acknowledged" && seen);
      button.classList.toggle("set", on);
    }
    this.signs();
  }

  signs() {
    $("signs").replaceChildren();
    if (!who()) return;
    const change = make("button", { type: "button", class: "link-button", click: () => { localStorage.removeItem(WHO); $("signs").replaceChildren("The next mark asks for your name."); } }, "change the name");
    $("signs").append(`Your marks are signed: ${who()}. `, change);
  }
}
