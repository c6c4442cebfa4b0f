// Numbers and names as they stand on the page. A number that is not known is a dash.

export const STATES = ["alert", "suspicious", "unknown", "undecided", "clear", "listening"];
export const DASH = "–";
export const UNKNOWN_FAMILY = "unknown";

/** A probability in whole percent that never claims 0 or 100. */
export function percent(p) {
  if (p === null || p === undefined) return DASH;
  if (p < 0.005) return "<1 %";
  return p >= 0.995 ? ">99 %" : `${Math.round(p * 100)} %`;
}

/** The likelihood of a channel, once it has heard enough speech for one. */
export const likelihood = (channel) => (channel.net_s < channel.needed_s ? DASH : percent(channel.p));

/** Whole seconds as 0:12, or 1:02:03 from an hour on. */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (n) => String(n).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** How much speech the verdict is based on. */
export function speech(channel) {
  return channel.net_s < channel.needed_s ? `${channel.net_s.toFixed(1)} / ${channel.needed_s.toFixed(1)} s` : span(channel.net_s);
}

/** What the audio of a channel is now, or what is wrong with it. */
export const audioNow = (channel) => channel.fault || (channel.impairment ? `hard to judge: ${channel.impairment}` : channel.reason);

/** "gan-vocoder" as "GAN vocoder". */
export const family = (name) => (name === UNKNOWN_FAMILY ? "no known kind" : name ? name.replace(/-/g, " ").replace(/^gan /, "GAN ").replace("end to end tts", "end-to-end TTS") : DASH);

/** "0.43 s lost", or "". */
export const lost = (seconds) => (seconds > 0 ? `${seconds.toFixed(seconds < 10 ? 2 : 0)} s lost` : "");

/** What a state means, in words. impairment: what makes the voice hard to judge, or "". */
export function meaning(state, table, impairment) {
  const [suspicious, alert] = [percent(table.suspicious_p), percent(table.alert_p)];
  return {
    alert: `${alert} or more in recent speech, or steady evidence over the call: treat the voice as synthetic until you know better`,
    suspicious: `${suspicious} or more: listen more closely`,
    unknown: "no verdict: no usable speech for long, or a fault of the input",
    undecided: impairment ? `hard to judge (${impairment}): this says nothing for or against a person` : "too little evidence for or against a person",
    clear: "the evidence so far speaks for a person; it is no proof",
    listening: "not enough speech yet for a verdict",
  }[state];
}

/** What evidence means, as odds: 2 nats are about 7 to 1. */
export function odds(llr) {
  if (llr === null || llr === undefined) return DASH;
  const ratio = Math.exp(Math.abs(llr));
  if (ratio < 1.5) return "neither for nor against";
  const size = ratio > 1000 ? "over 1000" : ratio < 10 ? String(Math.round(ratio)) : String(Number(ratio.toPrecision(1 + (ratio > 100))));
  return `${size} to 1 for ${llr > 0 ? "synthetic" : "a person"}`;
}

/** Seconds, as exact as they are worth: 0.8 s, 14 s, 3 min 20 s. */
export function span(seconds) {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return whole < 120 ? `${whole} s` : `${Math.floor(whole / 60)} min${whole % 60 ? ` ${whole % 60} s` : ""}`;
}

/** A name of a call whose numbers stay whole where a line breaks. */
export const unbroken = (name) => name.split(" → ").map((end) => (/^[+\d ()/.-]+$/.test(end) ? end.replaceAll(" ", "\u00a0") : end)).join(" → ");

/** The time of day by this browser's clock, 14:03:22; or 14:03. */
export const timeOfDay = (time, seconds = true) => time.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", ...(seconds ? { second: "2-digit" } : {}), hourCycle: "h23" });

/** A moment for people: the time of today, or date and time. */
export function moment(when, seconds = true) {
  const time = new Date(when);
  if (Number.isNaN(time.getTime())) return DASH;
  return `${time.toDateString() === new Date().toDateString() ? "" : `${time.toLocaleDateString()} `}${timeOfDay(time, seconds)}`;
}

/** A place in a call, to a tenth of a second: 1:02.3. */
export const place = (seconds) => `${clock(seconds)}.${Math.floor((Math.max(0, seconds) % 1) * 10 + 1e-6)}`;

export const MARKS = { acknowledged: "acknowledged", false_alarm: "false alarm", confirmed: "confirmed", note: "note" };

/** What people said of a call, in short: ["acknowledged", "false alarm", "2 notes"]. */
export function markWords(marks) {
  if (!marks) return [];
  return [marks.verdict ? MARKS[marks.verdict] : marks.acknowledged ? MARKS.acknowledged : "", marks.notes ? `${marks.notes} note${marks.notes > 1 ? "s" : ""}` : ""].filter(Boolean);
}

const TYPES = {
  "alert.opened": "Alert", "alert.updated": "Alert still open", "alert.closed": "Alert closed",
  "call.started": "Call began", "call.ended": "Call ended",
};

/** [what happened, where and when] of an event. */
export function eventText(event, named = (call) => call) {
  const where = [event.call && named(event.call), event.channel].filter(Boolean).join(", ");
  const when = new Date(event.time);
  const time = Number.isNaN(when.getTime()) ? "" : timeOfDay(when);
  const at = event.call ? `at ${clock(event.at_s)}` : "";
  return [what(event), [where, at, time].filter(Boolean).join(" · ")];
}

function what(event) {
  if (event.type === "call.marked") return `Marked: ${MARKS[event.kind] ?? event.kind}${event.by ? ` by ${event.by}` : ""}`;
  if (event.type === "health") return `${event.code[0].toUpperCase()}${event.code.slice(1)}: ${event.detail}`;
  if (event.type === "state.changed") return `Now ${event.state}${["unknown", "undecided"].includes(event.state) ? `: ${event.why}` : ""}`;
  const likelihood = event.type.startsWith("alert") && event.p !== null ? ` at ${percent(event.p)}` : "";
  const why = event.type === "call.ended" ? `: ${event.why}` : "";
  return `${TYPES[event.type] ?? event.type}${likelihood}${why}`;
}

/** The state whose shape and colour an event has, or "". */
export function eventState(event) {
  if (event.type === "alert.opened" || event.type === "alert.updated") return "alert";
  if (event.type === "state.changed") return event.state;
  if (event.type === "health" && event.usable === false) return "unknown";
  if (event.code === "scoring too slow") return "suspicious";
  return "";
}
