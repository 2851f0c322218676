// @ts-check
/** Traces as files: streamed by the collector, or the rows on the page as CSV; and steps that say how they ended. */

import { h, icon } from "../trace_view/assets/dom.js";
import { ICONS } from "../trace_view/assets/icons.js";
import { toast } from "../base/shell.js";
import { table } from "./csv.js";

/** @param {string} api @param {string} filter @param {any[]} rows @param {string} csvLabel @param {() => void} close @returns {Node[]} items of a menu */
export function exportItems(api, filter, rows, csvLabel, close) {
  const streamed = (/** @type {string} */ label, /** @type {string} */ format) =>
    h("a", { class: "item", href: `${api}/export?${new URLSearchParams({ filter, format })}`, download: `traces.${format}`, onclick: close }, icon(ICONS.download), label);
  return [
    streamed("OTLP JSON lines (lossless)", "otlp-jsonl"),
    streamed("JSON lines (our fields)", "jsonl"),
    h("button", { type: "button", class: "item", onclick: () => (close(), download(rows)) }, icon(ICONS.download), csvLabel),
  ];
}

/** @param {any[]} rows */
function download(rows) {
  const url = URL.createObjectURL(new Blob(["\ufeff", table(rows)], { type: "text/csv" }));
  h("a", { href: url, download: "traces.csv" }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/**
 * Do something that changes the collector; say that it worked, or why not.
 * @param {HTMLElement} host @param {() => Promise<any>} step @param {string} said @returns {Promise<boolean>}
 */
export async function act(host, step, said) {
  try {
    await step();
    toast(host, said);
    return true;
  } catch (error) {
    toast(host, /** @type {Error} */ (error).message, "error");
    return false;
  }
}
