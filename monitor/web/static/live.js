// The connection to the monitor: asks for a picture when the last one is drawn, and finds its way back when it is lost.

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 5000;
const SILENT_MS = 4000;

export class Live {
  /** request: () => what the page shows. draw: takes a picture. lost: takes true or false. refused: somebody must sign in. */
  constructor({ request, draw, lost, refused }) {
    Object.assign(this, { request, draw, lost, refused });
    this.wait = FIRST_WAIT_MS;
    this.socket = null;
    this.watch = 0;
  }

  start() {
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/live`);
    this.socket = socket;
    socket.onopen = () => this.ask(socket);
    socket.onmessage = (message) => {
      if (socket !== this.socket) return;
      this.wait = FIRST_WAIT_MS;
      this.lost(false);
      this.draw(JSON.parse(message.data));
      this.ask(socket);
    };
    socket.onclose = () => this.reconnect(socket);
    this.restartTimeout(socket);
  }

  ask(socket) {
    if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(this.request()));
    this.restartTimeout(socket);
  }

  /** A connection from which nothing comes is as good as none. */
  restartTimeout(socket) {
    clearTimeout(this.watch);
    this.watch = setTimeout(() => { socket.close(); this.reconnect(socket); }, SILENT_MS);
  }

  reconnect(socket) {
    if (socket !== this.socket) return;
    clearTimeout(this.watch);
    this.socket = null;
    this.lost(true);
    setTimeout(() => this.checkSession(), this.wait * (0.75 + Math.random() / 2));
    this.wait = Math.min(this.wait * 2, LONGEST_WAIT_MS);
  }

  /** Ask whether the monitor is there, and still knows this browser. */
  async checkSession() {
    try {
      const answer = await fetch("/session", { signal: AbortSignal.timeout(SILENT_MS) });
      const session = await answer.json();
      if (session.signed_in) this.start();
      else this.refused(session);
    } catch {
      setTimeout(() => this.checkSession(), this.wait);
      this.wait = Math.min(this.wait * 2, LONGEST_WAIT_MS);
    }
  }
}
