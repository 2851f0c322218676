// @ts-check
/** A conversation with a model: roles, text, reasoning, tool calls with their results, images that wait for a click. */

import { bytes, counted, visible } from "./format.js";
import { ICONS } from "./icons.js";
import { h, icon, iconButton } from "./dom.js";
import { copyText } from "./copy.js";
import { longText } from "./text.js";
import { jsonIn, readable, valueNode } from "./value.js";
import { disclosure } from "./passages.js";

/** Conversations longer than this show their first message and their last ones; the middle opens on demand. */
const SHOWN = 14;

/** @typedef {{role: string, content?: any, tool_calls?: any[], tool_call_id?: string, reasoning?: string, media?: any[], name?: string}} Message */

/**
 * @param {Message[]} messages @param {{output?: Message[], chip?: import("./text.js").Chip, attributes?: Record<string, unknown>}} [options]
 *   `output`: the model's answer, marked as such; `attributes` of the span, where images are taken from
 * @returns {HTMLElement}
 */
export function conversation(messages, { output = [], chip, attributes } = {}) {
  const box = h("div", "conversation");
  const names = new Map([...messages, ...output].flatMap((message) => (message.tool_calls ?? []).map((call) => [call.id, call.name])));
  const draw = (/** @type {Message} */ message, /** @type {boolean} */ answer) => messageCard(message, { answer, names, chip, attributes });
  if (messages.length > SHOWN) {
    const hidden = messages.slice(1, -(SHOWN - 2));
    const gap = h("button", { type: "button", class: "show-more gap" }, `Show ${counted(hidden.length, "earlier message")}`);
    gap.addEventListener("click", () => gap.replaceWith(...hidden.map((message) => draw(message, false))));
    box.append(draw(messages[0], false), gap, ...messages.slice(-(SHOWN - 2)).map((message) => draw(message, false)));
  } else box.append(...messages.map((message) => draw(message, false)));
  box.append(...output.map((message) => draw(message, true)));
  return box;
}

/** @param {Message} message @param {{answer: boolean, names: Map<string, string>, chip?: import("./text.js").Chip, attributes?: Record<string, unknown>}} context */
function messageCard(message, { answer, names, chip, attributes }) {
  const role = String(message.role || "unknown").toLowerCase();
  const text = typeof message.content === "string" ? message.content : message.content === undefined || message.content === null ? "" : JSON.stringify(message.content);
  const known = ["system", "user", "assistant", "tool", "developer"].includes(role) ? role : "other";
  const label = role === "tool" && message.tool_call_id ? `tool · ${names.get(message.tool_call_id) ?? message.name ?? "result"}` : message.name ? `${role} · ${message.name}` : role;
  const copy = iconButton(ICONS.copy, "Copy the message", () => copyText(text, copy));
  const card = h(
    "article",
    `message role-${known}${answer ? " answer" : ""}`,
    h("header", null, h("span", "role", visible(label)), answer && h("span", "tag", "output"), h("span", "spacer"), text && h("span", "tiny", counted(text.length, "char")), text && copy),
  );
  if (message.reasoning) card.append(h("details", { class: "disclosure reasoning" }, h("summary", null, `Reasoning · ${counted(message.reasoning.length, "char")}`), longText(message.reasoning, { rich: true })));
  if (text) card.append(role === "tool" && jsonIn(text) !== undefined ? readable(text) : longText(text, { rich: true, chip }));
  for (const media of message.media ?? []) card.append(mediaBox(media, attributes));
  for (const call of message.tool_calls ?? []) card.append(toolCall(call));
  if (!text && !message.tool_calls?.length && !message.media?.length && !message.reasoning) card.append(h("p", "muted", "Empty message."));
  return card;
}

/** @param {any} call */
function toolCall(call) {
  const values = call.arguments;
  const box = h("div", "tool-call", h("div", "tool-call-head", icon(ICONS.tool), h("b", "mono", visible(String(call.name ?? "tool"))), call.id && h("span", "tiny mono", visible(String(call.id)))));
  if (values && typeof values === "object") box.append(h("div", "value-tree", Object.entries(values).map(([key, value]) => valueNode(key, value, { open: 1 }))));
  else if (values !== undefined && values !== null && values !== "") box.append(longText(String(values), { mono: true }));
  return box;
}

/**
 * An image or other media part: never fetched; a data: image is drawn when clicked, anything else is named.
 * @param {Record<string, any>} media @param {Record<string, unknown>} [attributes] where the bytes are, if the message only refers to them
 */
