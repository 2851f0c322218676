// @ts-check
/** The left of the chat: who answers, channels, threads of the channel. */

import { h, icon, replace } from "../trace_view/assets/dom.js";
import { oneLine } from "../trace_view/assets/format.js";
import { ICONS } from "../trace_view/assets/icons.js";
import { clock } from "./message.js";
import { address } from "./place.js";

/** @param {import("./chat.js").Chat} chat */
export function drawSide(chat) {
  const { side, channels, threads, health } = chat;
  replace(
    side,
    h(
      "div",
      "workspace",
      h("div", "avatar bot", icon(ICONS.llm)),
      h("div", "grow", h("b", null, "Docs bot"), h("div", "muted clip presence", h("span", "online"), health?.offline ? "offline model" : oneLine(health?.chat_model ?? "", 30))),
      h("button", { type: "button", class: "icon-button", title: "New thread", "aria-label": "New thread", onclick: () => chat.newThread() }, icon(ICONS.note)),
    ),
    h("div", "side-heading muted", "Channels"),
    ...channels.map((channel) => channelLink(chat, channel)),
    h("div", "side-heading muted", "Threads"),
    threads.length ? null : h("div", "side-none muted", "none yet: ask something"),
    ...threads.map((thread) => threadLink(chat, thread)),
  );
}

/** @param {import("./chat.js").Chat} chat @param {any} channel */
function channelLink(chat, channel) {
  const target = { channel: channel.id, thread: "", why: "", passage: "" };
  const mark = channel.id !== chat.place.channel ? "" : chat.thread?.id ? "here" : "on";
  const properties = { class: `side-item ${mark}`, href: address(target), title: oneLine(channel.topic ?? "", 120), onclick: stay(chat, target) };
  const count = channel.thread_count ? h("span", "muted count", String(channel.thread_count)) : null;
  return h("a", properties, h("span", "hash muted", "#"), h("span", "grow clip", oneLine(channel.name, 40)), count);
}

/** @param {import("./chat.js").Chat} chat @param {any} thread */
function threadLink(chat, thread) {
  const target = { ...chat.place, thread: thread.id, why: "", passage: "" };
  const on = thread.id === (chat.thread?.id ?? chat.place.thread);
  const when = clock(thread.updated).replace(/^(\w+ \d+) .*/, "$1");
  const properties = { class: `side-item thread ${on ? "on" : ""}`, href: address(target), onclick: stay(chat, target) };
  return h("a", properties, h("span", "grow clip", oneLine(thread.title || "untitled", 70)), h("span", "muted count", when));
}

/** A plain click stays on the page. @param {import("./chat.js").Chat} chat @param {import("./place.js").Place} target */
function stay(chat, target) {
  return (/** @type {MouseEvent} */ event) => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    chat.go(target);
    chat.open().catch(() => undefined);
  };
}
