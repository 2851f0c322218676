"""A week of history for the demo: conversations of a small team, healthy and broken ones, with their feedback.

Each question is really asked and really traced; only the times are moved back, so that charts have a past. One trace arrives without its
root, as if the process had been killed, because that too happens. On a docs folder of someone else's the questions come from its headings.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import httpx
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from tqdm import tqdm

from demo_rag_bot.conversation import Conversations
from demo_rag_bot.faults import FAULTS
from demo_rag_bot.settings import default_docs
from demo_rag_bot.threads import Feedback

HOUR_NS = 3_600_000_000_000
TRACES_PER_REQUEST = 10


class Backdated(SpanExporter):
    """Holds the spans of a seeding until it is known when they are to have happened."""

    def __init__(self) -> None:
        self._held: dict[int, list[ReadableSpan]] = {}

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        for span in spans:
            if span.context is not None:
                self._held.setdefault(span.context.trace_id, []).append(span)
        return SpanExportResult.SUCCESS

    def send(self, shifts: Mapping[str, int], rootless: frozenset[str], url: str, token: str | None) -> None:
        """POST what is held, each trace moved back by its shift (nanoseconds)."""
        headers = {"content-type": "application/x-protobuf", **({"authorization": f"Bearer {token}"} if token else {})}
        traces = [(f"{trace_id:032x}", spans) for trace_id, spans in self._held.items()]
        with httpx.Client(timeout=60, trust_env=False) as client:
            for start in range(0, len(traces), TRACES_PER_REQUEST):
                part = traces[start : start + TRACES_PER_REQUEST]
                request = encode_spans(
                    [span for trace_id, spans in part for span in spans if not (trace_id in rootless and span.parent is None)]
                )
                for resource in request.resource_spans:
                    for scope in resource.scope_spans:
                        for span in scope.spans:
                            shift = shifts.get(span.trace_id.hex(), 0)
                            span.start_time_unix_nano -= shift
                            span.end_time_unix_nano -= shift
                            for event in span.events:
                                event.time_unix_nano -= shift
                client.post(f"{url.rstrip('/')}/v1/traces", content=request.SerializeToString(), headers=headers).raise_for_status()
        self._held.clear()

    def shutdown(self) -> None:
        """Nothing to close: what was not sent is not wanted."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One question of the history."""

    thread_id: str
    channel: str
    user: str
    hours_ago: float
    ask: str
    fault: str | None = None
    thumbs: Sequence[Sequence[Any]] = ()
    lost_root: bool = False


def turns(conversations: Conversations) -> Iterator[Turn]:
    """The written history on the project's own docs, else questions made of headings."""
    if conversations.library.settings.docs.resolve() != default_docs().resolve():
        yield from _from_headings(conversations)
        return
    for number, line in enumerate(files("demo_rag_bot").joinpath("history.jsonl").read_text("utf-8").splitlines()):
        thread = json.loads(line)
        for place, turn in enumerate(thread["turns"]):
            hours = thread["hours_ago"] - place * min(0.05, thread["hours_ago"] / 10)
            yield Turn(f"seed-{number:02}", thread["channel"], thread["user"], hours, **turn)


def _from_headings(conversations: Conversations) -> Iterator[Turn]:
    passages = [passage for passage in conversations.bot.retriever.index.passages if passage.heading]
    faults = [None, None, *FAULTS, None]
    for number, passage in enumerate(passages[:: max(1, len(passages) // 24)][:24]):
        fault = faults[number % len(faults)]
        thumbs = [("ada", -1, "wrong page")] if fault else [("ada", 1)]
        heading = passage.heading.rpartition(" > ")[2]
        yield Turn(f"seed-{number:02}", "docs-help", "ada", 160 - 6.5 * number, f"What do the docs say about {heading}?", fault, thumbs)


def seed(conversations: Conversations, exporter: Backdated, url: str, token: str | None) -> int:
    """Ask the history, send its traces and its feedback; returns how many questions were asked. The exporter must be the tracer's."""
    conversations.store.delete_seeded()
    now = time.time()
    asked: list[tuple[Turn, dict[str, Any]]] = []
    for turn in tqdm(list(turns(conversations)), desc="seeding the history", unit=" questions", disable=None):
        conversations.switch_faults([turn.fault] if turn.fault else [])
        asked.append((turn, conversations.say(turn.thread_id, turn.ask, user=turn.user, channel=turn.channel, seeded_at=_time(now, turn))))
    conversations.switch_faults([])
    provider = trace.get_tracer_provider()
    if isinstance(provider, TracerProvider):
        provider.force_flush()
    shifts = {message["trace_id"]: int(turn.hours_ago * HOUR_NS) for turn, message in asked if message.get("trace_id")}
    exporter.send(shifts, frozenset(message["trace_id"] for turn, message in asked if turn.lost_root), url, token)
    for turn, message in asked:
        for user, value, *reason in turn.thumbs:
            conversations.store.give_feedback(Feedback(message["id"], user, value, (reason or [None])[0] or None, created=_time(now, turn)))
    conversations.send_feedback()
    return len(asked)


def _time(now: float, turn: Turn) -> str:
    then = datetime.fromtimestamp(now - turn.hours_ago * 3600, UTC)
    return then.isoformat(timespec="milliseconds").replace("+00:00", "Z")
