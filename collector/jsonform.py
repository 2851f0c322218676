"""Model ⇄ JSON: the one place that knows how our values look on the wire (docs/api.md, contracts).

`to_json(value)` turns any model dataclass into plain JSON values, `from_json(cls, json)` turns them back; `encode` makes the bytes.
Times are RFC 3339 for people and decimal strings of nanoseconds for programs; ids are lowercase hex. In a span what is unknown is absent;
a trace summary, being a table row, has every column of the contract and null where unknown. Attribute types are kept: an int is a JSON
integer of all its digits, bytes are `{"bytes_base64": …}`, a float JSON cannot write is `{"float": "NaN"}` (or Infinity, -Infinity).
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar, cast

import orjson

from collector.model import (
    AnnotatorKind,
    AttributeValue,
    Candidate,
    Citation,
    Document,
    Event,
    Finding,
    Health,
    Index,
    Link,
    LinkFrom,
    Message,
    Normalised,
    Page,
    PassageSummary,
    Placement,
    Prompt,
    Pruned,
    Resource,
    Scope,
    Score,
    SessionSummary,
    Skeleton,
    Span,
    SpanError,
    SpanKind,
    SpanRow,
    Stats,
    StatusCode,
    Target,
    ToolCall,
    Trace,
    TraceSummary,
    Trial,
    Usage,
    ValueCount,
    Version,
    Written,
)
from tracer.conventions import SPAN_STATE

JsonObject = dict[str, Any]
M = TypeVar("M")

OTEL_KINDS = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
DEEPEST = 200  # orjson refuses 255 levels; what lies deeper is named, not dropped


# ---- Bytes ----


def encode(value: object) -> bytes:
    """JSON bytes of plain values; what orjson refuses (ints over 64 bits, lone surrogates, depth) takes the slow, careful way."""
    try:
        return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        return json.dumps(_careful(value, 0), ensure_ascii=False, separators=(",", ":")).encode()


def _careful(value: object, depth: int) -> object:
    if depth > DEEPEST:
        return f"(nested deeper than {DEEPEST} levels)"
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode() if not value.isascii() else value
    if isinstance(value, Mapping):
        return {str(_careful(str(k), 0)): _careful(v, depth + 1) for k, v in cast("Mapping[object, object]", value).items()}
    if isinstance(value, Sequence):
        return [_careful(item, depth + 1) for item in cast("Sequence[object]", value)]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


# ---- Time ----


def rfc3339(unix_nano: int) -> str:
    """UTC with microseconds: `2026-11-24T22:15:13.123456Z`; the exact nanoseconds stand beside it as a string."""
    seconds, nanos = divmod(unix_nano, 1_000_000_000)
    moment = datetime.fromtimestamp(min(max(seconds, 0), 253_402_300_799), UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{nanos // 1000:06d}Z"


# ---- Attribute values ----


def attribute_json(value: AttributeValue) -> Any:
    """An attribute value as JSON, its type kept."""
    if isinstance(value, str) or value is None or isinstance(value, int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"}
    if isinstance(value, bytes):
        return {"bytes_base64": base64.b64encode(value).decode()}
    if isinstance(value, Mapping):
        return {key: attribute_json(item) for key, item in value.items()}
    return [attribute_json(item) for item in value]


def attribute_from_json(value: Any) -> AttributeValue:
    """The attribute value that `attribute_json` made."""
    if isinstance(value, dict):
        mapping = cast("dict[str, Any]", value)
        if len(mapping) == 1:
            if isinstance(text := mapping.get("bytes_base64"), str):
                return _bytes(text)
            if mapping.get("float") in ("NaN", "Infinity", "-Infinity"):
                return float(mapping["float"])
        return {key: attribute_from_json(item) for key, item in mapping.items()}
    if isinstance(value, list):
        return [attribute_from_json(item) for item in cast("list[Any]", value)]
    return cast("AttributeValue", value)


def _bytes(text: str) -> AttributeValue:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return text


def _attributes(attributes: Mapping[str, AttributeValue]) -> JsonObject:
    return {key: attribute_json(value) for key, value in attributes.items()}


def _attributes_from(value: Any) -> dict[str, AttributeValue]:
    return {key: attribute_from_json(item) for key, item in (value or {}).items()}


# ---- Small values: their fields, the unknown ones absent ----


@cache
def _names(cls: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(cls))


def _present(value: Any) -> JsonObject:
    """The fields of a flat dataclass that are known; False and 0 are known, None and empty are not."""
    out: JsonObject = {}
    for name in _names(type(value)):
        item = getattr(value, name)
        if item is None or item == () or item == {} or item == []:
            continue
        out[name] = item
    return out


def _built(cls: type[M], value: Mapping[str, Any]) -> M:
    return cls(**{name: value[name] for name in _names(cls) if name in value})


def _message(message: Message) -> JsonObject:
    out = _present(message)
    if message.tool_calls:
        out["tool_calls"] = [_present(call) for call in message.tool_calls]
    return out


def _message_from(value: Mapping[str, Any]) -> Message:
    calls = tuple(_built(ToolCall, call) for call in value.get("tool_calls") or ())
    return _built(Message, {**value, "tool_calls": calls, "media": tuple(value.get("media") or ())})


def _score(score: Score) -> JsonObject:
    out: JsonObject = {"name": score.name}
    for key in ("value", "label", "explanation", "id"):
        if (item := getattr(score, key)) is not None:
            out[key] = item
    out["annotator"] = {"kind": score.annotator_kind.value} | ({"id": score.annotator_id} if score.annotator_id else {})
    if target := _present(score.target):
        out["target"] = target
    if score.time_unix_nano:
        out |= {"time": rfc3339(score.time_unix_nano), "time_unix_nano": str(score.time_unix_nano)}
    return out


def _score_from(value: Mapping[str, Any]) -> Score:
    annotator = value.get("annotator") or {}
    return Score(
        name=value["name"],
        value=value.get("value"),
        label=value.get("label"),
        explanation=value.get("explanation"),
        annotator_kind=AnnotatorKind(annotator.get("kind", "HUMAN")),
        annotator_id=annotator.get("id"),
        target=_built(Target, value.get("target") or {}),
        id=value.get("id"),
        time_unix_nano=int(value.get("time_unix_nano") or 0),
    )


def _usage(usage: Usage) -> JsonObject:
    return _present(usage)


def _event(event: Event) -> JsonObject:
    out: JsonObject = {
        "name": event.name,
        "time": rfc3339(event.time_unix_nano),
        "time_unix_nano": str(event.time_unix_nano),
        "attributes": _attributes(event.attributes),
    }
    if event.dropped_attributes_count:
        out["dropped_attributes_count"] = event.dropped_attributes_count
    return out


def _event_from(value: Mapping[str, Any]) -> Event:
    return Event(
        value["name"],
        int(value["time_unix_nano"]),
        _attributes_from(value.get("attributes")),
        value.get("dropped_attributes_count", 0),
    )


def _with_attributes(value: Link | Resource | Scope) -> JsonObject:
    """A link, resource or scope: `attributes` always there, of the rest only what was said."""
    out: JsonObject = {name: item for name, item in _present(value).items() if item or name in ("trace_id", "span_id")}
    return out | {"attributes": _attributes(value.attributes)}


def _with_attributes_from(cls: type[M], value: Mapping[str, Any]) -> M:
    return _built(cls, {**value, "attributes": _attributes_from(value.get("attributes"))})


# ---- Span ----

_PLAIN = (  # fields of Normalised that are JSON already
    "operation",
    "model",
    "provider",
    "input",
    "output",
    "cost_usd",
    "cost_source",
    "time_to_first_token_ns",
    "response_id",
    "finish_reasons",
    "query",
    "texts",
    "vector_dimensions",
    "tool_name",
    "arguments",
    "tools_offered",
    "parameters",
    "stage",
    "session_id",
    "user_id",
    "tags",
    "metadata",
    "service",
    "environment",
    "derived",
    "dialect",
    "unmapped",
    "sources",
)
_LISTS = frozenset({"finish_reasons", "texts", "tools_offered", "tags", "derived", "unmapped"})  # tuples in the model
_SHAPED: dict[str, tuple[Callable[[Any], JsonObject], Callable[[Mapping[str, Any]], Any]]] = {  # one object
    "error": (_present, lambda value: _built(SpanError, value)),
    "usage": (_usage, lambda value: _built(Usage, value)),
    "prompt": (_present, lambda value: _built(Prompt, value)),
    "index": (_present, lambda value: _built(Index, value)),
}
_LISTED: dict[str, tuple[Callable[[Any], JsonObject], Callable[[Mapping[str, Any]], Any]]] = {  # a list of objects
    "input_messages": (_message, _message_from),
    "output_messages": (_message, _message_from),
    "documents": (_present, lambda value: _built(Document, value)),
    "input_documents": (_present, lambda value: _built(Document, value)),
    "candidates": (_present, lambda value: _built(Candidate, value)),
    "citations": (_present, lambda value: _built(Citation, value)),
    "placement": (_present, lambda value: _built(Placement, value)),
}


def span_json(span: Span, *, attributes: bool = True) -> JsonObject:
    """A whole span in the contract's form; without `attributes` only what we understood of it."""
    known = span.normalised or Normalised(status=span.status)
    out: JsonObject = {"trace_id": span.trace_id, "span_id": span.span_id}
    if span.parent_span_id:
        out["parent_span_id"] = span.parent_span_id
    out |= {
        "name": span.name,
        "kind": known.kind.value,
        "start_time": rfc3339(span.start_unix_nano),
        "start_unix_nano": str(span.start_unix_nano),
    }
    running = not span.end_unix_nano and span.attributes.get(SPAN_STATE) == "running"  # an end time of 0 alone is a mistake of the sender
    if not running:
        out |= {"end_unix_nano": str(span.end_unix_nano), "duration_ns": span.duration_ns}
    out["status"] = known.status.value
    out["state"] = "running" if running else "ended"
    for name in _PLAIN:
        value = getattr(known, name)
        if value is not None and value != () and value != {} and value != []:
            out[name] = value
    for name, (form, _) in _SHAPED.items():
        if (value := getattr(known, name)) is not None:
            out[name] = form(value)
    for name, (form, _) in _LISTED.items():
        if values := getattr(known, name):
            out[name] = [form(value) for value in values]
    if known.repeats_usage:
        out["repeats_usage"] = True
    if scores := (*known.scores, *span.scores):
        out["scores"] = [_score(score) for score in scores]
    return out | _received(span, known) if attributes else out


