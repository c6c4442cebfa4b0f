// The call or the file that is open: found by its id, drawn live while it runs, and as it is kept.

import { stopListening } from "./listen.js";
import { make, setText } from "./make.js";
import { unbroken, clock, STATES } from "./words.js";

const $ = (id) => document.getElementById(id);
const ID = /^[0-9a-f]{20}$/;
const NO_THRESHOLDS = { suspicious_p: 1, alert_p: 1 };
const DROPPED = "The file was sent to this monitor alone; it plays from this browser.";

export class Subject {
  /** parts: opened, marks, history, files, headline, outcomeBadge, close, tables (see app.js). */
  constructor(parts) {
    Object.assign(this, parts);
    this.reset();
  }

  reset() {
    [this.kind, this.name, this.key, this.ran] = ["", "", "", false];
  }

  /** route: see route.js. */
  open(route) {
    const key = route.call ? `call ${route.call}` : route.file ? `file ${route.file}` : "";
    if (key === this.key) return;
    this.reset();
    this.opened.clear();
    this.key = key;
    for (const id of ["call-title", "call-facts"]) setText($(id), "");
    if (!key) return;
    this.kind = route.call ? "call" : "file";
    if (route.call) this.find(route);
    else this.file(route);
  }

  /** A link may name a call by its id or by its name in events. */
  async find({ call, at }) {
    const { key } = this;
    const live = () => this.tables()?.calls.find((one) => one.id === call || one.call === call);
    if (!live() && !ID.test(call)) await this.history.refresh();
    if (key !== this.key) return;
    this.name = live()?.call ?? (ID.test(call) ? "" : call);
    setText($("call-title"), unbroken(live()?.name ?? this.name));
    const id = live()?.id || this.history.named(call)?.id || call;
    this.opened.open(id, at, () => this.tables() ?? NO_THRESHOLDS);
  }

  /** What the API says of the call: its details, or why there are none. */
  loaded(details, error) {
    if (this.kind === "file") return;
    if (error) {
      setText($("call-title"), this.name || "No such call");
      if (!this.name) this.showNotice(`${error.message}. Calls that ended are kept for a day, or as long as web.keep_ended_s says.`);
      return;
    }
    setText($("call-title"), unbroken(details.name));
    this.name = details.ended === null ? details.call : "";
    if (details.ended === null) this.ran = true;
    else if (this.ran) {
      stopListening();
      this.showNotice("This call has ended.");
    }
    if (details.ended !== null) $("channels").replaceChildren();
    this.headline(details);
    if (details.ended !== null) this.outcomeBadge(details.outcome);
    $("marks-bar").hidden = $("marks-card").hidden = false;
    this.marks.write(details);
    this.advise(details.outcome === "alert" && details.marks.findLast((mark) => ["false_alarm", "confirmed"].includes(mark.kind))?.kind !== "false_alarm");
  }

  advise(wanted) {
    $("advice").hidden = !wanted;
  }

  showNotice(words) {
    setText($("over"), words);
    $("over").hidden = false;
  }

  /** The live picture: channels while the call runs. */
  draw(picture, panel) {
    this.opened.seeker.thresholds(picture.table);
    if (this.kind !== "call" || !this.name || picture.open !== this.name) return;
    if (picture.call === null) return;
    if (!this.opened.details) setText($("call-title"), unbroken(picture.call.name));
    panel.update(picture.call, picture.table);
    const state = picture.call.channels.map((channel) => channel.state).sort((a, b) => STATES.indexOf(a) - STATES.indexOf(b))[0];
    if (state && $("call-badge").dataset.state !== state) {
      $("call-badge").dataset.state = state;
      this.outcomeBadge(state);
    }
    if (state === "alert" && !this.opened.details) this.advise(true);
  }

  async file({ file, at }) {
    const { key } = this;
    try {
      const kept = await this.files.find(file);
      if (key !== this.key) return;
      this.at = at;
      this.job(kept.job);
      if (!kept.row && ["waiting", "running"].includes(kept.job.state)) this.files.follow(file);
    } catch (error) {
      if (key !== this.key) return;
      setText($("call-title"), "No such file");
      this.showNotice(`${error.message}. Results are deleted after a while: score the file again.`);
    }
  }

  /** A file that is scored has changed; null: it was forgotten. */
  job(job, id) {
    if (this.key !== `file ${job?.id ?? id}`) return;
    if (!job) {
      this.close();
      return;
    }
    setText($("call-title"), job.name);
    const far = job.total_s ? ` of ${clock(job.total_s)}` : "";
    if (job.state === "failed") setText($("call-facts"), `not scored: ${job.error}`);
    else if (job.state !== "done") setText($("call-facts"), `scored by this monitor: ${clock(job.at_s)}${far}`);
    else this.scored(job);
  }

  scored(job) {
    const report = make("a", { class: "button", href: `/api/v1/scores/${encodeURIComponent(job.id)}/report`, download: "" }, "Download the report");
    const { sound, file } = this.files.jobs.get(job.id) ?? { sound: "", file: null };
    const [whole, ...others] = job.calls;
    if (!whole) {
      setText($("call-facts"), "no call in it that can be scored");
      return;
    }
    const clips = sound && !others.length ? [{ name: "file", channel: "", start_s: 0, end_s: whole.duration_s, audio: sound, picture: "", file }] : [];
    this.opened.id = job.id;
    this.opened.startAt = this.at;
    this.opened.marks = () => this.tables() ?? NO_THRESHOLDS;
    this.opened.write(whole, whole.timelines, clips, DROPPED);
    this.headline(whole);
    $("call-facts").append(" ", report);
    this.outcomeBadge(whole.outcome);
    this.advise(whole.outcome === "alert");
  }
}
