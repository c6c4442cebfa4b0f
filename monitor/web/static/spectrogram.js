// The spectrogram of a sound that this browser holds: up to 8 kHz, a column a pixel, drawn where it lies.

const RATE = 16_000;
const SIZE = 512;
const QUIETEST_DB = -85;
const LOUDEST_DB = -15;
const LARGEST = 64 << 20;
const MOST_COLUMNS = 1200;
const STOPS = [[4, 6, 20], [58, 15, 110], [140, 41, 129], [222, 73, 104], [254, 159, 109], [252, 253, 191]];
/** Of the colour map magma (bids.github.io/colormap). */

const WINDOW = Float32Array.from({ length: SIZE }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / SIZE));
const HALF = SIZE / 2;

/** Returns the samples of a file, its channels joined, or null for what this browser cannot decode. */
export async function decoded(file) {
  if (file.size > LARGEST) return null;
  try {
    const bytes = await file.arrayBuffer();
    const sound = await new OfflineAudioContext(1, 1, RATE).decodeAudioData(bytes);
    const whole = new Float32Array(sound.length);
    for (let channel = 0; channel < sound.numberOfChannels; channel += 1) {
      sound.getChannelData(channel).forEach((sample, i) => { whole[i] += sample / sound.numberOfChannels; });
    }
    return whole;
  } catch {
    return null;
  }
}

/** Draw samples at 16 kHz, low frequencies below. */
export function drawSpectrogram(canvas, samples) {
  const columns = Math.max(1, Math.min(MOST_COLUMNS, Math.floor(samples.length / (SIZE / 4))));
  [canvas.width, canvas.height] = [columns, HALF];
  const context = canvas.getContext("2d");
  const picture = context.createImageData(columns, HALF);
  for (let x = 0; x < columns; x += 1) {
    const levels = powers(samples, Math.floor(((samples.length - SIZE) * x) / Math.max(1, columns - 1)));
    levels.forEach((power, bin) => {
      const decibels = 10 * Math.log10(power + 1e-12);
      const [red, green, blue] = colour((decibels - QUIETEST_DB) / (LOUDEST_DB - QUIETEST_DB));
      picture.data.set([red, green, blue, 255], 4 * ((HALF - 1 - bin) * columns + x));
    });
  }
  context.putImageData(picture, 0, 0);
}

function colour(part) {
  const at = Math.max(0, Math.min(0.9999, part)) * (STOPS.length - 1);
  const [low, high, share] = [STOPS[Math.floor(at)], STOPS[Math.floor(at) + 1], at % 1];
  return low.map((value, i) => value + (high[i] - value) * share);
}

/** Power of each frequency at a place: full scale is 1. */
function powers(samples, begin) {
  const real = new Float32Array(SIZE);
  const imaginary = new Float32Array(SIZE);
  for (let i = 0; i < SIZE; i += 1) real[reversed(i)] = (samples[Math.max(0, begin) + i] ?? 0) * WINDOW[i];
  transform(real, imaginary);
  return Float32Array.from({ length: HALF }, (_, k) => (real[k] ** 2 + imaginary[k] ** 2) / (HALF / 2) ** 2);
}

function reversed(index) {
  let out = 0;
  for (let bit = 1, from = index; bit < SIZE; bit <<= 1, from >>= 1) out = (out << 1) | (from & 1);
  return out;
}

/** The fast Fourier transform in place, of samples in the order of reversed bits (Cooley and Tukey, 1965). */
function transform(real, imaginary) {
  for (let half = 1; half < SIZE; half *= 2) {
    for (let step = 0; step < half; step += 1) {
      const [turnReal, turnImaginary] = [Math.cos((Math.PI * step) / half), -Math.sin((Math.PI * step) / half)];
      for (let at = step; at < SIZE; at += 2 * half) {
        const other = at + half;
        const [r, i] = [real[other] * turnReal - imaginary[other] * turnImaginary, real[other] * turnImaginary + imaginary[other] * turnReal];
        [real[other], imaginary[other]] = [real[at] - r, imaginary[at] - i];
        [real[at], imaginary[at]] = [real[at] + r, imaginary[at] + i];
      }
    }
  }
}
