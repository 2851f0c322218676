// @ts-check
/**
 * The Ask page: channels and threads at the left, the conversation in the middle, "Why this answer?" at the right.
 *
 * It speaks to the bot's own HTTP API through the viewer (`/bot/…`). The URL names channel, thread and the explained message; a thread is a
 * session, so each reply links to its trace.
 */

import { append, h, icon, replace } from "../trace_view/assets/dom.js";
import { oneLine } from "../trace_view/assets/format.js";
import { ICONS } from "../trace_view/assets/icons.js";
import { emptyState, snippetBox } from "../base/empty.js";
import { ApiError, api, copy, fillViewport, menu, mountable, send, sheet, toast, typing } from "../base/shell.js";
import { post } from "./events.js";
import { avatar, clock, drawMessage, writeText } from "./message.js";
import { drawWhy } from "./why.js";

const PATH = "/ask";
const USER_KEY = "rightpassage.user";
const RETRY_MS = 4000;

/** @param {HTMLElement} host @param {{bot: string, configured: boolean, suggestions: string[]}} settings */
function create(host, settings) {
  const stopped = new AbortController();
  /** @type {any[]} */
  let channels = [];
  /** @type {any[]} */
  let threads = [];
  /** @type {any} */
  let thread = null; // null: a new one
  /** @type {any} */
  let health = null;
  /** @type {string[]} */
  let reasons = [];
  let place = read();
  let user = localStorage.getItem(USER_KEY) || "you";
  /** @type {AbortController | null} */
  let answering = null;
  /** @type {number | undefined} */
  let retry;

  const side = h("nav", { class: "chat-side", "aria-label": "Channels and threads" });
  const head = h("header", "chat-head");
  const stream = h("div", { class: "stream", role: "log", "aria-live": "polite", "aria-label": "Conversation" });
  const composer = h("div", "composer");
  const panel = h("aside", { class: "why hidden", "aria-label": "Why this answer?" });
  const page = h("div", "chat panel", side, h("section", "chat-main", head, stream, composer), panel);
  replace(host, page);
  const unfit = fillViewport(page);

  // ---- Where we are ----

  function read() {
    const query = new URLSearchParams(location.search);
    return { channel: query.get("channel") ?? "", thread: query.get("thread") ?? "", why: query.get("why") ?? "", passage: query.get("passage") ?? "" };
  }

  /** @param {Partial<typeof place>} change @param {boolean} [replaces] */
  function go(change, replaces = false) {
    place = { ...place, ...change };
    const query = new URLSearchParams(Object.entries(place).filter(([, value]) => value));
    const href = query.size ? `${PATH}?${query}` : PATH;
    if (href !== location.pathname + location.search) history[replaces ? "replaceState" : "pushState"]({}, "", href);
  }

  async function fromUrl() {
    if (location.pathname !== PATH) return;
    const arrived = read();
    if (JSON.stringify(arrived) === JSON.stringify(place)) return;
    const moved = arrived.thread !== place.thread || arrived.channel !== place.channel;
    place = arrived;
    if (moved) await open();
    else explainFromUrl();
  }

  // ---- Loading ----

  async function start() {
    clearTimeout(retry);
    if (!settings.configured) return drawNoBot();
    try {
      [health, channels, reasons] = await Promise.all([
        api(`${settings.bot}/healthz`),
        api(`${settings.bot}/channels`).then((answer) => answer.channels),
        api(`${settings.bot}/reasons`).then((answer) => answer.reasons),
      ]);
      if (!place.channel || !channels.some((channel) => channel.id === place.channel)) go({ channel: channels[0]?.id ?? "" }, true);
      await open();
    } catch (error) {
      if (!(error instanceof ApiError) || stopped.signal.aborted) return;
      drawAway(error);
      retry = setTimeout(start, RETRY_MS);
    }
  }

  async function open() {
    await loadThreads();
    thread = place.thread ? await api(`${settings.bot}/threads/${encodeURIComponent(place.thread)}`).catch(() => null) : null;
    if (place.thread && !thread) toast(host, "That thread is not there any more", "error");
    draw();
    explainFromUrl();
  }

  async function loadThreads() {
    const answer = await api(`${settings.bot}/threads`, { channel: place.channel, limit: 50 });
    threads = answer.threads;
  }

  // ---- Asking ----

  /** @param {string} text */
  async function say(text) {
    if (!text.trim() || answering) return;
    answering = new AbortController();
    const id = thread?.id ?? crypto.randomUUID();
    const fresh = !thread;
    thread ??= { id, messages: [] };
    if (fresh) replace(stream);
    drawComposer();
    const asked = { id: "", role: "user", user, text, created: new Date().toISOString() };
    append(stream, [drawMessage(asked, hands(), followsUser())]);
    thread.messages.push(asked);
    const pending = h("article", "message by-bot pending", avatar("", true), h("div", "message-body", h("header", "message-head", h("b", null, "Docs bot"), h("span", "app-tag", "APP")), h("div", "message-text", dots())));
    const written = /** @type {Element} */ (pending.querySelector(".message-text"));
    append(stream, [pending]);
    toBottom();
    let said = "";
    try {
      for await (const { event, data } of post(`${settings.bot}/threads/${encodeURIComponent(id)}/messages`, { text, user, channel: place.channel }, answering.signal)) {
        if (event === "message") Object.assign(asked, data);
        else if (event === "text") {
          said += data.text;
          const near = nearBottom();
          writeText(written, { role: "bot", text: said }, null);
          if (near) toBottom();
        } else if (event === "answer") {
          thread.messages.push(data);
          pending.replaceWith(drawMessage(data, hands(), false));
          toBottom();
        } else if (event === "error") {
          writeText(written, { role: "bot", text: data.message, failed: true }, null);
        }
      }
      if (answering.signal.aborted) writeText(written, { role: "bot", text: said ? `${said} …` : "Stopped." }, null);
    } catch (error) {
      writeText(written, { role: "bot", text: error instanceof ApiError ? error.message : "The connection broke off.", failed: true }, null);
    } finally {
      pending.classList.remove("pending");
      answering = null;
      if (fresh) go({ thread: id, why: "", passage: "" });
      drawComposer();
      loadThreads().then(drawSide, () => undefined);
    }
  }

  function followsUser() {
    const before = thread.messages[thread.messages.length - 1];
    return Boolean(before && before.role === "user" && before.user === user);
  }

  function dots() {
    return h("span", { class: "dots", role: "status", "aria-label": "The bot is typing" }, h("i", null), h("i", null), h("i", null));
  }

  const nearBottom = () => stream.scrollHeight - stream.scrollTop - stream.clientHeight < 80;
  const toBottom = () => (stream.scrollTop = stream.scrollHeight);

  /** @returns {import("./message.js").Hands} */
  function hands() {
    return {
      user,
      reasons,
      async rate(message, value, more = {}) {
        try {
          const known = await send(`${settings.bot}/messages/${encodeURIComponent(message.id)}/feedback`, "PUT", { user, value, ...more });
          message.feedback = known.feedback;
          toast(host, value === null ? "Taken back" : more.reason ? "Noted the reason" : "Thank you: it is on the trace");
        } catch (error) {
          toast(host, /** @type {Error} */ (error).message, "error");
        }
      },
      explain: (message, passage) => {
        go({ why: message.id, passage: passage ?? "" });
        explain(message, passage);
      },
      copy: (text) => copy(text, host),
    };
  }

  // ---- Why ----

  /** @param {any} message @param {string} [passage] */
  function explain(message, passage) {
    panel.classList.remove("hidden");
    page.classList.add("explaining");
    drawWhy(panel, message, hands(), closeWhy, passage);
  }

  function closeWhy() {
    panel.classList.add("hidden");
    page.classList.remove("explaining");
    replace(panel);
    if (place.why) go({ why: "", passage: "" });
  }

  function explainFromUrl() {
    const message = (thread?.messages ?? []).find((/** @type {any} */ known) => known.id === place.why);
    if (message) explain(message, place.passage);
    else {
      panel.classList.add("hidden");
      page.classList.remove("explaining");
    }
  }

  // ---- Drawing ----

  function draw() {
    drawSide();
    drawHead();
    drawStream();
    drawComposer();
  }

  function drawSide() {
    replace(
      side,
      h(
        "div",
        "workspace",
        h("div", "avatar bot", icon(ICONS.llm)),
        h("div", "grow", h("b", null, "Docs bot"), h("div", "muted clip presence", h("span", "online"), health?.offline ? "offline model" : oneLine(health?.chat_model ?? "", 30))),
        h("button", { type: "button", class: "icon-button", title: "New thread", "aria-label": "New thread", onclick: newThread }, icon(ICONS.note)),
      ),
      h("div", "side-heading muted", "Channels"),
      ...channels.map((channel) =>
        h(
          "a",
          { class: `side-item ${channel.id === place.channel ? (thread?.id ? "here" : "on") : ""}`, href: `${PATH}?channel=${encodeURIComponent(channel.id)}`, title: oneLine(channel.topic ?? "", 120), onclick: (/** @type {MouseEvent} */ event) => stay(event, { channel: channel.id, thread: "", why: "", passage: "" }) },
          h("span", "hash muted", "#"),
          h("span", "grow clip", oneLine(channel.name, 40)),
          channel.thread_count ? h("span", "muted count", String(channel.thread_count)) : null,
        ),
      ),
      h("div", "side-heading muted", "Threads"),
      threads.length ? null : h("div", "side-none muted", "none yet: ask something"),
      ...threads.map((entry) =>
        h(
          "a",
          { class: `side-item thread ${entry.id === (thread?.id ?? place.thread) ? "on" : ""}`, href: `${PATH}?channel=${encodeURIComponent(place.channel)}&thread=${encodeURIComponent(entry.id)}`, onclick: (/** @type {MouseEvent} */ event) => stay(event, { thread: entry.id, why: "", passage: "" }) },
          h("span", "grow clip", oneLine(entry.title || "untitled", 70)),
          h("span", "muted count", clock(entry.updated).replace(/^(\w+ \d+) .*/, "$1")),
        ),
      ),
    );
  }

  /** @param {MouseEvent} event @param {Partial<typeof place>} change */
  function stay(event, change) {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    go(change);
    open().catch(() => undefined);
  }

  function newThread() {
    go({ thread: "", why: "", passage: "" });
    thread = null;
    draw();
    explainFromUrl();
    composer.querySelector("textarea")?.focus();
  }

  function drawHead() {
    const channel = channels.find((known) => known.id === place.channel);
    replace(
      head,
      h("div", "grow", h("h1", "clip", h("span", "muted", "# "), oneLine(channel?.name ?? "", 40)), h("div", "muted clip", thread?.title ? oneLine(thread.title, 120) : oneLine(channel?.topic ?? "", 140))),
      health?.faults?.length ? h("span", { class: "pill warning", title: "Switch it off with /fault NAME off" }, icon(ICONS.warning), `fault: ${health.faults.join(", ")}`) : null,
      thread?.messages?.length ? h("a", { class: "button", href: `/session?session_id=${encodeURIComponent(thread.id)}`, target: "_blank", rel: "noopener" }, icon(ICONS.path), "Session") : null,
      menu([avatar(user, false), h("span", "clip", oneLine(user, 24)), icon(ICONS.down)], `You rate as ${user}`, raterMenu, { class: "button rater" }),
    );
  }

  /** @param {() => void} close */
  function raterMenu(close) {
    const known = [...new Set([user, ...(thread?.messages ?? []).flatMap((/** @type {any} */ message) => [message.role === "user" ? message.user : null, ...(message.feedback ?? []).map((/** @type {any} */ given) => given.user)])])].filter(Boolean);
    const input = /** @type {HTMLInputElement} */ (h("input", { class: "input", placeholder: "Another name", "aria-label": "Another name" }));
    const be = (/** @type {string} */ name) => {
      user = name.trim().slice(0, 60) || "you";
      localStorage.setItem(USER_KEY, user);
      close();
      draw();
      explainFromUrl();
    };
    return h(
      "div",
      null,
      h("div", "heading", "You write and rate as"),
      ...known.map((name) => h("button", { type: "button", class: `item ${name === user ? "on" : ""}`, onclick: () => be(name) }, avatar(name, false), oneLine(name, 40))),
      h("form", { class: "custom-range", onsubmit: (/** @type {Event} */ event) => (event.preventDefault(), be(input.value)) }, input),
    );
  }

  function drawStream() {
    const messages = thread?.messages ?? [];
    if (!messages.length) return replace(stream, welcome());
    let day = "";
    replace(
      stream,
      ...messages.flatMap((/** @type {any} */ message, /** @type {number} */ index) => {
        const before = messages[index - 1];
        const here = new Date(message.created).toDateString();
        const divider = here !== day ? [h("div", { class: "day", role: "separator" }, h("span", null, new Date(message.created).toLocaleDateString("en", { weekday: "long", month: "long", day: "numeric" })))] : [];
        day = here;
        const follows = !divider.length && before?.role === "user" && message.role === "user" && before.user === message.user;
        return [...divider, drawMessage(message, hands(), follows)];
      }),
    );
    toBottom();
    requestAnimationFrame(toBottom);
  }

  function welcome() {
    const notice = health?.notice ? h("p", "muted", oneLine(health.notice, 200)) : null;
    const pages = health?.index ? `${health.index.page_count} pages, ${health.index.passage_count} passages` : "the documentation";
    return h(
      "div",
      "welcome",
      h("div", "avatar bot big", icon(ICONS.llm)),
      h("h2", null, "Ask the documentation"),
      h("p", "muted", `I answer from ${pages}, cite what I use, and say so when I cannot find it. Every reply links to its trace.`),
      notice,
      h("div", "suggestions", ...settings.suggestions.map((text) => h("button", { type: "button", class: "suggestion", onclick: () => say(text) }, text, icon(ICONS.right)))),
    );
  }

  function drawComposer() {
    const known = /** @type {HTMLTextAreaElement | null} */ (composer.querySelector("textarea"));
    const text = /** @type {HTMLTextAreaElement} */ (
      known ??
        h("textarea", {
          rows: "1",
          placeholder: "Ask a question about the docs",
          "aria-label": "Message",
          oninput: () => grow(),
          onkeydown: (/** @type {KeyboardEvent} */ event) => {
            if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
              event.preventDefault();
              submit();
            } else if (event.key === "Escape") text.blur();
          },
        })
    );
    const grow = () => {
      text.style.setProperty("height", "auto");
      text.style.setProperty("height", `${Math.min(text.scrollHeight, 180)}px`);
    };
    const submit = () => {
      const words = text.value.trim();
      if (!words || answering) return;
      text.value = "";
      grow();
      say(words);
    };
    const button = answering
      ? h("button", { type: "button", class: "send stop", "aria-label": "Stop the answer", title: "Stop", onclick: () => answering?.abort() }, h("i", null))
      : h("button", { type: "button", class: "send", "aria-label": "Send", title: "Send (Enter)", onclick: submit }, icon(ICONS.up));
    const had = known && /** @type {ShadowRoot} */ (composer.getRootNode()).activeElement === known;
    replace(
      composer,
      h("div", "composer-box", text, h("div", "composer-foot", h("span", "muted", h("span", "kbd", "Enter"), " send  ", h("span", "kbd", "Shift Enter"), " new line  ", h("span", "kbd", "/faults"), " break it on purpose"), h("span", "grow"), button)),
    );
    if (had || !known) text.focus({ preventScroll: true });
  }

  function drawNoBot() {
    replace(side);
    replace(head);
    replace(composer);
    page.classList.add("bare");
    replace(
      stream,
      emptyState(host, { title: "No bot is connected", text: "The Ask page talks to the docs bot. Start it on your documentation and tell the viewer where it is, or let the demo start everything.", icon: ICONS.llm }),
      h("div", "no-bot", snippetBox(host, [["Your docs", "python -m demo_rag_bot serve --docs ./docs --port 8600\npython -m viewer --bot http://127.0.0.1:8600"], ["Everything at once", "rightpassage demo"]])),
    );
  }

  /** @param {ApiError} error */
  function drawAway(error) {
    replace(head, h("div", { class: "banner grow", role: "alert" }, icon(ICONS.warning), h("span", "grow", h("b", null, "The bot does not answer. "), oneLine(error.message, 160), ". Trying again every few seconds."), h("button", { type: "button", class: "button", onclick: start }, "Try now")));
  }

  // ---- Keyboard ----

  const onKey = (/** @type {KeyboardEvent} */ event) => {
    if (!page.isConnected || page.querySelector(".menu")) return;
    if (event.key === "Escape" && !panel.classList.contains("hidden")) return closeWhy();
    if (typing(event)) return;
    const messages = /** @type {HTMLElement[]} */ ([...stream.querySelectorAll("article")]);
    const active = /** @type {ShadowRoot} */ (page.getRootNode()).activeElement?.closest("article");
    const at = active ? messages.indexOf(/** @type {HTMLElement} */ (active)) : messages.length;
    /** @type {Record<string, () => void>} */
    const steps = {
      j: () => messages[Math.min(messages.length - 1, at + 1)]?.focus(),
      k: () => messages[Math.max(0, at - 1)]?.focus(),
      e: () => /** @type {HTMLElement | null} */ (active?.querySelector(".reaction.text"))?.click(),
      "+": () => /** @type {HTMLElement | null} */ (active?.querySelector("[aria-label='Good answer']"))?.click(),
      "-": () => /** @type {HTMLElement | null} */ (active?.querySelector("[aria-label='Bad answer']"))?.click(),
      "/": () => composer.querySelector("textarea")?.focus(),
      m: () => composer.querySelector("textarea")?.focus(),
    };
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    step();
  };
  document.addEventListener("keydown", onKey);
  addEventListener("popstate", fromUrl);
  start();

  return {
    update: () => fromUrl(),
    destroy() {
      stopped.abort();
      answering?.abort();
      clearTimeout(retry);
      unfit();
      document.removeEventListener("keydown", onKey);
      removeEventListener("popstate", fromUrl);
    },
  };
}

export default mountable(create, [await sheet(new URL("./chat.css", import.meta.url))]);
