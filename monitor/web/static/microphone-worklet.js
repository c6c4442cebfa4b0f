// In the audio thread: gathers 20 ms of the microphone as PCM of 16 bits, behind the place of their first sample.

class Gatherer extends AudioWorkletProcessor {
  constructor() {
    super();
    this.size = Math.round(sampleRate / 50);
    this.begun = null;
    this.start(0);
  }

  start(place) {
    this.view = new DataView(new ArrayBuffer(4 + 2 * this.size));
    this.view.setUint32(0, place >>> 0, true);
    this.held = 0;
    this.peak = 0;
    this.next = place;
  }

  process(inputs) {
    const samples = inputs[0][0] ?? new Float32Array(128);
    this.begun ??= currentFrame;
    const place = currentFrame - this.begun;
    // Where the browser could not keep up the clock has run on: what was gathered is given up, which the monitor sees.
    if (place !== this.next + this.held) this.start(place);
    for (const sample of samples) this.add(sample);
    return true;
  }

  add(sample) {
    this.peak = Math.max(this.peak, Math.abs(sample));
    const whole = Math.max(-32768, Math.min(32767, Math.round(sample * 32768)));
    this.view.setInt16(4 + 2 * this.held, whole, true);
    this.held += 1;
    if (this.held < this.size) return;
    const [data, peak, next] = [this.view.buffer, this.peak, this.next + this.size];
    this.port.postMessage({ data, peak }, [data]);
    this.start(next);
  }
}

registerProcessor("gatherer", Gatherer);
