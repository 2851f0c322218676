// @ts-check
/** Keys and what they do: one table, which the help shows too. `r` and `c` belong to Streamlit. */

/** @type {[string, string[], string][]} action, keys, what it does */
export const KEYS = [
  ["next", ["j", "ArrowDown"], "next span"],
  ["previous", ["k", "ArrowUp"], "previous span"],
  ["close", ["ArrowLeft"], "collapse, or go to the parent"],
  ["open", ["ArrowRight"], "expand, or go to the first child"],
  ["first", ["Home"], "first span"],
  ["last", ["End"], "last span"],
  ["pageUp", ["PageUp"], "a page up"],
  ["pageDown", ["PageDown"], "a page down"],
  ["search", ["/"], "search in the trace"],
  ["nextHit", ["n"], "next match, or next error"],
  ["previousHit", ["p", "N"], "previous match, or previous error"],
  ["previousTrace", ["h", "["], "previous trace of the list"],
  ["nextTrace", ["l", "]"], "next trace of the list"],
  ["annotate", ["e"], "score or note"],
  ["zoom", ["z"], "zoom the time to the span"],
  ["unzoom", ["Z", "0"], "show all of the time"],
  ["critical", ["x"], "critical path on or off"],
  ["leave", ["Escape"], "clear search and zoom, close"],
  ["help", ["?"], "these keys"],
];

const ACTIONS = new Map(KEYS.flatMap(([action, keys]) => keys.map((key) => [key, action])));

/** Elements that want the keys themselves. */
const TYPING = new Set(["INPUT", "TEXTAREA", "SELECT"]);

/**
 * @param {{key: string, ctrlKey?: boolean, metaKey?: boolean, altKey?: boolean}} event
 * @param {{tagName?: string, isContentEditable?: boolean} | null | undefined} target where the key went, inside the shadow root
 * @returns {string | null}
 */
export function actionFor(event, target) {
  if (event.ctrlKey || event.metaKey || event.altKey) return null;
  const typing = target && (TYPING.has(target.tagName ?? "") || target.isContentEditable);
  if (typing && event.key !== "Escape") return null;
  // Enter and space act on buttons by themselves; arrows and Home inside scrolling text scroll it only when it has the focus.
  return ACTIONS.get(event.key) ?? null;
}
