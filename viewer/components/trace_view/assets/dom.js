// @ts-check
/**
 * Elements are made here and nowhere else: children become text nodes, attributes are set by name, nothing is ever parsed as markup.
 * That is the whole defence against hostile trace content, so it is also the only way to draw: a test greps the package for the rest.
 */

const SVG = "http://www.w3.org/2000/svg";

/** @typedef {Node | string | number | null | undefined | false} Leaf nothing is drawn for null, undefined and false */
/** @typedef {Leaf | Leaf[] | (Leaf | Leaf[])[] | (Leaf | (Leaf | Leaf[])[])[]} Child */
/** @typedef {Record<string, any>} Properties `on…` are listeners, `class`, `style` (object), `data` (object); the rest are attributes */

/**
 * @param {string} tag
 * @param {Properties | string | null} [properties] a string is the class
 * @param {...Child} children
 * @returns {HTMLElement}
 */
export function h(tag, properties, ...children) {
  const element = document.createElement(tag);
  if (typeof properties === "string") element.className = properties;
  else if (properties) assign(element, properties);
  append(element, children);
  return element;
}

/** @param {Element} element @param {Properties} properties */
function assign(element, properties) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.setAttribute("class", value);
    else if (name === "style") for (const [key, text] of Object.entries(value)) /** @type {HTMLElement} */ (element).style.setProperty(key, text);
    else if (name === "data") for (const [key, text] of Object.entries(value)) element.setAttribute(`data-${key}`, String(text));
    else element.setAttribute(name, value === true ? "" : String(value));
  }
}

/** @param {Node} parent @param {Child[]} children */
export function append(parent, children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    if (Array.isArray(child)) append(parent, child);
    else parent.appendChild(typeof child === "object" ? child : document.createTextNode(String(child)));
  }
}

/** @param {Element} parent @param {...Child} children */
export function replace(parent, ...children) {
  parent.textContent = "";
  append(parent, children);
}

/**
 * An outline icon from path data; decorative unless it gets a title.
 * @param {readonly string[]} paths
 * @param {string} [className]
 */
export function icon(paths, className = "icon") {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", className);
  svg.setAttribute("aria-hidden", "true");
  for (const data of paths) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", data);
    svg.appendChild(path);
  }
  return svg;
}

/**
 * A button with an icon; its label is its tooltip and its accessible name.
 * @param {readonly string[]} paths @param {string} label @param {(event: MouseEvent) => void} onclick @param {Properties} [more]
 */
export function iconButton(paths, label, onclick, more = {}) {
  return h("button", { type: "button", class: "icon-button", title: label, "aria-label": label, onclick, ...more }, icon(paths));
}

/** Do this once what stands in the document now has been painted; at once where nobody looks. @param {() => void} act */
export function afterPaint(act) {
  if (document.hidden) act();
  else requestAnimationFrame(() => setTimeout(act));
}
