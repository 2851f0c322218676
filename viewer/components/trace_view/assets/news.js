// @ts-check
/**
 * News of one trace over the collector's live stream: says that there is something new, never what; the page then asks for its columns,
 * whose ETag makes an empty answer cheap. Where the stream cannot be had (a proxy that holds it back, a collector that is away, too many
 * windows) the page asks by the clock instead.
 */

import { Stream } from "./stream.js";

/** A trace that arrives span by span is told ten times a second; nobody reads that fast. */
const AT_MOST_EVERY_MS = 250;

export class News {
  /** @param {string} api @param {() => void} onnews */
  constructor(api, onnews) {
    this.api = api;
    this.onnews = onnews;
    /** @type {Stream | null} */
    this.stream = null;
    this.traceId = "";
    this.timer = 0;
  }

  /** Whether news come by themselves. */
  get open() {
    return Boolean(this.stream?.open);
  }

  /** @param {string} traceId may be one that has not arrived yet */
  listen(traceId) {
    if (this.stream && this.traceId === traceId && !this.stream.ended) return;
    this.hush();
    this.traceId = traceId;
    const tell = () => this.tell();
    // At "open", too: what came between the last answer and the beginning of the stream is not in the stream.
    this.stream = new Stream(`${this.api}/live?filter=${encodeURIComponent(`trace_id:${traceId}`)}`, { open: tell, trace: tell });
  }

  tell() {
    this.timer ||= setTimeout(() => {
      this.timer = 0;
      this.onnews();
    }, AT_MOST_EVERY_MS);
  }

  hush() {
    this.stream?.close();
    this.stream = null;
    clearTimeout(this.timer);
    this.timer = 0;
  }
}
