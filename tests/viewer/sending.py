"""Sending a sample to a collector: over OTLP/JSON, as a program would."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import orjson

from tests.processes import RunningCollector
from tests.viewer.trace_samples import trace_id_of

PIECE = 8_000  # spans per request: exporters send batches too


def send(collector: RunningCollector, request: Mapping[str, Any]) -> str:
    """Deliver the request, in pieces if it is large; returns its trace id once everything is on disk."""
    held = request["resourceSpans"][0]
    scope = held["scopeSpans"][0]
    for first in range(0, len(scope["spans"]), PIECE):
        piece = {**held, "scopeSpans": [{**scope, "spans": scope["spans"][first : first + PIECE]}]}
        answer = httpx.post(
            f"{collector.http}/v1/traces",
            content=orjson.dumps({"resourceSpans": [piece]}),
            headers={"content-type": "application/json"},
            timeout=60,
        )
        assert answer.status_code == 200, answer.text
    return trace_id_of(request)
