// The page: what is shown, what is open, and who is told when something changes.

import { writeCounts, writeEvents, writeKey, writeSystem } from "./aside.js";
import { CallPanel } from "./call.js";
import { Files } from "./files.js";
import { writeGuidance } from "./guidance.js";
import { History } from "./history.js";
import { bindKeys } from "./key_actions.js";
import { CallList } from "./list.js";
import { listenButton, stopListening } from "./listen.js";
import { Live } from "./live.js";
import { setText } from "./make.js";
import { Marks } from "./marks.js";
import { Microphone } from "./microphone.js";
import { News, TITLE } from "./news.js";
import { headline, Opened, outcomeBadge } from "./opened.js";
import { readRoute, writeRoute } from "./route.js";
import { Sound } from "./sound.js";
import { Subject } from "./subject.js";
import { timeOfDay } from "./words.js";

const READ = "how to read is known";
const $ = (id) => document.getElementById(id);

let session = { signed_in: false, microphone: false, listen_in: false };
let newest = null;
let lostSince = null;
let route = readRoute(location.hash);

const go = (change) => { location.hash = writeRoute({ ...route, call: "", file: "", at: null, ...change }); };
const close = () => go({});
const notify = (text, loud = false) => { setText($("said"), text); toast(text, loud); };

const history = new History(() => { files.refresh(); if (newest) draw({ ...newest, lines: {} }, true); });
const list = new CallList({ open: (id) => openCall(id), route: () => route, change: setFilter, history });
const panel = new CallPanel($("channels"), (call, channel) => (session.listen_in ? listenButton(call, channel) : null));
const sound = new Sound($("sound"));
const files = new Files({ open: (id) => go({ file: id }), notify, changed: (job, id) => subject.job(job, id) });
const opened = new Opened((at) => keepPosition(at), (...what) => subject.loaded(...what));
const marks = new Marks(() => (subject.kind === "call" ? opened.id : ""), () => { opened.refresh(); history.refresh(); }, notify);
const subject = new Subject({ opened, marks, history, files, headline, outcomeBadge, close, tables: () => newest?.table });
const news = new News(sound, () => subject.name, (name) => openCall(name));
const live = new Live({ request: () => ({ open: subject.name, seen: route.call || route.file ? [] : list.running.seen() }), draw, lost, refused: showSession });
const microphone = new Microphone(showMicrophone, (peak) => {
  const decibels = 20 * Math.log10(Math.max(peak, 1e-6));
  $("mic-level").firstElementChild.style.transform = `scaleX(${Math.max(0, Math.min(1, 1 + decibels / 60)).toFixed(3)})`;
});

/** id: of a call, as the API has it, or its name in events. */
function openCall(id) {
  go({ call: newest?.table.calls.find((call) => call.call === id)?.id || id });
}

function draw(picture, atOnce = false) {
  newest = picture;
  const { table: all } = picture;
  history.follow(all, route);
  $("overview").hidden = !(history.known || history.fault || route.call || route.file); // shown at once, so that nothing moves
  if (route.call || route.file) subject.draw(picture, panel);
  else {
    files.draw(route);
    list.update(all, picture.lines, atOnce);
  }
  $("events-card").hidden = subject.kind === "file";
  if (subject.kind) writeEvents($("events"), opened.events, () => "");
  else writeEvents($("events"), all.events, (name) => history.named(name)?.name ?? name);
  writeSystem($("system"), all);
  writeCounts($("counts"), all.states);
  writeKey($("key"), all);
  writeGuidance($("guide"), all.taps, session.microphone, { watch, choose: () => files.choose() });
  news.update(all, (call) => history.running.get(call.id)?.name ?? call.name);
}

/** Filter or sort: the address follows, so that a link leads to the same list; the browser's history gets no step for each letter. */
function setFilter(change) {
  route = { ...route, ...change };
  window.history.replaceState(null, "", writeRoute(route));
  list.controls();
  if (newest) draw({ ...newest, lines: {} }, true);
}

