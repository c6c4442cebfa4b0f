// Alerts that are new: in the title of the page, in a banner that screen readers say at once, by a sound.

import { setText } from "./make.js";
import { percent } from "./words.js";

export const TITLE = "Deepfake speech monitor";
const $ = (id) => document.getElementById(id);

export class News {
  /** sound: rings. opened: () => the name of the call that is open. open: takes the name of a call. */
  constructor(sound, opened, open) {
    Object.assign(this, { sound, opened });
    this.known = new Set();
    $("news-open").addEventListener("click", () => { $("news").hidden = true; open($("news").dataset.call); });
    $("news-done").addEventListener("click", () => { $("news").hidden = true; });
  }

  /** all: the table. named: from a call to what people call it. */
  update(all, named) {
    const alerts = all.calls.filter((call) => call.state === "alert");
    const fresh = alerts.filter((call) => !this.known.has(call.call));
    this.known = new Set(alerts.map((call) => call.call));
    document.title = alerts.length ? `(${alerts.length}) ALERT · ${TITLE}` : TITLE;
    if (fresh.length) {
      const [first] = fresh;
      const rest = fresh.length > 1 ? `, and ${fresh.length - 1} more` : "";
      setText($("news-text"), `Alert: ${named(first)}${first.party ? `, ${first.party}` : ""}, ${percent(first.p)} likely synthetic${rest}`);
      $("news").dataset.call = first.call;
      $("news").hidden = this.opened() === first.call;
      this.sound.ring();
    }
    if (!this.known.has($("news").dataset.call)) $("news").hidden = true;
  }
}