function mediaBox(media, attributes = {}) {
  const url = mediaUrl(media) ?? mediaIn(attributes, media);
  const type = String(media.mime_type ?? media.media_type ?? media.type ?? "media");
  if (!url) return h("div", "media", disclosure(`${visible(type)} · shown as data`, () => h("div", "value-tree", valueNode(null, media, { open: 1 }))));
  if (!/^data:image\/(png|jpe?g|gif|webp|avif|bmp);base64,/i.test(url)) {
    const copy = iconButton(ICONS.copy, "Copy the address", () => copyText(url, copy));
    return h("div", "media", icon(ICONS.image), h("span", { class: "mono", title: url.slice(0, 500) }, visible(url.slice(0, 80))), h("span", "tiny", "not loaded"), copy);
  }
  const button = h("button", { type: "button", class: "media" }, icon(ICONS.image), `Show image · ${bytes((url.length * 3) / 4)}`);
  button.addEventListener("click", () => button.replaceWith(h("img", { class: "thumbnail", src: url, alt: `Image in the message, ${type}` })));
  return button;
}

/**
 * The collector keeps media in messages by type and size; the content stands in the attributes as received.
 * @param {Record<string, unknown>} attributes @param {Record<string, any>} media @returns {string | null}
 */
function mediaIn(attributes, media) {
  if (!/^image\//i.test(String(media.mime_type ?? ""))) return null;
  for (const value of Object.values(attributes)) {
    if (typeof value !== "string" || !value.includes(media.mime_type)) continue;
    const found = findMedia(jsonIn(value, Number.POSITIVE_INFINITY), media);
    if (found) return found;
  }
  return null;
}

/** @param {unknown} value @param {Record<string, any>} media @returns {string | null} */
function findMedia(value, media) {
  if (value === null || typeof value !== "object") return null;
  const object = /** @type {Record<string, any>} */ (value);
  const url = object.mime_type === media.mime_type || object.media_type === media.mime_type ? mediaUrl(object) : null;
  if (url && (media.size === undefined || url.length >= media.size)) return url;
  for (const child of Object.values(object)) {
    const found = findMedia(child, media);
    if (found) return found;
  }
  return null;
}

/** @param {Record<string, any>} media @returns {string | null} */
function mediaUrl(media) {
  for (const candidate of [media.url, media.image_url?.url, media.image_url, media.uri, media.data, media.content]) {
    if (typeof candidate !== "string" || !candidate) continue;
    if (/^(data|https?|gs|s3|file|blob):/i.test(candidate)) return candidate;
    const mime = String(media.mime_type ?? media.media_type ?? "");
    if (/^image\//i.test(mime)) return `data:${mime};base64,${candidate}`;
  }
  return null;
}

/** @param {any} prompt `{template, variables, name, version}` @param {any[]} placement */
export function promptCard(prompt, placement) {
  const box = h("div", "prompt-card");
  if (prompt) {
    const title = [prompt.name, prompt.version && `version ${String(prompt.version).slice(0, 16)}`].filter(Boolean).join(" · ");
    if (title) box.append(h("p", "mono", visible(title)));
    if (prompt.template) box.append(h("h3", "label-head", "Template"), template(String(prompt.template), prompt.variables ?? {}));
    const variables = Object.entries(prompt.variables ?? {});
    if (variables.length) box.append(h("h3", "label-head", `Variables · ${variables.length}`), h("div", "value-tree", variables.map(([key, value]) => valueNode(key, value, { open: 0 }))));
  }
  if (placement.length) box.append(h("h3", "label-head", `Placement · ${counted(placement.length, "passage")}`), placementTable(placement));
  return box;
}

/** @param {string} text @param {Record<string, any>} variables placeholders that have a value are marked */
function template(text, variables) {
  return longText(text, {
    mono: true,
    fold: 1600,
    draw: (slice) => {
      const box = h("div", "plain template");
      let at = 0;
      for (const match of slice.matchAll(/\{\{?\s*([\w.]+)\s*\}?\}|\$(\w+)|\$\{(\w+)\}/g)) {
        const name = match[1] ?? match[2] ?? match[3];
        if (match[1] === undefined && !(name in variables)) continue; // "$5" is a price
        const from = /** @type {number} */ (match.index);
        box.append(visible(slice.slice(at, from)), h("span", { class: name in variables ? "placeholder" : "placeholder missing", title: name in variables ? "has a value" : "no value recorded" }, match[0]));
        at = from + match[0].length;
      }
      box.append(visible(slice.slice(at)));
      return box;
    },
  });
}

/** @param {any[]} placement */
function placementTable(placement) {
  const rows = [...placement].sort((a, b) => a.position - b.position);
  return h(
    "table",
    "grid",
    h("thead", null, h("tr", null, ["#", "Passage", "Message", "Characters", "Tokens", "Placed"].map((title) => h("th", { scope: "col" }, title)))),
    h(
      "tbody",
      null,
      rows.map((place) =>
        h("tr", null, h("td", null, place.position), h("td", { class: "mono" }, visible(String(place.id ?? "–"))), h("td", null, place.message ?? "–"), h("td", "num", place.start === undefined || place.end === undefined ? "–" : `${place.start}–${place.end}`), h("td", "num", place.tokens ?? "–"), h("td", null, place.cut ? h("span", "pill warn", "cut") : "whole")),
      ),
    ),
  );
}

