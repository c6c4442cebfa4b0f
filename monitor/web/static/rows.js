// Rows of a table by the names of their calls: made once, then changed in place, so that focus and pointer stay where they are.

const ORDERS_EVERY_MS = 2000;

export class Rows {
  /** body: a tbody. add: makes a row {element, ...} for a name. write: takes (row, call, more) and fills it. */
  constructor(body, add, write) {
    Object.assign(this, { body, add, write });
    this.rows = new Map();
    this.visible = new Set();
    this.ordered = 0;
    this.mark = "";
    const look = (entries) => entries.forEach(({ target, isIntersecting }) => {
      if (isIntersecting) this.visible.add(target.dataset.call);
      else this.visible.delete(target.dataset.call);
    });
    this.observer = new IntersectionObserver(look, { rootMargin: "80px" });
  }

  /** calls: in the order wanted, each with an id. at_once: somebody asked for another order. */
  update(calls, more, atOnce = false) {
    const here = new Set(calls.map((call) => call.id));
    for (const [name, row] of this.rows) if (!here.has(name)) this.remove(name, row);
    for (const call of calls) this.write(this.rows.get(call.id) ?? this.make(call.id), call, more);
    this.order(calls, atOnce);
  }

  make(name) {
    const row = this.add(name);
    row.element.dataset.call = name;
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

  /** At once when a state changes, else now and then, and never under a pointer or the keyboard. */
  order(calls, atOnce) {
    const mark = calls.map((call) => call.id + call.state).sort().join();
    const due = mark !== this.mark || performance.now() - this.ordered > ORDERS_EVERY_MS;
    const held = (matchMedia("(hover: hover)").matches && this.body.matches(":hover")) || this.body.contains(document.activeElement);
    if (!atOnce && (!due || held)) return;
    [this.mark, this.ordered] = [mark, performance.now()];
    calls.forEach((call, at) => {
      const { element } = this.rows.get(call.id);
      if (this.body.children[at] !== element) this.body.insertBefore(element, this.body.children[at] ?? null);
    });
  }
}
