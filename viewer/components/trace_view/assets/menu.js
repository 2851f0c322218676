// @ts-check
/** A small menu under a button: arrow keys move, Escape and a click elsewhere close it, the focus returns. */

import { h } from "./dom.js";

/** @typedef {{title: string, act?: () => void, href?: string, download?: string}} Item */

/** @param {HTMLElement} button @param {Item[]} items */
export function openMenu(button, items) {
  const root = /** @type {HTMLElement} */ (button.closest(".rp"));
  if (root.querySelector(".menu")) return root.querySelector(".menu")?.remove();
  const box = button.getBoundingClientRect();
  const frame = root.getBoundingClientRect();
  const menu = h("div", { class: "menu", role: "menu", style: { top: `${box.bottom - frame.top + 4}px`, right: `${frame.right - box.right}px` } });
  const close = () => {
    menu.remove();
    document.removeEventListener("pointerdown", outside, true);
    button.setAttribute("aria-expanded", "false");
  };
  const outside = (/** @type {Event} */ event) => {
    if (!event.composedPath().includes(menu) && !event.composedPath().includes(button)) close();
  };
  for (const item of items) {
    const entry = item.href
      ? h("a", { role: "menuitem", href: item.href, download: item.download ?? null, tabindex: -1 }, item.title)
      : h("button", { type: "button", role: "menuitem", tabindex: -1 }, item.title);
    entry.addEventListener("click", () => {
      close();
      item.act?.();
      button.focus();
    });
    menu.append(entry);
  }
  menu.addEventListener("keydown", (event) => {
    const entries = /** @type {HTMLElement[]} */ ([...menu.children]);
    const at = entries.indexOf(/** @type {HTMLElement} */ (event.target));
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step) entries[(at + step + entries.length) % entries.length].focus();
    else if (event.key === "Escape") {
      close();
      button.focus();
    } else if (event.key !== "Enter" && event.key !== " ") return;
    else return event.stopPropagation();
    event.preventDefault();
    event.stopPropagation();
  });
  root.append(menu);
  button.setAttribute("aria-expanded", "true");
  document.addEventListener("pointerdown", outside, true);
  /** @type {HTMLElement} */ (menu.firstElementChild)?.focus();
}
