// The table: a row a call, the gravest first. Rows keep their place while somebody points at them.

import { badge, make, say, tint } from "./make.js";
import { draw } from "./timeline.js";
import { clock, family, hears, likelihood, lost, speech } from "./words.js";

const LOOKS_BACK_S = 60;
const ORDERS_EVERY_MS = 2000;

export class Table {
  /** open: takes the name of a call. */
  constructor(body, open) {
    this.body = body;
    this.open = open;
    this.rows = new Map();
    this.visible = new Set();
    this.ordered = 0;
    this.states = "";
    const look = (entries) => entries.forEach(({ target, isIntersecting }) => {
      if (isIntersecting) this.visible.add(target.dataset.call);
      else this.visible.delete(target.dataset.call);
    });
    this.observer = new IntersectionObserver(look, { rootMargin: "80px" });
    body.addEventListener("keydown", (event) => this.step(event));
  }

  /** The calls that are on the screen, as many as may be asked for. */
  seen() {
    return [...this.visible].slice(0, 100);
  }

  update(table, lines) {
    const here = new Set(table.calls.map((call) => call.call));
    for (const [name, row] of this.rows) if (!here.has(name)) this.remove(name, row);
    for (const call of table.calls) this.write(this.rows.get(call.call) ?? this.add(call.call), call, table);
    for (const [name, line] of Object.entries(lines)) this.draw(name, line, table);
    this.order(table.calls);
  }

  add(name) {
    const button = make("button", { class: "open", type: "button" });
    const row = {
      state: make("td", { role: "cell" }), likely: make("td", { role: "cell", class: "number likely" }), button,
      from: make("small"), canvas: make("canvas", { "aria-hidden": "true" }), speech: make("span"), lost: make("small", { class: "lossy" }),
      family: make("td", { role: "cell" }), length: make("td", { role: "cell", class: "number" }), hears: make("td", { role: "cell" }),
    };
    row.element = make("tr", { role: "row", "data-call": name, click: () => this.open(name) },
      row.state, row.likely, make("td", { role: "cell" }, button, row.from), make("td", { role: "cell" }, row.canvas),
      make("td", { role: "cell", class: "number" }, row.speech, row.lost), row.family, row.length, row.hears);
    this.rows.set(name, row);
    this.body.append(row.element);
    this.observer.observe(row.element);
    this.ordered = 0;
    return row;
  }

  remove(name, row) {
    this.observer.unobserve(row.element);
    row.element.remove();
    this.rows.delete(name);
    this.visible.delete(name);
  }

  write(row, call, table) {
    if (tint(row.element, call.state)) row.state.replaceChildren(badge(call.state));
    const named = call.party ? `${call.call} · ${call.party}` : call.call;
    say(row.likely, likelihood(call));
    say(row.button, named);
    say(row.from, call.origin);
    say(row.speech, speech(call));
    say(row.lost, lost(call.lost_s));
    say(row.family, call.p !== null && call.p >= table.suspicious_p ? family(call.family) : "");
    say(row.length, clock(call.elapsed_s));
    say(row.hears, hears(call));
    row.hears.classList.toggle("wrong-input", call.fault !== "");
    if (row.hears.title !== hears(call)) [row.hears.title, row.button.title] = [hears(call), call.call];
  }

  draw(name, line, table) {
    const row = this.rows.get(name);
    if (row && this.visible.has(name)) draw(row.canvas, line, table, LOOKS_BACK_S);
  }

  /** In the monitor's order: at once when a state changes, else now and then, and never under a pointer. */
  order(calls) {
    const states = calls.map((call) => call.call + call.state).sort().join();
    const due = states !== this.states || performance.now() - this.ordered > ORDERS_EVERY_MS;
    const held = matchMedia("(hover: hover)").matches && this.body.matches(":hover");
    if (!due || held || this.body.contains(document.activeElement)) return;
    [this.states, this.ordered] = [states, performance.now()];
    calls.forEach((call, at) => {
      const { element } = this.rows.get(call.call);
      if (this.body.children[at] !== element) this.body.insertBefore(element, this.body.children[at] ?? null);
    });
  }

  /** Arrow keys go from row to row. */
  step(event) {
    const way = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
    const row = way && event.target.closest("tr")?.[way];
    if (!row) return;
    event.preventDefault();
    row.querySelector(".open").focus();
  }
}
