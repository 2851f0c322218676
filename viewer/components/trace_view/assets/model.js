// @ts-check
/**
 * A trace as columns: one typed array per field, spans in pre-order, so that a subtree is a range [i, end[i]) and 32,000 spans cost a few
 * hundred kilobytes. Built once per answer of the collector; everything else on the page indexes into it.
 */

/**
 * @typedef {object} Trace
 * @property {Record<string, any>} summary TraceSummary as in the JSON API
 * @property {Record<string, any>} health
 * @property {number} size spans
 * @property {string[]} id
 * @property {Int32Array} parent index, -1 at a root or where the parent is not in the trace
 * @property {Int32Array} depth
 * @property {Int32Array} end index after the last span of the subtree
 * @property {string[]} name what to call it
 * @property {string[]} recorded its name as it came
 * @property {string[]} kind
 * @property {Float64Array} start nanoseconds from the start of the trace
 * @property {Float64Array} duration nanoseconds
 * @property {string[]} status
 * @property {(string | null)[]} model
 * @property {(number | null)[]} inputTokens
 * @property {(number | null)[]} outputTokens
 * @property {(number | null)[]} cost
 * @property {string[]} state "running" or "ended"
 * @property {(string | null)[]} stage
 * @property {number} total nanoseconds from the first start to the last end
 * @property {Map<string, number>} index span id → index
 * @property {Set<number>} orphans tops whose parent never came
 */

/**
 * A column as sent: plain values, or indices into a dictionary column named in the plural.
 * @param {Record<string, any>} columns @param {string} field @param {string} dictionary @param {number} size @param {any} missing
 */
function column(columns, field, dictionary, size, missing) {
  const values = columns[field];
  if (!values) return new Array(size).fill(missing);
  const names = columns[dictionary];
  if (Array.isArray(names)) return values.map((/** @type {any} */ value) => (typeof value === "number" && value >= 0 ? names[value] : value) ?? missing);
  return values.map((/** @type {any} */ value) => value ?? missing);
}

/** @param {{trace: any, columns: any, health?: any}} answer of `GET /traces/{id}?view=columns` @returns {Trace} */
export function fromColumns(answer) {
  const sent = answer.columns;
  const size = sent.span_id.length;
  const order = preorder(sent.parent, sent.start_ns);
  const place = new Int32Array(size);
  if (order) for (let i = 0; i < size; i++) place[order[i]] = i;
  const pick = (/** @type {any[]} */ values) => (order ? Array.from(order, (i) => values[i]) : values);
  const numbers = (/** @type {any[] | undefined} */ values) => Float64Array.from(pick(values ?? new Array(size).fill(0)), (value) => Number(value ?? 0));

  const id = pick(sent.span_id);
  const parent = Int32Array.from(pick(sent.parent), (p) => (p === null || p === undefined || p < 0 ? -1 : order ? place[p] : p));
  const start = numbers(sent.start_ns);
  const duration = numbers(sent.duration_ns);
  const { depth, end } = shape(parent);
  const name = pick(column(sent, "name", "names", size, ""));
  let total = 0;
  for (let i = 0; i < size; i++) total = Math.max(total, start[i] + duration[i]);
  return {
    summary: answer.trace ?? {},
    health: answer.health ?? {},
    size,
    id,
    parent,
    depth,
    end,
    name,
    recorded: name,
    kind: pick(column(sent, "kind", "kinds", size, "UNKNOWN")),
    start,
    duration,
    status: pick(column(sent, "status", "statuses", size, "unset")),
    model: pick(column(sent, "model", "models", size, null)),
    inputTokens: pick(column(sent, "input_tokens", "", size, null)),
    outputTokens: pick(column(sent, "output_tokens", "", size, null)),
    cost: pick(column(sent, "cost_usd", "", size, null)),
    state: pick(column(sent, "state", "states", size, "ended")),
    stage: pick(column(sent, "stage", "stages", size, null)),
    total,
    orphans: new Set((sent.orphans ?? []).map((/** @type {number} */ i) => (order ? place[i] : i))),
    index: new Map(id.map((/** @type {string} */ spanId, /** @type {number} */ i) => [spanId, i])),
  };
}

/**
 * The columns of a trace that came whole (`GET /traces/{id}`, or embedded in a file): the same form the collector sends.
 * @param {{trace: any, spans: any[], health?: any}} whole
 */
