// @ts-check
/** A file → request bodies a collector takes: lines of JSON are cut at their ends, everything else goes whole. */

export const PIECE_BYTES = 4 * 2 ** 20;

/**
 * @param {string} name @param {string} [start] the first characters of the file
 * @returns {string} content type by the name of the file (without .gz), by its first character where the name says nothing
 */
export function contentType(name, start = "") {
  const plain = name.replace(/\.gz$/i, "");
  if (/json$/i.test(plain) && !/ndjson$/i.test(plain)) return "application/json";
  if (/\.(pb|bin|proto|protobuf)$/i.test(plain)) return "application/x-protobuf";
  if (/(jsonl|ndjson)$/i.test(plain) || /^\s*[{[]/.test(start)) return "application/x-ndjson";
  return "application/x-protobuf";
}

/** @param {File} file @returns {ReadableStream<Uint8Array>} */
function bytesOf(file) {
  const stream = /** @type {ReadableStream<any>} */ (file.stream());
  return /\.gz$/i.test(file.name) ? stream.pipeThrough(new DecompressionStream("gzip")) : stream;
}

/**
 * @param {File} file @param {number} [size] bytes of a piece; a longer line is a piece of its own
 * @returns {AsyncGenerator<{body: Blob, type: string}>}
 */
export async function* pieces(file, size = PIECE_BYTES) {
  const type = contentType(file.name, /\.gz$/i.test(file.name) ? "" : await file.slice(0, 16).text());
  const lines = type === "application/x-ndjson";
  /** @type {Uint8Array[]} */
  let held = [];
  let length = 0;
  const reader = bytesOf(file).getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    held.push(value);
    length += value.length;
    const cut = lines && length >= size ? value.lastIndexOf(10) : -1;
    if (cut < 0) continue;
    held[held.length - 1] = value.subarray(0, cut + 1);
    yield { body: new Blob(/** @type {BlobPart[]} */ (held)), type };
    held = [value.subarray(cut + 1)];
    length = held[0].length;
  }
  if (length) yield { body: new Blob(/** @type {BlobPart[]} */ (held)), type };
}
