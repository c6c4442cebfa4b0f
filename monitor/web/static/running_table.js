// The calls that run: a row each, with its likelihood over the last minute.

import { badge, cell, make, setText, setState } from "./make.js";
import { Rows } from "./rows.js";
import { draw } from "./timeline.js";
import { unbroken, clock, family, audioNow, likelihood, lost, markWords, speech } from "./words.js";

const LOOKS_BACK_S = 60;
const MOST_SEEN = 100;

export class RunningTable {
  /** open: takes the id of a call. Rows go by the names in events, which the live pictures know. */
  constructor(body, open) {
    this.open = open;
    this.rows = new Rows(body, (name) => this.add(name), (row, call, table) => this.write(row, call, table));
  }

  /** The calls that are on the screen, as many as may be asked for. */
  seen() {
    return [...this.rows.visible].slice(0, MOST_SEEN);
  }

  update(calls, table, atOnce) {
    this.rows.update(calls, table, atOnce);
  }

  lines(lines, table) {
    for (const [name, line] of Object.entries(lines)) {
      const row = this.rows.rows.get(name);
      if (row && this.rows.visible.has(name)) draw(row.canvas, line, table, LOOKS_BACK_S);
    }
  }

  add(name) {
    const row = {
      button: make("button", { class: "open", type: "button" }), small: make("small"), state: cell("c-state"), likely: cell("number c-likely"),
      canvas: make("canvas", { "aria-hidden": "true" }), speech: make("span"), lost: make("small", { class: "lossy" }),
      family: cell("c-family"), length: cell("number c-length"), audio: cell("c-audio"),
    };
    row.element = make("tr", { role: "row", click: () => this.open(row.id || name) }, row.state, row.likely, cell("c-call", row.button, row.small),
      cell("c-line", row.canvas), cell("number c-speech", row.speech, row.lost), row.family, row.length, row.audio);
    return row;
  }

  write(row, call, table) {
    const { live } = call;
    if (row.id !== live.id) row.id = row.element.dataset.id = live.id ?? "";
    if (setState(row.element, call.state)) row.state.replaceChildren(badge(call.state));
    setText(row.likely, likelihood(live));
    setText(row.button, unbroken(call.name));
    setText(row.small, [live.party, ...markWords(call.marks)].filter(Boolean).join(" · ") || live.origin);
    setText(row.speech, speech(live));
    setText(row.lost, lost(live.lost_s));
    setText(row.family, live.p !== null && live.p >= table.suspicious_p ? family(live.family) : "");
    setText(row.length, clock(live.elapsed_s));
    setText(row.audio, audioNow(live));
    row.audio.classList.toggle("wrong-input", live.fault !== "");
    if (row.audio.title !== audioNow(live)) [row.audio.title, row.button.title] = [audioNow(live), live.call];
  }
}
