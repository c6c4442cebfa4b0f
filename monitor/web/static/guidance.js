// What to do when no call is there: watch this microphone, score a file, connect a telephone system.

import { make } from "./make.js";

const TRIES = {
  rtp: (at) => `monitor simulate rtp call.wav --to ${at}`,
  audiosocket: (at) => `monitor simulate audiosocket call.wav --to ${at}`,
  websocket: (at) => `monitor simulate twilio call.wav --to ws://${at}`,
};
const STARTS = [
  ["Asterisk, FreePBX", "monitor serve --web --audiosocket 127.0.0.1:9092"],
  ["RTP: a border controller, a port that mirrors calls", "monitor serve --web --rtp 127.0.0.1:5004"],
  ["Twilio, Telnyx, Vonage and others by WebSocket", "monitor serve --web --websocket 127.0.0.1:8765"],
];
const MICROPHONE = [
  "What this computer hears is scored while you speak, or while a call plays on its loudspeaker. No audio is stored unless the monitor was started with ",
  make("span", { class: "word" }, "--evidence"), ".",
];
const NAMES = { rtp: "RTP", audiosocket: "AudioSocket", websocket: "WebSocket" };

/** A command that can be copied. */
function command(text) {
  const copy = make("button", { type: "button", class: "link-button", "aria-label": `Copy ${text}` }, "Copy");
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      copy.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code);
      copy.textContent = "Selected";
    }
    setTimeout(() => { copy.textContent = "Copy"; }, 2000);
  });
  const code = make("code", {}, ...text.split(" ").flatMap((word) => [make("span", { class: "word" }, word), " "]));
  return make("p", { class: "command" }, code, copy);
}

const card = (title, ...children) => make("section", { class: "way" }, make("h4", {}, title), ...children);
/** The kind of a tap and the addresses at which it listens. */
function tapped(tap) {
  const [kind, ...rest] = tap.split(" ");
  return [kind, rest.join(" ").split(", ").filter((at) => /:\d+/.test(at))];
}

/** taps: as the monitor says them, such as "rtp 127.0.0.1:5004, 127.0.0.1:5006". */
export function writeGuidance(place, taps, microphone, { watch, choose }) {
  const mark = taps.join() + microphone;
  if (place.dataset.mark === mark) return;
  place.dataset.mark = mark;
  const listens = taps.map(tapped).filter(([kind, at]) => TRIES[kind] && at.length);
  place.replaceChildren(make("h3", { id: "guide-title" }, "No calls yet. Three ways to begin:"), make("div", { class: "ways" },
    card("Watch this microphone", make("p", {}, ...(microphone ? MICROPHONE : ["This monitor does not take microphones of browsers."])),
      ...(microphone ? [make("button", { type: "button", class: "main-button", click: watch }, "Watch this microphone")] : [])),
    card("Score a recording", make("p", {}, "Drop a file anywhere on this page, or choose one. It goes to this monitor and nowhere else, and is deleted there afterwards."),
      make("button", { type: "button", click: choose }, "Choose a file")),
    card("Connect a telephone system", ...(listens.length ? listening(listens) : starting()))));
}

function listening(listens) {
  return [make("p", {}, `The monitor listens for calls: ${listens.map(([kind, at]) => `${NAMES[kind]} at ${at.join(", ")}`).join(", ")}. To try it with a recording, in a terminal:`),
    ...listens.map(([kind, at]) => command(TRIES[kind](at[0])))];
}

function starting() {
  return [make("p", {}, "Start the monitor with the kind of your system, and send its calls there:"),
    ...STARTS.flatMap(([name, text]) => [make("p", { class: "dim" }, name), command(text)])];
}
