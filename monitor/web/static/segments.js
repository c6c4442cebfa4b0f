// The segments of a call as a table: a click goes to the beginning of one.

import { badge, cell, make } from "./make.js";
import { odds, percent, place } from "./words.js";

/** segments: as the API has them. seek: takes seconds. parties: there are several channels. */
export function writeSegments(where, segments, seek, parties) {
  const shown = [...segments].sort((a, b) => a.start_s - b.start_s || (a.channel < b.channel ? -1 : 1));
  const mark = JSON.stringify(shown);
  if (where.dataset.mark === mark) return;
  where.dataset.mark = mark;
  const focused = where.contains(document.activeElement) ? document.activeElement.dataset.at : null;
  const heads = ["From", "To", ...(parties ? ["Party"] : []), "State", "Highest", "Evidence"];
  const head = make("tr", { role: "row" }, ...heads.map((name) => make("th", { role: "columnheader", scope: "col" }, name)));
  const rows = shown.map((segment, index) => {
    const begin = make("button", { type: "button", class: "link-button", "data-at": String(index), "aria-label": `Go to ${place(segment.start_s)}` }, place(segment.start_s));
    const judged = segment.p_fake !== null;
    return make("tr", { role: "row", title: segment.reason, click: () => seek(segment.start_s) },
      cell("", begin), cell("", place(segment.end_s)), ...(parties ? [cell("", segment.channel)] : []), cell("", badge(segment.state)),
      cell("", judged ? percent(segment.p_fake) : "–"), cell("dim", judged ? odds(segment.llr) : ""));
  });
  where.replaceChildren(make("table", { role: "table", class: "plain", "aria-labelledby": "segments-title" },
    make("thead", { role: "rowgroup" }, head), make("tbody", { role: "rowgroup" }, ...rows)));
  if (focused !== null) where.querySelector(`[data-at="${focused}"]`)?.focus();
}
