// @ts-check
/**
 * News of one trace over the collector's live stream: says that there is something new, never what; the page then asks for its columns,
 * whose ETag makes an empty answer cheap. Where the stream cannot be had (a proxy that holds it back, a collector that is away) the page
 * asks by the clock instead. Hidden pages do not listen: a browser gives one origin six connections.
 */

/** A trace that arrives span by span is told ten times a second; nobody reads that fast. */
const AT_MOST_EVERY_MS = 250;

export class News {
  /** @param {string} api @param {() => void} onnews */
  constructor(api, onnews) {
    this.api = api;
    this.onnews = onnews;
    /** @type {EventSource | null} */
    this.source = null;
    this.traceId = "";
    this.timer = 0;
  }

  /** Whether news come by themselves. */
  get open() {
    return this.source?.readyState === EventSource.OPEN;
  }

  /** @param {string} traceId may be one that has not arrived yet */
  listen(traceId) {
    if (this.source && this.traceId === traceId && this.source.readyState !== EventSource.CLOSED) return;
    this.hush();
    this.traceId = traceId;
    this.source = new EventSource(`${this.api}/live?filter=${encodeURIComponent(`trace_id:${traceId}`)}`);
    // What came between the last answer and the beginning of the stream is not in the stream.
    this.source.addEventListener("open", () => this.tell());
    this.source.addEventListener("trace", () => this.tell());
  }

  tell() {
    this.timer ||= setTimeout(() => {
      this.timer = 0;
      this.onnews();
    }, AT_MOST_EVERY_MS);
  }

  hush() {
    this.source?.close();
    this.source = null;
    clearTimeout(this.timer);
    this.timer = 0;
  }
}
