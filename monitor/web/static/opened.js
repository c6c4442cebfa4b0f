// What is open: a call, running or ended, or a file that is scored. Its whole timeline, segments, marks and details.

import { address, getCall, getEvents, getTimeline } from "./api.js";
import { badge, make, setText } from "./make.js";
import { writeSegments } from "./segments.js";
import { Seeker } from "./seeker.js";
import { clock, family, moment, percent, span } from "./words.js";

const AGAIN_MS = 2000;
const NO_AUDIO = "No audio of this call was kept. With --evidence DIR the monitor keeps the audio around alerts.";
const NO_AUDIO_YET = "No audio of this call is kept so far. With --evidence DIR the monitor writes that of an alert some seconds after it opens.";
const $ = (id) => document.getElementById(id);

export class Opened {
  /** moved: takes the seconds of the cursor. changed: takes the details of a call when they have come. */
  constructor(moved, changed) {
    this.changed = changed;
    this.seeker = new Seeker($("seeker"), moved);
    this.timer = 0;
    this.clear();
  }

  clear() {
    clearTimeout(this.timer);
    this.seeker.clear();
    [this.details, this.id, this.placed, this.startAt, this.events] = [null, "", false, null, []];
    for (const id of ["whole", "segments-card", "marks-card", "facts-card", "advice", "over", "marks-bar"]) $(id).hidden = true;
    for (const id of ["call-badge", "segments", "call-marks", "marks", "facts"]) { $(id).replaceChildren(); delete $(id).dataset.mark; }
  }

  /** id: of a call, as the API has it. at: seconds to begin at, or null for the worst moment. */
  async open(id, at, marks) {
    this.clear();
    [this.id, this.startAt, this.marks] = [id, at, marks];
    await this.refresh();
  }

  /** Ask for all of it, again and again while the call runs. */
  async refresh() {
    const { id } = this;
    clearTimeout(this.timer);
    try {
      const details = await getCall(id);
      const [events, ...lines] = await Promise.all([getEvents(id), ...details.channels.map(({ channel }) => getTimeline(id, channel))]);
      if (id !== this.id) return;
      this.events = events.events.map(shownEvent).reverse();
      this.write(details, lines, clips(details));
    } catch (error) {
      if (id !== this.id) return;
      if (!this.details) this.changed(null, error);
    }
    if (id === this.id && (!this.details || this.details.ended === null)) this.timer = setTimeout(() => this.refresh(), AGAIN_MS);
  }

  /** details, lines: as the API has them, of a call or of a scored file. */
  write(details, lines, heard, silent = details.ended ? NO_AUDIO : NO_AUDIO_YET) {
    const first = this.details === null;
    this.details = details;
    const length_s = Math.max(details.duration_s, ...details.segments.map((segment) => segment.end_s), 0);
    const tracks = details.channels.map(({ channel }, at) => ({
      name: channel, line: lines[at] ?? null, segments: details.segments.filter((segment) => segment.channel === channel),
      kept: heard.filter((clip) => clip.channel === channel || clip.channel === "").map((clip) => [clip.start_s, clip.end_s]),
    }));
    this.seeker.show({ length_s, marks: this.marks(), tracks, clips: heard, silent });
    if (!this.placed && lines.some((line) => line?.p_fake.some((p) => p !== null))) {
      this.placed = true;
      this.seeker.moveTo(this.startAt ?? this.seeker.worst());
    }
    $("whole").hidden = !(length_s > 0);
    $("segments-card").hidden = !details.segments.length;
    writeSegments($("segments"), details.segments, (seconds) => this.seeker.seek(seconds), details.channels.length > 1);
    this.facts(details);
    this.changed(details, null, first);
  }

  facts(details) {
    const known = Object.entries(details.details ?? {});
    const rows = [
      ...(details.started && details.tap !== "file" ? [["Began", `${moment(details.started)} (${new Date(details.started).toISOString().replace("T", " ").slice(0, 19)} UTC)`]] : []),
      ...(details.ended && details.tap !== "file" ? [["Ended", `${moment(details.ended)}${details.why ? `: ${details.why}` : ""}`]] : []),
      ["Length", clock(details.duration_s)], ["Lost", details.lost_s > 0 ? span(details.lost_s) : "none"],
      ...details.channels.map((channel) => [`Speech, ${channel.channel}`, `${span(channel.net_speech_s)}${likeness(channel)}`]),
      ...(details.tap ? [["Tap", details.tap]] : []), ...(details.address ? [["Address", details.address]] : []), ...known,
      ...(details.provenance ?? []).map((mark) => ["Origin", mark.detail ?? mark.kind]),
      ["Name in events", details.call], ["Model", details.model],
    ].filter(([, value]) => value);
    $("facts-card").hidden = false;
    const mark = JSON.stringify(rows);
    if ($("facts").dataset.mark === mark) return;
    $("facts").dataset.mark = mark;
    $("facts").replaceChildren(...rows.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, String(value))]));
  }
}

function likeness(channel) {
  const [name, share] = Object.entries(channel.families ?? {}).sort((a, b) => b[1] - a[1])[0] ?? [];
  return name ? `; if synthetic, most like ${family(name)} (${percent(share)})` : "";
}

/** An event of the API as the live pictures have it. */
const shownEvent = (event) => ({ ...event, p: event.p_fake ?? null, at_s: event.sample / 16_000 });

/** What can be heard of a call. */
function clips(details) {
  return details.evidence.flatMap((evidence) => evidence.audio.map((audio) => {
    const where = `?channel=${encodeURIComponent(audio.channel)}`;
    const base = (what) => address("calls", details.id, "evidence", evidence.id, what) + where;
    return { ...audio, name: evidence.id, audio: base("audio"), picture: audio.spectrogram ? base("spectrogram") : "" };
  }));
}

/** The line below the title. */
export function headline(details) {
  const file = details.tap === "file";
  setText($("whole-title"), file ? "The whole recording" : "The whole call");
  setText($("call-facts"), [file ? "" : details.ended ? `ended ${moment(details.ended)}` : details.tap, `${clock(details.duration_s)} long`,
    `${span(details.speech_s)} of speech${details.channels.length > 1 ? " of all parties" : ""}`, details.alerts.length ? `${details.alerts.length} alert${details.alerts.length > 1 ? "s" : ""}` : "no alert"].filter(Boolean).join(" · "));
}

export const outcomeBadge = (state) => $("call-badge").replaceChildren(badge(state));