def _received(span: Span, known: Normalised) -> JsonObject:
    """What OpenTelemetry sent beside the names and times."""
    out: JsonObject = {
        "attributes": _attributes(span.attributes),
        "events": [_event(event) for event in span.events],
        "links": [_with_attributes(link) for link in span.links],
        "resource": _with_attributes(span.resource),
        "scope": _with_attributes(span.scope),
    }
    if span.status != known.status:
        out["otel_status"] = span.status.value
    if span.status_message:
        out["status_message"] = span.status_message
    if span.otel_kind:
        out["otel_kind"] = OTEL_KINDS[span.otel_kind] if span.otel_kind < len(OTEL_KINDS) else str(span.otel_kind)
    for name in ("trace_state", "flags", "dropped_attributes_count", "dropped_events_count", "dropped_links_count"):
        if value := getattr(span, name):
            out[name] = value
    return out


def span_from_json(value: Mapping[str, Any]) -> Span:
    """The span that `span_json` wrote (its scores all in `Span.scores`)."""
    known: JsonObject = {name: tuple(value[name]) if name in _LISTS else value[name] for name in _PLAIN if name in value}
    known |= {name: read(value[name]) for name, (_, read) in _SHAPED.items() if name in value}
    known |= {name: tuple(read(item) for item in value[name]) for name, (_, read) in _LISTED.items() if name in value}
    status = StatusCode(value.get("status", "unset"))
    otel_kind = str(value.get("otel_kind", "UNSPECIFIED"))
    return Span(
        trace_id=value["trace_id"],
        span_id=value["span_id"],
        parent_span_id=value.get("parent_span_id", ""),
        name=value["name"],
        start_unix_nano=int(value["start_unix_nano"]),
        end_unix_nano=int(value.get("end_unix_nano", 0)),
        attributes=_attributes_from(value.get("attributes")),
        events=tuple(_event_from(event) for event in value.get("events") or ()),
        links=tuple(_with_attributes_from(Link, link) for link in value.get("links") or ()),
        status=StatusCode(value.get("otel_status", status)),
        status_message=value.get("status_message", ""),
        otel_kind=OTEL_KINDS.index(otel_kind) if otel_kind in OTEL_KINDS else int(otel_kind),
        trace_state=value.get("trace_state", ""),
        flags=value.get("flags", 0),
        dropped_attributes_count=value.get("dropped_attributes_count", 0),
        dropped_events_count=value.get("dropped_events_count", 0),
        dropped_links_count=value.get("dropped_links_count", 0),
        resource=_with_attributes_from(Resource, value.get("resource") or {}),
        scope=_with_attributes_from(Scope, value.get("scope") or {}),
        normalised=Normalised(
            kind=SpanKind(value.get("kind", "UNKNOWN")), status=status, repeats_usage=value.get("repeats_usage", False), **known
        ),
        scores=tuple(_score_from(score) for score in value.get("scores") or ()),
    )


