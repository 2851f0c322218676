// @ts-check
/**
 * The Ask page: channels and threads at the left, the conversation in the middle, "Why this answer?" at the right.
 *
 * It speaks to the bot's own HTTP API through the viewer (`/bot/…`). The address names channel, thread and the explained message (place.js); a
 * thread is a session, so each reply links to its trace.
 */

import { append, h, icon, replace } from "../trace_view/assets/dom.js";
import { oneLine } from "../trace_view/assets/format.js";
import { ICONS } from "../trace_view/assets/icons.js";
import { emptyState, snippetBox } from "../base/empty.js";
import { ApiError, api, copy, fillViewport, menu, mountable, send, toast, typing } from "../base/shell.js";
import { Composer } from "./composer.js";
import { post } from "./events.js";
import { avatar, drawMessage } from "./message.js";
import { PATH, address, read } from "./place.js";
import { drawSide } from "./side.js";
import { Pending, drawStream, follows } from "./stream.js";
import { drawWhy } from "./why.js";
import sheet from "./chat.css.js";

const USER_KEY = "rightpassage.user";
const RETRY_MS = 4000;

/** @typedef {{bot: string, configured: boolean, suggestions: string[]}} Settings */

export class Chat {
  /** @param {HTMLElement} host @param {Settings} settings */
  constructor(host, settings) {
    this.host = host;
    this.settings = settings;
    this.place = read(location.search);
    this.user = localStorage.getItem(USER_KEY) || "you";
    /** @type {any[]} */
    this.channels = [];
    /** @type {any[]} */
    this.threads = [];
    this.thread = /** @type {any} */ (null); // null: a new one
    this.health = /** @type {any} */ (null);
    /** @type {string[]} */
    this.reasons = [];
    this.answering = /** @type {AbortController | null} */ (null);
    this.gone = false;
    /** @type {number | undefined} */
    this.retry = undefined;
    this.side = h("nav", { class: "chat-side", "aria-label": "Channels and threads" });
    this.head = h("header", "chat-head");
    this.stream = h("div", { class: "stream", role: "log", "aria-live": "polite", "aria-label": "Conversation" });
    this.composer = new Composer((text) => this.say(text), () => this.answering?.abort());
    this.panel = h("aside", { class: "why hidden", "aria-label": "Why this answer?" });
    this.page = h("div", "chat panel", this.side, h("section", "chat-main", this.head, this.stream, this.composer.element), this.panel);
    replace(host, this.page);
    this.unfit = fillViewport(this.page);
    this.onKey = (/** @type {KeyboardEvent} */ event) => this.press(event);
    this.onPlace = () => this.fromUrl();
    document.addEventListener("keydown", this.onKey);
    addEventListener("popstate", this.onPlace);
    this.start();
  }

  destroy() {
    this.gone = true;
    this.answering?.abort();
    clearTimeout(this.retry);
    this.unfit();
    document.removeEventListener("keydown", this.onKey);
    removeEventListener("popstate", this.onPlace);
  }

  // ---- Where we are ----

  /** @param {Partial<import("./place.js").Place>} change @param {boolean} [replaces] */
  go(change, replaces = false) {
    this.place = { ...this.place, ...change };
    const href = address(this.place);
    if (href !== location.pathname + location.search) history[replaces ? "replaceState" : "pushState"]({}, "", href);
  }

  async fromUrl() {
    if (location.pathname !== PATH) return;
    const arrived = read(location.search);
    if (address(arrived) === address(this.place)) return;
    const moved = arrived.thread !== this.place.thread || arrived.channel !== this.place.channel;
    this.place = arrived;
    if (moved) await this.open();
    else this.explainPlace();
  }

  // ---- Loading ----

  async start() {
    clearTimeout(this.retry);
    if (!this.settings.configured) return this.drawNoBot();
    const { bot } = this.settings;
    try {
      const [health, channels, reasons] = await Promise.all([api(`${bot}/healthz`), api(`${bot}/channels`), api(`${bot}/reasons`)]);
      [this.health, this.channels, this.reasons] = [health, channels.channels, reasons.reasons];
      if (!this.channels.some((channel) => channel.id === this.place.channel)) this.go({ channel: this.channels[0]?.id ?? "" }, true);
      await this.open();
      this.composer.focus();
    } catch (error) {
      if (!(error instanceof ApiError) || this.gone) return;
      this.drawAway(error);
      this.retry = setTimeout(() => this.start(), RETRY_MS);
    }
  }

