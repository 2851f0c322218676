// @ts-check
/**
 * Which rows the tree shows: spans in pre-order, less what is collapsed, folded or filtered away. A row is a span's index, or ~g for the
 * head of group g: a run of like-named siblings ("rag.pipeline × 793") folded into one line, so that a batch job reads like one request.
 */

/** @typedef {import("./model.js").Trace} Trace */

/** Runs shorter than this stay unfolded: eight rows still fit beside the rest of a small trace. */
const FOLD_FROM = 8;

/**
 * @typedef {object} Group
 * @property {number} first index of the first member
 * @property {number} last index after the last member's subtree
 * @property {number} count members
 * @property {number} errors spans with an error inside
 * @property {number} running spans still running inside
 * @property {number} tokens
 * @property {number} start
 * @property {number} end
 */

/**
 * @typedef {object} Folding
 * @property {Group[]} groups
 * @property {Int32Array} of group that begins at this span, else -1
 * @property {Int32Array} inside group this span is a member of, else -1
 * @property {Int32Array} extra groups around a span: its indent grows by one for each
 */

/** @param {Trace} trace @param {number} [foldFrom] @returns {Folding} */
export function fold(trace, foldFrom = FOLD_FROM) {
  const { size, parent, end, name, kind } = trace;
  /** @type {Group[]} */
  const groups = [];
  const of = new Int32Array(size).fill(-1);
  const inside = new Int32Array(size).fill(-1);
  const extra = new Int32Array(size);
  const done = new Uint8Array(size);
  for (let i = 0; i < size; i++) {
    if (done[i]) continue;
    const run = [];
    const limit = parent[i] < 0 ? size : end[parent[i]];
    for (let at = i; at < limit && parent[at] === parent[i] && name[at] === name[i] && kind[at] === kind[i]; at = end[at]) run.push(at);
    if (run.length < foldFrom) continue;
    for (const member of run) {
      done[member] = 1;
      inside[member] = groups.length;
    }
    of[i] = groups.length;
    groups.push(measure(trace, i, end[run[run.length - 1]], run.length));
  }
  for (let i = 0; i < size; i++) extra[i] = (parent[i] < 0 ? 0 : extra[parent[i]]) + (inside[i] >= 0 ? 1 : 0);
  return { groups, of, inside, extra };
}

/** @param {Trace} trace @param {number} first @param {number} last @param {number} count @returns {Group} */
function measure(trace, first, last, count) {
  let errors = 0;
  let running = 0;
  let tokens = 0;
  let finish = 0;
  for (let i = first; i < last; i++) {
    if (trace.status[i] === "error") errors++;
    if (trace.state[i] === "running") running++;
    if (trace.kind[i] === "LLM") tokens += (trace.inputTokens[i] ?? 0) + (trace.outputTokens[i] ?? 0);
    finish = Math.max(finish, trace.start[i] + trace.duration[i]);
  }
  return { first, last, count, errors, running, tokens, start: trace.start[first], end: finish };
}

/**
 * @param {Trace} trace @param {Folding} folding
 * @param {{collapsed: Set<number>, open: Set<number>, keep?: Uint8Array | null}} view `keep`: only these spans, unfolded
 * @returns {Int32Array}
 */
export function visibleRows(trace, folding, { collapsed, open, keep }) {
  const rows = new Int32Array(trace.size + folding.groups.length);
  let count = 0;
  let i = 0;
  while (i < trace.size) {
    if (keep) {
      if (keep[i]) rows[count++] = i;
      i = keep[i] && collapsed.has(i) ? trace.end[i] : i + 1;
      continue;
    }
    const group = folding.of[i];
    if (group >= 0) {
      rows[count++] = ~group;
      if (!open.has(group)) {
        i = folding.groups[group].last;
        continue;
      }
    }
    rows[count++] = i;
    i = collapsed.has(i) ? trace.end[i] : i + 1;
  }
  return rows.subarray(0, count);
}

/** @param {Trace} trace @param {Uint8Array} hits @returns {Uint8Array} hits and their ancestors */
export function withAncestors(trace, hits) {
  const keep = hits.slice();
  for (let i = trace.size - 1; i >= 0; i--) if (keep[i] && trace.parent[i] >= 0) keep[trace.parent[i]] = 1;
  return keep;
}

/**
 * Spans a search text and a choice of kinds select: every word must occur in the name, model, kind, status or id.
 * @param {Trace} trace @param {string} text @param {Set<string>} kinds empty = all; "error" and "running" are choices too
 * @param {Set<string>} [inContent] ids of spans whose content matched, asked from the collector
 * @returns {Uint8Array | null} null where nothing is asked
 */
export function select(trace, text, kinds, inContent = new Set()) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length && !kinds.size) return null;
  const hits = new Uint8Array(trace.size);
  const haystacks = new Map(); // a trace has few distinct (name, model, kind, status)
  for (let i = 0; i < trace.size; i++) {
    const key = `${trace.name[i]}\n${trace.recorded[i]}\n${trace.model[i] ?? ""}\n${trace.kind[i]}\n${trace.status[i]}`;
    let found = haystacks.get(key);
    if (found === undefined) {
      const hay = key.toLowerCase();
      found = words.every((word) => hay.includes(word));
      haystacks.set(key, found);
    }
    const said = found || inContent.has(trace.id[i]) || (words.length === 1 && trace.id[i].startsWith(words[0]));
    hits[i] = said && ofKind(trace, i, kinds) ? 1 : 0;
  }
  return hits;
}

/** @param {Trace} trace @param {number} i @param {Set<string>} kinds */
function ofKind(trace, i, kinds) {
  if (!kinds.size || kinds.has(trace.kind[i])) return true;
  return (kinds.has("error") && trace.status[i] === "error") || (kinds.has("running") && trace.state[i] === "running");
}

/** @param {Trace} trace @returns {{key: string, count: number}[]} errors first, then running, then kinds by their number */
export function kindCounts(trace) {
  /** @type {Map<string, number>} */
  const kinds = new Map();
  let errors = 0;
  let running = 0;
  for (let i = 0; i < trace.size; i++) {
    kinds.set(trace.kind[i], (kinds.get(trace.kind[i]) ?? 0) + 1);
    if (trace.status[i] === "error") errors++;
    if (trace.state[i] === "running") running++;
  }
  const pills = [...kinds].map(([key, count]) => ({ key, count })).sort((a, b) => b.count - a.count || a.key.localeCompare(b.key));
  if (running) pills.unshift({ key: "running", count: running });
  if (errors) pills.unshift({ key: "error", count: errors });
  return pills;
}
