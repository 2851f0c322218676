// @ts-check
/** Where one writes: Enter sends, Shift Enter breaks the line, the button stops an answer that is being written. */

import { h, icon, replace } from "../trace_view/assets/dom.js";
import { ICONS } from "../trace_view/assets/icons.js";

const TALLEST = 180;

export class Composer {
  /** @param {(text: string) => void} onSend @param {() => void} onStop */
  constructor(onSend, onStop) {
    this.onSend = onSend;
    this.onStop = onStop;
    this.busy = false;
    this.text = /** @type {HTMLTextAreaElement} */ (
      h("textarea", { rows: "1", placeholder: "Ask a question about the docs", "aria-label": "Message", oninput: () => this.grow(), onkeydown: (/** @type {KeyboardEvent} */ event) => this.press(event) })
    );
    this.slot = h("span", null);
    const key = (/** @type {string} */ name) => h("span", "kbd", name);
    const hints = h("span", "muted", key("Enter"), " send  ", key("Shift Enter"), " new line  ", key("/faults"), " break it on purpose");
    this.element = h("div", "composer", h("div", "composer-box", this.text, h("div", "composer-foot", hints, h("span", "grow"), this.slot)));
    this.draw(false);
  }

  /** @param {boolean} busy an answer is being written */
  draw(busy) {
    this.busy = busy;
    const stop = () => h("button", { type: "button", class: "send stop", "aria-label": "Stop the answer", title: "Stop", onclick: () => this.onStop() }, h("i", null));
    const send = () => h("button", { type: "button", class: "send", "aria-label": "Send", title: "Send (Enter)", onclick: () => this.send() }, icon(ICONS.up));
    replace(this.slot, busy ? stop() : send());
  }

  focus() {
    this.text.focus({ preventScroll: true });
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    if (event.key === "Escape") this.text.blur();
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    this.send();
  }

  send() {
    const words = this.text.value.trim();
    if (!words || this.busy) return;
    this.text.value = "";
    this.grow();
    this.onSend(words);
  }

  grow() {
    this.text.style.setProperty("height", "auto");
    this.text.style.setProperty("height", `${Math.min(this.text.scrollHeight, TALLEST)}px`);
  }
}
