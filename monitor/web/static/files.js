// Files that somebody drops on the page or chooses: sent to this monitor, scored there, listed here.

import { address, ApiError, dropScore, getScore, listScores } from "./api.js";
import { FilesTable } from "./files_table.js";
import { make, setText } from "./make.js";

const AGAIN_MS = 500;
const $ = (id) => document.getElementById(id);

export class Files {
  /** open: takes the id of a job. notify: says something. changed: takes a job that has changed. */
  constructor({ open, notify, changed }) {
    Object.assign(this, { open, notify, changed });
    this.jobs = new Map();
    this.kept = [];
    this.route = null;
    this.table = new FilesTable($("file-rows"), open, (id) => this.remove(id));
    this.listen();
  }

  /** Ask for the files that the monitor keeps. */
  async refresh() {
    try {
      this.kept = (await listScores()).scores;
    } catch {
      return;
    }
    if (this.route) this.draw(this.route);
  }

  /** route: what the list is filtered by. A file has no marks, and it neither runs nor ended at a time. */
  draw(route) {
    this.route = route;
    const text = route.text.trim().toLowerCase();
    const fits = (job) => (!route.state || job.outcome === route.state) && job.name.toLowerCase().includes(text);
    const shown = route.show === "all" && !route.since && !route.mark ? this.kept.filter(fits) : [];
    $("files").hidden = !shown.length;
    setText($("files-count"), String(shown.length));
    this.table.update(shown);
  }

  listen() {
    $("choose-file").addEventListener("click", () => this.choose());
    $("file").addEventListener("change", () => { this.take([...$("file").files]); $("file").value = ""; });
    const holds = (event) => event.dataTransfer?.types.includes("Files") && !$("tools").hidden;
    document.addEventListener("dragenter", (event) => { if (holds(event)) $("drop").hidden = false; });
    document.addEventListener("dragleave", (event) => { if (event.relatedTarget === null) $("drop").hidden = true; });
    document.addEventListener("dragover", (event) => { if (holds(event)) event.preventDefault(); });
    document.addEventListener("drop", (event) => {
      $("drop").hidden = true;
      if (!holds(event)) return;
      event.preventDefault();
      this.take([...event.dataTransfer.files]);
    });
  }

  choose() {
    $("file").click();
  }

  take(files) {
    files.forEach((file, index) => this.send(file, index === 0));
  }

  async send(file, show) {
    const row = this.row(file.name);
    try {
      const job = await upload(file, (part) => { row.bar.value = part / 2; setText(row.words, `sending ${Math.round(part * 100)} %`); });
      this.jobs.set(job.id, { job, row, file, sound: URL.createObjectURL(file) });
      row.open.addEventListener("click", () => this.open(job.id));
      row.drop.addEventListener("click", () => this.remove(job.id), { once: true });
      [row.open.hidden, row.drop.hidden] = [false, false];
      this.refresh();
      if (show) this.open(job.id);
      await this.follow(job.id);
    } catch (error) {
      if (row.element.isConnected) this.failed(row, error.message);
    }
  }

  row(name) {
    const row = { bar: make("progress", { max: "1", value: "0", "aria-label": `Scoring ${name}` }), words: make("span", { class: "job-words" }, "sending"),
      open: make("button", { type: "button", hidden: "" }, "Open"), drop: make("button", { type: "button", "aria-label": `Cancel ${name}`, hidden: "" }, "×") };
    row.element = make("div", { class: "banner job" }, make("strong", { class: "job-name" }, name), row.bar, row.words, row.open, row.drop);
    $("jobs").append(row.element);
    $("jobs").hidden = false;
    row.close = () => { row.element.remove(); $("jobs").hidden = !$("jobs").children.length; };
    return row;
  }

  async follow(id) {
    const kept = this.jobs.get(id);
    while (this.jobs.has(id)) {
      const job = await getScore(id);
      kept.job = job;
      if (kept.row) kept.row.bar.value = 0.5 + job.progress / 2;
      if (kept.row) setText(kept.row.words, job.state === "waiting" ? "waiting for its turn" : `scoring ${Math.round(job.progress * 100)} %`);
      this.changed(job);
      if (job.state === "failed") return kept.row ? this.failed(kept.row, job.error) : this.refresh();
      if (job.state === "done") return this.done(kept);
      await new Promise((resume) => { setTimeout(resume, AGAIN_MS); });
    }
    return undefined;
  }

  done({ job, row }) {
    row?.close();
    this.refresh();
    this.notify(`${job.name} is scored.`);
  }

  failed(row, why) {
    row.element.classList.add("failed");
    row.bar.hidden = true;
    [row.open.hidden, row.drop.hidden] = [true, false];
    row.drop.ariaLabel = "Dismiss";
    row.drop.addEventListener("click", row.close, { once: true });
    this.refresh();
    setText(row.words, `not scored: ${why}`);
    this.notify(`Not scored: ${why}`, true);
  }

  /** A job by its id; of one that another page began there is no sound here. */
  async find(id) {
    if (!this.jobs.has(id)) this.jobs.set(id, { job: await getScore(id), row: null, file: null, sound: "" });
    return this.jobs.get(id);
  }

  /** End the scoring of a file, and delete what there is of it. */
  async remove(id) {
    const kept = this.jobs.get(id);
    this.jobs.delete(id);
    if (kept?.sound) URL.revokeObjectURL(kept.sound);
    kept?.row?.close();
    this.changed(null, id);
    await dropScore(id).catch(() => {});
    await this.refresh();
  }
}

/** Send a file. progress: takes the part that is sent, 0 to 1. Returns the job. */
function upload(file, progress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", address("scores"));
    request.responseType = "json";
    request.upload.onprogress = ({ loaded, total }) => progress(total ? loaded / total : 0);
    request.onerror = () => reject(new ApiError(0, "the monitor does not answer"));
    request.onload = () => {
      if (request.status < 300) resolve(request.response);
      else reject(new ApiError(request.status, request.response?.detail || request.response?.title || `the monitor answered ${request.status}`));
    };
    const form = new FormData();
    form.append("file", file);
    request.send(form);
  });
}
