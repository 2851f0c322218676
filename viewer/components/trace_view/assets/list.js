// @ts-check
/** The trace before and after this one, in the list it was opened from: asked of the collector with that list's filter and order. */

const PAGE = 200;
const PAGES = 10; // two thousand traces back; further, stepping ends

/** What the list page leaves behind: `{ids, href}`, the ids as they stood on it and its address. */
const LEFT_BEHIND = "rightpassage.list";

/**
 * @param {import("./store.js").Store} store @param {string} traceId @param {number} direction -1 or 1
 * @param {{filter?: string, order?: string}} list
 * @returns {Promise<string | null>}
 */
export async function neighbour(store, traceId, direction, list) {
  const left = leftBehind();
  const known = left.ids.includes(traceId);
  const filter = list.filter || (known ? left.filter : "");
  const order = list.order || (known ? left.order : "");
  const at = left.ids.indexOf(traceId);
  if (at >= 0 && left.ids[at + direction]) return left.ids[at + direction];
  let cursor = "";
  /** @type {string[]} */
  let ids = [];
  for (let page = 0; page < PAGES; page++) {
    const query = new URLSearchParams({ limit: String(PAGE), ...(filter ? { filter } : {}), ...(order ? { order } : {}), ...(cursor ? { cursor } : {}) });
    const answer = await store.ask(`/traces?${query}`);
    ids = [...ids, ...answer.traces.map((/** @type {any} */ trace) => trace.trace_id)];
    const found = ids.indexOf(traceId);
    if (found >= 0 && (found + direction < ids.length || !answer.next_cursor)) return ids[found + direction] ?? null;
    if (!answer.next_cursor) break;
    cursor = answer.next_cursor;
  }
  return null;
}

/** @returns {{ids: string[], filter: string, order: string}} */
function leftBehind() {
  try {
    const { ids, href } = JSON.parse(sessionStorage.getItem(LEFT_BEHIND) ?? "{}");
    const query = new URL(href ?? "", location.href).searchParams;
    return { ids: Array.isArray(ids) ? ids : [], filter: query.get("filter") ?? "", order: query.get("order") ?? "" };
  } catch {
    return { ids: [], filter: "", order: "" };
  }
}
