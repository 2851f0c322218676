"""Is it up, and how much has come: `/healthz` for people and probes, `/metrics` for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response

from collector.routes.answer import json_answer
from collector.routes.parts import Here

router = APIRouter(tags=["health"])

HELP: Mapping[str, str] = {
    "spans": "Spans received and understood.",
    "spans_rejected": "Spans refused in a partial success.",
    "logs": "Log records that enrich a span.",
    "logs_ignored": "Log records that do not, accepted and not stored.",
    "metrics_ignored": "Metric points, accepted and not stored.",
    "requests_refused": "Requests refused because too many bodies were being read.",
    "batches_refused": "Batches refused because too much waited to be written.",
    "commits": "Transactions written.",
}


@router.get("/healthz")
def read_health(request: Request, here: Here) -> Response:
    """`{status: "ok", version, sqlite_version, …}` once it accepts."""
    return json_answer(request, {"status": "ok", **here.about})


@router.get("/metrics", response_class=PlainTextResponse)
def read_metrics(here: Here) -> Response:
    """Counts of what was received since the start and of what is stored, in Prometheus' text format."""
    stats = here.store.stats()
    stored = {name: getattr(stats, name) for name in ("traces", "spans", "sessions", "scores")}
    lines = [
        *_metric("rightpassage_info", "gauge", "Version of the collector.", {f'{{version="{here.about.get("version", "")}"}}': 1}),
        *_metric("rightpassage_stored", "gauge", "What the store holds.", {f'{{what="{name}"}}': n for name, n in stored.items()}),
        *_metric("rightpassage_store_bytes", "gauge", "Bytes of the store on disk.", {"": stats.bytes}),
    ]
    for name, value in sorted(here.counters().items()):
        lines += _metric(f"rightpassage_received_{name}_total", "counter", HELP.get(name, name), {"": value})
    return PlainTextResponse("\n".join(lines) + "\n", media_type="text/plain; version=0.0.4; charset=utf-8")


def _metric(name: str, kind: str, help: str, values: Mapping[str, float]) -> Iterator[str]:
    yield f"# HELP {name} {help}"
    yield f"# TYPE {name} {kind}"
    for labels, value in values.items():
        yield f"{name}{labels} {value}"
