// The files that this monitor has scored or will score: a row each, with the outcome.

import { badge, cell, make, setText, setState } from "./make.js";
import { Rows } from "./rows.js";
import { clock, moment, percent } from "./words.js";

const STATES = { waiting: () => "waiting", running: (job) => `${Math.round(job.progress * 100)} % scored`, failed: () => "not scored" };

export class FilesTable {
  /** open, remove: take the id of a file. */
  constructor(body, open, remove) {
    Object.assign(this, { open, remove });
    this.rows = new Rows(body, (id) => this.add(id), (row, job) => this.write(row, job));
  }

  update(jobs) {
    this.rows.update(jobs, null, true);
  }

  add(id) {
    const row = {
      button: make("button", { class: "open", type: "button" }), why: make("small"), state: cell("c-state"), likely: cell("number c-likely"),
      length: cell("number c-length"), when: cell("number c-when"),
      remove: make("button", { class: "link-button", type: "button", click: (event) => { event.stopPropagation(); this.remove(id); } }, "Delete"),
    };
    row.element = make("tr", { role: "row", click: () => this.open(id) }, row.state, row.likely, cell("c-call", row.button, row.why),
      row.length, row.when, cell("number c-remove", row.remove));
    return row;
  }

  write(row, job) {
    if (setState(row.element, job.outcome ?? job.state) && job.outcome) row.state.replaceChildren(badge(job.outcome));
    if (!job.outcome) setText(row.state, STATES[job.state](job));
    setText(row.likely, percent(job.highest_p));
    setText(row.button, job.name);
    setText(row.why, job.error ?? "");
    setText(row.length, clock(job.total_s ?? job.at_s));
    setText(row.when, moment(job.submitted, false));
    if (row.remove.ariaLabel !== `Delete ${job.name}`) row.remove.ariaLabel = `Delete ${job.name}`;
  }
}
