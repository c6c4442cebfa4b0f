// This browser's microphone as a call of the monitor.

const AGAIN_MS = 2000;
const MOST_WAITING_S = 1;

// What a browser does to a voice so that it is nice to hear (taking away echo and noise, evening out its loudness) also takes
// away the traces that tell a synthetic voice from a human one, and leaves traces of its own.
const UNPROCESSED = { echoCancellation: false, noiseSuppression: false, autoGainControl: false, channelCount: 1 };

export class Microphone {
  /** changed: takes {on, text, call, fault}. level: takes the peak of each 20 ms, 0 to 1. */
  constructor(changed, level) {
    this.changed = changed;
    this.level = level;
    this.stop();
  }

  static why() {
    if (window.isSecureContext && navigator.mediaDevices && window.AudioWorkletNode) return "";
    return "A browser gives its microphone to pages that come over HTTPS or from this machine only: set web.certificate, or open the page as http://localhost.";
  }

  async start() {
    this.on = true;
    this.report("asking for the microphone");
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({ audio: UNPROCESSED });
      this.context = new AudioContext();
      await this.context.audioWorklet.addModule("/static/microphone-worklet.js");
    } catch (error) {
      const denied = error.name === "NotAllowedError";
      this.stop(denied ? "The browser was not allowed to use the microphone." : `The microphone cannot be used: ${error.message}`);
      return;
    }
    const [track] = this.stream.getAudioTracks();
    track.onended = () => this.stop("The microphone was disconnected.");
    track.onmute = () => this.pause("the microphone is muted by the system");
    track.onunmute = () => this.resume();
    this.label = track.label;
    const set = track.getSettings();
    const kept = ["echoCancellation", "noiseSuppression", "autoGainControl"].filter((name) => set[name]);
    this.kept = kept.length ? ` The browser keeps ${kept.join(", ")} on, which alters the voice: the verdict is less reliable.` : "";
    this.context.onstatechange = () => (this.context?.state === "running" ? this.resume() : this.pause("the browser suspended the audio"));
    this.connect();
  }

  connect() {
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/microphone`);
    this.socket = socket;
    this.dropped = 0;
    socket.onopen = () => socket.send(JSON.stringify({ rate: this.context.sampleRate, label: this.label }));
    socket.onmessage = (message) => {
      this.call = JSON.parse(message.data).call;
      this.feed(socket);
      this.hint();
    };
    socket.onclose = (event) => this.closed(socket, event);
  }

  /** From the microphone to the socket; what it cannot take in time is dropped, and shows as lost. */
  feed(socket) {
    const gatherer = new AudioWorkletNode(this.context, "gatherer", { numberOfInputs: 1, numberOfOutputs: 1, channelCount: 1, channelCountMode: "explicit" });
    const source = this.context.createMediaStreamSource(this.stream);
    const most = MOST_WAITING_S * this.context.sampleRate * 2;
    gatherer.port.onmessage = ({ data: { data, peak } }) => {
      this.level(peak);
      if (socket.readyState !== WebSocket.OPEN) return;
      if (socket.bufferedAmount > most) {
        this.dropped += 1;
        if (this.dropped % 50 === 1) this.hint();
        return;
      }
      socket.send(data);
    };
    source.connect(gatherer).connect(this.context.destination); // It plays silence; unconnected it might not run.
    this.nodes = [source, gatherer];
    this.context.resume();
  }

  closed(socket, event) {
    if (socket !== this.socket) return;
    this.disconnect();
    this.call = "";
    if (event.code === 1008) this.stop(`The monitor refused it: ${event.reason || "no reason given"}.`);
    else {
      this.report(event.reason ? `${event.reason}; trying again` : "the connection is lost; trying again", "lost");
      this.retry = setTimeout(() => this.connect(), AGAIN_MS);
    }
  }

  send(message) {
    if (this.socket?.readyState === WebSocket.OPEN && this.call) this.socket.send(JSON.stringify(message));
  }

  pause(why) {
    this.send({ paused: why });
    this.report(`Paused: ${why}.`, "paused");
  }

  resume() {
    this.send({ resumed: true });
    if (this.call) this.hint();
  }

  hint() {
    const lost = this.dropped ? ` ${(this.dropped / 50).toFixed(1)} s could not be sent in time.` : "";
    this.report(`Watching ${this.label || "the microphone"} as ${this.call}.${this.kept}${lost}`);
  }

  report(text, fault = "") {
    this.changed({ on: this.on, text, call: this.call, fault });
  }

  disconnect() {
    this.nodes?.forEach((node) => node.disconnect());
    this.nodes = null;
    this.level(0);
  }

  stop(text = "") {
    clearTimeout(this.retry);
    const { socket, context, stream } = this;
    this.disconnect();
    [this.on, this.socket, this.context, this.stream, this.call, this.kept] = [false, null, null, null, "", ""];
    socket?.close(1000);
    stream?.getTracks().forEach((track) => { track.onended = null; track.stop(); });
    if (context) { context.onstatechange = null; context.close(); }
    this.report(text, text ? "failed" : "");
  }
}
