"""OTLP/JSON records in and out: hex ids (base64 tolerated), 64-bit integers as strings or numbers, enums as numbers or names."""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from collector.errors import MalformedRequest, RequestTooLarge
from collector.making import maker
from collector.model import Attributes, AttributeValue, Event, Link, LogRecord, Resource, Scope, Span, StatusCode
from collector.otlp.limits import INT64_MAX, INT64_MIN, Budget, Rejected
from collector.otlp.shape import STATUS, STATUS_NUMBERS, Groups, log_record

_BRACES_MAX = 4_000_000
_COMMAS_MAX = 8_000_000


def load(body: bytes) -> Mapping[str, Any]:
    # Counted before parsing, at memory speed: a JSON body can grow thirtyfold in memory, these bound it to about 600 MB at worst.
    if body.count(b"{") + body.count(b"[") > _BRACES_MAX or body.count(b",") > _COMMAS_MAX:
        raise RequestTooLarge("too many values in one request")
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError as failure:
        raise MalformedRequest(f"not JSON: {failure}") from None
    if not isinstance(request, dict):
        raise MalformedRequest(f"the request is {_shown(request)}, not an object")
    return request


def _shown(value: Any) -> str:
    return f"{type(value).__name__} {str(value)[:60]!r}"


def objects(holder: Any, name: str) -> Sequence[Any]:
    if not isinstance(holder, dict):
        raise MalformedRequest(f"{_shown(holder)} where an object with {name!r} belongs")
    value = holder.get(name)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise MalformedRequest(f"{name!r} is {_shown(value)}, not a list of objects")
    return value