  async open() {
    await this.loadThreads();
    const { thread } = this.place;
    this.thread = thread ? await api(`${this.settings.bot}/threads/${encodeURIComponent(thread)}`).catch(() => null) : null;
    if (thread && !this.thread) toast(this.host, "That thread is not there any more", "error");
    this.draw();
    this.explainPlace();
  }

  async loadThreads() {
    this.threads = (await api(`${this.settings.bot}/threads`, { channel: this.place.channel, limit: 50 })).threads;
  }

  newThread() {
    this.go({ thread: "", why: "", passage: "" });
    this.thread = null;
    this.draw();
    this.explainPlace();
    this.composer.focus();
  }

  // ---- Asking ----

  /** @param {string} text */
  async say(text) {
    if (this.answering) return;
    const fresh = !this.thread;
    if (fresh) replace(this.stream);
    this.thread ??= { id: crypto.randomUUID(), messages: [] };
    const { id, messages } = this.thread;
    const asked = { id: "", role: "user", user: this.user, text, created: new Date().toISOString() };
    append(this.stream, [drawMessage(asked, this.hands, follows(messages[messages.length - 1], asked))]);
    messages.push(asked);
    this.answering = new AbortController();
    this.composer.draw(true);
    await this.listen(new Pending(this.stream), asked, this.answering.signal);
    this.answering = null;
    this.composer.draw(false);
    if (fresh && this.thread?.id === id) this.go({ thread: id, why: "", passage: "" });
    this.loadThreads().then(() => drawSide(this), () => undefined);
  }

  /** Draws the answer as it comes. @param {Pending} pending @param {any} asked @param {AbortSignal} signal */
  async listen(pending, asked, signal) {
    const thread = this.thread;
    const path = `${this.settings.bot}/threads/${encodeURIComponent(thread.id)}/messages`;
    /** @type {Record<string, (data: any) => void>} */
    const take = {
      message: (data) => Object.assign(asked, data),
      text: (data) => pending.add(data.text),
      error: (data) => pending.failed(data.message),
      answer: (data) => {
        thread.messages.push(data);
        pending.done(drawMessage(data, this.hands, false));
      },
    };
    try {
      for await (const { event, data } of post(path, { text: asked.text, user: this.user, channel: this.place.channel }, signal)) take[event]?.(data);
      if (signal.aborted) pending.stopped();
    } catch (error) {
      pending.failed(error instanceof ApiError ? error.message : "The connection broke off.");
    }
  }

  // ---- Rating and explaining ----

  /** What a message can ask of the page. @returns {import("./message.js").Hands} */
  get hands() {
    return {
      user: this.user,
      reasons: this.reasons,
      rate: (message, value, more) => this.rate(message, value, more),
      explain: (message, passage) => {
        this.go({ why: message.id, passage: passage ?? "" });
        this.explain(message, passage);
      },
      copy: (text) => copy(text, this.host),
    };
  }

  /** @param {any} message @param {1 | -1 | null} value @param {{reason?: string, source?: string}} [more] */
  async rate(message, value, more = {}) {
    try {
      const known = await send(`${this.settings.bot}/messages/${encodeURIComponent(message.id)}/feedback`, "PUT", { user: this.user, value, ...more });
      message.feedback = known.feedback;
      toast(this.host, value === null ? "Taken back" : more.reason ? "Noted the reason" : "Thank you: it is on the trace");
    } catch (error) {
      toast(this.host, /** @type {Error} */ (error).message, "error");
    }
  }

  /** @param {any} message @param {string} [passage] */
  explain(message, passage) {
    this.panel.classList.remove("hidden");
    this.page.classList.add("explaining");
    drawWhy(this.panel, message, this.hands, () => this.closeWhy(), passage);
  }

  closeWhy() {
    this.hideWhy();
    if (this.place.why) this.go({ why: "", passage: "" });
  }

  hideWhy() {
    this.panel.classList.add("hidden");
    this.page.classList.remove("explaining");
    replace(this.panel);
  }

  explainPlace() {
    const message = (this.thread?.messages ?? []).find((/** @type {any} */ known) => known.id === this.place.why);
    if (message) this.explain(message, this.place.passage);
    else this.hideWhy();
  }

  // ---- Drawing ----

  draw() {
    drawSide(this);
    this.drawHead();
    drawStream(this);
  }

