// The HTTP API of the monitor that this page comes from.

const ROOT = "/api/v1";

export class ApiError extends Error {
  constructor(status, words) {
    super(words);
    this.status = status;
  }
}

/** The answer as JSON. Throws ApiError with words for people (RFC 9457). */
export async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(ROOT + path, options);
  } catch {
    throw new ApiError(0, "the monitor does not answer");
  }
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  throw new ApiError(answer.status, await reason(answer));
}

async function reason(answer) {
  try {
    const said = await answer.json();
    return said.detail || said.title || `the monitor answered ${answer.status}`;
  } catch {
    return `the monitor answered ${answer.status}`;
  }
}

/** Like ask(), with JSON in its body. */
export const send = (path, body) => ask(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });

/** The address of something that a browser loads by itself. */
export const address = (...parts) => `${ROOT}/${parts.map(encodeURIComponent).join("/")}`;

const query = (pairs) => new URLSearchParams(Object.entries(pairs).filter(([, value]) => value !== "" && value !== null && value !== undefined)).toString();

export const listCalls = (wanted) => ask(`/calls?${query(wanted)}`);
export const getCall = (id) => ask(`/calls/${encodeURIComponent(id)}`);
export const getTimeline = (id, channel) => ask(`/calls/${encodeURIComponent(id)}/timeline?${query({ channel })}`);
export const getEvents = (id) => ask(`/calls/${encodeURIComponent(id)}/events?limit=500`);
export const postMark = (id, mark) => send(`/calls/${encodeURIComponent(id)}/marks`, mark);
export const getScore = (id) => ask(`/scores/${encodeURIComponent(id)}`);
export const listScores = () => ask("/scores");
export const dropScore = (id) => ask(`/scores/${encodeURIComponent(id)}`, { method: "DELETE" });
