// @ts-check
/** A file → request bodies a collector takes: lines of JSON are cut at their ends, everything else goes whole. */

export const PIECE_BYTES = 4 * 2 ** 20;

const TYPES = /** @type {Record<string, string>} */ ({ json: "application/json", jsonl: "application/x-ndjson", ndjson: "application/x-ndjson" });

/** @param {string} name @returns {string} content type by the name of the file (without .gz) */
export function contentType(name) {
  const suffix = /\.([a-z0-9]+)$/i.exec(name.replace(/\.gz$/i, ""))?.[1]?.toLowerCase() ?? "";
  return TYPES[suffix] ?? "application/x-protobuf";
}

/** @param {File} file @returns {ReadableStream<Uint8Array>} */
function bytesOf(file) {
  const stream = /** @type {ReadableStream<any>} */ (file.stream());
  return /\.gz$/i.test(file.name) ? stream.pipeThrough(new DecompressionStream("gzip")) : stream;
}

/**
 * @param {File} file @param {number} [size] bytes of a piece; a longer line is a piece of its own
 * @returns {AsyncGenerator<Blob>}
 */
export async function* pieces(file, size = PIECE_BYTES) {
  const lines = contentType(file.name) === "application/x-ndjson";
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
    yield new Blob(/** @type {BlobPart[]} */ (held));
    held = [value.subarray(cut + 1)];
    length = held[0].length;
  }
  if (length) yield new Blob(/** @type {BlobPart[]} */ (held));
}