def row_json(row: SpanRow, within: TraceSummary | None = None) -> JsonObject:
    """A span without payload, in a span's form; `within` its trace, what the trace says or nearly all spans say is left out."""
    out: JsonObject = {} if within else {"trace_id": row.trace_id}
    out["span_id"] = row.span_id
    if row.parent_span_id:
        out["parent_span_id"] = row.parent_span_id
    out |= {"name": row.name, "kind": row.kind.value}
    if not within:
        out["start_time"] = rfc3339(row.start_unix_nano)
    out |= {"start_unix_nano": str(row.start_unix_nano), "duration_ns": row.duration_ns, "status": row.status.value}
    usage = {name: value for name in ("input_tokens", "output_tokens") if (value := getattr(row, name)) is not None}
    if usage:
        out["usage"] = usage
    for name in ("model", "cost_usd", "stage"):
        if (value := getattr(row, name)) is not None:
            out[name] = value
    if row.service is not None and not (within and [row.service] == list(within.services)):
        out["service"] = row.service
    if row.state != "ended" or not within:
        out["state"] = row.state
    return out


def row_from_json(value: Mapping[str, Any], within: TraceSummary | None = None) -> SpanRow:
    usage = value.get("usage") or {}
    only_service = within.services[0] if within and len(within.services) == 1 else None
    return SpanRow(
        trace_id=value["trace_id"] if within is None else within.trace_id,
        span_id=value["span_id"],
        parent_span_id=value.get("parent_span_id", ""),
        name=value["name"],
        kind=SpanKind(value["kind"]),
        start_unix_nano=int(value["start_unix_nano"]),
        duration_ns=value["duration_ns"],
        status=StatusCode(value["status"]),
        model=value.get("model"),
        input_tokens=usage.get("input_tokens"),
        output_tokens=usage.get("output_tokens"),
        cost_usd=value.get("cost_usd"),
        service=value.get("service", only_service),
        state=value.get("state", "ended"),
        stage=value.get("stage"),
    )


