// The page: what is shown, what is open, and who is told when something changes.

import { writeCounts, writeEvents, writeKey, writeNone, writeSystem } from "./aside.js";
import { CallPanel } from "./call.js";
import { listenButton, stopListening } from "./listen.js";
import { Live } from "./live.js";
import { say } from "./make.js";
import { Microphone } from "./microphone.js";
import { Sound } from "./sound.js";
import { Table } from "./table.js";
import { clock, percent } from "./words.js";

const TITLE = "Deepfake speech monitor";
const READ = "how to read is known";
const $ = (id) => document.getElementById(id);

let session = { signed_in: false, microphone: false, listen_in: false };
let newest = null;
let told = new Set();
let lostSince = null;

const opened = () => decodeURIComponent(location.hash.match(/^#call=(.*)$/)?.[1] ?? "");
const open = (call) => { location.hash = `call=${encodeURIComponent(call)}`; };
const close = () => { location.hash = ""; };

const table = new Table($("rows"), open);
const panel = new CallPanel($("channels"), (call, channel) => (session.listen_in ? listenButton(call, channel) : null));
const sound = new Sound($("sound"));
const live = new Live({ wish: () => ({ open: opened(), seen: opened() ? [] : table.seen() }), draw, lost, refused: welcome });
const microphone = new Microphone(heard, (peak) => {
  const decibels = 20 * Math.log10(Math.max(peak, 1e-6));
  $("mic-level").firstElementChild.style.transform = `scaleX(${Math.max(0, Math.min(1, 1 + decibels / 60)).toFixed(3)})`;
});

function draw(picture) {
  newest = picture;
  const { table: all } = picture;
  const call = opened();
  $("desk").hidden = false;
  if (call) drawCall(picture, call);
  else table.update(all, picture.lines);
  writeEvents($("events"), call && picture.call ? picture.call.events : all.events);
  writeSystem($("system"), all);
  writeCounts($("counts"), all.states);
  writeKey($("key"), all);
  writeNone($("none"), all, session.microphone);
  const hidden = all.count - all.calls.length;
  $("more").hidden = hidden <= 0;
  say($("more"), `and ${hidden} more, none graver`);
  news(all);
}

function drawCall(picture, name) {
  if (picture.open !== name) return; // It was asked for before this call was opened.
  $("over").hidden = picture.call !== null;
  if (picture.call === null) {
    stopListening();
    return;
  }
  say($("call-facts"), `from ${picture.call.origin} · ${clock(picture.call.elapsed_s)} · model ${picture.call.model}`);
  panel.update(picture.call, picture.table);
}

/** What is open may change by a click, by the browser's own buttons, or by a link. */
function moved() {
  const call = opened();
  stopListening();
  panel.clear();
  $("call").hidden = !call;
  $("calls").hidden = Boolean(call);
  $("over").hidden = true;
  say($("call-title"), call);
  say($("call-facts"), "");
  if (call) $("call-title").focus();
  if (newest) draw({ ...newest, lines: {} });
}

/** Say alerts that are new: in the title, in a banner, by a sound. */
function news(all) {
  const alerts = all.calls.filter((call) => call.state === "alert");
  const fresh = alerts.filter((call) => !told.has(call.call));
  told = new Set(alerts.map((call) => call.call));
  document.title = alerts.length ? `(${alerts.length}) ALERT · ${TITLE}` : TITLE;
  if (fresh.length) {
    const [first] = fresh;
    const rest = fresh.length > 1 ? `, and ${fresh.length - 1} more` : "";
    say($("news-text"), `Alert: ${first.call}${first.party ? `, ${first.party}` : ""}, ${percent(first.p)} likely synthetic${rest}`);
    $("news").dataset.call = first.call;
    $("news").hidden = opened() === first.call;
    sound.ring();
  }
  if (!told.has($("news").dataset.call)) $("news").hidden = true;
}

function lost(gone) {
  if (gone) lostSince ??= new Date();
  else lostSince = null;
  document.body.classList.toggle("is-lost", gone);
  $("link").className = `link ${gone ? "gone" : "live"}`;
  say($("link-word"), gone ? "no connection" : "live");
  $("lost").hidden = !gone || newest === null;
  if (gone) {
    say($("lost"), `Out of touch with the monitor since ${lostSince.toLocaleTimeString()}: what stands here is old. Trying again.`);
    document.title = `No connection · ${TITLE}`;
  }
}

function heard({ on, text, call, fault }) {
  $("mic").hidden = !on && !text;
  $("mic").dataset.state = fault ? "unknown" : "listening";
  say($("mic-text"), text);
  $("mic-open").hidden = !call;
  $("mic-open").dataset.call = call;
  say($("mic-stop"), on ? "Stop" : "Dismiss");
  $("microphone").disabled = on;
}

async function welcome(known) {
  session = known;
  $("sign-in").hidden = session.signed_in;
  $("tools").hidden = !session.signed_in;
  $("microphone").hidden = !session.microphone;
  if (session.signed_in) {
    live.start();
    return;
  }
  $("desk").hidden = true;
  $("lost").hidden = true;
  say($("link-word"), "not signed in");
  $("token").focus();
}

$("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    const answer = await fetch("/session", { method: "POST", body: $("token").value });
    say($("wrong"), answer.ok ? "" : (await answer.json()).error);
    if (answer.ok) await welcome(await (await fetch("/session")).json());
  } catch {
    say($("wrong"), "the monitor does not answer");
  }
  $("token").value = "";
});
$("microphone").addEventListener("click", () => {
  const why = Microphone.why();
  if (why) heard({ on: false, text: why, call: "", fault: "failed" });
  else microphone.start();
});
$("mic-stop").addEventListener("click", () => microphone.stop());
$("mic-open").addEventListener("click", () => open($("mic-open").dataset.call));
$("news-open").addEventListener("click", () => { $("news").hidden = true; open($("news").dataset.call); });
$("news-done").addEventListener("click", () => { $("news").hidden = true; });
$("back").addEventListener("click", close);
$("home").addEventListener("click", (event) => { event.preventDefault(); close(); });
document.addEventListener("keydown", (event) => { if (event.key === "Escape" && opened()) close(); });
$("reading").open = localStorage.getItem(READ) === null;
$("reading").addEventListener("toggle", () => {
  if ($("reading").open) localStorage.removeItem(READ);
  else localStorage.setItem(READ, "yes");
});
window.addEventListener("hashchange", moved);
window.addEventListener("pagehide", () => { if (microphone.on) microphone.stop(); });

moved();
fetch("/session").then((answer) => answer.json()).then(welcome).catch(() => live.again(live.socket));
