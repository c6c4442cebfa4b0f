// Beside the calls: events, the state of the system, counts by state, and what the states mean.

import { badge, make, shape } from "./make.js";
import { meaning, span, STATES, eventText, eventState } from "./words.js";

const SHOWN_EVENTS = 24;

/** An alert that opens says what the change of state says, and that it is still open stands in the table. */
const repeats = (event) => event.type === "alert.updated" || (event.type === "state.changed" && event.state === "alert");

/** Newest first. named: from the name of a call in events to what people call it. */
export function writeEvents(list, events, named) {
  const shown = events.filter((event) => !repeats(event)).slice(0, SHOWN_EVENTS);
  const mark = shown.map((event) => `${event.seq}${event.time}${named(event.call)}`).join();
  if (list.dataset.mark === mark) return;
  list.dataset.mark = mark;
  list.replaceChildren(...shown.map((event) => {
    const [what, where] = eventText(event, named);
    const state = eventState(event);
    return make("li", state ? { "data-state": state } : {}, shape(state), make("span", {}, what, make("small", {}, where)));
  }));
  if (!shown.length) list.append(make("li", { class: "dim wide" }, "no events yet"));
}

const milliseconds = (value) => (value === null ? "–" : `${Math.round(value)} ms`);

const shardWords = ({ name, state, place, streams, busy, lost }) =>
  `${name} ${state}${place ? ` on ${place}: ${streams} streams, ${Math.round(100 * busy)} % busy` : ""}${lost ? `, lost ${lost} times` : ""}`;

/** What listens, what is wrong, and how late the verdicts are. */
export function writeSystem(list, table) {
  const rows = [
    ...table.taps.map((tap) => ["Tap", tap, tap.includes(" ! ")]),
    ...table.shards.map((shard) => ["Shard", shardWords(shard), shard.state !== "up"]),
    ...table.health.map((fault) => ["Fault", fault, true]),
    ["Latency", `${milliseconds(table.latency_p50_ms)}; 99 of 100 within ${milliseconds(table.latency_p99_ms)}`],
    ["Calls", `${table.count} of ${table.max_calls}, ${table.ended} ended${table.refused ? `, ${table.refused} refused` : ""}`],
    ["Alerts", String(table.alerts)],
    ["Audio lost", table.lost_s > 0 ? span(table.lost_s) : "none"],
    ["Model", `${table.model} on ${table.device}`],
    ...(table.publisher ? [["Publisher", table.publisher]] : []),
  ];
  const text = JSON.stringify(rows);
  if (list.dataset.text === text) return;
  list.dataset.text = text;
  list.replaceChildren(...rows.flatMap(([name, value, wrong]) => [make("dt", {}, name), make("dd", wrong ? { class: "fault" } : {}, value)]));
}

/** How many calls are in each state. */
export function writeCounts(list, states) {
  const some = STATES.filter((state) => states[state]);
  const text = some.map((state) => `${state}${states[state]}`).join();
  if (list.dataset.text === text) return;
  list.dataset.text = text;
  list.replaceChildren(...some.map((state) => make("li", { class: "state", "data-state": state }, shape(state), `${states[state]} ${state}`)));
}

/** What the states mean, with the thresholds that are set. */
export function writeKey(list, table) {
  if (list.children.length) return;
  list.append(...STATES.map((state) => make("li", {}, make("span", {}, badge(state)), make("span", {}, meaning(state, table)))));
}
