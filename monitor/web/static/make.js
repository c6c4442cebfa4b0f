// Elements, and the shapes of the states: each state has a word, a colour and a shape of its own.

/** An element with attributes (a function is a listener) and children. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== false) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** A cell of a table that stays one for screen readers where the style makes it a card. */
export const cell = (kind, ...children) => make("td", { role: "cell", class: kind }, ...children);

/** Change an element's text only where it is another one: most of a table stays as it was. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Set data-state where it is another one. Returns whether it was. */
export function setState(element, state) {
  if (element.dataset.state === state) return false;
  element.dataset.state = state;
  return true;
}

const SVG = "http://www.w3.org/2000/svg";
const SHAPES = {
  alert: ["M8 1.2 15.4 14.6H.6Z", "M8 6v4.2M8 12.1v.6"], // a triangle
  suspicious: ["M8 .8 15.2 8 8 15.2.8 8Z", "M8 4.6v4.2M8 10.9v.6"], // a diamond
  unknown: ["M2 2h12v12H2Z", "M6 6.2C6 4.2 10 4.2 10 6.4 10 8 8 7.8 8 9.4M8 11.4v.6"], // a square
  undecided: ["M8 1.5 14.5 5v6L8 14.5 1.5 11V5Z", "M5 8h6"], // a hexagon
  clear: ["M8 1a7 7 0 1 0 0 14A7 7 0 1 0 8 1Z", "M4.7 8.2 7 10.6 11.3 5.6"], // a disc
  listening: ["", "M3 6v4M6.3 4v8M9.7 2.5v11M13 6v4"], // bars
  "": ["", "M4 8h8"],
};

/** The shape of a state. */
export function shape(state) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  const [body, mark] = SHAPES[state] ?? SHAPES[""];
  if (body) svg.append(path(body, "currentColor", "none"));
  svg.append(path(mark, "none", body ? "var(--mark, var(--card))" : "currentColor"));
  return svg;
}

function path(d, fill, stroke) {
  const element = document.createElementNS(SVG, "path");
  const attributes = { d, fill, stroke, "stroke-width": "1.8", "stroke-linecap": "round", "stroke-linejoin": "round" };
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

/** Word, colour and shape. */
export function badge(state) {
  return make("span", { class: "state badge", "data-state": state }, shape(state), state);
}