# ---- Traces ----


def summary_json(summary: TraceSummary) -> JsonObject:
    """A row of the trace list: every column of the contract, null where unknown."""
    return {
        "trace_id": summary.trace_id,
        "root_name": summary.root_name,
        "root_kind": summary.root_kind.value,
        "root_span_id": summary.root_span_id,
        "root_missing": summary.root_missing,
        "services": list(summary.services),
        "environment": summary.environment,
        "session_id": summary.session_id,
        "user_id": summary.user_id,
        "tags": list(summary.tags),
        "models": list(summary.models),
        "start_time": rfc3339(summary.start_unix_nano),
        "start_unix_nano": str(summary.start_unix_nano),
        "duration_ns": summary.duration_ns,
        "span_count": summary.span_count,
        "error_count": summary.error_count,
        "status": summary.status.value,
        "state": summary.state,
        "usage": _usage(summary.usage),
        "embedding_tokens": summary.embedding_tokens,
        "cost_usd": summary.cost_usd,
        "unpriced": summary.unpriced,
        "input_preview": summary.input_preview,
        "output_preview": summary.output_preview,
        "verdict": summary.verdict,
        "scores": [_score(score) for score in summary.scores],
    }


def summary_from_json(value: Mapping[str, Any]) -> TraceSummary:
    return TraceSummary(
        trace_id=value["trace_id"],
        root_name=value.get("root_name"),
        root_missing=bool(value.get("root_missing")),
        services=tuple(value.get("services") or ()),
        session_id=value.get("session_id"),
        user_id=value.get("user_id"),
        tags=tuple(value.get("tags") or ()),
        start_unix_nano=int(value["start_unix_nano"]),
        duration_ns=value["duration_ns"],
        span_count=value["span_count"],
        error_count=value["error_count"],
        status=StatusCode(value["status"]),
        usage=_built(Usage, value.get("usage") or {}),
        embedding_tokens=value.get("embedding_tokens"),
        cost_usd=value.get("cost_usd"),
        input_preview=value.get("input_preview"),
        output_preview=value.get("output_preview"),
        verdict=value.get("verdict"),
        environment=value.get("environment"),
        models=tuple(value.get("models") or ()),
        root_kind=SpanKind(value.get("root_kind") or "UNKNOWN"),
        root_span_id=value.get("root_span_id"),
        unpriced=bool(value.get("unpriced")),
        state=value.get("state", "ended"),
        scores=tuple(_score_from(score) for score in value.get("scores") or ()),
    )


