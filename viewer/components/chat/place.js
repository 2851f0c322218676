// @ts-check
/** Where in the chat one is ⇄ the address. Pure. */

export const PATH = "/ask";

/** @typedef {{channel: string, thread: string, why: string, passage: string}} Place `why` is the message explained, `passage` the one pointed at */

/** @param {string} search @returns {Place} */
export function read(search) {
  const query = new URLSearchParams(search);
  return { channel: query.get("channel") ?? "", thread: query.get("thread") ?? "", why: query.get("why") ?? "", passage: query.get("passage") ?? "" };
}

/** @param {Place} place */
export function address(place) {
  const query = new URLSearchParams(Object.entries(place).filter(([, value]) => value));
  return query.size ? `${PATH}?${query}` : PATH;
}
