// @ts-check
/**
 * Draws a page that Python laid out as plain nodes: `[tag, attributes, ...children]`, a string is text.
 *
 * Tags and attributes come from the lists below and text only ever becomes text nodes, so nothing that a trace contains can become markup,
 * a request or a script, whatever Python put where. Links and forms stay inside the viewer: they change the address, Streamlit follows.
 */

import { h, icon, replace } from "../trace_view/assets/dom.js";
import { clock, visible } from "../trace_view/assets/format.js";
import { ICONS } from "../trace_view/assets/icons.js";
import { prose } from "../trace_view/assets/text.js";
import { snippetBox, snippets } from "../base/empty.js";
import { copy, follow, mountable, navigate } from "../base/shell.js";
import sheet from "./sheet.css.js";

const TAGS = new Set(
  "a article aside b button col colgroup dd del details div dl dt figure footer form h1 h2 h3 header hr i input ins kbd label li mark nav ol p pre section small span summary table tbody td th thead time tr ul code".split(
    " ",
  ),
);
const ATTRIBUTES = new Set("class colspan role title aria-label aria-current aria-hidden name value type placeholder open datetime scope tabindex id".split(" "));

/** @typedef {string | [string, Record<string, any>, ...any[]]} Sheet */

/** @param {Sheet} node @param {HTMLElement} host @returns {Node} */
export function draw(node, host) {
  if (typeof node === "string") return document.createTextNode(visible(node));
  const [tag, attributes, ...children] = node;
  const special = SPECIAL[tag];
  if (special) return special(attributes, children, host);
  if (!TAGS.has(tag)) return document.createTextNode(visible(children.filter((child) => typeof child === "string").join(" ")));
  const element = h(tag, known(attributes));
  for (const child of children) element.appendChild(draw(child, host));
  if (tag === "a") linked(/** @type {HTMLAnchorElement} */ (element), attributes.href);
  if (tag === "form") element.addEventListener("submit", submit);
  return element;
}

/** @param {Record<string, any>} attributes */
function known(attributes) {
  /** @type {Record<string, any>} */
  const kept = {};
  for (const [name, value] of Object.entries(attributes)) {
    if (ATTRIBUTES.has(name)) kept[name] = value;
    else if (name === "share") kept.style = { ...kept.style, width: `${Math.min(100, Math.max(0, 100 * Number(value) || 0))}%` };
    else if (name === "hue") kept.style = { ...kept.style, "--hue": `var(--${/^[a-z]+$/.test(String(value)) ? value : "unknown"})` };
    else if (name === "marker") kept.data = { ...kept.data, marker: value };
  }
  return kept;
}

/** @param {HTMLAnchorElement} anchor @param {unknown} href only a path of the viewer */
function linked(anchor, href) {
  if (typeof href !== "string" || !/^\/(?![/\\])/.test(href)) return;
  anchor.setAttribute("href", href);
  anchor.addEventListener("click", follow);
}

/** A form changes the query of the page it stands on. @param {SubmitEvent} event */
function submit(event) {
  event.preventDefault();
  const form = /** @type {HTMLFormElement} */ (event.currentTarget);
  const query = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (typeof value === "string" && value) query.set(name, value);
  navigate(query.size ? `${location.pathname}?${query}` : location.pathname);
}

/** @type {Record<string, (attributes: Record<string, any>, children: any[], host: HTMLElement) => Node>} */
const SPECIAL = {
  icon: (attributes) => icon(ICONS[attributes.name] ?? ICONS.unknown, `icon ${attributes.class ?? ""}`),
  prose: (attributes, children) => {
    const box = prose(String(children[0] ?? ""), (mark) => (/^\d{1,3}$/.test(mark) ? h("sup", "citation", mark) : null));
    box.classList.add(...String(attributes.class ?? "").split(" ").filter(Boolean));
    return box;
  },
  clock: (attributes) => h("time", { class: attributes.class ?? null }, clock(attributes.ns)),
  copy: (attributes, children, host) =>
    h("button", { type: "button", class: attributes.class ?? "icon-button", title: "Copy", "aria-label": "Copy", onclick: () => copy(String(attributes.text ?? ""), host) }, ...(children.length ? children.map((child) => draw(child, host)) : [icon(ICONS.copy)])),
  snippets: (attributes, _, host) => snippetBox(host, attributes.options ?? snippets(String(attributes.endpoint ?? ""))),
  fold: (attributes, children, host) => folded(String(attributes.label ?? "Show all"), children, host),
  retry: (attributes) => {
    const mark = h("span", { class: "hidden" });
    const again = () => mark.isConnected && dispatchEvent(new PopStateEvent("popstate", { state: {} }));
    setTimeout(again, Number(attributes.milliseconds) || 3000);
    return mark;
  },
};

/** @param {string} label @param {any[]} children @param {HTMLElement} host */
function folded(label, children, host) {
  const box = h("div", "fold closed", ...children.map((child) => draw(child, host)));
  const button = h("button", {
    type: "button",
    class: "fold-button",
    "aria-expanded": "false",
    onclick: () => {
      const closed = box.classList.toggle("closed");
      button.setAttribute("aria-expanded", String(!closed));
      button.textContent = closed ? label : "Show less";
    },
  }, label);
  const around = h("div", null, box, button);
  requestAnimationFrame(() => box.scrollHeight <= box.clientHeight + 24 && (box.classList.remove("closed"), button.remove()));
  return around;
}

/** @param {HTMLElement} host @param {{nodes: Sheet[]}} data */
function create(host, data) {
  let shown = "";
  const update = (/** @type {{nodes: Sheet[]}} */ next) => {
    const text = JSON.stringify(next.nodes);
    if (text === shown) return;
    shown = text;
    replace(host, h("div", "sheet", ...next.nodes.map((node) => draw(node, host))));
  };
  update(data);
  return { update };
}

export default mountable(create, [sheet]);