export function columnsOf(whole) {
  const at = new Map(whole.spans.map((span, i) => [span.span_id, i]));
  const starts = whole.spans.map((span) => BigInt(span.start_unix_nano));
  const first = starts.reduce((least, value) => (value < least ? value : least), starts[0] ?? 0n);
  const each = (/** @type {(span: any) => any} */ read) => whole.spans.map(read);
  return {
    trace: whole.trace,
    health: whole.health,
    columns: {
      span_id: each((span) => span.span_id),
      parent: each((span) => (span.parent_span_id ? (at.get(span.parent_span_id) ?? -1) : -1)),
      name: each((span) => span.name),
      kind: each((span) => span.kind),
      start_ns: starts.map((value) => Number(value - first)),
      duration_ns: each((span) => span.duration_ns ?? 0),
      status: each((span) => span.status),
      model: each((span) => span.model),
      input_tokens: each((span) => span.usage?.input_tokens),
      output_tokens: each((span) => span.usage?.output_tokens),
      cost_usd: each((span) => span.cost_usd),
      state: each((span) => span.state),
      stage: each((span) => span.stage),
      orphans: whole.spans.flatMap((span, i) => (span.parent_span_id && !at.has(span.parent_span_id) ? [i] : [])),
    },
  };
}

/**
 * Pre-order of a forest, siblings by start time; null where the columns are in that order already. A cycle hangs under no root: its
 * spans are appended as roots, so that nothing is lost.
 * @param {number[]} parent @param {number[]} start @returns {Int32Array | null}
 */
export function preorder(parent, start) {
  const size = parent.length;
  if (isPreorder(parent)) return null;
  /** @type {number[][]} */
  const children = Array.from({ length: size }, () => []);
  /** @type {number[]} */
  const roots = [];
  for (let i = 0; i < size; i++) (parent[i] >= 0 && parent[i] !== i ? children[parent[i]] : roots).push(i);
  const later = (/** @type {number} */ a, /** @type {number} */ b) => start[b] - start[a] || b - a; // reversed: a stack pops the earliest
  const order = new Int32Array(size);
  const seen = new Uint8Array(size);
  let count = 0;
  const walk = (/** @type {number[]} */ stack) => {
    while (stack.length) {
      const i = /** @type {number} */ (stack.pop());
      if (seen[i]) continue;
      seen[i] = 1;
      order[count++] = i;
      stack.push(...children[i].sort(later));
    }
  };
  walk(roots.sort(later));
  for (let i = 0; i < size; i++) {
    if (seen[i]) continue;
    parent[i] = -1;
    walk([i]);
  }
  return order;
}

/** @param {ArrayLike<number>} parent every parent is an open ancestor of its child */
function isPreorder(parent) {
  /** @type {number[]} */
  const open = [];
  for (let i = 0; i < parent.length; i++) {
    while (open.length && open[open.length - 1] !== parent[i]) open.pop();
    if (parent[i] >= 0 && !open.length) return false;
    open.push(i);
  }
  return true;
}

/** @param {Int32Array} parent in pre-order */
function shape(parent) {
  const size = parent.length;
  const depth = new Int32Array(size);
  const end = new Int32Array(size);
  for (let i = 0; i < size; i++) depth[i] = parent[i] < 0 ? 0 : depth[parent[i]] + 1;
  for (let i = size - 1; i >= 0; i--) {
    end[i] = Math.max(end[i], i + 1);
    if (parent[i] >= 0) end[parent[i]] = Math.max(end[parent[i]], end[i]);
  }
  return { depth, end };
}

/** @param {Trace} trace @param {number} i @returns {Generator<number>} direct children in order */
export function* childrenOf(trace, i) {
  for (let child = i + 1; child < trace.end[i]; child = trace.end[child]) yield child;
}

/** @param {Trace} trace @param {number} i @returns {number[]} ancestors, the root first */
export function ancestorsOf(trace, i) {
  const path = [];
  for (let at = trace.parent[i]; at >= 0; at = trace.parent[at]) path.unshift(at);
  return path;
}

/** @param {Trace} trace the first root: where the page opens */
export function rootOf(trace) {
  const named = trace.summary.root_span_id;
  return (named && trace.index.get(named)) || 0;
}

/**
 * Where what belongs to a span ends. Without a root the page opens on the first of several tops, which then stands for all of them: the
 * request is one, also if the span that held it together never came.
 * @param {Trace} trace @param {number} i
 */
export function reach(trace, i) {
  return i === 0 && trace.orphans.has(0) ? trace.size : trace.end[i];
}

/** @param {Trace} trace @param {number} i */
export function tokensOf(trace, i) {
  const input = trace.inputTokens[i];
  const output = trace.outputTokens[i];
  return input === null && output === null ? null : (input ?? 0) + (output ?? 0);
}