def health_json(health: Health) -> JsonObject:
    return {
        "findings": [{"code": item.code, "message": item.message, "span_ids": list(item.span_ids)} for item in health.findings],
        "orphan_count": health.orphan_count,
        "unmapped_count": health.unmapped_count,
        "dropped_count": health.dropped_count,
        "running_count": health.running_count,
    }


def _shape_json(health: Health) -> JsonObject:
    """The health that a skeleton can tell: what asks for payloads (unmapped keys, what was dropped) is absent, for it was not looked at."""
    return {name: value for name, value in health_json(health).items() if name not in ("unmapped_count", "dropped_count")}


def health_from_json(value: Mapping[str, Any]) -> Health:
    findings = tuple(Finding(item["code"], item["message"], tuple(item.get("span_ids") or ())) for item in value.get("findings") or ())
    return _built(Health, {**value, "findings": findings})


def trace_json(trace: Trace) -> JsonObject:
    return {
        "trace": summary_json(trace.summary),
        "spans": [span_json(span) for span in trace.spans],
        "health": health_json(trace.health),
    }


def trace_from_json(value: Mapping[str, Any]) -> Trace:
    return Trace(
        summary=summary_from_json(value["trace"]),
        spans=tuple(span_from_json(span) for span in value["spans"]),
        health=health_from_json(value.get("health") or {}),
    )


def skeleton_json(skeleton: Skeleton) -> JsonObject:
    """`?view=skeleton`: small objects, at most 300 bytes a span."""
    return {
        "trace": summary_json(skeleton.summary),
        "spans": [row_json(row, skeleton.summary) for row in skeleton.rows],
        "health": _shape_json(skeleton.health),
    }


def skeleton_from_json(value: Mapping[str, Any]) -> Skeleton:
    summary = summary_from_json(value["trace"])
    rows = tuple(row_from_json(row, summary) for row in value["spans"])
    return Skeleton(summary, rows, health_from_json(value.get("health") or {}))


def columns_json(skeleton: Skeleton) -> JsonObject:
    """`?view=columns`: one array per field in pre-order of the tree, siblings by start; about 110 bytes a span.

    `parent` is an index into the same arrays, -1 at a top; `name` indexes `names`; `start_ns` counts from the trace's start. `orphans` are
    the tops whose parent never came, `cut` those where a cycle of parents was cut (at its earliest span).
    """
    order, orphans, cut = _preorder(skeleton.rows)
    rows = [skeleton.rows[i] for i, _ in order]
    place = {row.span_id: at for at, row in enumerate(rows)}
    names: dict[str, int] = {}
    kinds, statuses = {kind: kind.value for kind in SpanKind}, {status: status.value for status in StatusCode}
    start = skeleton.summary.start_unix_nano
    return {
        "trace": summary_json(skeleton.summary),
        "columns": {
            "span_id": [row.span_id for row in rows],
            "parent": [-1 if top else place[row.parent_span_id] for row, (_, top) in zip(rows, order, strict=True)],
            "name": [names.setdefault(row.name, len(names)) for row in rows],
            "names": list(names),
            "kind": [kinds[row.kind] for row in rows],
            "start_ns": [row.start_unix_nano - start for row in rows],
            "duration_ns": [row.duration_ns for row in rows],
            "status": [statuses[row.status] for row in rows],
            "model": [row.model for row in rows],
            "input_tokens": [row.input_tokens for row in rows],
            "output_tokens": [row.output_tokens for row in rows],
            "cost_usd": [row.cost_usd for row in rows],
            "service": [row.service for row in rows],
            "state": [row.state for row in rows],
            "stage": [row.stage for row in rows],
            "orphans": [place[span_id] for span_id in orphans],
            "cut": [place[span_id] for span_id in cut],
        },
        "health": _shape_json(skeleton.health),
    }


