// The list of calls: those that run and those that ended, filtered, sorted and counted.

import { EndedTable } from "./ended_table.js";
import { arranged } from "./filter.js";
import { setText } from "./make.js";
import { ANY, isFiltered } from "./route.js";
import { RunningTable } from "./running_table.js";

const $ = (id) => document.getElementById(id);
const CONTROLS = { text: "find", state: "by-state", since: "by-since", mark: "by-mark", sort: "by-sort" };

export class CallList {
  /** open: takes the id of a call. route: () => what is wanted. change: takes what is wanted now. history: see history.js. */
  constructor({ open, route, change, history }) {
    Object.assign(this, { route, change, history });
    this.running = new RunningTable($("rows"), open);
    this.ended = new EndedTable($("ended-rows"), open);
    this.listen();
  }

  listen() {
    for (const [name, id] of Object.entries(CONTROLS)) {
      $(id).addEventListener(name === "text" ? "input" : "change", () => this.change({ [name]: $(id).value }));
    }
    $("filters").addEventListener("submit", (event) => { event.preventDefault(); this.first()?.focus(); });
    $("filters").addEventListener("change", ({ target }) => { if (target.name === "show") this.change({ show: target.value }); });
    $("find-none").addEventListener("click", () => this.clear());
    $("clear").addEventListener("click", () => this.clear());
    $("ended-more").addEventListener("click", () => this.history.more());
    $("calls").addEventListener("keydown", (event) => {
      const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (!by || !event.target.classList.contains("open")) return;
      event.preventDefault();
      this.step(by);
    });
    const wide = matchMedia("(min-width: 761px)");
    const open = () => { $("narrow").open = wide.matches; };
    wide.addEventListener("change", open);
    open();
  }

  clear() {
    this.change({ ...ANY, sort: this.route().sort });
    $("find").focus();
  }

  /** Put the controls as the address has them. */
  controls() {
    const route = this.route();
    for (const [name, id] of Object.entries(CONTROLS)) {
      if ($(id).value !== route[name]) $(id).value = route[name];
      $(id).classList.toggle("set", name !== "text" && route[name] !== ANY[name]);
    }
    for (const radio of document.getElementsByName("show")) radio.checked = radio.value === route.show;
    $("clear").hidden = !isFiltered(route);
    const count = ["state", "since", "mark"].filter((name) => route[name]).length;
    setText($("narrow-word"), count ? `Filter and sort (${count} set)` : "Filter and sort");
  }

  update(table, lines, atOnce = false) {
    const route = this.route();
    const now = Date.now();
    const running = arranged(table.calls.map((live) => this.live(live)), route, now);
    const ended = arranged(this.history.ended.map(endedRow), route, now);
    this.running.update(running, table, atOnce);
    this.running.lines(lines, table);
    this.ended.update(ended, atOnce);
    this.words(table, route, running, ended);
    this.head = arranged([...running.slice(0, 1), ...ended.slice(0, 1)], route, now)[0]?.id;
  }

  words(table, route, running, ended) {
    const all = isFiltered(route);
    $("running").hidden = !running.length;
    $("ended").hidden = !ended.length;
    setText($("running-count"), String(running.length + (all ? 0 : table.count - table.calls.length)));
    setText($("ended-count"), `${ended.length}${this.history.next ? "+" : ""}`);
    const hidden = table.count - table.calls.length;
    $("more").hidden = hidden <= 0 || route.show === "ended";
    setText($("more"), `and ${hidden} more running calls, none worse`);
    $("ended-more").hidden = !this.history.next;
    const nothing = !running.length && !ended.length;
    const none = table.count === 0 && this.history.ended.length === 0 && !all;
    $("filters").hidden = none;
    $("guide").hidden = !(none && (this.history.known || this.history.fault));
    $("nothing").hidden = !nothing || none;
    $("idle").hidden = !(ended.length && !table.count && route.show === "all");
    $("history-fault").hidden = !this.history.fault;
    setText($("history-fault"), `Ended calls cannot be shown: ${this.history.fault}.`);
    setText($("found"), all ? `${running.length + ended.length} call${running.length + ended.length === 1 ? "" : "s"} found` : "");
  }

  live(live) {
    const kept = this.history.running.get(live.id);
    const name = kept?.name ?? live.name;
    const matched = this.history.matched;
    return {
      id: live.call, name, state: live.state, p: live.net_s < live.needed_s ? null : live.p, ended: null, started: live.started * 1000,
      length_s: live.elapsed_s, speech_s: live.net_s, alerts: kept?.alerts ?? (live.state === "alert" ? 1 : 0), marks: kept?.marks ?? null,
      text: matched?.has(live.id) ? null : [name, live.call, live.origin, live.party].join(" "), live,
    };
  }

  /** The rows on the page from top to bottom. */
  buttons() {
    return [...document.querySelectorAll("#calls tbody .open")].filter((button) => button.offsetParent !== null);
  }

  /** The first in the order that is wanted, whether it runs or has ended. */
  first() {
    return this.buttons().find((button) => button.closest("tr").dataset.call === this.head);
  }

  /** Change to the next sort order. */
  nextSort() {
    const orders = [...$("by-sort").options].map((option) => option.value);
    this.change({ sort: orders[(orders.indexOf(this.route().sort) + 1) % orders.length] });
  }

  /** Back from a call: to its row. */
  focus(id) {
    const row = [...document.querySelectorAll("#calls tbody tr")].find((one) => one.dataset.call === id || one.dataset.id === id);
    (row?.querySelector(".open") ?? $("calls-title")).focus();
  }

  /** Go up or down by rows. */
  step(by) {
    const all = this.buttons();
    const at = all.indexOf(document.activeElement);
    const next = all[at < 0 ? 0 : Math.max(0, Math.min(all.length - 1, at + by))];
    next?.focus();
    next?.closest("tr").scrollIntoView({ block: "nearest" });
  }
}

function endedRow(kept) {
  return {
    id: kept.id, name: kept.name, state: kept.outcome, p: kept.highest_p ?? null, ended: Date.parse(kept.ended), started: Date.parse(kept.started),
    length_s: kept.duration_s, speech_s: kept.speech_s, alerts: kept.alerts, marks: kept.marks, text: null, kept,
  };
}