def an_object(holder: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = holder.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise MalformedRequest(f"{name!r} is {_shown(value)}, not an object")
    return value


def a_text(holder: Mapping[str, Any], name: str) -> str:
    value = holder.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise MalformedRequest(f"{name!r} is {_shown(value)}, not a string")
    return value


def _integer(value: Any, name: str, low: int = 0, high: int = 2**64 - 1) -> int:
    """A 64-bit integer given as a number or a decimal string; exact, never by way of a double."""
    if value is None:
        return 0
    if isinstance(value, str):
        try:
            value = int(value)
        except ValueError:
            raise MalformedRequest(f"{name!r} is {_shown(value)}, not an integer") from None
    elif isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise MalformedRequest(f"{name!r} is {_shown(value)}, not an integer of this field's size")
    return value


def _enumerated(value: Any, name: str, names: Mapping[str, int]) -> int:
    if isinstance(value, str) and not value.lstrip("-").isdigit():
        if value not in names:
            raise MalformedRequest(f"{name!r} is {value[:60]!r}: one of {', '.join(names)}")
        return names[value]
    return _integer(value, name, -(2**31), 2**31 - 1)


_KIND_NAMES = {f"SPAN_KIND_{kind}": i for i, kind in enumerate(("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"))}
_STATUS_NAMES = {"STATUS_CODE_UNSET": 0, "STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2}
_NOT_NUMBERS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def _double(value: Any) -> float:
    if isinstance(value, str):
        try:
            return _NOT_NUMBERS[value] if value in _NOT_NUMBERS else float(value)
        except ValueError:
            pass
    elif isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise MalformedRequest(f"doubleValue is {_shown(value)}, not a number")


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise MalformedRequest(f"stringValue is {_shown(value)}, not a string")
    return value


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise MalformedRequest(f"boolValue is {_shown(value)}, not true or false")
    return value


def _binary(value: Any) -> bytes:
    try:
        text = _string(value).replace("-", "+").replace("_", "/")
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        raise MalformedRequest(f"bytesValue is {_shown(value)}, not base64") from None


class Values(Budget):
    """Reads attribute values of the form {"stringValue": …} within a budget."""

    __slots__ = ()

    def attributes(self, holder: Mapping[str, Any], depth: int = 0) -> dict[str, AttributeValue]:
        key_values = objects(holder, "attributes")
        self.take(len(key_values))
        return {a_text(item, "key"): self.value(item.get("value"), depth) for item in key_values}

    def value(self, value: Any, depth: int) -> AttributeValue:
        if not value:
            return None
        if not isinstance(value, dict):
            raise MalformedRequest(f'an attribute\'s value is {_shown(value)}, not an object such as {{"stringValue": …}}')
        for name, inner in value.items():
            read = _JSON_VALUES.get(name)
            if read is not None and inner is not None:
                return read(self, inner, depth)
        return None

    def array(self, value: Any, depth: int) -> list[AttributeValue]:
        self.enter(depth + 1)
        items = objects(value, "values")
        self.take(len(items))
        return [self.value(item, depth + 1) for item in items]

    def key_values(self, value: Any, depth: int) -> dict[str, AttributeValue]:
        self.enter(depth + 1)
        items = objects(value, "values")
        self.take(len(items))
        return {a_text(item, "key"): self.value(item.get("value"), depth + 1) for item in items}


_JSON_VALUES: Mapping[str, Callable[[Values, Any, int], AttributeValue]] = {
    "stringValue": lambda values, value, depth: _string(value),
    "intValue": lambda values, value, depth: _integer(value, "intValue", INT64_MIN, INT64_MAX),
    "doubleValue": lambda values, value, depth: _double(value),
    "boolValue": lambda values, value, depth: _boolean(value),
    "arrayValue": Values.array,
    "kvlistValue": Values.key_values,
    "bytesValue": lambda values, value, depth: _binary(value),
}


def _id(value: Any, size: int, what: str) -> str:
    """An id in lowercase hex; "" when absent or all zero. Hex in any case by the specification, base64 as generic encoders write it."""
    if not value:
        return ""
    if isinstance(value, str):
        try:
            if len(value) == 2 * size:
                found = bytes.fromhex(value).hex() if value.isalnum() else ""
            else:
                raw = base64.b64decode(value, validate=True)
                found = raw.hex() if len(raw) == size else ""
            if found:
                return found if found.strip("0") else ""
        except ValueError:  # binascii.Error is one
            pass
    raise Rejected(f"a {what} must be {2 * size} hex digits, not {str(value)[:40]!r}")


def read_resource(resource: Mapping[str, Any], schema_url: str, values: Values) -> Resource:
    return Resource(values.attributes(resource), _count(resource, "droppedAttributesCount"), schema_url)


def read_scope(scope: Mapping[str, Any], schema_url: str, values: Values) -> Scope:
    dropped = _count(scope, "droppedAttributesCount")
    return Scope(a_text(scope, "name"), a_text(scope, "version"), values.attributes(scope), dropped, schema_url)


def _count(holder: Mapping[str, Any], name: str) -> int:
    return _integer(holder.get(name), name, 0, 2**32 - 1)


_MAKE = maker(Span)


def read_span(span: Mapping[str, Any], resource: Resource, scope: Scope, values: Values) -> Span:
    trace_id = _id(span.get("traceId"), 16, "trace id")
    span_id = _id(span.get("spanId"), 8, "span id")
    if not trace_id or not span_id:
        raise Rejected("a span needs a trace id and a span id that are not all zero")
    start = _integer(span.get("startTimeUnixNano"), "startTimeUnixNano")
    end = _integer(span.get("endTimeUnixNano"), "endTimeUnixNano")
    if start > INT64_MAX or end > INT64_MAX:
        raise Rejected("a time lies beyond the year 2262")
    events, links, status = objects(span, "events"), objects(span, "links"), an_object(span, "status")
    values.take(len(events) + len(links))
    return _MAKE(
        trace_id=trace_id,
        span_id=span_id,
        parent_span_id=_id(span.get("parentSpanId"), 8, "parent span id"),
        name=a_text(span, "name"),
        start_unix_nano=start,
        end_unix_nano=end,
        attributes=values.attributes(span),
        events=[_read_event(event, values) for event in events] if events else (),
        links=[_read_link(link, values) for link in links] if links else (),
        status=STATUS.get(_enumerated(status.get("code"), "code", _STATUS_NAMES), StatusCode.UNSET),
        status_message=a_text(status, "message"),
        otel_kind=_enumerated(span.get("kind"), "kind", _KIND_NAMES),
        trace_state=a_text(span, "traceState"),
        flags=_count(span, "flags"),
        dropped_attributes_count=_count(span, "droppedAttributesCount"),
        dropped_events_count=_count(span, "droppedEventsCount"),
        dropped_links_count=_count(span, "droppedLinksCount"),
        resource=resource,
        scope=scope,
    )


def _read_event(event: Mapping[str, Any], values: Values) -> Event:
    time = min(_integer(event.get("timeUnixNano"), "timeUnixNano"), INT64_MAX)
    return Event(a_text(event, "name"), time, values.attributes(event), _count(event, "droppedAttributesCount"))


def _read_link(link: Mapping[str, Any], values: Values) -> Link:
    return Link(
        trace_id=_id(link.get("traceId"), 16, "link's trace id"),
        span_id=_id(link.get("spanId"), 8, "link's span id"),
        trace_state=a_text(link, "traceState"),
        attributes=values.attributes(link),
        dropped_attributes_count=_count(link, "droppedAttributesCount"),
        flags=_count(link, "flags"),
    )


def read_log(record: Mapping[str, Any], resource: Resource, scope: Scope, values: Values) -> LogRecord | None:
    trace_id = _id(record.get("traceId"), 16, "trace id")
    span_id = _id(record.get("spanId"), 8, "span id")
    if not trace_id or not span_id:
        return None
    time = _integer(record.get("timeUnixNano"), "timeUnixNano") or _integer(record.get("observedTimeUnixNano"), "observedTimeUnixNano")
    attributes, body = values.attributes(record), values.value(record.get("body"), 0)
    return log_record(trace_id, span_id, a_text(record, "eventName"), time, attributes, body, _count(record, "droppedAttributesCount"))


# ---- Writing ----


_Object = dict[str, Any]


def write_request(groups: Groups) -> bytes:
    """An ExportTraceServiceRequest of these groups."""
    request = _request(groups)
    try:
        return orjson.dumps(request)
    except TypeError:  # deeper than orjson writes (254 levels: a map takes four)
        return json.dumps(request, ensure_ascii=False, separators=(",", ":")).encode()


def _request(groups: Groups) -> _Object:
    return {
        "resourceSpans": [
            present(
                resource=present(attributes=_json_out(resource.attributes), droppedAttributesCount=resource.dropped_attributes_count),
                scopeSpans=[
                    present(
                        scope=present(
                            name=scope.name,
                            version=scope.version,
                            attributes=_json_out(scope.attributes),
                            droppedAttributesCount=scope.dropped_attributes_count,
                        ),
                        spans=[_span_out(span) for span in spans],
                        schemaUrl=scope.schema_url,
                    )
                    for scope, spans in scopes
                ],
                schemaUrl=resource.schema_url,
            )
            for resource, scopes in groups
        ]
    }


def present(**fields: Any) -> _Object:
    """The fields that differ from protobuf's defaults."""
    return {name: value for name, value in fields.items() if value}


def _span_out(span: Span) -> _Object:
    return present(
        traceId=span.trace_id,
        spanId=span.span_id,
        parentSpanId=span.parent_span_id,
        traceState=span.trace_state,
        flags=span.flags,
        name=span.name,
        kind=span.otel_kind,
        startTimeUnixNano=str(span.start_unix_nano),
        endTimeUnixNano=str(span.end_unix_nano),
        attributes=_json_out(span.attributes),
        droppedAttributesCount=span.dropped_attributes_count,
        events=[
            present(
                name=event.name,
                timeUnixNano=str(event.time_unix_nano),
                attributes=_json_out(event.attributes),
                droppedAttributesCount=event.dropped_attributes_count,
            )
            for event in span.events
        ],
        droppedEventsCount=span.dropped_events_count,
        links=[
            present(
                traceId=link.trace_id,
                spanId=link.span_id,
                traceState=link.trace_state,
                attributes=_json_out(link.attributes),
                droppedAttributesCount=link.dropped_attributes_count,
                flags=link.flags,
            )
            for link in span.links
        ],
        droppedLinksCount=span.dropped_links_count,
        status=present(code=STATUS_NUMBERS[span.status], message=span.status_message),
    )


def _json_out(attributes: Attributes) -> list[_Object]:
    return [{"key": key, "value": _value_out(value)} for key, value in attributes.items()]


def _value_out(value: AttributeValue) -> _Object:
    if value is None:
        return {}
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value if math.isfinite(value) else "NaN" if math.isnan(value) else f"{'-' * (value < 0)}Infinity"}
    if isinstance(value, str):
        return {"stringValue": value}
    if isinstance(value, bytes):
        return {"bytesValue": base64.b64encode(value).decode()}
    if isinstance(value, Mapping):
        return {"kvlistValue": {"values": _json_out(value)}}
    return {"arrayValue": {"values": [_value_out(item) for item in value]}}
