// @ts-check
/**
 * What every component of the viewer stands on: mounting under Streamlit, style sheets, moving between pages, asking the API.
 *
 * A component is `mountable(create, sheets)`: `create(host, data)` draws once and returns `{update?(data), destroy?()}`. Streamlit calls the
 * default export again on each change of data or theme; that becomes `update`.
 */

import { h, icon } from "../trace_view/assets/dom.js";
import { ICONS } from "../trace_view/assets/icons.js";
import { loggedOut } from "../trace_view/assets/store.js";
import base from "./base.css.js";
import { beforeStreamlit, first, place } from "./first.js";
import { ApiError } from "./problem.js";

export { ApiError };

/** @typedef {{update?: (data: any) => void, destroy?: () => void}} View */

/**
 * @param {(host: HTMLElement, data: any) => View} create
 * @param {CSSStyleSheet[]} sheets
 */
export function mountable(create, sheets) {
  /** @type {WeakMap<Element, View>} */
  const views = new WeakMap();
  return first((/** @type {{data: any, parentElement: HTMLElement | ShadowRoot}} */ { data, parentElement }) => {
    const host = place(parentElement, views);
    const root = host.getRootNode();
    if (root instanceof ShadowRoot) root.adoptedStyleSheets = [base, ...sheets];
    const known = views.get(host);
    if (known) known.update?.(data);
    else views.set(host, create(host, data));
    return () => {
      views.get(host)?.destroy?.();
      views.delete(host);
      host.replaceChildren();
    };
  });
}

/**
 * Go to another page of the viewer as a click in the navigation does: one history entry, no page load. Streamlit follows `popstate`; until it
 * has started, the browser loads the other page.
 * @param {string} href
 */
export function navigate(href) {
  if (beforeStreamlit()) return location.assign(href);
  history.pushState({}, "", href);
  dispatchEvent(new PopStateEvent("popstate", { state: {} }));
}

/**
 * A link inside the viewer: a plain click stays in the page, anything else (new tab, middle button) is the browser's.
 * @param {string} href @param {import("../trace_view/assets/dom.js").Properties} properties @param {...any} children
 */
export function link(href, properties, ...children) {
  return h("a", { ...properties, href, onclick: follow }, ...children);
}

/** @param {MouseEvent} event */
export function follow(event) {
  const anchor = /** @type {HTMLAnchorElement} */ (event.currentTarget);
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey || anchor.target) return;
  if (new URL(anchor.href).origin !== location.origin) return;
  event.preventDefault();
  navigate(anchor.getAttribute("href") ?? "/");
}

// ---- Asking ----

/**
 * @param {string} path @param {Record<string, any>} [query] entries without a value are left out
 * @param {RequestInit} [options]
 */
export async function api(path, query = {}, options = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  let answer;
  try {
    answer = await fetch(search ? `${path}?${search}` : path, options);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(0, null);
  }
  if (loggedOut(answer)) location.reload(); // the form asks for the token, and leads back here
  const text = await answer.text();
  let body = null;
  try {
    body = text ? JSON.parse(text) : null;
  } catch {
    body = { detail: text.slice(0, 300) };
  }
  if (!answer.ok) throw new ApiError(answer.status, body);
  return body;
}

