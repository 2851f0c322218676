// @ts-check
/** A span as OTLP/JSON (protobuf's JSON mapping), rebuilt from what the collector kept; and the snippets that fetch it. Pure. */

/** A number written as the collector wrote it: 1.0 stays a double, 2^60 keeps its digits. */
export class Exact {
  /** @param {string} source */
  constructor(source) {
    this.source = source;
  }
}

/** @param {string} text @returns {any} parsed JSON whose numbers JavaScript would change are `Exact` */
export function parseExact(text) {
  // The third argument is JSON.parse source text access; where a browser lacks it numbers are JavaScript's.
  return JSON.parse(text, /** @type {any} */ ((/** @type {string} */ _key, /** @type {any} */ value, /** @type {{source?: string}} */ context) =>
    typeof value === "number" && context?.source !== undefined && String(value) !== context.source ? new Exact(context.source) : value));
}

/** @param {any} value an attribute in the collector's form @returns {any} an OTLP AnyValue */
export function anyValue(value) {
  if (value === null) return {};
  if (value instanceof Exact) return /^-?\d+$/.test(value.source) ? { intValue: value.source } : { doubleValue: Number(value.source) };
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  if (typeof value === "number") return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value };
  if (Array.isArray(value)) return { arrayValue: { values: value.map(anyValue) } };
  const keys = Object.keys(value);
  if (keys.length === 1 && typeof value.bytes_base64 === "string") return { bytesValue: value.bytes_base64 };
  if (keys.length === 1 && ["NaN", "Infinity", "-Infinity"].includes(value.float)) return { doubleValue: value.float };
  return { kvlistValue: { values: keyValues(value) } };
}

/** @param {Record<string, any>} [attributes] */
function keyValues(attributes = {}) {
  return Object.entries(attributes).map(([key, value]) => ({ key, value: anyValue(value) }));
}

const KINDS = ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"];
const CODES = ["unset", "ok", "error"];

/** @param {string} text the collector's JSON of a span @returns {any} ExportTraceServiceRequest with this one span */
export function toOtlp(text) {
  const span = parseExact(text);
  const status = span.otel_status ?? span.status;
  const counts = (/** @type {any} */ of) => (of.dropped_attributes_count ? { droppedAttributesCount: of.dropped_attributes_count } : {});
  const scope = span.scope ?? {};
  const otlp = {
    traceId: span.trace_id,
    spanId: span.span_id,
    ...(span.trace_state ? { traceState: span.trace_state } : {}),
    ...(span.parent_span_id ? { parentSpanId: span.parent_span_id } : {}),
    ...(span.flags ? { flags: span.flags } : {}),
    name: span.name,
    kind: Math.max(0, KINDS.indexOf(span.otel_kind ?? "UNSPECIFIED")),
    startTimeUnixNano: span.start_unix_nano,
    endTimeUnixNano: span.end_unix_nano ?? "0",
    attributes: keyValues(span.attributes),
    ...counts(span),
    ...(span.events?.length
      ? { events: span.events.map((/** @type {any} */ event) => ({ timeUnixNano: event.time_unix_nano, name: event.name, attributes: keyValues(event.attributes), ...counts(event) })) }
      : {}),
    ...(span.dropped_events_count ? { droppedEventsCount: span.dropped_events_count } : {}),
    ...(span.links?.length
      ? {
          links: span.links.map((/** @type {any} */ link) => ({
            traceId: link.trace_id,
            spanId: link.span_id,
            ...(link.trace_state ? { traceState: link.trace_state } : {}),
            attributes: keyValues(link.attributes),
            ...counts(link),
            ...(link.flags ? { flags: link.flags } : {}),
          })),
        }
      : {}),
    ...(span.dropped_links_count ? { droppedLinksCount: span.dropped_links_count } : {}),
    status: { ...(status === "unset" ? {} : { code: CODES.indexOf(status) }), ...(span.status_message ? { message: span.status_message } : {}) },
  };
  const resource = span.resource ?? {};
  return {
    resourceSpans: [
      {
        resource: { attributes: keyValues(resource.attributes), ...counts(resource) },
        scopeSpans: [
          {
            scope: {
              ...(scope.name ? { name: scope.name } : {}),
              ...(scope.version ? { version: scope.version } : {}),
              ...(Object.keys(scope.attributes ?? {}).length ? { attributes: keyValues(scope.attributes) } : {}),
              ...counts(scope),
            },
            spans: [otlp],
            ...(scope.schema_url ? { schemaUrl: scope.schema_url } : {}),
          },
        ],
        ...(resource.schema_url ? { schemaUrl: resource.schema_url } : {}),
      },
    ],
  };
}

/** @param {any} value @param {string} [indent] @returns {string} JSON with `Exact` numbers as they came */
export function prettyExact(value, indent = "") {
  if (value instanceof Exact) return value.source;
  if (value === null || typeof value !== "object") return JSON.stringify(value) ?? "null";
  const inner = `${indent}  `;
  if (Array.isArray(value)) return value.length ? `[\n${value.map((item) => inner + prettyExact(item, inner)).join(",\n")}\n${indent}]` : "[]";
  const entries = Object.entries(value);
  return entries.length ? `{\n${entries.map(([key, item]) => `${inner}${JSON.stringify(key)}: ${prettyExact(item, inner)}`).join(",\n")}\n${indent}}` : "{}";
}

/** @param {string} text for a POSIX shell */
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** @param {string} origin @param {string} api @param {string} traceId @param {string} [spanId] */
export function asCurl(origin, api, traceId, spanId) {
  return `curl -s ${quoted(`${new URL(api, origin).href}/traces/${traceId}${spanId ? `/spans/${spanId}` : ""}`)}`;
}

/** @param {string} origin @param {string} traceId @param {string} [spanId] */
export function asPython(origin, traceId, spanId) {
  const call = spanId ? `span = client.span(${JSON.stringify(traceId)}, ${JSON.stringify(spanId)})` : `trace = client.trace(${JSON.stringify(traceId)})`;
  return `from collector.client import CollectorClient\n\nclient = CollectorClient(${JSON.stringify(origin)})\n${call}\n`;
}
