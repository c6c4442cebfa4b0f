// What the page shows, as it stands in its address: a link, or the browser's own buttons, lead there again.

export const ANY = { show: "all", state: "", since: "", mark: "", sort: "worst", text: "" };

/** {call, file, at, ...what the list is filtered and sorted by}. at: seconds, or null. */
export function readRoute(hash) {
  const said = new URLSearchParams(hash.replace(/^#/, ""));
  const filter = Object.fromEntries(Object.entries(ANY).map(([name, usual]) => [name, said.get(name) ?? usual]));
  const at = Number.parseFloat(said.get("at"));
  return { call: said.get("call") ?? "", file: said.get("file") ?? "", at: Number.isFinite(at) ? at : null, ...filter };
}

/** The address of a route, as short as it can be. The moment to a millisecond: rounded to a tenth it is another block. */
export function writeRoute({ call, file, at, ...filter }) {
  const said = new URLSearchParams();
  if (call) said.set("call", call);
  else if (file) said.set("file", file);
  if ((call || file) && at !== null && at !== undefined) said.set("at", String(Number(at.toFixed(3))));
  for (const [name, usual] of Object.entries(ANY)) if (filter[name] !== undefined && filter[name] !== usual) said.set(name, filter[name]);
  return `#${said}`;
}

/** Whether the list shows less than all. */
export const isFiltered = (route) => Object.entries(ANY).some(([name, usual]) => name !== "sort" && route[name] !== usual);
