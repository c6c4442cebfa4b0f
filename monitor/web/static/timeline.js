// The likelihood over time on a canvas: a bar each step, the newest at the right edge, a hole where there was no evidence.

let colours = null;
const scheme = matchMedia("(prefers-color-scheme: dark)");
scheme.addEventListener("change", () => { colours = null; });

export function palette() {
  if (colours === null) {
    const style = getComputedStyle(document.documentElement);
    const names = ["undecided", "suspicious", "alert", "clear", "listening", "unknown", "accent", "grid", "dim"];
    colours = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  }
  return colours;
}

/** Make the canvas as fine as the screen. Returns its size in CSS pixels, or null while it is not shown. */
export function fitted(canvas, context) {
  const [width, height, ratio] = [canvas.clientWidth, canvas.clientHeight, window.devicePixelRatio || 1];
  if (!width || !height) return null;
  const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== across || canvas.height !== down) [canvas.width, canvas.height] = [across, down];
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { width, height };
}

/** line: {step_s, points}. marks: {suspicious_p, alert_p}. seconds: from the left edge to the right one. */
export function draw(canvas, line, marks, seconds, labelled = false) {
  const context = canvas.getContext("2d");
  const size = fitted(canvas, context);
  if (size === null) return;
  const below = labelled ? 18 : 0;
  const right = labelled ? 44 : 0;
  const area = { width: size.width - right, height: size.height - below };
  thresholds(context, area, marks, labelled);
  bars(context, area, line, marks, seconds);
  if (labelled) times(context, area, seconds);
}

function bars(context, area, line, marks, seconds) {
  const steps = seconds / line.step_s;
  const wide = area.width / steps;
  const tones = palette();
  line.points.slice(-Math.ceil(steps)).reverse().forEach((value, ago) => {
    if (value < 0) return;
    const p = value / 100;
    context.fillStyle = p >= marks.alert_p ? tones.alert : p >= marks.suspicious_p ? tones.suspicious : tones.undecided;
    const high = Math.max(2, p * area.height);
    context.fillRect(area.width - (ago + 1) * wide, area.height - high, Math.max(1, wide - (wide > 3 ? 1 : 0.2)), high);
  });
}

export function thresholds(context, area, marks, labelled) {
  const tones = palette();
  context.lineWidth = 1;
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "middle";
  for (const [p, name] of [[marks.alert_p, "alert"], [marks.suspicious_p, "suspicious"]]) {
    const y = Math.round(area.height * (1 - p)) + 0.5;
    context.strokeStyle = labelled ? tones[name] : tones.grid;
    context.setLineDash([3, 3]);
    line(context, 0, y, area.width, y);
    if (labelled) {
      context.fillStyle = tones[name];
      context.fillText(`${Math.round(p * 100)} %`, area.width + 6, Math.max(6, y));
    }
  }
  context.setLineDash([]);
  context.strokeStyle = tones.grid;
  line(context, 0, area.height - 0.5, area.width, area.height - 0.5);
}

function times(context, area, seconds) {
  context.fillStyle = palette().dim;
  context.textBaseline = "top";
  for (let ago = 0; ago < seconds; ago += seconds > 60 ? 30 : 15) {
    const text = ago ? `${ago} s ago` : "now";
    const x = area.width * (1 - ago / seconds);
    context.textAlign = ago ? "center" : "right";
    if (x > 24) context.fillText(text, x, area.height + 5);
  }
  context.textAlign = "left";
}

function line(context, x, y, to, down) {
  context.beginPath();
  context.moveTo(x, y);
  context.lineTo(to, down);
  context.stroke();
}