function keepPosition(at) {
  route = { ...route, at };
  window.history.replaceState(null, "", writeRoute(route));
}

/** What is open may change by a click, by the browser's own buttons, or by a link. */
function routeChanged() {
  const before = route;
  route = readRoute(location.hash);
  const within = Boolean(route.call || route.file);
  stopListening();
  panel.clear();
  $("call").hidden = !within;
  $("calls").hidden = within;
  list.controls();
  setText($("skip"), within ? "Skip to the call" : "Skip to the calls");
  subject.open(route);
  if (within) $("call-title").focus();
  if (newest) draw({ ...newest, lines: {} }, true);
  if (!within && (before.call || before.file)) list.focus(before.call || before.file);
}

function lost(gone) {
  if (gone) lostSince ??= new Date();
  else lostSince = null;
  document.body.classList.toggle("is-lost", gone);
  $("link").className = `link ${gone ? "gone" : "live"}`;
  setText($("link-word"), gone ? "no connection" : "live");
  $("lost").hidden = !gone || newest === null;
  if (gone) {
    setText($("lost"), `No connection to the monitor since ${timeOfDay(lostSince)}. What is shown is old. Reconnecting.`);
    document.title = `No connection · ${TITLE}`;
  }
}

function showMicrophone({ on, text, call, fault }) {
  $("mic").hidden = !on && !text;
  $("mic").dataset.state = fault ? "unknown" : "listening";
  setText($("mic-text"), text);
  $("mic-open").hidden = !call;
  $("mic-open").dataset.call = call;
  setText($("mic-stop"), on ? "Stop" : "Dismiss");
  $("microphone").disabled = on;
}

async function showSession(known) {
  session = known;
  $("sign-in").hidden = session.signed_in;
  $("tools").hidden = !session.signed_in;
  $("microphone").hidden = !session.microphone;
  if (session.signed_in) {
    live.start();
    subject.open(route);
    return;
  }
  $("overview").hidden = true;
  $("lost").hidden = true;
  history.stop();
  setText($("link-word"), "not signed in");
  $("token").focus();
}

let fading = 0;
function toast(text, loud) {
  setText($("toast"), text);
  $("toast").hidden = false;
  $("toast").classList.toggle("loud", loud);
  clearTimeout(fading);
  fading = setTimeout(() => { $("toast").hidden = true; }, loud ? 10_000 : 4000);
}

function watch() {
  const why = Microphone.why();
  if (why) showMicrophone({ on: false, text: why, call: "", fault: "failed" });
  else microphone.start();
}

$("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    const answer = await fetch("/session", { method: "POST", body: $("token").value });
    setText($("wrong"), answer.ok ? "" : (await answer.json()).error);
    if (answer.ok) await showSession(await (await fetch("/session")).json());
  } catch {
    setText($("wrong"), "the monitor does not answer");
  }
  $("token").value = "";
});
$("microphone").addEventListener("click", watch);
$("mic-stop").addEventListener("click", () => microphone.stop());
$("mic-open").addEventListener("click", () => openCall($("mic-open").dataset.call));
$("back").addEventListener("click", close);
$("home").addEventListener("click", (event) => { event.preventDefault(); close(); });
$("skip").addEventListener("click", (event) => { event.preventDefault(); $(route.call || route.file ? "call-title" : "calls-title").focus(); });
$("reading").open = localStorage.getItem(READ) === null;
$("reading").addEventListener("toggle", () => {
  if ($("reading").open) localStorage.removeItem(READ);
  else localStorage.setItem(READ, "yes");
});
window.addEventListener("hashchange", routeChanged);
window.addEventListener("pagehide", () => { if (microphone.on) microphone.stop(); });

bindKeys({ list, opened, marks, files, setFilter, close, watch, view: () => (route.call || route.file ? "call" : "list"), show: () => route.show });
routeChanged();
fetch("/session").then((answer) => answer.json()).then(showSession).catch(() => live.reconnect(live.socket));
