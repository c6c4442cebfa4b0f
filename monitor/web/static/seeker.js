// A cursor over a whole call: by pointer, keys or a segment; the audio that is kept plays from there, and the cursor follows.

import { make, setText } from "./make.js";
import { decoded, drawSpectrogram } from "./spectrogram.js";
import { percent, place } from "./words.js";
import { drawWhole, RIGHT } from "./whole.js";

const STEP_S = 1;
const FAR_S = 10;

export class Seeker {
  /** place: an element. moved: takes the seconds after somebody has moved the cursor. */
  constructor(place, moved) {
    this.moved = moved;
    this.tracks = make("div", { class: "tracks", role: "slider", tabindex: "0", "aria-label": "Position in the call", "aria-valuemin": "0" });
    this.cursor = make("i", { class: "cursor", "aria-hidden": "true" });
    this.play = make("button", { type: "button", class: "main-button", "aria-keyshortcuts": "p", click: () => this.toggle() }, "Play");
    this.channelSelect = make("select", { "aria-label": "Audio of", change: () => this.pick() });
    this.position = make("p", { class: "reading" });
    this.note = make("p", { class: "dim heard" });
    this.picture = make("div", { class: "picture" });
    const button = (words, keys, go) => make("button", { type: "button", "aria-keyshortcuts": keys, click: go }, words);
    this.controls = make("div", { class: "player" }, this.play, this.channelSelect,
      button("Worst moment", "w", () => this.seek(this.worst())), button("← Segment", "[", () => this.jump(-1)), button("Segment →", "]", () => this.jump(1)), this.position);
    place.append(this.tracks, this.controls, this.note, this.picture);
    this.audio = new Audio();
    this.audio.preload = "auto";
    this.audio.addEventListener("ended", () => this.pause());
    this.audio.addEventListener("error", () => { if (this.audio.src) { this.pause(); setText(this.note, "This audio cannot be played here."); } });
    this.listen();
    new ResizeObserver(() => this.draw()).observe(this.tracks);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => setTimeout(() => this.draw()));
    this.clear();
  }

  listen() {
    const { tracks } = this;
    tracks.addEventListener("pointerdown", (event) => {
      tracks.setPointerCapture(event.pointerId);
      this.point(event);
    });
    tracks.addEventListener("pointermove", (event) => { if (tracks.hasPointerCapture(event.pointerId)) this.point(event); });
    tracks.addEventListener("keydown", (event) => { if (this.key(event.key)) event.preventDefault(); });
  }

  clear() {
    this.pause();
    this.audio.removeAttribute("src");
    [this.shown, this.at, this.clip] = [null, 0, null];
    this.tracks.replaceChildren(this.cursor);
    this.picture.replaceChildren();
    this.names = "";
  }

  /** shown: {length_s, marks, tracks: [{name, line, segments, kept}], clips: [{name, channel, start_s, end_s, audio, picture, file}]}. */
  show(shown) {
    this.shown = shown;
    const names = shown.tracks.map((track) => track.name).join();
    if (names !== this.names) {
      this.names = names;
      this.canvases = shown.tracks.map((track) => make("canvas", { "aria-hidden": "true", "data-channel": track.name }));
      const rows = shown.tracks.map((track, at) => make("div", { class: "track" }, make("span", { class: "track-name" }, track.name), this.canvases[at]));
      this.tracks.replaceChildren(...rows, this.cursor);
    }
    const channels = [...new Set(shown.clips.map((clip) => clip.channel))];
    if (this.channelSelect.dataset.names !== channels.join()) {
      this.channelSelect.dataset.names = channels.join();
      this.channelSelect.replaceChildren(...channels.map((name) => make("option", { value: name }, name || "this file")));
    }
    this.channelSelect.hidden = channels.length < 2;
    this.play.hidden = !shown.clips.length;
    this.tracks.setAttribute("aria-valuemax", shown.length_s.toFixed(1));
    this.draw();
    this.moveTo(this.at);
  }

  /** The thresholds may be known later than the call. */
  thresholds({ suspicious_p, alert_p }) {
    if (!this.shown || this.shown.marks.alert_p === alert_p) return;
    this.shown.marks = { suspicious_p, alert_p };
    this.draw();
  }

  draw() {
    if (!this.shown) return;
    const { tracks, length_s, marks } = this.shown;
    tracks.forEach((track, at) => drawWhole(this.canvases[at], track, length_s, marks, at === tracks.length - 1));
    this.line();
  }

  line() {
    const wide = this.tracks.clientWidth - RIGHT;
    if (this.shown?.length_s > 0 && wide > 0) this.cursor.style.transform = `translateX(${((this.at / this.shown.length_s) * wide).toFixed(1)}px)`;
  }

  point(event) {
    const box = this.tracks.getBoundingClientRect();
    this.seek(((event.clientX - box.left) / (box.width - RIGHT)) * this.shown.length_s);
  }

  /** Returns whether the key means something here. */
  key(name) {
    const by = { ArrowLeft: -STEP_S, ArrowRight: STEP_S, ArrowDown: -STEP_S, ArrowUp: STEP_S, PageDown: -FAR_S, PageUp: FAR_S }[name];
    if (by) this.seek(this.at + by);
    else if (name === "Home") this.seek(0);
    else if (name === "End") this.seek(this.shown.length_s);
    else if (name === " ") this.toggle();
    else return false;
    return true;
  }

  /** Somebody goes to a place. */
  seek(seconds) {
    if (!this.shown) return;
    this.moveTo(seconds);
    if (this.clip && this.covers(this.clip)) this.audio.currentTime = this.at - this.clip.start_s;
    else this.pause();
    this.moved(this.at);
  }

  moveTo(seconds) {
    this.at = Math.max(0, Math.min(seconds, this.shown.length_s));
    this.line();
    const words = this.words();
    setText(this.position, `${place(this.at)} · ${words}`);
    if (!this.playing) {
      this.tracks.setAttribute("aria-valuenow", this.at.toFixed(1));
      this.tracks.setAttribute("aria-valuetext", `${place(this.at)}, ${words}`);
    }
    this.load();
  }

  /** What is known of this place: each channel's likelihood and state. */
  words() {
    return this.shown.tracks.map(({ name, line, segments }) => {
      const p = line ? line.p_fake[Math.floor((this.at - line.start_s) / line.step_s)] ?? null : null;
      const state = segments.find((segment) => this.at >= segment.start_s && this.at < segment.end_s)?.state ?? segments.at(-1)?.state;
      return [this.shown.tracks.length > 1 ? `${name}:` : "", p === null ? "no evidence" : percent(p), state ? `(${state})` : ""].filter(Boolean).join(" ");
    }).join(", ");
  }

  covers(clip) {
    return this.at >= clip.start_s - 0.05 && this.at < clip.end_s;
  }

  /** The clip at the cursor, or else the nearest: of the channel that is chosen. */
  nearest() {
    const mine = this.shown.clips.filter((clip) => clip.channel === (this.channelSelect.value || clip.channel));
    const apart = (clip) => (this.covers(clip) ? 0 : Math.min(Math.abs(clip.start_s - this.at), Math.abs(clip.end_s - this.at)));
    return mine.sort((a, b) => apart(a) - apart(b))[0] ?? null;
  }

  pick() {
    this.pause();
    this.load();
  }

  /** Have the clip at the cursor ready, with its picture. */
  load() {
    if (this.playing) return this.markPicture();
    const clip = this.nearest();
    if (clip?.audio !== this.clip?.audio) {
      this.clip = clip;
      if (clip) this.audio.src = clip.audio;
      this.paint(clip);
    }
    if (!clip) setText(this.note, this.shown.silent ?? "");
    else if (clip.file) setText(this.note, this.shown.silent ?? "");
    else if (this.covers(clip)) setText(this.note, `Audio is kept from ${place(clip.start_s)} to ${place(clip.end_s)}.`);
    else setText(this.note, `No audio is kept here; Play begins at ${place(clip.start_s)}.`);
    return this.markPicture();
  }

  /** The picture of a clip: that of the monitor, or drawn here of a sound that this browser holds. */
  async paint(clip) {
    this.picture.replaceChildren();
    if (!clip?.picture && !clip?.file) return;
    const words = `Spectrogram${clip.channel ? ` of ${clip.channel}` : ""}, ${place(clip.start_s)} to ${place(clip.end_s)}, up to 8 kHz`;
    const shown = clip.picture ? make("img", { src: clip.picture, alt: words }) : make("canvas", { role: "img", "aria-label": words });
    if (clip.picture) shown.addEventListener("error", () => this.picture.replaceChildren());
    else {
      const samples = await decoded(clip.file);
      if (!samples || clip !== this.clip) return;
      drawSpectrogram(shown, samples);
    }
    this.picture.replaceChildren(shown, make("i", { class: "cursor", "aria-hidden": "true" }));
    shown.addEventListener("click", (event) => {
      const box = shown.getBoundingClientRect();
      this.seek(clip.start_s + ((event.clientX - box.left) / box.width) * (clip.end_s - clip.start_s));
    });
    this.markPicture();
  }

  markPicture() {
    const mark = this.picture.querySelector(".cursor");
    if (!mark || !this.clip) return;
    const part = (this.at - this.clip.start_s) / (this.clip.end_s - this.clip.start_s);
    mark.hidden = part < 0 || part > 1;
    mark.style.left = `${(100 * part).toFixed(2)}%`;
  }

  toggle() {
    if (this.playing) this.pause();
    else this.start();
  }

  async start() {
    if (!this.clip) return;
    if (!this.covers(this.clip)) this.moveTo(this.clip.start_s);
    this.audio.currentTime = Math.max(0, this.at - this.clip.start_s);
    this.playing = true;
    setText(this.play, "Pause");
    try {
      await this.audio.play();
    } catch {
      this.pause();
      return;
    }
    this.follow();
  }

  follow() {
    if (!this.playing) return;
    this.moveTo(this.clip.start_s + this.audio.currentTime);
    requestAnimationFrame(() => this.follow());
  }

  pause() {
    this.audio?.pause();
    this.playing = false;
    setText(this.play, "Play");
  }

  /** The moment with the highest likelihood; of equals the first. */
  worst() {
    let [at, highest] = [0, -1];
    for (const { line } of this.shown?.tracks ?? []) {
      line?.p_fake.forEach((p, index) => { if (p !== null && p > highest) [at, highest] = [line.start_s + index * line.step_s, p]; });
    }
    return at;
  }

  /** To the next or the last beginning of a segment. */
  jump(way) {
    const begins = [...new Set(this.shown.tracks.flatMap((track) => track.segments.map((segment) => segment.start_s)))].sort((a, b) => a - b);
    const next = way > 0 ? begins.find((begin) => begin > this.at + 0.05) : begins.findLast((begin) => begin < this.at - 0.05);
    if (next !== undefined) this.seek(next);
  }
}
