// A sound for a new alert; off until somebody asks for it.

import { setText } from "./make.js";

export class Sound {
  constructor(button) {
    this.context = null;
    button.addEventListener("click", () => {
      if (this.context) this.context.close();
      this.context = this.context ? null : new AudioContext();
      button.setAttribute("aria-pressed", String(this.context !== null));
      setText(button, this.context ? "Sound is on" : "Sound is off");
      this.ring();
    });
  }

  ring() {
    if (!this.context) return;
    const now = this.context.currentTime;
    for (const [after, pitch] of [[0, 880], [0.18, 660]]) {
      const [tone, loudness] = [this.context.createOscillator(), this.context.createGain()];
      tone.frequency.value = pitch;
      loudness.gain.setValueAtTime(0.0001, now + after);
      loudness.gain.exponentialRampToValueAtTime(0.2, now + after + 0.02);
      loudness.gain.exponentialRampToValueAtTime(0.0001, now + after + 0.16);
      tone.connect(loudness).connect(this.context.destination);
      tone.start(now + after);
      tone.stop(now + after + 0.18);
    }
  }
}
