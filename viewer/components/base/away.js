// @ts-check
/**
 * Says that the viewer itself is gone, in place of Streamlit's dialog over the page (boot.js turns that off): what is on the page stays
 * readable, and the line goes when Streamlit has connected again, which it tries by itself.
 *
 * Streamlit tells a page it is embedded in what it does, and echoes that into its own window; where it should stop telling, nothing is shown.
 */

import { h } from "../trace_view/assets/dom.js";

/** A page that is left, and a short break, are not worth a word. */
const AFTER_MS = 1500;

const STYLE = `.line{position:fixed;left:50%;bottom:18px;transform:translateX(-50%);z-index:1000000;box-sizing:border-box;max-width:calc(100vw - 32px);
padding:9px 14px;border-radius:8px;background:#1a1f2b;color:#fff;border:1px solid #ffffff2e;box-shadow:0 6px 24px #0005;font:500 13px/1.5 Inter,system-ui,sans-serif}
.line span{opacity:.82;font-weight:400}code{padding:1px 5px;border-radius:4px;background:#ffffff26;font:.925em 'JetBrains Mono',ui-monospace,monospace}`;

/** @type {HTMLElement | null} */
let line = null;
let timer = 0;

/** @param {...import("../trace_view/assets/dom.js").Child} words */
function say(...words) {
  hush();
  line = h("div", { id: "viewer-away" });
  const root = line.attachShadow({ mode: "open" });
  root.append(h("style", null, STYLE), h("div", { class: "line", role: "alert" }, ...words));
  document.body.append(line);
}

function hush() {
  clearTimeout(timer);
  line?.remove();
  line = null;
}

function gone() {
  say("The viewer does not answer. ", h("span", null, "What stands here stays; this page goes on by itself once it is back. Start it with "), h("code", null, "rightpassage view"));
}

/** @type {Record<string, (message: any) => void>} by what Streamlit tells */
const ON = {
  WEBSOCKET_CONNECTED: hush,
  WEBSOCKET_DISCONNECTED: () => {
    clearTimeout(timer);
    timer = setTimeout(gone, AFTER_MS);
  },
  CLIENT_ERROR_DIALOG: ({ error, message }) => {
    if (error === "Connection error") timer ||= setTimeout(gone, AFTER_MS);
    else say(`${error}. `, h("span", null, String(message ?? "")));
  },
};

addEventListener("message", (event) => {
  if (event.source === window && event.data?.stCommVersion === 1) ON[event.data.type]?.(event.data);
});
