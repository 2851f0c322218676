// @ts-check
/** What stands in place of the page or over it: loading, nothing there, the help, a passing word. */

import { h, icon, iconButton } from "./dom.js";
import { visible } from "./format.js";
import { ICONS } from "./icons.js";
import { KEYS } from "./keyboard.js";

/** @type {Record<string, string>} */
const SHORT = { ArrowDown: "↓", ArrowUp: "↑", ArrowLeft: "←", ArrowRight: "→", PageUp: "PgUp", PageDown: "PgDn", Escape: "Esc" };

const SAID_MS = 2600;

/** @typedef {{picture: readonly string[], title: string, words: string}} Remark */

export const NO_TRACE = { picture: ICONS.search, title: "No trace chosen", words: "Open one from the list of traces, or by its address: /trace?trace_id=…" };
export const NO_SPANS = { picture: ICONS.clock, title: "Nothing has arrived yet", words: "The trace is known, its spans are not here yet." };

/**
 * Why there is nothing to show, and what will happen.
 * @param {import("./store.js").Unanswered} error @param {string} traceId @returns {Remark}
 */
export function remarkOn(error, traceId) {
  const { status, message } = error;
  if (status === 404) {
    const words = `Nothing with the id ${visible(traceId)} has arrived. If it was sent just now it will appear here; it may also have been deleted or pruned.`;
    return { picture: ICONS.search, title: "No such trace", words };
  }
  if (status === 401 || status === 403) return { picture: ICONS.guardrail, title: "Not allowed", words: "The collector asks for a token." };
  if (!status) return { picture: ICONS.warning, title: "The viewer does not answer", words: "This page tries again by itself; start it with: rightpassage view" };
  if (status === 502) return { picture: ICONS.warning, title: "The collector does not answer", words: `${visible(message)}. This page tries again by itself; start one with: rightpassage serve` };
  return { picture: ICONS.warning, title: "The collector could not answer", words: visible(message) };
}

/** @param {Remark} remark @param {string | undefined} list address of the list of traces */
export function remarkState({ picture, title, words }, list) {
  return h("div", { class: "state whole", role: "status" }, icon(picture), h("h2", null, title), h("p", null, words), list && h("a", { class: "button", href: list }, "All traces"));
}

export function loadingState() {
  return h("div", { class: "state", "aria-busy": "true" }, h("div", "skeleton wide", h("i"), h("i"), h("i"), h("i"), h("i"), h("i")), h("p", "muted", "Loading the trace…"));
}

/** Opens the help over the page, or closes it. @param {HTMLElement} root */
export function toggleHelp(root) {
  const open = root.querySelector("dialog");
  if (open) return /** @type {HTMLDialogElement} */ (open).close();
  const dialog = /** @type {HTMLDialogElement} */ (h(
    "dialog",
    { class: "help", "aria-label": "Keys" },
    h("header", null, h("h2", null, "Keys"), iconButton(ICONS.close, "Close", () => dialog.close())),
    h("dl", null, KEYS.map(([, keys, what]) => [h("dt", null, keys.map((key) => h("kbd", null, SHORT[key] ?? key))), h("dd", null, what)])),
    h("p", "muted", "Drag on the small overview to zoom into a part of the time; Ctrl with the wheel zooms the bars. Double-click a row to open or close it."),
  ));
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  root.append(dialog);
  dialog.showModal();
}

export function createToast() {
  const element = h("div", { class: "toast", role: "status" });
  let timer = 0;
  const say = (/** @type {string} */ words) => {
    element.textContent = words;
    element.classList.add("shown");
    clearTimeout(timer);
    timer = setTimeout(() => element.classList.remove("shown"), SAID_MS);
  };
  return { element, say };
}
