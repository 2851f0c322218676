// @ts-check
/** The middle of the chat: the messages of a thread, an answer as it is written, the welcome of an empty one. */

import { append, h, icon, replace } from "../trace_view/assets/dom.js";
import { oneLine } from "../trace_view/assets/format.js";
import { ICONS } from "../trace_view/assets/icons.js";
import { avatar, drawMessage, writeText } from "./message.js";

const NEAR = 80; // pixels from the end that still count as reading along

/** @param {HTMLElement} stream */
export function toEnd(stream) {
  stream.scrollTop = stream.scrollHeight;
}

/** @param {import("./chat.js").Chat} chat */
export function drawStream(chat) {
  const messages = chat.thread?.messages ?? [];
  if (!messages.length) return replace(chat.stream, welcome(chat));
  replace(chat.stream, ...messages.flatMap((/** @type {any} */ message, /** @type {number} */ index) => dated(chat, message, messages[index - 1])));
  toEnd(chat.stream);
  requestAnimationFrame(() => toEnd(chat.stream));
}

/** A message, with the day above it where a new one begins. @param {import("./chat.js").Chat} chat @param {any} message @param {any} before */
function dated(chat, message, before) {
  const day = new Date(message.created);
  const sameDay = before && new Date(before.created).toDateString() === day.toDateString();
  const name = day.toLocaleDateString("en", { weekday: "long", month: "long", day: "numeric" });
  const divider = sameDay ? [] : [h("div", { class: "day", role: "separator" }, h("span", null, name))];
  return [...divider, drawMessage(message, chat.hands, Boolean(sameDay) && follows(before, message))];
}

/** Whether the second message goes on where the first one's author stopped. @param {any} before @param {any} message */
export function follows(before, message) {
  return before?.role === "user" && message.role === "user" && before.user === message.user;
}

/** @param {import("./chat.js").Chat} chat */
function welcome(chat) {
  const { health, settings } = chat;
  const pages = health?.index ? `${health.index.page_count} pages, ${health.index.passage_count} passages` : "the documentation";
  const suggestion = (/** @type {string} */ text) => h("button", { type: "button", class: "suggestion", onclick: () => chat.say(text) }, text, icon(ICONS.right));
  return h(
    "div",
    "welcome",
    h("div", "avatar bot big", icon(ICONS.llm)),
    h("h2", null, "Ask the documentation"),
    h("p", "muted", `I answer from ${pages}, cite what I use, and say so when I cannot find it. Every reply links to its trace.`),
    health?.notice ? h("p", "muted", oneLine(health.notice, 200)) : null,
    h("div", "suggestions", ...settings.suggestions.map(suggestion)),
  );
}

/** A reply that is being written: typing dots, then the text as it comes, then the message. */
export class Pending {
  /** @param {HTMLElement} stream */
  constructor(stream) {
    this.stream = stream;
    this.said = "";
    const dots = h("span", { class: "dots", role: "status", "aria-label": "The bot is typing" }, h("i", null), h("i", null), h("i", null));
    this.text = h("div", "message-text", dots);
    const head = h("header", "message-head", h("b", null, "Docs bot"), h("span", "app-tag", "APP"));
    this.element = h("article", "message by-bot pending", avatar("", true), h("div", "message-body", head, this.text));
    append(stream, [this.element]);
    toEnd(stream);
  }

  /** @param {string} piece */
  add(piece) {
    const near = this.stream.scrollHeight - this.stream.scrollTop - this.stream.clientHeight < NEAR;
    this.said += piece;
    writeText(this.text, { role: "bot", text: this.said }, null);
    if (near) toEnd(this.stream);
  }

  /** @param {HTMLElement} message the whole reply */
  done(message) {
    this.element.replaceWith(message);
    toEnd(this.stream);
  }

  /** @param {string} text */
  failed(text) {
    writeText(this.text, { role: "bot", text, failed: true }, null);
  }

  stopped() {
    writeText(this.text, { role: "bot", text: this.said ? `${this.said} …` : "Stopped." }, null);
  }
}
