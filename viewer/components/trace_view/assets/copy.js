// @ts-check
/** Copying to the clipboard, with an answer at the button; works where the asynchronous clipboard is refused (http, files). */

import { h } from "./dom.js";

/** @param {string} text @param {Element} [at] shows "Copied" beside it for a moment */
export async function copyText(text, at) {
  let done = false;
  try {
    await navigator.clipboard.writeText(text);
    done = true;
  } catch {
    done = copyBySelection(text);
  }
  if (at) {
    at.setAttribute("data-copied", done ? "Copied" : "Not allowed");
    setTimeout(() => at.removeAttribute("data-copied"), 1200);
  }
  return done;
}

/** @param {string} text */
function copyBySelection(text) {
  const area = /** @type {HTMLTextAreaElement} */ (h("textarea", { style: { position: "fixed", opacity: "0" } }));
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}

/** @param {string} text @param {string} name @param {string} [type] */
export function download(text, name, type = "application/json") {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const anchor = h("a", { href: url, download: name });
  document.body.append(anchor);
  anchor.click();
  anchor.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
