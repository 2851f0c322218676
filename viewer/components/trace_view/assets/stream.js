// @ts-check
/**
 * A live stream of the collector, and not one too many: a browser gives one origin six connections over HTTP/1, whatever the number of its
 * windows, and each stream keeps one. So at most four windows have a stream (a lock each, which the browser frees with the window); those
 * beyond are told that there is none and ask by the clock.
 */

const SLOTS = 4;

/**
 * @param {string} name @returns {Promise<(() => void) | null>} gives the lock back; null where another window has it
 */
function lock(name) {
  return new Promise((answer) => {
    void navigator.locks.request(name, { ifAvailable: true }, (held) => {
      if (held) return new Promise((done) => answer(() => done(undefined)));
      answer(null);
    });
  });
}

export class Stream {
  /** @param {string} url @param {Record<string, (event: MessageEvent) => void>} on what to do at "open" and at each kind of event */
  constructor(url, on) {
    this.url = url;
    this.on = on;
    /** @type {EventSource | null} */
    this.source = null;
    this.over = false;
    this.release = () => {};
    void this.start();
  }

  async start() {
    // Locks are there in secure contexts only (https, localhost); elsewhere every window has its stream.
    const taken = navigator.locks ? await this.slot() : () => {};
    if (!taken) this.over = true;
    else if (this.over) taken();
    else {
      this.release = taken;
      this.source = new EventSource(this.url);
      for (const [kind, act] of Object.entries(this.on)) this.source.addEventListener(kind, /** @type {EventListener} */ (act));
    }
  }

  async slot() {
    for (let n = 0; n < SLOTS; n++) {
      const release = await lock(`rightpassage.live.${n}`);
      if (release) return release;
    }
    return null;
  }

  /** Whether events come. */
  get open() {
    return this.source?.readyState === EventSource.OPEN;
  }

  /** Whether none will ever come: no slot was free, or the server refused. */
  get ended() {
    return this.over || this.source?.readyState === EventSource.CLOSED;
  }

  close() {
    this.over = true;
    this.source?.close();
    this.release();
  }
}