def _preorder(rows: Sequence[SpanRow]) -> tuple[list[tuple[int, bool]], list[str], list[str]]:
    """(index, is a top) in pre-order without recursion, and the span ids of orphans and of cut cycles: 10,000 deep is a real trace."""
    index = {row.span_id: i for i, row in enumerate(rows)}
    children: dict[str, list[int]] = {}
    tops: list[int] = []
    orphans: list[str] = []
    for i in sorted(range(len(rows)), key=lambda i: rows[i].start_unix_nano):
        parent = rows[i].parent_span_id
        if parent in index and parent != rows[i].span_id:
            children.setdefault(parent, []).append(i)
            continue
        tops.append(i)
        if parent and parent not in index:
            orphans.append(rows[i].span_id)
    order: list[tuple[int, bool]] = []
    cut: list[str] = [rows[i].span_id for i in tops if rows[i].parent_span_id == rows[i].span_id]
    seen: set[int] = set()

    def walk(top: int) -> None:
        stack = [top]
        while stack:
            i = stack.pop()
            if i in seen:
                continue
            seen.add(i)
            order.append((i, i == top))
            stack.extend(reversed(children.get(rows[i].span_id, ())))

    for top in tops:
        walk(top)
    if len(seen) < len(rows):  # what no top reaches hangs in a cycle
        for i in sorted(set(range(len(rows))) - seen, key=lambda i: rows[i].start_unix_nano):
            if i not in seen:
                cut.append(rows[i].span_id)
                walk(i)
    return order, orphans, cut


# ---- Sessions, passages, values, the catalogue ----


def session_json(session: SessionSummary) -> JsonObject:
    return {
        "session_id": session.session_id,
        "user_id": session.user_id,
        "services": list(session.services),
        "start_time": rfc3339(session.start_unix_nano),
        "start_unix_nano": str(session.start_unix_nano),
        "end_time": rfc3339(session.end_unix_nano),
        "end_unix_nano": str(session.end_unix_nano),
        "trace_count": session.trace_count,
        "error_count": session.error_count,
        "usage": _usage(session.usage),
        "cost_usd": session.cost_usd,
        "first_input_preview": session.first_input_preview,
        "last_output_preview": session.last_output_preview,
    }


def session_from_json(value: Mapping[str, Any]) -> SessionSummary:
    return SessionSummary(
        **{name: value.get(name) for name in ("user_id", "cost_usd", "first_input_preview", "last_output_preview")},
        session_id=value["session_id"],
        services=tuple(value.get("services") or ()),
        start_unix_nano=int(value["start_unix_nano"]),
        end_unix_nano=int(value["end_unix_nano"]),
        trace_count=value["trace_count"],
        error_count=value["error_count"],
        usage=_built(Usage, value.get("usage") or {}),
    )


def passage_json(passage: PassageSummary) -> JsonObject:
    return {name: getattr(passage, name) for name in _names(PassageSummary)} | {
        "last_seen_unix_nano": str(passage.last_seen_unix_nano),
        "last_seen": rfc3339(passage.last_seen_unix_nano),
    }


def passage_from_json(value: Mapping[str, Any]) -> PassageSummary:
    return _built(PassageSummary, {"source": None, "document_id": None, **value, "last_seen_unix_nano": int(value["last_seen_unix_nano"])})


def version_json(version: Version) -> JsonObject:
    return {
        "kind": version.kind,
        "name": version.name,
        "digest": version.digest,
        "content": version.content,
        "created": rfc3339(version.created_unix_nano),
        "created_unix_nano": str(version.created_unix_nano),
        "labels": list(version.labels),
    }


def version_from_json(value: Mapping[str, Any]) -> Version:
    return Version(
        kind=value["kind"],
        name=value["name"],
        digest=value["digest"],
        content=value["content"],
        created_unix_nano=int(value["created_unix_nano"]),
        labels=tuple(value.get("labels") or ()),
    )


def incoming_json(link: LinkFrom) -> JsonObject:
    """The other trace's span and question, which span it leads to, and what the link says."""
    out = _present(link) | {"kind": link.kind.value, "status": link.status.value, "attributes": _attributes(link.attributes)}
    return out | {"start_time": rfc3339(link.start_unix_nano), "start_unix_nano": str(link.start_unix_nano)}


