// Hearing one channel of a call, where the monitor allows it.

import { make, setText } from "./make.js";

let ending = () => {};

/** Stop whatever is heard. */
export const stopListening = () => ending();

/** A button that plays a channel, and what it means for those who speak. */
export function listenButton(call, channel) {
  const button = make("button", { type: "button", "aria-pressed": "false" }, "Listen in");
  const note = make("p", { class: "privacy" }, "Those who speak may not expect it, and the law may ask you to tell them. The monitor notes who listens, in its journal too.");
  button.addEventListener("click", () => {
    if (button.getAttribute("aria-pressed") === "true") ending();
    else play(call, channel, button);
  });
  return make("div", { class: "listen" }, button, note);
}

async function play(call, channel, button) {
  ending();
  const context = new AudioContext({ sampleRate: 16000 });
  const address = new URLSearchParams({ call, channel });
  const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/listen?${address}`);
  socket.binaryType = "arraybuffer";
  const end = () => {
    if (ending !== end) return;
    ending = () => {};
    socket.onclose = null;
    socket.close();
    context.close();
    button.setAttribute("aria-pressed", "false");
    setText(button, "Listen in");
  };
  ending = end;
  socket.onclose = end;
  button.setAttribute("aria-pressed", "true");
  setText(button, "Stop listening");
  try {
    await context.audioWorklet.addModule("/static/listen-worklet.js");
  } catch { // It was stopped before it began.
    end();
    return;
  }
  const player = new AudioWorkletNode(context, "player", { numberOfInputs: 0, outputChannelCount: [1] });
  player.connect(context.destination);
  socket.onmessage = ({ data }) => {
    if (data instanceof ArrayBuffer) player.port.postMessage(data, [data]);
  };
}
