// @ts-check
/**
 * Where the page gets its data: the collector's JSON API over HTTP, or a whole trace embedded in a file. Both answer the same questions,
 * so nothing else knows which it is. Span bodies are kept in least-recently-used order, up to a number and a weight.
 */

import { columnsOf } from "./model.js";

/** @typedef {{data: any, text: string}} Body a span as parsed, and as it came (numbers exact) */

/**
 * @typedef {object} Store
 * @property {boolean} live whether there is a collector behind it
 * @property {() => Promise<any | null>} columns the trace as columns; null where nothing changed since the last answer
 * @property {(spanId: string) => Promise<Body>} body
 * @property {(spanId: string) => Body | undefined} cached
 * @property {(spanId?: string) => void} forget
 * @property {(path: string, options?: RequestInit) => Promise<any>} ask any other question to the API
 */

const BODIES = 400;
const BODY_BYTES = 48e6; // text kept for exact raw views; one span of 5 MB must not evict a whole trace

/** What went wrong, for a person; `status` is the HTTP status, 0 where nobody answered. */
export class Unanswered extends Error {
  /** @param {string} message @param {number} status */
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** @param {Response} answer whether the viewer itself asks for a token: the session has ended. The collector's refusals are JSON. */
export function loggedOut(answer) {
  return answer.status === 401 && Boolean(answer.headers.get("content-type")?.startsWith("text/plain"));
}

/** @param {string} url @param {RequestInit} [options] @returns {Promise<Response>} */
async function request(url, options) {
  let response;
  try {
    response = await fetch(url, { credentials: "same-origin", ...options });
  } catch (error) {
    if (/** @type {Error} */ (error).name === "AbortError") throw error;
    throw new Unanswered("The viewer does not answer.", 0);
  }
  if (response.ok || response.status === 304) return response;
  if (loggedOut(response)) location.reload(); // the form asks for the token, and leads back here
  const problem = await response.json().catch(() => ({}));
  throw new Unanswered(String(problem.detail ?? problem.title ?? problem.message ?? `HTTP ${response.status}`), response.status);
}

/**
 * @param {string} api prefix of the JSON API, e.g. "/api/v1"
 * @param {string} traceId
 * @returns {Store}
 */
export function collectorStore(api, traceId) {
  const trace = `${api}/traces/${encodeURIComponent(traceId)}`;
  /** @type {Map<string, Body>} */
  const bodies = new Map();
  /** @type {Map<string, Promise<Body>>} */
  const pending = new Map();
  let weight = 0;
  let etag = "";

  const drop = (/** @type {string} */ spanId) => {
    weight -= bodies.get(spanId)?.text.length ?? 0;
    bodies.delete(spanId);
  };
  const keep = (/** @type {string} */ spanId, /** @type {Body} */ body) => {
    drop(spanId);
    bodies.set(spanId, body);
    weight += body.text.length;
    for (const oldest of bodies.keys()) {
      if ((bodies.size <= BODIES && weight <= BODY_BYTES) || oldest === spanId) break;
      drop(oldest);
    }
  };
  const load = async (/** @type {string} */ spanId) => {
    try {
      const text = await (await request(`${trace}/spans/${encodeURIComponent(spanId)}`)).text();
      const body = { data: JSON.parse(text), text };
      if (pending.has(spanId)) keep(spanId, body); // else it was forgotten meanwhile
      return body;
    } finally {
      pending.delete(spanId);
    }
  };

  return {
    live: true,
    async columns() {
      const response = await request(`${trace}?view=columns`, { headers: etag ? { "if-none-match": etag } : {} });
      const seen = response.headers.get("etag") ?? "";
      if (response.status === 304 || (seen && seen === etag)) return null;
      etag = seen;
      return response.json();
    },
    body(spanId) {
      const body = bodies.get(spanId);
      if (body) {
        bodies.delete(spanId);
        bodies.set(spanId, body);
        return Promise.resolve(body);
      }
      let loading = pending.get(spanId);
      if (!loading) {
        loading = load(spanId);
        pending.set(spanId, loading);
      }
      return loading;
    },
    cached: (spanId) => bodies.get(spanId),
    forget(spanId) {
      if (spanId === undefined) {
        bodies.clear();
        pending.clear();
        weight = 0;
        etag = "";
      } else {
        drop(spanId);
        pending.delete(spanId);
      }
    },
    async ask(path, options) {
      const response = await request(`${api}${path}`, options);
      return response.status === 204 ? null : response.json().catch(() => null);
    },
  };
}

/**
 * @param {{trace: any, spans: any[], texts?: string[], health?: any}} whole as `GET /traces/{id}` answers; `texts`: each span as it came
 * @returns {Store}
 */
export function embeddedStore(whole) {
  const at = new Map(whole.spans.map((span, i) => [span.span_id, i]));
  const bodyOf = (/** @type {string} */ spanId) => {
    const i = at.get(spanId);
    return i === undefined ? undefined : { data: whole.spans[i], text: whole.texts?.[i] ?? JSON.stringify(whole.spans[i]) };
  };
  return {
    live: false,
    columns: () => Promise.resolve(columnsOf(whole)),
    body(spanId) {
      const body = bodyOf(spanId);
      return body ? Promise.resolve(body) : Promise.reject(new Unanswered("This file does not hold the span.", 404));
    },
    cached: bodyOf,
    forget() {},
    ask: () => Promise.reject(new Unanswered("This is a saved file: there is no collector behind it.", 0)),
  };
}
