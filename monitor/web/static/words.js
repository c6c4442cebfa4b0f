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
  const heard = `${channel.net_s.toFixed(1)} s`;
  return channel.net_s < channel.needed_s ? `${channel.net_s.toFixed(1)} / ${channel.needed_s.toFixed(1)} s` : heard;
}

/** What a channel hears now, or what is wrong with it. */
export const hears = (channel) => channel.fault || (channel.hardship ? `hard to judge: ${channel.hardship}` : channel.reason);

/** "gan-vocoder" as "GAN vocoder". */
export const family = (name) => (name === UNKNOWN_FAMILY ? "none that it knows" : name ? name.replace(/-/g, " ").replace(/^gan /, "GAN ").replace("end to end tts", "end-to-end TTS") : DASH);

/** "0.43 s lost", or "". */
export const lost = (seconds) => (seconds > 0 ? `${seconds.toFixed(seconds < 10 ? 2 : 0)} s lost` : "");

/** What a state means, in words. hardship: what makes the voice hard to judge, or "". */
export function meaning(state, table, hardship) {
  const [suspicious, alert] = [percent(table.suspicious_p), percent(table.alert_p)];
  return {
    alert: `${alert} or more in recent speech, or steady evidence over the call: treat the voice as synthetic until you know better`,
    suspicious: `${suspicious} or more: listen more closely`,
    unknown: "nothing can be said: no usable speech for long, or a fault of the input",
    undecided: hardship ? `hard to judge (${hardship}): this says nothing for or against a person` : "too little evidence for or against a person",
    clear: "the evidence so far speaks for a person; it is no proof",
    listening: "not enough speech yet for a verdict",
  }[state];
}

const TYPES = {
  "alert.opened": "Alert", "alert.updated": "Alert still open", "alert.closed": "Alert closed",
  "call.started": "Call began", "call.ended": "Call ended",
};

/** [what happened, where and when] of an event. */
export function told(event) {
  const where = [event.call, event.channel].filter(Boolean).join(", ");
  const when = new Date(event.time);
  const time = Number.isNaN(when.getTime()) ? "" : when.toLocaleTimeString();
  const at = event.call ? `at ${clock(event.at_s)}` : "";
  return [what(event), [where, at, time].filter(Boolean).join(" · ")];
}

function what(event) {
  if (event.type === "health") return `${event.code}: ${event.detail}`;
  if (event.type === "state.changed") return `Now ${event.state}${["unknown", "undecided"].includes(event.state) ? `: ${event.why}` : ""}`;
  const likelihood = event.type.startsWith("alert") && event.p !== null ? ` at ${percent(event.p)}` : "";
  const why = event.type === "call.ended" ? `: ${event.why}` : "";
  return `${TYPES[event.type] ?? event.type}${likelihood}${why}`;
}

/** The state whose shape and colour an event has, or "". */
export function tone(event) {
  if (event.type === "alert.opened" || event.type === "alert.updated") return "alert";
  if (event.type === "state.changed") return event.state;
  if (event.type === "health" && event.usable === false) return "unknown";
  if (event.code === "scoring too slow") return "suspicious";
  return "";
}