  drawHead() {
    const { thread, user } = this;
    const channel = this.channels.find((known) => known.id === this.place.channel);
    const under = thread?.title ? oneLine(thread.title, 120) : oneLine(channel?.topic ?? "", 140);
    const faults = this.health?.faults ?? [];
    replace(
      this.head,
      h("div", "grow", h("h1", "clip", h("span", "muted", "# "), oneLine(channel?.name ?? "", 40)), h("div", "muted clip", under)),
      faults.length ? h("span", { class: "pill warning", title: "Switch it off with /fault NAME off" }, icon(ICONS.warning), `fault: ${faults.join(", ")}`) : null,
      thread?.messages?.length ? h("a", { class: "button", href: `/session?session_id=${encodeURIComponent(thread.id)}`, target: "_blank", rel: "noopener" }, icon(ICONS.path), "Session") : null,
      menu([avatar(user, false), h("span", "clip", oneLine(user, 24)), icon(ICONS.down)], `You rate as ${user}`, (close) => this.raters(close), { class: "button rater" }),
    );
  }

  /** @param {() => void} close */
  raters(close) {
    const spoke = (this.thread?.messages ?? []).flatMap((/** @type {any} */ message) => [message.role === "user" ? message.user : null, ...(message.feedback ?? []).map((/** @type {any} */ given) => given.user)]);
    const known = [...new Set([this.user, ...spoke])].filter(Boolean);
    const input = /** @type {HTMLInputElement} */ (h("input", { class: "input", placeholder: "Another name", "aria-label": "Another name" }));
    const be = (/** @type {string} */ name) => {
      close();
      this.become(name);
    };
    return h(
      "div",
      null,
      h("div", "heading", "You write and rate as"),
      ...known.map((name) => h("button", { type: "button", class: `item ${name === this.user ? "on" : ""}`, onclick: () => be(name) }, avatar(name, false), oneLine(name, 40))),
      h("form", { class: "custom-range", onsubmit: (/** @type {Event} */ event) => (event.preventDefault(), be(input.value)) }, input),
    );
  }

  /** @param {string} name */
  become(name) {
    this.user = name.trim().slice(0, 60) || "you";
    localStorage.setItem(USER_KEY, this.user);
    this.draw();
    this.explainPlace();
  }

  drawNoBot() {
    const how = /** @type {[string, string][]} */ ([
      ["Your docs", "python -m demo_rag_bot serve --docs ./docs --port 8600\npython -m viewer --bot http://127.0.0.1:8600"],
      ["Everything at once", "rightpassage demo"],
    ]);
    const text = "The Ask page talks to the docs bot. Start it on your documentation and tell the viewer where it is, or let the demo start everything.";
    this.page.classList.add("bare");
    replace(this.stream, emptyState(this.host, { title: "No bot is connected", text, icon: ICONS.llm }), h("div", "no-bot", snippetBox(this.host, how)));
  }

  /** @param {ApiError} error */
  drawAway(error) {
    const text = h("span", "grow", h("b", null, "The bot does not answer. "), oneLine(error.message, 160), ". Trying again every few seconds.");
    const again = h("button", { type: "button", class: "button", onclick: () => this.start() }, "Try now");
    replace(this.head, h("div", { class: "banner grow", role: "alert" }, icon(ICONS.warning), text, again));
  }

  // ---- Keyboard ----

  /** @param {KeyboardEvent} event */
  press(event) {
    if (!this.page.isConnected || this.page.querySelector(".menu")) return;
    if (event.key === "Escape" && !this.panel.classList.contains("hidden")) return this.closeWhy();
    if (typing(event)) return;
    const messages = /** @type {HTMLElement[]} */ ([...this.stream.querySelectorAll("article")]);
    const active = /** @type {ShadowRoot} */ (this.page.getRootNode()).activeElement?.closest("article");
    const at = active ? messages.indexOf(/** @type {HTMLElement} */ (active)) : messages.length;
    const click = (/** @type {string} */ what) => /** @type {HTMLElement | null | undefined} */ (active?.querySelector(what))?.click();
    /** @type {Record<string, () => void>} */
    const steps = {
      j: () => messages[Math.min(messages.length - 1, at + 1)]?.focus(),
      k: () => messages[Math.max(0, at - 1)]?.focus(),
      e: () => click(".reaction.text"),
      "+": () => click("[aria-label='Good answer']"),
      "-": () => click("[aria-label='Bad answer']"),
      "/": () => this.composer.focus(),
      m: () => this.composer.focus(),
    };
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    step();
  }
}

/** @param {HTMLElement} host @param {Settings} settings */
function create(host, settings) {
  const chat = new Chat(host, settings);
  return { update: () => chat.fromUrl(), destroy: () => chat.destroy() };
}

export default mountable(create, [sheet]);
