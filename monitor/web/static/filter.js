// Which calls the list shows, and in what order. Pure.

import { STATES } from "./words.js";

export const SINCE_S = { "": Infinity, "15m": 900, "1h": 3600, "4h": 14_400, "24h": 86_400 };
const isHandled = (marks) => Boolean(marks?.acknowledged || marks?.verdict);
const MARKED = {
  "": () => true,
  open: (call) => call.alerts > 0 && !isHandled(call.marks),
  acknowledged: (call) => Boolean(call.marks?.acknowledged),
  false_alarm: (call) => call.marks?.verdict === "false_alarm",
  confirmed: (call) => call.marks?.verdict === "confirmed",
  notes: (call) => (call.marks?.notes ?? 0) > 0,
};

/** Whether a call is wanted. now: milliseconds since 1970. A running call counts for any time: it goes on. text: what is
    searched, null where the monitor has searched already. */
export function matches(call, route, now) {
  if (route.show === "running" && call.ended !== null) return false;
  if (route.show === "ended" && call.ended === null) return false;
  if (route.state && call.state !== route.state) return false;
  const since = SINCE_S[route.since] ?? Infinity;
  if (call.ended !== null && now - call.ended > since * 1000) return false;
  if (!(MARKED[route.mark] ?? MARKED[""])(call)) return false;
  const text = route.text.trim().toLowerCase();
  return !text || call.text === null || call.text.toLowerCase().includes(text);
}

const gravity = (call) => STATES.indexOf(call.state);
const byName = (a, b) => a.name.localeCompare(b.name) || (a.id < b.id ? -1 : 1);
const down = (value) => (a, b) => value(b) - value(a) || byName(a, b);
const ORDERS = {
  worst: (a, b) => gravity(a) - gravity(b) || (b.p ?? -1) - (a.p ?? -1) || byName(a, b),
  newest: down((call) => call.started),
  oldest: (a, b) => a.started - b.started || byName(a, b),
  longest: down((call) => call.length_s),
  speech: down((call) => call.speech_s),
  name: byName,
};

/** The calls that are wanted, in order. */
export function arranged(calls, route, now) {
  return calls.filter((call) => matches(call, route, now)).sort(ORDERS[route.sort] ?? ORDERS.worst);
}
