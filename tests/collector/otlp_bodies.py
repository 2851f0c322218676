"""OTLP bodies for the tests of this folder: a span, requests around it, and an ingest that only remembers what it was given."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from collector.errors import RightPassageError
from collector.model import Batch, Event, Link, Resource, Scope, Span, StatusCode, Written

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
START = 1_795_445_216_392_873_336


def span(**changes: Any) -> Span:
    """A span with something in every field."""
    whole = Span(
        trace_id=TRACE,
        span_id=SPAN,
        parent_span_id="00f067aa0ba902b7",
        name="chat",
        start_unix_nano=START,
        end_unix_nano=START + 1_500_000_001,
        attributes={
            "text": "Grüße, 世界 \x00 \u2028",
            "int": 2**53 + 1,
            "smallest": -(2**63),
            "float": 0.1,
            "whole": 1.0,
            "yes": True,
            "bytes": b"\x00\xff",
            "array": ["a", 1, 2.5, False, None, [b"x"]],
            "map": {"a": {"b": [1, {"c": "d"}]}, "": ""},
            "null": None,
            "empty": "",
        },
        events=[Event("exception", START + 5, {"exception.type": "ValueError"}, 1)],
        links=[Link("1" * 32, "2" * 16, "k=v", {"n": 1}, 2, 1)],
        status=StatusCode.ERROR,
        status_message="it broke",
        otel_kind=3,
        trace_state="vendor=1",
        flags=257,
        dropped_attributes_count=1,
        dropped_events_count=2,
        dropped_links_count=3,
        resource=Resource({"service.name": "shop"}, 4, "https://opentelemetry.io/schemas/1.37.0"),
        scope=Scope("lib", "1.2", {"scoped": True}, 5, "https://opentelemetry.io/schemas/1.36.0"),
    )
    return replace(whole, **changes)


class Remembering:
    """The two ways into ingest, into a list; or refusing, with the error it is given."""

    def __init__(self, refusal: RightPassageError | None = None) -> None:
        self.batches: list[Batch] = []
        self.refusal = refusal

    @property
    def spans(self) -> list[Span]:
        return [span for batch in self.batches for span in batch.spans]

    def accept_blocking(self, batch: Batch, body_bytes: int = 0) -> Written:
        if self.refusal:
            raise self.refusal
        self.batches.append(batch)
        return Written(len(batch.spans))

    async def accept(self, batch: Batch, body_bytes: int = 0) -> Written:
        return self.accept_blocking(batch, body_bytes)