def incoming_from_json(value: Mapping[str, Any]) -> LinkFrom:
    told = {"kind": SpanKind(value["kind"]), "status": StatusCode(value["status"]), "start_unix_nano": int(value["start_unix_nano"])}
    return _built(LinkFrom, {**value, **told, "attributes": _attributes_from(value["attributes"])})


def stats_json(stats: Stats) -> JsonObject:
    return {**stats.extra, **{name: getattr(stats, name) for name in ("traces", "spans", "sessions", "scores", "bytes")}}


def stats_from_json(value: Mapping[str, Any]) -> Stats:
    counted = {name: value.get(name, 0) for name in ("traces", "spans", "sessions", "scores", "bytes")}
    return Stats(**counted, extra={name: item for name, item in value.items() if name not in counted})


def trial_json(trial: Trial) -> JsonObject:
    return _present(trial) | {"scores": [_score(score) for score in trial.scores]}


def trial_from_json(value: Mapping[str, Any]) -> Trial:
    return _built(Trial, {"trace_id": None, **value, "scores": tuple(_score_from(score) for score in value.get("scores") or ())})


def _all_fields(value: Any) -> JsonObject:
    return {name: getattr(value, name) for name in _names(type(value))}


# ---- Any value ----

_FORMS: dict[type, tuple[Callable[[Any], JsonObject], Callable[[Any], Any]]] = {
    Span: (span_json, span_from_json),
    SpanRow: (row_json, row_from_json),
    TraceSummary: (summary_json, summary_from_json),
    Trace: (trace_json, trace_from_json),
    Skeleton: (skeleton_json, skeleton_from_json),
    Health: (health_json, health_from_json),
    Score: (_score, _score_from),
    LinkFrom: (incoming_json, incoming_from_json),
    SessionSummary: (session_json, session_from_json),
    PassageSummary: (passage_json, passage_from_json),
    Version: (version_json, version_from_json),
    Trial: (trial_json, trial_from_json),
    Stats: (stats_json, stats_from_json),
    Event: (_event, _event_from),
    Message: (_message, _message_from),
    Link: (_with_attributes, lambda value: _with_attributes_from(Link, value)),
    Resource: (_with_attributes, lambda value: _with_attributes_from(Resource, value)),
    Scope: (_with_attributes, lambda value: _with_attributes_from(Scope, value)),
    ValueCount: (_all_fields, lambda value: _built(ValueCount, value)),
    Pruned: (_all_fields, lambda value: _built(Pruned, value)),
    Written: (_all_fields, lambda value: _built(Written, value)),
}


def to_json(value: object) -> Any:
    """Plain JSON values of a model value, a sequence or a mapping of them."""
    if form := _FORMS.get(type(value)):
        return form[0](value)
    if is_dataclass(value) and not isinstance(value, type):
        return _present(value)
    if isinstance(value, Mapping):
        return {key: to_json(item) for key, item in cast("Mapping[str, object]", value).items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [to_json(item) for item in cast("Sequence[object]", value)]
    return value


def from_json(cls: type[M], value: Any) -> M:
    """The model value that `to_json` wrote."""
    if form := _FORMS.get(cls):
        return form[1](value)
    return _built(cls, value)


def page_json(name: str, page: Page[Any]) -> JsonObject:
    """A page under the plural of what it holds; `searched_back_to` where a time budget ended the scan."""
    return {name: [to_json(item) for item in page.items], "next_cursor": page.next_cursor, **completeness_json(page)}


def completeness_json(page: Page[Any]) -> JsonObject:
    """Whether a page is the whole answer, and if not, how far back it looked."""
    out: JsonObject = {"complete": page.complete}
    if page.searched_back_to_unix_nano is not None:
        out["searched_back_to"] = rfc3339(page.searched_back_to_unix_nano)
        out["searched_back_to_unix_nano"] = str(page.searched_back_to_unix_nano)
    return out


def page_from_json(cls: type[M], name: str, value: Mapping[str, Any]) -> Page[M]:
    back = value.get("searched_back_to_unix_nano")
    return Page(
        items=tuple(from_json(cls, item) for item in value[name]),
        next_cursor=value.get("next_cursor"),
        complete=value.get("complete", True),
        searched_back_to_unix_nano=int(back) if back is not None else None,
    )
