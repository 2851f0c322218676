"""Spans for the store's tests: small RAG traces, made by hand or at random."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from collector.model import AttributeValue, Event, Resource, Scope, Span, StatusCode

SECOND, MINUTE, HOUR, DAY = 10**9, 60 * 10**9, 3600 * 10**9, 86_400 * 10**9
NOW = 1_790_000_000 * SECOND
RESOURCE = Resource({"service.name": "shop"})
SCOPE = Scope("test", "1")


def trace_id(number: int) -> str:
    return f"{number + 1:032x}"


def span_id(number: int) -> str:
    return f"{number + 1:016x}"


def span(
    trace: int = 0,
    number: int = 0,
    parent: int | None = None,
    *,
    name: str = "step",
    kind: str = "CHAIN",
    start: int = NOW,
    duration: int = SECOND,
    status: StatusCode = StatusCode.UNSET,
    events: Sequence[Event] = (),
    resource: Resource = RESOURCE,
    attributes: Mapping[str, AttributeValue] | None = None,
    **more: Any,
) -> Span:
    """One span; numbers become ids."""
    return Span(
        trace_id=trace_id(trace),
        span_id=span_id(number),
        parent_span_id="" if parent is None else span_id(parent),
        name=name,
        start_unix_nano=start,
        end_unix_nano=start + duration,
        attributes={"openinference.span.kind": kind, **(attributes or {})},
        status=status,
        events=events,
        resource=resource,
        scope=SCOPE,
        **more,
    )


def llm(trace: int = 0, number: int = 1, parent: int | None = 0, *, model: str = "gpt-4o-mini", tokens: int = 100, **more: Any) -> Span:
    attributes: dict[str, AttributeValue] = {
        "llm.model_name": model,
        "llm.token_count.prompt": tokens,
        "llm.token_count.completion": tokens // 10,
        **more.pop("attributes", {}),
    }
    return span(trace, number, parent, name=more.pop("name", "chat"), kind="LLM", attributes=attributes, **more)


def retriever(
    trace: int = 0, number: int = 2, parent: int | None = 0, *, passages: Sequence[tuple[str, str, float]] = (), **more: Any
) -> Span:
    """Passages as (id, text, score); the source is the id's part before '#'."""
    attributes: dict[str, AttributeValue] = dict(more.pop("attributes", {}))
    for place, (document, text, score) in enumerate(passages):
        head = f"retrieval.documents.{place}.document"
        attributes |= {f"{head}.id": document, f"{head}.content": text, f"{head}.score": score}
        attributes[f"{head}.metadata"] = f'{{"source": "{document.partition("#")[0]}"}}'
    return span(trace, number, parent, name="retrieve", kind="RETRIEVER", attributes=attributes, **more)


def question(trace: int, text: str = "How do I return an item?", answer: str = "Within 30 days.", **more: Any) -> list[Span]:
    """A root, a retriever and a model call."""
    start = more.pop("start", NOW + trace * MINUTE)
    attributes: dict[str, AttributeValue] = {"input.value": text, "output.value": answer, **more.pop("attributes", {})}
    passages = more.pop("passages", [("faq.md#returns", "Items can be returned within 30 days.", 0.9)])
    failed = StatusCode.ERROR if more.pop("failed", False) else StatusCode.UNSET
    model = more.pop("model", "gpt-4o-mini")
    return [
        span(trace, 0, name="ask", start=start, duration=more.pop("duration", 2 * SECOND), attributes=attributes, **more),
        retriever(trace, 2, 0, start=start + 1_000_000, duration=300_000_000, passages=passages, **more),
        llm(trace, 1, 0, start=start + 400_000_000, duration=1_500_000_000, status=failed, model=model, **more),
    ]


def forest(random_numbers: random.Random, traces: int, spans: int) -> list[Span]:
    """Traces of every shape: deep, wide, without a root, with wrappers that repeat tokens, with failures."""
    made: list[Span] = []
    for trace in range(traces):
        for number in range(random_numbers.randint(1, spans)):
            parent = random_numbers.randrange(number) if number else None
            if number == 0 and random_numbers.random() < 0.2:
                parent = 999  # a root that never comes
            start = NOW + trace * 20 * SECOND + random_numbers.randrange(90) * SECOND
            status = StatusCode.ERROR if random_numbers.random() < 0.15 else StatusCode.UNSET
            options: dict[str, Any] = {"start": start, "duration": random_numbers.randrange(1, 10 * SECOND), "status": status}
            if random_numbers.random() < 0.3:
                options["attributes"] = {"session.id": f"s{random_numbers.randrange(3)}", "tag.tags": [f"t{random_numbers.randrange(3)}"]}
            make = random_numbers.choice([span, llm, retriever])
            if make is span and random_numbers.random() < 0.3:
                options["attributes"] = {**options.get("attributes", {}), "input.value": f"q{number}", "output.value": f"a{number}"}
            made.append(make(trace, number, parent, **options))
    return made
