// @ts-check
/** Server-sent events of an answer to a POST (EventSource can only GET): bytes → {event, data}. `parser` is pure. */

import { ApiError } from "../base/problem.js";

/** @typedef {{event: string, data: any}} Sent */

/** @returns {(chunk: string) => Sent[]} feed it text as it comes; it gives the events that are whole */
export function parser() {
  let rest = "";
  return (chunk) => {
    const blocks = (rest + chunk).replaceAll("\r\n", "\n").split("\n\n");
    rest = blocks.pop() ?? "";
    return blocks.flatMap((block) => {
      let event = "message";
      /** @type {string[]} */
      const data = [];
      for (const line of block.split("\n")) {
        if (line.startsWith("event:")) event = line.slice(6).trim();
        else if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
      }
      return data.length ? [{ event, data: JSON.parse(data.join("\n")) }] : [];
    });
  };
}

/** @param {string} path @param {any} body @param {AbortSignal} signal @returns {AsyncGenerator<Sent>} */
export async function* post(path, body, signal) {
  let answer;
  try {
    answer = await fetch(path, { method: "POST", headers: { "content-type": "application/json", accept: "text/event-stream" }, body: JSON.stringify(body), signal });
  } catch (error) {
    if (signal.aborted) return;
    throw new ApiError(0, null);
  }
  if (!answer.ok || !answer.body) throw new ApiError(answer.status, await answer.json().catch(() => null));
  const read = parser();
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { value, done } = await reader.read().catch(() => ({ value: undefined, done: true }));
    if (done) return;
    yield* read(value ?? "");
  }
}
