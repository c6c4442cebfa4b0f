// In the audio thread: plays what comes, half a second of it at most; when there is nothing it is silent.

class Player extends AudioWorkletProcessor {
  constructor() {
    super();
    this.held = new Float32Array(sampleRate / 2);
    this.read = 0;
    this.count = 0;
    this.port.onmessage = ({ data }) => this.take(new Int16Array(data));
  }

  take(samples) {
    for (const sample of samples) {
      if (this.count === this.held.length) this.drop();
      this.held[(this.read + this.count) % this.held.length] = sample / 32768;
      this.count += 1;
    }
  }

  drop() {
    this.read = (this.read + 1) % this.held.length;
    this.count -= 1;
  }

  process(_, [[output]]) {
    for (let i = 0; i < output.length && this.count; i += 1) {
      output[i] = this.held[this.read];
      this.drop();
    }
    return true;
  }
}

registerProcessor("player", Player);
