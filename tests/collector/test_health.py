"""Trace health: each oddity is found once, named in plain words, and a sound trace is silent."""

from __future__ import annotations

import time
from typing import Any

from collector.dialects import normalise
from collector.health import content_switch, examine
from collector.model import Event, Health, Resource, Scope, Span
from tests.collector.otlp_bodies import START, TRACE

SECOND = 10**9


def span(number: int, parent: int = 0, start: float = 0.0, end: float = 1.0, **fields: Any) -> Span:
    return normalise(
        Span(
            trace_id=TRACE,
            span_id=f"{number:016x}",
            parent_span_id=f"{parent:016x}" if parent else "",
            name=f"s{number}",
            start_unix_nano=START + int(start * SECOND),
            end_unix_nano=START + int(end * SECOND),
            **fields,
        )
    )


def codes(*spans: Span) -> list[str]:
    return [finding.code for finding in examine(spans).findings]


def test_a_sound_trace_is_silent() -> None:
    assert examine([span(1), span(2, 1), span(3, 2)]) == Health()


def test_a_missing_root_and_its_orphans() -> None:
    health = examine([span(2, 1), span(3, 1), span(4, 9), span(5, 2)])
    assert [finding.code for finding in health.findings] == ["missing_root", "orphan"]
    assert health.orphan_count == 3
    assert "3 spans name 2 parents" in health.findings[1].message


def test_cycles_are_cut_and_said() -> None:
    spans = [span(1, 2, 0.1), span(2, 1, 0.2), span(3, 3, 0.3), span(4)]
    (cycle,) = [finding for finding in examine(spans).findings if finding.code == "cycle"]
    assert sorted(cycle.span_ids) == [f"{1:016x}", f"{3:016x}"]


def test_clocks_and_times() -> None:
    assert codes(span(1, start=1, end=3), span(2, 1, start=0.5, end=2)) == ["clock_skew"]
    assert codes(span(1, start=1, end=0.5)) == ["negative_duration"]
    assert codes(span(1), span(2, 1, start=100, end=101)) == ["late"]
    assert codes(normalise(Span(TRACE, "1" * 16, "", "n", 5, 6))) == ["no_start"]
    assert codes(normalise(Span(TRACE, "1" * 16, "", "n", START, 0))) == ["no_end"]


def test_skew_between_services_is_explained_by_their_clocks() -> None:
    here, there = Resource({"service.name": "a"}), Resource({"service.name": "b"})
    (finding,) = examine([span(1, start=1, end=3, resource=here), span(2, 1, start=0.2, end=2, resource=there)]).findings
    assert "two machines" in finding.message


def test_losses_in_the_sdk_are_counted() -> None:
    lossy = span(1, dropped_attributes_count=2, dropped_events_count=1, events=[Event("e", START, {}, 4)])
    health = examine([lossy])
    assert health.dropped_count == 7
    assert [finding.code for finding in health.findings] == ["dropped"]
    assert codes(span(1, attributes={f"k{i}": i for i in range(128)})) == ["limit_hit"]
    assert codes(*(span(i, 1 if i > 1 else 0, attributes={"big": "x" * 1024}) for i in (1, 2, 3))) == ["truncated"]


def test_model_calls_without_content_name_the_switch() -> None:
    blank = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}
    (finding,) = examine([span(1, attributes=blank, scope=Scope("opentelemetry.instrumentation.genai.openai"))]).findings
    assert finding.code == "no_content"
    assert "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT" in finding.message
    assert content_switch("haystack") == "HAYSTACK_CONTENT_TRACING_ENABLED=true"
    assert content_switch("nobody") is None


def test_keys_that_sound_like_content_are_counted_and_named() -> None:
    health = examine([span(1, attributes={"acme.user_prompt": "hi", "acme.retries": 3, "http.request.body": "x"})])
    assert health.unmapped_count == 1
    assert "acme.user_prompt" in health.findings[0].message


def test_several_roots_are_legal_and_mentioned() -> None:
    assert codes(span(1), span(2, start=0.1)) == ["several_roots"]


def test_a_running_span_is_counted_and_blamed_for_nothing() -> None:
    running = normalise(
        Span(TRACE, "2" * 16, f"{1:016x}", "n", START, 0, {"rightpassage.span.state": "running", "gen_ai.operation.name": "chat"})
    )
    health = examine([span(1), running])
    assert (health.running_count, list(health.findings)) == (1, [])


def test_thousands_of_odd_spans_are_examined_quickly() -> None:
    started = time.monotonic()
    selves = [span(i, i) for i in range(1, 5001)]
    early = [span(9_000), *(span(10_000 + i, 9_000, start=-5) for i in range(5000))]
    health = examine([*selves, *early])
    assert {"cycle", "clock_skew"} <= {finding.code for finding in health.findings}
    assert time.monotonic() - started < 10


def test_a_very_deep_trace_is_no_trouble() -> None:
    deep = [span(i, i - 1 if i > 1 else 0) for i in range(1, 5001)]
    assert examine(deep) == Health()
