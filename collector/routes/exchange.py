"""Traces out and in: a stream of matching traces, and bodies of what such a stream (or an OTLP file exporter) wrote."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from collector import otlp
from collector.errors import MalformedRequest
from collector.jsonform import encode, to_json, trace_json
from collector.model import Batch, Trace, Written
from collector.otlp import Decoded, Encoding
from collector.routes.answer import json_answer, streamed_answer
from collector.routes.parts import Asked, Here

router = APIRouter(prefix="/api/v1", tags=["exchange"])

LINES = frozenset({"application/x-ndjson", "application/jsonl"})


class Format(StrEnum):
    otlp_jsonl = "otlp-jsonl"
    jsonl = "jsonl"


_WRITERS: Mapping[Format, Callable[[Trace], bytes]] = {
    Format.otlp_jsonl: lambda trace: otlp.encode_traces(trace.spans, Encoding.JSON),
    Format.jsonl: lambda trace: encode(trace_json(trace)),
}


@router.get("/export")
def export(
    request: Request,
    here: Here,
    filter: Asked,
    format: Annotated[
        Format, Query(description="otlp-jsonl: lossless, can be imported. jsonl: a trace as the API shows it.")
    ] = Format.otlp_jsonl,
) -> Response:
    """The matching traces, oldest first, one line each."""
    write = _WRITERS[format]
    lines: Iterator[bytes] = (write(trace) + b"\n" for trace in here.store.spans(filter))
    return streamed_answer(request, lines, "application/x-ndjson", filename=f"traces.{format}")


@router.post("/import")
async def import_traces(request: Request, here: Here) -> Response:
    """Store OTLP: JSON (`application/json`), JSON lines (`application/x-ndjson`) or protobuf (`application/x-protobuf`).

    `{spans, duplicates, scores, rejected}`: a span that is there already is a duplicate and left alone."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await request.body()
    bodies = [line for line in body.splitlines() if line.strip()] if media_type in LINES else [body]
    encoding = Encoding.PROTOBUF if media_type in ("application/x-protobuf", "application/octet-stream") else Encoding.JSON
    written, rejected = Written(), 0
    for number, part in enumerate(bodies, 1):
        decoded = await run_in_threadpool(_decoded, part, encoding, number)
        rejected += decoded.rejected
        if decoded.spans:
            more = await here.ingest.accept(Batch(spans=decoded.spans))
            written = Written(written.spans + more.spans, written.duplicates + more.duplicates, written.scores + more.scores)
    return json_answer(request, {**to_json(written), "rejected": rejected})


def _decoded(part: bytes, encoding: Encoding, number: int) -> Decoded:
    try:
        return otlp.decode_traces(part, encoding)
    except MalformedRequest as problem:
        raise MalformedRequest(f"line {number}: {problem}" if encoding is Encoding.JSON else str(problem)) from problem
