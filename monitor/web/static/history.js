// The calls as the monitor keeps them: those that ended, and what people said of those that run.

import { listCalls } from "./api.js";
import { SINCE_S } from "./filter.js";

const PAGE = 200;
const AGAIN_MS = 10_000;
const SORTS = { worst: "-worst", newest: "-started", oldest: "started", longest: "-duration_s", speech: "-speech_s", name: "name" };

export class History {
  /** changed: is called when there is something new. */
  constructor(changed) {
    this.changed = changed;
    this.running = new Map();
    this.matched = null;
    this.ended = [];
    this.next = null;
    this.fault = "";
    this.known = false;
    this.mark = "";
    this.timer = 0;
    this.wanted = null;
  }

  /** Look again where the numbers of calls have changed, where other calls are wanted, or now and then. */
  follow(table, route) {
    const { show, state, since, text, sort } = route;
    this.route = { show, state, since, text, sort };
    const mark = JSON.stringify([table.started, table.ended, table.alerts, this.route]);
    if (mark === this.mark) return;
    this.mark = mark;
    this.refresh();
  }

  /** Ask again. An answer that comes after that of a later question is passed over. */
  async refresh() {
    if (!this.route) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.refresh(), AGAIN_MS);
    const asked = this.asked = (this.asked ?? 0) + 1;
    try {
      const text = this.route.text.trim();
      const [running, ended, matched] = await Promise.all([
        listCalls({ running: "true", limit: 500 }), listCalls(this.query()), text ? listCalls({ running: "true", text, limit: 500 }) : null]);
      if (asked !== this.asked) return;
      this.running = new Map(running.calls.map((call) => [call.id, call]));
      this.matched = matched && new Set(matched.calls.map((call) => call.id));
      [this.ended, this.next, this.fault, this.known] = [ended.calls, ended.next, "", true];
    } catch (error) {
      if (asked !== this.asked) return;
      this.fault = error.message;
    }
    this.changed();
  }

  /** A call by its name in events: the one that runs, else the one that ended last. */
  named(call) {
    const of = (one) => one.call === call;
    return [...this.running.values()].find(of) ?? this.ended.findLast(of);
  }

  async more() {
    const page = await listCalls({ ...this.query(), cursor: this.next });
    this.ended = [...this.ended, ...page.calls];
    this.next = page.next;
    this.changed();
  }

  stop() {
    clearTimeout(this.timer);
    this.mark = "";
  }

  query() {
    const { state, since, text, sort } = this.route;
    const seconds = SINCE_S[since] ?? Infinity;
    // A call that ended within the time may have begun long before it: by its end the page itself chooses.
    const from = Number.isFinite(seconds) ? new Date(Date.now() - seconds * 1000 - LONGEST_CALL_MS).toISOString() : "";
    return { running: "false", outcome: state === "listening" ? "" : state, since: from, text: text.trim(), sort: SORTS[sort] ?? SORTS.worst, limit: PAGE };
  }
}

const LONGEST_CALL_MS = 12 * 3600 * 1000;
