// What each key does.

import { Keys } from "./keys.js";

const $ = (id) => document.getElementById(id);

/** Bind the keys of the page to its parts. */
export function bindKeys({ list, opened, marks, files, setFilter, close, watch, view }) {
  const { seeker } = opened;
  const find = () => {
    if (view() !== "list") close();
    setTimeout(() => { $("find").focus(); $("find").select(); });
  };
  const row = { words: "", where: "list" };
  const within = (keys, shown, words, act) => ({ keys, shown, words, where: "call", go: act });
  return new Keys([
    { keys: ["?"], shown: "?", words: "show this list", where: "", go: () => $("keys").showModal() },
    { keys: ["/"], shown: "/", words: "search the calls", where: "", go: find },
    { keys: ["o"], shown: "o", words: "choose a file to score", where: "", go: () => files.choose() },
    { keys: ["m"], shown: "m", words: "watch this microphone", where: "", go: () => { if (!$("microphone").hidden && !$("microphone").disabled) watch(); } },
    { keys: ["Escape"], shown: "Esc", words: "back to the list; out of the search", where: "", go: ({ target }) => (view() === "call" ? close() : target.blur()) },
    { ...row, keys: ["j"], shown: "j or ↓", words: "next call", go: () => list.step(1) },
    { ...row, keys: ["k"], shown: "k or ↑", words: "previous call", go: () => list.step(-1) },
    { ...row, keys: ["Enter"], shown: "Enter", words: "open the selected call, else the first", go: () => list.first()?.click() },
    { ...row, keys: ["1"], shown: "1", words: "all calls", go: () => setFilter({ show: "all" }) },
    { ...row, keys: ["2"], shown: "2", words: "running calls", go: () => setFilter({ show: "running" }) },
    { ...row, keys: ["3"], shown: "3", words: "ended calls", go: () => setFilter({ show: "ended" }) },
    { ...row, keys: ["h"], shown: "h", words: "ended in the last hour", go: () => setFilter({ since: "1h" }) },
    { ...row, keys: ["u"], shown: "u", words: "alerts without a mark", go: () => setFilter({ mark: "open" }) },
    { ...row, keys: ["s"], shown: "s", words: "next sort order", go: () => list.nextSort() },
    { ...row, keys: ["x"], shown: "x", words: "clear the filter", go: () => list.clear() },
    within(["a"], "a", "acknowledge", () => marks.set("acknowledged")),
    within(["f"], "f", "false alarm", () => marks.set("false_alarm")),
    within(["c"], "c", "confirmed", () => marks.set("confirmed")),
    within(["n"], "n", "note", () => marks.set("note")),
    within(["p"], "p", "play or pause; on the timeline, the space bar too", () => seeker.toggle()),
    within(["ArrowLeft", "ArrowRight"], "← →", "one second back or forward", ({ key }) => seeker.key(key)),
    within([], "Page ↑ ↓", "ten seconds back or forward, on the timeline", () => {}),
    within(["["], "[", "previous segment", () => seeker.jump(-1)),
    within(["]"], "]", "next segment", () => seeker.jump(1)),
    within(["d"], "d", "download the report of a file", () => document.querySelector("#call-facts a")?.click()),
    within(["w"], "w", "go to the worst moment", () => seeker.seek(seeker.worst())),
  ], view);
}
