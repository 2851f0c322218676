// @ts-check
/** "Make a rule": tells the collector which field of ours a key it did not know holds, then has the stored spans read again. */

import { visible } from "./format.js";
import { h } from "./dom.js";

/** @typedef {import("./page.js").Page} Page */

const FIELDS = ["input", "output", "query", "documents", "input_messages", "output_messages", "model", "session_id", "user_id"];

/** What a key's name suggests. @param {string} key @param {string} [kind] of the span */
export function suggestedField(key, kind = "") {
  const name = key.toLowerCase();
  if (/doc|passage|chunk|context/.test(name)) return "documents";
  if (kind === "RETRIEVER" && /quer|question|search/.test(name)) return "query";
  if (/out|answer|response|result|completion|repl/.test(name)) return "output";
  return "input";
}

/** @param {Page} page @param {any} span @param {string} key */
export function ruleForm(page, span, key) {
  const choice = /** @type {HTMLSelectElement} */ (h("select", { "aria-label": `Field for ${key}` }, FIELDS.map((field) => h("option", { value: field, selected: field === suggestedField(key, span.kind) }, field))));
  const said = h("span", { class: "tiny", role: "status" });
  const save = h("button", { type: "button", class: "button small" }, "Make a rule");
  save.addEventListener("click", async () => {
    save.setAttribute("disabled", "");
    said.textContent = "Saving…";
    try {
      const { rules } = await page.store.ask("/rules");
      const next = { ...rules, fields: { ...rules.fields, [key]: choice.value } };
      await page.store.ask("/rules", { method: "PUT", headers: { "content-type": "application/json" }, body: JSON.stringify(next) });
      said.textContent = "Reading stored spans again…";
      await page.store.ask("/renormalise", { method: "POST", headers: { "content-type": "application/json" }, body: "{}" });
      page.refresh();
    } catch (error) {
      said.textContent = `Not saved: ${visible(/** @type {Error} */ (error).message)}`;
      save.removeAttribute("disabled");
    }
  });
  return h("span", "rule", "is", choice, save, said);
}
