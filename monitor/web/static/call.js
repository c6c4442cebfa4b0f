// One call: its channels, each with a large likelihood, its timeline, its level and the families it resembles.

import { badge, make, setText, setState } from "./make.js";
import { draw } from "./timeline.js";
import { clock, family, audioNow, likelihood, meaning, odds, percent, span, speech, UNKNOWN_FAMILY } from "./words.js";

const LOOKS_BACK_S = 120;
const QUIETEST_DB = -60;
const SHOWN_FAMILIES = 3;

export class CallPanel {
  /** place: where the channels go. listen: makes the element with which to hear one, or null. */
  constructor(place, listen) {
    this.place = place;
    this.listen = listen;
    this.cards = new Map();
  }

  clear() {
    this.place.replaceChildren();
    this.cards.clear();
  }

  update(call, table) {
    for (const channel of call.channels) this.write(this.cards.get(channel.name) ?? this.add(call, channel), channel, table);
  }

  add(call, channel) {
    const card = {
      state: make("span"), big: make("p", { class: "big" }), meaning: make("p"),
      canvas: make("canvas", { role: "img" }), speech: meter(), level: meter("level"), llr: make("dd"), audio: make("dd"), band: make("dd"),
      lost: make("dd"), alert: make("dd"), families: make("ul", { class: "families" }),
    };
    const fact = (name, value) => [make("dt", {}, name), value];
    const facts = make("dl", { class: "facts" }, ...fact("Speech heard", card.speech.element), ...fact("Level", card.level.element),
      ...fact("Bandwidth", card.band), ...fact("Audio", card.audio), ...fact("Evidence", card.llr), ...fact("Alerts", card.alert), ...fact("Lost", card.lost));
    const head = make("div", { class: "row" }, make("h3", {}, channel.name), card.state);
    const listen = this.listen(call.call, channel.name);
    card.element = make("article", { class: "card channel", "aria-label": `Channel ${channel.name}` }, head,
      make("div", { class: "verdict" }, card.big, card.meaning), card.canvas, make("div", { class: "below" }, facts,
        make("div", {}, make("p", { class: "dim" }, "If synthetic, most like"), card.families)), ...(listen ? [listen] : []));
    this.cards.set(channel.name, card);
    this.place.append(card.element);
    return card;
  }

  write(card, channel, table) {
    if (setState(card.element, channel.state)) card.state.replaceChildren(badge(channel.state));
    setText(card.big, likelihood(channel));
    setText(card.meaning, meaning(channel.state, table, channel.impairment));
    card.canvas.setAttribute("aria-label", `Likelihood over the last two minutes; now ${likelihood(channel)}`);
    draw(card.canvas, channel.line, table, LOOKS_BACK_S, true);
    card.speech.set(Math.min(1, channel.net_s / channel.needed_s), speech(channel));
    card.speech.bar.hidden = channel.net_s >= channel.needed_s;
    const loud = channel.level === null ? 0 : 1 - channel.level / QUIETEST_DB;
    card.level.set(Math.max(0, Math.min(1, loud)), channel.level === null ? "–" : `${Math.round(channel.level)} dBFS`);
    setText(card.band, channel.bandwidth === "unknown" ? "–" : channel.bandwidth);
    card.level.bar.classList.toggle("high", channel.peak !== null && channel.peak > -1);
    setText(card.audio, audioNow(channel));
    card.audio.classList.toggle("wrong-input", channel.fault !== "");
    setText(card.llr, channel.llr === null ? "–" : `${odds(channel.llr)} (${channel.llr > 0 ? "+" : "−"}${Math.abs(channel.llr).toFixed(1)} nats)`);
    setText(card.lost, channel.lost_s > 0 ? span(channel.lost_s) : "none");
    const since = channel.alert_since_s === null ? "" : `, open since ${clock(channel.alert_since_s)}`;
    setText(card.alert, `${channel.alerts || "none"}${since}`);
    this.families(card, channel);
  }

  families(card, channel) {
    const shown = channel.families.slice(0, SHOWN_FAMILIES);
    const text = JSON.stringify(shown);
    if (card.shown === text) return;
    card.shown = text;
    if (!shown.length) {
      card.families.replaceChildren(make("li", { class: "dim" }, "no verdict yet"));
      return;
    }
    card.families.replaceChildren(...shown.map(([name, p]) => {
      if (name === UNKNOWN_FAMILY) return make("li", { class: "dim" }, make("span", {}, family(name)), make("span"), make("span", {}, percent(p)));
      const bar = make("div", { class: "meter" }, make("i"));
      bar.firstChild.style.transform = `scaleX(${p})`;
      return make("li", {}, make("span", {}, family(name)), bar, make("span", {}, percent(p)));
    }));
  }
}

function meter(kind = "") {
  const bar = make("div", { class: `meter ${kind}` }, make("i"));
  const text = make("span");
  return {
    bar,
    element: make("dd", { class: "with-meter" }, bar, text),
    set(part, words) {
      bar.firstChild.style.transform = `scaleX(${part.toFixed(3)})`;
      setText(text, words);
    },
  };
}
