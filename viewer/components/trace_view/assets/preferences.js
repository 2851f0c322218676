// @ts-check
/** What a reader set, kept in this browser. Browsers may refuse storage (private windows, sandboxed frames): then nothing is kept. */

/** @param {string} key */
export function recall(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

/** @param {string} key @param {string} value */
export function remember(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    // nothing to keep it in
  }
}
