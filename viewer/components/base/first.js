// @ts-check
/**
 * The first view of a page: the component that the page's HTML names (viewer/first.py), drawn before Streamlit's front end is there and
 * taken over, as it stands, when Streamlit mounts it. Without Streamlit (a proxy without websockets) it stays readable.
 *
 * The component's module comes before Streamlit's in the document, so it is evaluated first; its modules are all imported statically.
 */

/** @typedef {{querySelector(selector: string): Element | null}} Parent what a component draws in */
/** @typedef {(mount: {data: any, parentElement: any}) => () => void} Component */

let frame = document.getElementById("first-view");
let cleanup = () => {};

/** Draws the component in the page's first view, if it has one: it is the only component loaded by then. @template {Component} C @param {C} component */
export function first(component) {
  if (frame && !frame.shadowRoot) {
    const mount = document.createElement("div");
    mount.className = "mount";
    const parentElement = frame.attachShadow({ mode: "open" });
    parentElement.append(mount);
    cleanup = component({ data: JSON.parse(frame.dataset.given ?? "{}"), parentElement });
  }
  return component;
}

/**
 * Where a component draws: its `.mount` in what Streamlit gives it, or its first view, moved there. The first view of another component goes.
 * @param {Parent} parent @param {WeakMap<Element, unknown>} mounted what the component has drawn already
 * @returns {HTMLElement}
 */
export function place(parent, mounted) {
  const given = /** @type {HTMLElement} */ (parent.querySelector(".mount"));
  const drawn = /** @type {HTMLElement | null | undefined} */ (frame?.shadowRoot?.querySelector(".mount"));
  if (!frame || !drawn || drawn === given) return given;
  const ours = mounted.has(drawn);
  if (ours) move(drawn, given);
  else cleanup();
  frame.remove();
  frame = null;
  return ours ? drawn : given;
}

/** Whether the page still waits for Streamlit, which would not hear of another address yet. */
export function beforeStreamlit() {
  return frame !== null;
}

/** @param {HTMLElement} host */
export function inFirstView(host) {
  return frame !== null && host.getRootNode() === frame.shadowRoot;
}

/** @param {HTMLElement} drawn @param {HTMLElement} given its place; `moveBefore` keeps scroll positions and the focus */
function move(drawn, given) {
  const into = /** @type {any} */ (given.parentNode);
  if (into.moveBefore) into.moveBefore(drawn, given);
  else into.insertBefore(drawn, given);
  given.remove();
}
