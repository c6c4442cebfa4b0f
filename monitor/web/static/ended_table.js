// The calls that ended: a row each, with its outcome and what people said of it.

import { badge, cell, make, setText, setState } from "./make.js";
import { Rows } from "./rows.js";
import { unbroken, clock, markWords, moment, percent, span } from "./words.js";

export class EndedTable {
  /** open: takes the id of a call. */
  constructor(body, open) {
    this.open = open;
    this.rows = new Rows(body, (name) => this.add(name), (row, call) => this.write(row, call));
  }

  update(calls, atOnce) {
    this.rows.update(calls, null, atOnce);
  }

  add(name) {
    const row = {
      button: make("button", { class: "open", type: "button" }), small: make("small"), state: cell("c-state"), likely: cell("number c-likely"),
      marks: cell("c-marks"), alerts: cell("number c-alerts"), speech: cell("number c-speech"), length: cell("number c-length"), when: cell("number c-when"),
    };
    row.element = make("tr", { role: "row", click: () => this.open(name) }, row.state, row.likely, cell("c-call", row.button, row.small),
      row.marks, row.alerts, row.speech, row.length, row.when);
    return row;
  }

  write(row, call) {
    const { kept } = call;
    if (setState(row.element, call.state)) row.state.replaceChildren(badge(call.state));
    setText(row.likely, percent(call.p));
    setText(row.button, unbroken(call.name));
    setText(row.small, kept.tap);
    const marks = markWords(call.marks);
    if (row.marks.dataset.marks !== marks.join()) {
      row.marks.dataset.marks = marks.join();
      row.marks.replaceChildren(...marks.map((mark) => make("span", { class: "tag" }, mark)));
    }
    setText(row.alerts, kept.alerts ? String(kept.alerts) : "–");
    setText(row.speech, span(kept.speech_s));
    setText(row.length, clock(kept.duration_s));
    setText(row.when, moment(kept.ended, false));
    if (row.button.title !== kept.call) row.button.title = kept.call;
  }
}
