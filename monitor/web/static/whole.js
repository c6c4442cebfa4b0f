// The likelihood of one channel over a whole call on a canvas: bars, the states below them, where audio is kept, and the time.

import { fitted, palette, thresholds } from "./timeline.js";
import { clock } from "./words.js";

export const RIGHT = 44;
/** Beside the bars, for the thresholds' percents: pixels. */
const STRIP = 7;
const TICKS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200];
const TICK_EVERY = 90;

/** track: {line: {step_s, start_s, p_fake} or null, segments, kept: [[start_s, end_s]]}. marks: {suspicious_p, alert_p}. */
export function drawWhole(canvas, track, length_s, marks, labelled) {
  const context = canvas.getContext("2d");
  const size = fitted(canvas, context);
  if (size === null || !(length_s > 0)) return;
  const below = (labelled ? 18 : 0) + STRIP + 3;
  const area = { width: size.width - RIGHT, height: size.height - below, perSecond: (size.width - RIGHT) / length_s };
  thresholds(context, area, marks, true);
  if (track.line) bars(context, area, track.line, marks);
  strip(context, area, track);
  if (labelled) ticks(context, area, length_s);
}

/** One bar a pixel: the highest of the steps below it. */
function bars(context, area, line, marks) {
  const tones = palette();
  const perStep = line.step_s * area.perSecond;
  const wide = Math.max(1, perStep);
  let [at, highest] = [-1, -1];
  const flush = () => {
    if (highest < 0 || at >= area.width) return;
    context.fillStyle = highest >= marks.alert_p ? tones.alert : highest >= marks.suspicious_p ? tones.suspicious : tones.undecided;
    const high = Math.max(2, highest * area.height);
    context.fillRect(at, area.height - high, Math.min(wide - (wide > 4 ? 1 : 0), area.width - at), high);
  };
  line.p_fake.forEach((p, index) => {
    const x = (line.start_s + index * line.step_s) * area.perSecond;
    const column = wide > 1 ? x : Math.floor(x);
    if (column !== at) { flush(); [at, highest] = [column, -1]; }
    if (p !== null) highest = Math.max(highest, p);
  });
  flush();
}

/** The states, and over them where audio can be heard. */
function strip(context, area, { segments, kept }) {
  const tones = palette();
  const y = area.height + 2;
  for (const segment of segments) {
    context.fillStyle = tones[segment.state] ?? tones.grid;
    context.fillRect(segment.start_s * area.perSecond, y, Math.max(1, (segment.end_s - segment.start_s) * area.perSecond - 0.5), STRIP - 2);
  }
  context.fillStyle = tones.accent;
  context.globalAlpha = 0.13;
  for (const [from, to] of kept) context.fillRect(from * area.perSecond, 0, Math.max(2, (to - from) * area.perSecond), area.height);
  context.globalAlpha = 1;
}

function ticks(context, area, length_s) {
  const tones = palette();
  const step = TICKS_S.find((seconds) => seconds * area.perSecond >= TICK_EVERY * 0.7) ?? 14_400;
  context.fillStyle = tones.dim;
  context.textBaseline = "top";
  for (let at = 0; at <= length_s + 1e-6; at += step) {
    const x = at * area.perSecond;
    context.textAlign = at === 0 ? "left" : x > area.width - 14 ? "right" : "center";
    context.fillText(clock(at), Math.min(x, area.width), area.height + STRIP + 6);
  }
  context.textAlign = "left";
}
