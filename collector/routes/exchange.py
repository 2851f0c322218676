"""Traces out and in: a stream of matching traces, and bodies of what such a stream (or an OTLP file exporter) wrote."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from typing import Annotated

import orjson
from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from collector import otlp
from collector.errors import MalformedRequest, UnsupportedMediaType
from collector.filters import Filter
from collector.jsonform import encode, from_json, to_json, trace_json
from collector.model import Batch, Score, Trace, Written
from collector.otlp import Encoding
from collector.routes.answer import json_answer, streamed_answer
from collector.routes.otlp import INFLATERS
from collector.routes.parts import Asked, Here
from collector.store.base import SpanStore

router = APIRouter(prefix="/api/v1", tags=["exchange"])

PROTOBUF = frozenset({"application/x-protobuf", "application/octet-stream"})


class Format(StrEnum):
    otlp_jsonl = "otlp-jsonl"
    jsonl = "jsonl"


def _otlp_line(trace: Trace, scores: Sequence[Score]) -> bytes:
    """An ExportTraceServiceRequest; scores ride along in a field of their own, which every other OTLP receiver must ignore."""
    line = otlp.encode_traces(trace.spans, Encoding.JSON)
    return line[:-1] + b',"scores":' + encode(to_json(scores)) + b"}" if scores else line


def _own_line(trace: Trace, scores: Sequence[Score]) -> bytes:
    return encode(trace_json(trace))


_WRITERS: Mapping[Format, Callable[[Trace, Sequence[Score]], bytes]] = {Format.otlp_jsonl: _otlp_line, Format.jsonl: _own_line}


@router.get("/export")
def export(
    request: Request,
    here: Here,
    filter: Asked,
    format: Annotated[
        Format, Query(description="otlp-jsonl: lossless, can be imported. jsonl: a trace as the API shows it.")
    ] = Format.otlp_jsonl,
) -> Response:
    """The matching traces, oldest first, one line each. Where a damaged file ends it early, the stream breaks off without its end."""
    return streamed_answer(request, _exported(here.store, filter, _WRITERS[format]), "application/x-ndjson", filename=f"traces.{format}")


def _exported(store: SpanStore, filter: Filter, write: Callable[[Trace, Sequence[Score]], bytes]) -> Iterator[bytes]:
    """A line per trace, with its scores; those of a session travel with the first of its traces."""
    told: set[str] = set()
    for trace in store.spans(filter):
        scores = list(store.scores(trace_id=trace.summary.trace_id))
        session = trace.summary.session_id
        if session is not None and session not in told:
            told.add(session)
            scores += store.scores(session_id=session)
        yield write(trace, scores) + b"\n"


@router.post("/import")
async def import_traces(request: Request, here: Here) -> Response:
    """Store OTLP: JSON (`application/json`), JSON lines (`application/x-ndjson`) or protobuf (`application/x-protobuf`, also
    the frames of the OpenTelemetry Collector's file exporter), compressed or not.

    `{spans, duplicates, scores, rejected}`: a span that is there already is a duplicate and left alone."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    inflate = INFLATERS.get(request.headers.get("content-encoding", "").strip().lower())
    if inflate is None:
        raise UnsupportedMediaType(f"content encoding {request.headers['content-encoding']!r}: one of {', '.join(filter(None, INFLATERS))}")
    body = inflate(await request.body(), here.max_upload_bytes)
    encoding = Encoding.PROTOBUF if media_type in PROTOBUF else Encoding.JSON
    bodies = _frames(body) if encoding is Encoding.PROTOBUF else _lines(body)
    written = Written()
    for number, part in enumerate(bodies, 1):
        batch, refused = await run_in_threadpool(_batch, part, encoding, number)
        written += Written(rejected=refused)
        if batch.spans or batch.logs or batch.scores:
            written += await here.ingest.accept(batch)
    return json_answer(request, to_json(written))


def _lines(body: bytes) -> Sequence[bytes]:
    """One request in a line each; a document that spreads over lines, whole."""
    body = body.removeprefix(b"\xef\xbb\xbf")  # what Windows editors put before UTF-8
    first, _, rest = body.lstrip().partition(b"\n")
    if rest.strip():
        with suppress(ValueError):
            orjson.loads(first)
            return [line for line in body.splitlines() if line.strip()]
    return [body]


def _frames(body: bytes) -> Sequence[bytes]:
    """The one request, or those of the OpenTelemetry Collector's file exporter: each after its length in four bytes."""
    if not body or body[0] == 0x0A:  # the tag of a request's first field; as a length it would be 167 MB
        return [body]
    frames: list[bytes] = []
    at = 0
    while at < len(body):
        end = at + 4 + int.from_bytes(body[at : at + 4], "big")
        if end > len(body):
            raise MalformedRequest("neither an OTLP request in protobuf nor frames of them, or cut short")
        frames.append(body[at + 4 : end])
        at = end
    return frames


def _batch(part: bytes, encoding: Encoding, number: int) -> tuple[Batch, int]:
    """What one request or line holds, and how many spans of it cannot be kept."""
    try:
        if encoding is Encoding.PROTOBUF:
            decoded = otlp.decode_traces(part, encoding)
            return Batch(spans=decoded.spans), decoded.rejected
        decoded = otlp.decode_traces(part, encoding)
        if not decoded.spans and not decoded.rejected:
            _check_is_otlp(part)
        logs = otlp.decode_logs(part, encoding).logs if b'"resourceLogs"' in part else ()
        return Batch(spans=decoded.spans, logs=logs, scores=_scores(part)), decoded.rejected
    except MalformedRequest as problem:
        raise MalformedRequest(f"line {number}: {problem}" if encoding is Encoding.JSON else str(problem)) from problem


def _check_is_otlp(part: bytes) -> None:
    """Of a document without spans: a receiver ignores fields it does not know, an import says that it found nothing it could keep."""
    document: dict[str, object] = orjson.loads(part)
    if not document or any(name in document for name in ("resourceSpans", "resourceLogs", "resourceMetrics", "scores")):
        return
    if "trace" in document and "spans" in document:
        raise MalformedRequest("this is the form `jsonl`, which is for reading; export as `otlp-jsonl` to import it")
    raise MalformedRequest(f"no OTLP request: it has {', '.join(sorted(document)[:5])} where resourceSpans should be")


def _scores(part: bytes) -> Sequence[Score]:
    """The scores that `export` put beside the spans."""
    if b'"scores":[' not in part:
        return ()
    given = orjson.loads(part).get("scores") or ()
    try:
        return tuple(from_json(Score, score) for score in given)
    except (AttributeError, KeyError, TypeError, ValueError) as problem:
        raise MalformedRequest(f"scores that no export wrote: {problem!r}") from problem