/** @param {string} path @param {string} method @param {any} body */
export function send(path, method, body) {
  return api(path, {}, { method, headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
}

// ---- Small pieces ----

/** @param {Node} node */
function layer(node) {
  const root = node.getRootNode();
  return root instanceof ShadowRoot ? root : document.body;
}

/** A line that says what happened and goes away. @param {HTMLElement} host @param {string} text @param {"ok" | "error"} [tone] */
export function toast(host, text, tone = "ok") {
  const line = h("div", { class: `toast ${tone}`, role: "status" }, icon(tone === "ok" ? ICONS.ok : ICONS.error), text);
  layer(host).appendChild(line);
  setTimeout(() => line.remove(), 4000);
}

/** @param {string} text @param {HTMLElement} host @param {string} [said] */
export async function copy(text, host, said = "Copied") {
  await navigator.clipboard.writeText(text);
  toast(host, said);
}

/**
 * Ask before something that cannot be undone; resolves with the pressed button.
 * @param {HTMLElement} host @param {{title: string, text: string, action: string, danger?: boolean, field?: string, value?: string}} question
 * @returns {Promise<string | null>} the text of the field ("" without one), null if it was cancelled
 */
export function ask(host, question) {
  return new Promise((resolve) => {
    const field = question.field
      ? /** @type {HTMLInputElement} */ (h("input", { class: "input", value: question.value ?? "", "aria-label": question.field, placeholder: question.field }))
      : null;
    let answer = /** @type {string | null} */ (null);
    const form = h(
      "form",
      {
        method: "dialog",
        onsubmit: (/** @type {Event} */ event) => {
          event.preventDefault();
          answer = field ? field.value.trim() : "";
          dialog.close();
        },
      },
      h("h2", null, question.title),
      h("p", "muted", question.text),
      field,
      h(
        "div",
        "dialog-buttons",
        h("button", { type: "button", class: "button", onclick: () => dialog.close() }, "Cancel"),
        h("button", { type: "submit", class: `button ${question.danger ? "danger" : "primary"}` }, question.action),
      ),
    );
    const dialog = /** @type {HTMLDialogElement} */ (h("dialog", "dialog", form));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(answer);
    });
    layer(host).appendChild(dialog);
    dialog.showModal();
    (field ?? /** @type {HTMLElement} */ (dialog.querySelector("[type=submit]"))).focus();
  });
}

/**
 * A button that opens a menu under itself; closes on Escape, on a click elsewhere, and when `content` calls `close`.
 * @param {any[]} label @param {string} name accessible name @param {(close: () => void) => Node | Promise<Node>} content
 * @param {import("../trace_view/assets/dom.js").Properties} [properties] @param {() => void} [closed] called when the menu has gone
 */
export function menu(label, name, content, properties = {}, closed = () => undefined) {
  const button = h("button", { type: "button", class: "button", "aria-haspopup": "true", "aria-expanded": "false", title: name, "aria-label": name, ...properties }, ...label);
  const box = h("div", "menu-box", button);
  /** @type {HTMLElement | null} */
  let panel = null;
  const close = () => {
    if (!panel) return;
    panel.remove();
    panel = null;
    button.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", outside, true);
    box.removeEventListener("keydown", keys);
    closed();
  };
  const outside = (/** @type {PointerEvent} */ event) => {
    if (!event.composedPath().includes(box)) close();
  };
  const keys = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Escape") {
      event.stopPropagation();
      close();
      button.focus();
      return;
    }
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    const items = /** @type {HTMLElement[]} */ ([...box.querySelectorAll(".menu button, .menu input, .menu a")]);
    const at = items.indexOf(/** @type {HTMLElement} */ (/** @type {ShadowRoot} */ (box.getRootNode()).activeElement));
    event.preventDefault();
    items[(at + (event.key === "ArrowDown" ? 1 : items.length - 1) + (at < 0 && event.key === "ArrowUp" ? 1 : 0)) % items.length]?.focus();
  };
  button.addEventListener("click", async () => {
    if (panel) return close();
    panel = h("div", "menu");
    box.appendChild(panel);
    button.setAttribute("aria-expanded", "true");
    document.addEventListener("pointerdown", outside, true);
    box.addEventListener("keydown", keys);
    const opened = panel;
    opened.append(await content(close));
    const over = opened.getBoundingClientRect().right - document.documentElement.clientWidth + 8;
    if (over > 0) opened.style.setProperty("transform", `translateX(${-over}px)`);
  });
  return box;
}

/**
 * Fill the viewport from where the element starts to its lower edge.
 * @param {HTMLElement} element @returns {() => void} stop
 */
export function fillViewport(element) {
  const fit = () => element.style.setProperty("height", `${Math.max(360, innerHeight - element.getBoundingClientRect().top - scrollY - 14)}px`);
  const observer = new ResizeObserver(fit);
  observer.observe(document.documentElement);
  fit();
  requestAnimationFrame(fit);
  return () => observer.disconnect();
}

/** Whether a key press belongs to a field the user types into. @param {KeyboardEvent} event */
export function typing(event) {
  const target = /** @type {HTMLElement} */ (event.composedPath()[0]);
  return event.metaKey || event.ctrlKey || event.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName ?? "") || target.isContentEditable;
}
