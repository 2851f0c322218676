"""What every backend of the store must do: one suite, run for each (see test_sqlite_conformance.py for the fixtures)."""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest

from collector import rollup
from collector.errors import InvalidValue, NotFound, SpanNotFound, TraceNotFound
from collector.filters import EVERYTHING, of_trace, parse
from collector.model import (
    AnnotatorKind,
    Batch,
    Candidate,
    Event,
    Link,
    LogRecord,
    Page,
    PageRequest,
    Resource,
    RetentionPolicy,
    Scope,
    Score,
    SpanKind,
    StatusCode,
    Target,
    TraceSummary,
    Trial,
)
from collector.store.base import Catalog, SpanStore
from tests.collector.store.samples import DAY, HOUR, MINUTE, NOW, SECOND, forest, llm, question, retriever, span, span_id, trace_id

ALL = PageRequest(limit=1000)


def found(store: SpanStore, filter: str, request: PageRequest = ALL) -> set[int]:
    """The numbers of the traces that a filter selects."""
    return {int(trace.trace_id, 16) - 1 for trace in store.find_traces(parse(filter, NOW + DAY), request).items}


def pages(find: Callable[[PageRequest], Page[TraceSummary]], request: PageRequest) -> Iterator[Sequence[TraceSummary]]:
    while True:
        page = find(request)
        yield page.items
        if page.next_cursor is None:
            return
        request = replace(request, cursor=page.next_cursor)


def announced(trace: int, number: int, parent: int | None = None) -> object:
    return replace(span(trace, number, parent, attributes={"rightpassage.span.state": "running"}), end_unix_nano=0)


class WriteConformance:
    """Write, read back, idempotence, order."""

    def test_attributes_come_back_with_their_types(self, store: SpanStore) -> None:
        attributes = {
            "text": "é \u0000 \x07 😀",
            "int": 2**63 - 1,
            "small": -(2**63),
            "big": 2**53 + 1,
            "float": 0.1,
            "whole": 3.0,
            "nan": math.nan,
            "infinity": -math.inf,
            "bool": True,
            "none": None,
            "bytes": b"\x00\xff",
            "list": [1, 2.5, "x", False, None, b"y"],
            "map": {"a": {"b": [1, {"c": b"z"}]}, "\u0000": "mark", "\u0000b": {"\u0000": "bAAA="}},
            "says null": "null",
        }
        sent = replace(span(attributes=attributes), otel_kind=3, trace_state="a=b", flags=1, dropped_attributes_count=2)
        store.write(Batch(spans=[sent]))
        read = store.span(sent.trace_id, sent.span_id)
        assert math.isnan(read.attributes["nan"])  # type: ignore[arg-type]  # it is a float
        assert {k: v for k, v in read.attributes.items() if k != "nan"} == {k: v for k, v in sent.attributes.items() if k != "nan"}
        assert [type(read.attributes[key]) for key in ("int", "whole", "bool", "bytes")] == [int, float, bool, bytes]
        assert (read.otel_kind, read.trace_state, read.flags, read.dropped_attributes_count) == (3, "a=b", 1, 2)

    def test_events_links_resource_and_scope_come_back(self, store: SpanStore) -> None:
        event = Event("exception", NOW + 5, {"exception.message": "no"}, 1)
        link = Link(trace_id(7), span_id(7), "x=y", {"k": 1}, 2, 3)
        resource = Resource({"service.name": "shop", "host.id": b"\x01"}, 4, "https://schema/1")
        scope = Scope("lib", "2", {"s": [1]}, 5, "https://schema/2")
        sent = replace(span(resource=resource), events=[event], links=[link], scope=scope, status=StatusCode.ERROR, status_message="broken")
        store.write(Batch(spans=[sent]))
        read = store.span(sent.trace_id, sent.span_id)
        assert (list(read.events), list(read.links), read.resource, read.scope) == ([event], [link], resource, scope)
        assert (read.status, read.status_message) == (StatusCode.ERROR, "broken")

    def test_a_link_is_known_at_its_other_end(self, store: SpanStore) -> None:
        retry = [Link(trace_id(0), span_id(1), attributes={"why": "timeout"}), Link(trace_id(1), span_id(5)), Link("no id", "")]
        store.write(Batch(spans=[replace(span(1, 4, name="retry", kind="AGENT", attributes={"input.value": "again"}), links=retry)]))
        with pytest.raises(TraceNotFound):
            store.links(trace_id(0), ALL)
        store.write(Batch(spans=question(0)))
        store.write(Batch(spans=[replace(span(2), links=[Link(trace_id(0), "")])]))
        newest, link = store.links(trace_id(0), ALL).items
        assert (newest.trace_id, newest.target_span_id) == (trace_id(2), "")
        assert (link.trace_id, link.span_id, link.target_span_id) == (trace_id(1), span_id(4), span_id(1))
        assert (link.name, link.kind, link.service, link.attributes) == ("retry", SpanKind.AGENT, "shop", {"why": "timeout"})
        assert (link.start_unix_nano, link.root_name, link.input_preview) == (NOW, "retry", "again")
        assert not store.links(trace_id(1), ALL).items  # it links to itself only

    def test_pages_of_links_show_everything_once(self, store: SpanStore) -> None:
        store.write(Batch(spans=[span(), *(replace(span(n), links=[Link(trace_id(0), span_id(n))] * 2) for n in range(1, 5))]))
        seen: list[int] = []
        request = PageRequest(limit=3)
        while True:
            page = store.links(trace_id(0), request)
            seen += [int(link.target_span_id, 16) - 1 for link in page.items]
            if page.next_cursor is None:
                break
            request = replace(request, cursor=page.next_cursor)
            store.write(Batch(spans=[replace(span(9, len(seen)), links=[Link(trace_id(0), span_id(9))])]))  # came meanwhile
        assert seen == [4, 4, 3, 3, 2, 2, 1, 1]
        with pytest.raises(InvalidValue):
            store.links(trace_id(0), PageRequest(cursor="no cursor"))

    @pytest.mark.parametrize(("start", "end"), [(0, 0), (5, 3), (2**63, 2**63 + 7), (2**64 - 2, 2**64 - 1), (0, 2**64 - 1)])
    def test_any_64_bit_time_is_kept(self, store: SpanStore, start: int, end: int) -> None:
        store.write(Batch(spans=[replace(span(), start_unix_nano=start, end_unix_nano=end)]))
        read = store.span(trace_id(0), span_id(0))
        assert (read.start_unix_nano, read.end_unix_nano) == (start, end)
        assert store.find_traces(EVERYTHING, ALL).items[0].duration_ns >= 0

    def test_a_lone_surrogate_is_replaced_and_the_rest_kept(self, store: SpanStore) -> None:
        store.write(Batch(spans=[span(name="n\ud800", attributes={"k": "v\udfff", "ok": "fine"})]))
        read = store.span(trace_id(0), span_id(0))
        assert (read.name, read.attributes["k"], read.attributes["ok"]) == ("n\ufffd", "v\ufffd", "fine")

    def test_the_first_of_equal_spans_wins(self, store: SpanStore) -> None:
        first, second = span(name="first"), span(name="second")
        assert store.write(Batch(spans=[first])).spans == 1
        written = store.write(Batch(spans=[second, span(number=1)]))
        assert (written.spans, written.duplicates) == (1, 1)
        assert store.span(trace_id(0), span_id(0)).name == "first"
        assert store.write(Batch(spans=[span(1, 5), span(1, 5)])).duplicates == 1

    def test_the_same_span_id_in_two_traces_is_two_spans(self, store: SpanStore) -> None:
        store.write(Batch(spans=[span(0, 3, name="a"), span(1, 3, name="b")]))
        assert [store.span(trace_id(number), span_id(3)).name for number in (0, 1)] == ["a", "b"]

    def test_a_group_tells_each_batch_what_it_brought(self, store: SpanStore) -> None:
        written = store.write_group([Batch(spans=[span(0, 0)]), Batch(spans=[span(0, 0), span(0, 1)]), Batch()])
        assert [(one.spans, one.duplicates) for one in written] == [(1, 0), (1, 1), (0, 0)]

    def test_unknown_ids_are_not_found(self, store: SpanStore) -> None:
        store.write(Batch(spans=[span()]))
        for unknown in (trace_id(9), "zz", ""):
            with pytest.raises(TraceNotFound):
                store.trace(unknown)
        with pytest.raises(SpanNotFound):
            store.span(trace_id(0), span_id(9))
        with pytest.raises(SpanNotFound):
            store.span(trace_id(0), "zz")

    def test_an_impossible_id_is_refused_and_leaves_nothing(self, store: SpanStore) -> None:
        with pytest.raises(InvalidValue):
            store.write(Batch(spans=[span(), replace(span(1), trace_id="12")]))
        assert store.stats().spans == 0

    def test_a_trace_is_ordered_by_start_and_its_skeleton_agrees(self, store: SpanStore) -> None:
        spans = question(0)
        store.write(Batch(spans=list(reversed(spans))))
        trace, skeleton = store.trace(trace_id(0)), store.skeleton(trace_id(0))
        assert [one.name for one in trace.spans] == ["ask", "retrieve", "chat"]
        assert [row.span_id for row in skeleton.rows] == [one.span_id for one in trace.spans]
        assert [row.kind for row in skeleton.rows] == [SpanKind.CHAIN, SpanKind.RETRIEVER, SpanKind.LLM]
        assert (skeleton.rows[2].model, skeleton.rows[2].input_tokens) == ("gpt-4o-mini", 100)
        assert skeleton.summary == trace.summary

    def test_a_cycle_and_a_self_parent_are_kept(self, store: SpanStore) -> None:
        store.write(Batch(spans=[span(0, 0, 1), span(0, 1, 0), span(0, 2, 2)]))
        assert len(store.trace(trace_id(0)).spans) == 3
        assert store.find_traces(EVERYTHING, ALL).items[0].span_count == 3

    def test_a_deep_trace_is_written_and_read(self, store: SpanStore) -> None:
        store.write(Batch(spans=[span(0, number, number - 1 if number else None, start=NOW + number) for number in range(5_000)]))
        assert len(store.skeleton(trace_id(0)).rows) == 5_000


class RollUpConformance:
    """Summaries, under any order."""

    def test_the_summary_says_what_the_trace_did(self, store: SpanStore) -> None:
        store.write(Batch(spans=question(0, attributes={"session.id": "s", "user.id": "u", "tag.tags": ["x", "y"]}, failed=True)))
        (row,) = store.find_traces(EVERYTHING, ALL).items
        assert (row.root_name, row.root_missing, row.services, row.session_id, row.user_id) == ("ask", False, ["shop"], "s", "u")
        assert (list(row.tags), row.span_count, row.error_count, row.duration_ns) == (["x", "y"], 3, 1, 2 * SECOND)
        assert (row.usage.input_tokens, row.usage.output_tokens, list(row.models)) == (100, 10, ["gpt-4o-mini"])
        assert (row.input_preview, row.output_preview) == ("How do I return an item?", "Within 30 days.")

    def test_a_late_root_and_a_late_child_change_the_summary(self, store: SpanStore) -> None:
        ask, retrieve, chat = question(0)
        store.write(Batch(spans=[retrieve]))
        assert store.find_traces(EVERYTHING, ALL).items[0].root_missing
        store.write(Batch(spans=[ask]))
        assert store.find_traces(EVERYTHING, ALL).items[0].root_name == "ask"
        store.write(Batch(spans=[replace(chat, end_unix_nano=NOW + 3 * HOUR)]))
        (row,) = store.find_traces(EVERYTHING, ALL).items
        assert (row.span_count, row.duration_ns, row.usage.input_tokens, row.root_missing) == (3, 3 * HOUR, 100, False)

    def test_a_wrapper_counts_until_its_call_comes(self, store: SpanStore) -> None:
        wrapper, call = llm(0, 0, None, tokens=500), llm(0, 1, 0, tokens=500, model="gpt-4o")
        store.write(Batch(spans=[wrapper]))
        before = store.aggregate(parse("kind:llm"), ["tokens", "cost"], ["hour", "model"]).items
        store.write(Batch(spans=[call]))
        after = store.aggregate(parse("kind:llm"), ["tokens", "cost"], ["hour", "model"]).items
        assert [(row["model"], row["tokens"]) for row in before] == [("gpt-4o-mini", 550)]
        assert [(row["model"], row["tokens"]) for row in after] == [("gpt-4o", 550), ("gpt-4o-mini", 0)]
        assert sum(row["cost"] for row in after) == pytest.approx(store.find_traces(EVERYTHING, ALL).items[0].cost_usd)  # type: ignore[misc]

    @pytest.mark.parametrize("seed", range(6))
    def test_any_order_split_and_repetition_ends_the_same(self, store: SpanStore, another: SpanStore, seed: int) -> None:
        numbers = random.Random(seed)
        spans = forest(numbers, traces=6, spans=9)
        store.write(Batch(spans=spans))
        pieces = spans + numbers.sample(spans, len(spans) // 2)
        numbers.shuffle(pieces)
        while pieces:
            size = numbers.randint(1, 7)
            another.write(Batch(spans=pieces[:size]))
            pieces = pieces[size:]
        assert image(store) == image(another)

    def test_concurrent_writers_end_the_same(self, store: SpanStore, another: SpanStore) -> None:
        spans = forest(random.Random(99), traces=12, spans=8)
        store.write(Batch(spans=spans))

        def send(seed: int) -> None:
            mine = random.Random(seed).sample(spans, len(spans))
            for at in range(0, len(mine), 5):
                another.write(Batch(spans=mine[at : at + 5]))

        threads = [threading.Thread(target=send, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert image(store) == image(another)

    def test_what_is_deleted_was_never_there(self, store: SpanStore, another: SpanStore) -> None:
        spans = forest(random.Random(5), traces=8, spans=8)
        gone, kept = trace_id(3), [one for one in spans if one.trace_id != trace_id(3)]
        store.write(Batch(spans=kept))
        another.write(Batch(spans=spans))
        another.delete(of_trace(gone))
        assert image(store) == image(another)


def image(store: SpanStore) -> object:
    """Everything a store derived: summaries, counts, histograms, sessions, facets."""
    rows = sorted(store.find_traces(EVERYTHING, ALL).items, key=lambda row: row.trace_id)
    measures = ["count", "errors", "tokens", "input_tokens", "output_tokens", "cost", "p50", "p99"]
    charts = [store.aggregate(parse(wanted), measures, by).items for wanted, by in CHARTS]
    facets = [store.values(field) for field in ("service", "name", "kind", "model", "error", "session", "tag", "root")]
    sessions = sorted(store.sessions(EVERYTHING, ALL).items, key=lambda row: row.session_id)
    stats = store.stats()
    return rows, charts, facets, sessions, (stats.traces, stats.spans, stats.sessions)


CHARTS: Sequence[tuple[str, Sequence[str]]] = [("", ["minute"]), ("", ["minute", "kind"]), ("", ["hour", "model"]), ("", ["tag"]), ("", [])]


class RunningConformance:
    """Announcements, log records, scores."""

    def test_an_announced_span_is_shown_and_never_counted(self, store: SpanStore) -> None:
        store.write(Batch(running=[announced(0, 0), announced(0, 1, 0)]))  # type: ignore[list-item]
        (row,) = store.find_traces(EVERYTHING, ALL).items
        assert (row.state, row.span_count, store.stats().spans, store.stats().traces) == ("running", 0, 0, 0)
        assert [one.span_id for one in store.trace(trace_id(0)).spans] == [span_id(0), span_id(1)]
        assert {one.state for one in store.skeleton(trace_id(0)).rows} == {"running"}
        assert store.aggregate(EVERYTHING, ["count"], []).items in ([], [{"count": 0}])

    def test_the_ended_span_replaces_its_announcement(self, store: SpanStore) -> None:
        store.write(Batch(running=[announced(0, 0), announced(0, 1, 0)]))  # type: ignore[list-item]
        store.write(Batch(spans=[span(0, 1, 0)]))
        assert store.find_traces(EVERYTHING, ALL).items[0].state == "running"
        store.write(Batch(spans=[span(0, 0)]))
        (row,) = store.find_traces(EVERYTHING, ALL).items
        assert (row.state, row.span_count, len(store.trace(trace_id(0)).spans)) == ("ended", 2, 2)
        store.write(Batch(running=[announced(0, 0)]))  # type: ignore[list-item]
        assert store.find_traces(EVERYTHING, ALL).items[0].state == "ended"

    @pytest.mark.parametrize("log_first", [True, False])
    def test_a_log_record_enriches_its_span(self, store: SpanStore, log_first: bool) -> None:
        event = Event("gen_ai.choice", NOW + 5, {"gen_ai.system": "openai", "message": {"role": "assistant", "content": "from the log"}})
        log = Batch(logs=[LogRecord(trace_id(0), span_id(1), event)])
        spans = Batch(spans=[span(0, 0), llm(0, 1, 0)])
        for batch in (log, spans) if log_first else (spans, log):
            store.write(batch)
        store.write(log)  # sent again
        assert [one.name for one in store.span(trace_id(0), span_id(1)).events] == ["gen_ai.choice"]
        assert store.stats().spans == 2

    def test_a_score_may_come_before_its_span(self, store: SpanStore) -> None:
        score = Score("thumbs", 1.0, target=Target(trace_id(0), span_id(1)), id="a")
        assert store.write(Batch(scores=[score, score])).scores == 1
        store.write(Batch(spans=question(0)))
        assert [one.name for one in store.span(trace_id(0), span_id(1)).scores] == ["thumbs"]
        assert found(store, "score.thumbs:>0") == {0}
        assert found(store, "score.thumbs:<0") == set()

    def test_the_last_score_counts_and_an_empty_one_retracts(self, store: SpanStore) -> None:
        store.write(Batch(spans=question(0)))
        target = Target(trace_id(0))
        for at, value in ((1, -1.0), (3, 1.0), (2, 0.0)):  # arrival is not order
            store.write(Batch(scores=[Score("thumbs", value, target=target, time_unix_nano=at)]))
        store.write(Batch(scores=[Score("thumbs", 5.0, target=target, annotator_kind=AnnotatorKind.LLM, annotator_id="judge")]))
        assert sorted(one.value or 0 for one in store.scores(trace_id=trace_id(0))) == [1.0, 5.0]
        store.write(Batch(scores=[Score("thumbs", target=target, time_unix_nano=4)]))
        assert [one.value for one in store.scores(trace_id=trace_id(0))] == [5.0]
        assert [one.value for one in store.find_traces(EVERYTHING, ALL).items[0].scores] == [5.0]

    def test_scores_are_counted_that_count(self, store: SpanStore) -> None:
        store.write(Batch(spans=question(0, attributes={"session.id": "talk"})))
        counts: list[int] = []
        for target in (Target(trace_id(0)), Target(trace_id(0), span_id(1)), Target(session_id="talk")):
            for at, value in ((1, 1.0), (3, 0.0), (2, 0.5)):
                store.write(Batch(scores=[Score("thumbs", value, target=target, time_unix_nano=at)]))
            counts.append(store.stats().scores)
        assert counts == [1, 2, 3]
        store.write(Batch(scores=[Score("thumbs", target=Target(trace_id(0)), time_unix_nano=4)]))
        assert store.stats().scores == 2
        store.delete(of_trace(trace_id(0)))
        assert store.stats().scores == 0

    def test_a_trace_carries_the_scores_on_it_and_is_found_by_those_on_its_spans(self, store: SpanStore) -> None:
        own, of_span = Score("thumbs", 1.0, target=Target(trace_id(0))), Score("faithful", 0.2, target=Target(trace_id(0), span_id(1)))
        store.write(Batch(spans=question(0), scores=[own, of_span]))
        listed = store.find_traces(EVERYTHING, ALL).items[0]
        for summary in (listed, store.trace(trace_id(0)).summary, store.skeleton(trace_id(0)).summary, store.changes(0)[0][0]):
            assert [score.name for score in summary.scores] == ["thumbs"]
        assert found(store, "score.faithful:<0.5") == {0}
        assert [value.value for value in store.values("score")] == ["faithful", "thumbs"]

    def test_a_session_is_scored_and_found_by_it(self, store: SpanStore) -> None:
        store.write(Batch(spans=[*question(0, attributes={"session.id": "talk"}), *question(1)]))
        store.write(Batch(scores=[Score("solved", label="yes", target=Target(session_id="talk"))]))
        assert [one.label for one in store.scores(session_id="talk")] == ["yes"]
        assert found(store, "score.solved:yes") == {0}


class FindConformance:
    """Lists: filters, orders, cursors."""

    @pytest.fixture
    def shop(self, store: SpanStore) -> SpanStore:
        """Ten questions, a minute apart; every third fails, trace 4 is slow, trace 5 has another service and model."""
        for trace in range(10):
            options = {
                "failed": trace % 3 == 0,
                "attributes": {"session.id": f"s{trace % 2}", "user.id": f"u{trace}", "tag.tags": [f"t{trace % 4}"]},
            }
            spans = question(
                trace,
                text=f"question number{trace} about refunds",
                duration=60 * SECOND if trace == 4 else 2 * SECOND,
                model="gpt-4o" if trace == 5 else "gpt-4o-mini",
                resource=Resource({"service.name": "desk" if trace == 5 else "shop", "host.name": f"h{trace}"}),
                passages=[
                    (f"faq.md#{trace}", f"Passage {trace} of the faq", 0.9),
                    ("terms.md#1", "Terms apply to everyone", 0.9 - trace / 100),
                ],
                **options,
            )
            store.write(Batch(spans=spans))
        return store

    @pytest.mark.parametrize(
        ("filter", "expected"),
        [
            ("", set(range(10))),
            ("service:desk", {5}),
            ("-service:desk latency:>30s", {4}),
            ("kind:llm status:error", {0, 3, 6, 9}),
            ("error:*", {0, 3, 6, 9}),
            ("not error:*", {1, 2, 4, 5, 7, 8}),
            ("error_count:>0 session:s1", {3, 9}),
            ("model:gpt-4o", {5}),
            ("model:GPT*", set(range(10))),
            ("model:!=gpt-4o", set(range(10)) - {5}),
            ("user:u7", {7}),
            ("user:u7,u8", {7, 8}),
            ("tag:t3", {3, 7}),
            ("tag:t* session:s0 -tag:t0", {2, 6}),
            ("session_id:s0 (user:u2 or user:u4 or user:u5)", {2, 4}),
            ("name:retrieve documents:2", set(range(10))),
            ("documents:>2", set()),
            ("any(kind:llm duration:>2s)", set()),
            ("kind:llm latency:1s..2s", set(range(10))),
            ("root:ask root.kind:chain span_count:3", set(range(10))),
            (f"start:>{NOW + 8 * MINUTE - 1}", {8, 9}),
            ("passage.source:faq.md passage.id:*#7", {7}),
            ("passage.score:<0.82", {9}),
            ('attr["input.value"]:*number6*', {6}),
            ('resource["host.name"]:h2', {2}),
            ("input:*number8*", {8}),
            ("input_tokens:>=100 output_tokens:<=10", set(range(10))),
            ("tokens:>110", set()),
            ("cost:>0.0001", {5}),
            ("refunds", set(range(10))),
            ("number3", {3}),
            ('"number3 about refunds"', {3}),
            ('"number3 refunds"', set()),
            ("numb*", set(range(10))),
            ("not number3 -number4 session:s1", {1, 5, 7, 9}),
            ("number1 or number2", {1, 2}),
            ("terms", set(range(10))),
            ("trace_id:" + trace_id(6), {6}),
            ("trace_id:zz", set()),
            ("span_id:" + span_id(2), set(range(10))),
            ("state:running", set()),
            ("verdict:*", set()),
        ],
    )
    def test_filters(self, shop: SpanStore, filter: str, expected: set[int]) -> None:
        assert found(shop, filter) == expected

    @pytest.mark.parametrize(
        ("filter", "names"),
        [
            ("kind:llm status:error", {"chat": 4}),
            ("duration:>10s", {"ask": 1}),
            ("user:u3", {"ask": 1, "retrieve": 1, "chat": 1}),
            ("number3", {"ask": 1}),
            ("any(error:*) kind:retriever", {"retrieve": 4}),
            ("not kind:llm model:*", {}),
        ],
    )
    def test_filters_of_spans(self, shop: SpanStore, filter: str, names: dict[str, int]) -> None:
        rows = [row.name for row in shop.find_spans(parse(filter), ALL).items]
        assert {name: rows.count(name) for name in set(rows)} == names

    @pytest.mark.parametrize("order", ["start_time", "duration", "cost", "tokens", "span_count", "error_count"])
    @pytest.mark.parametrize("sign", ["", "-"])
    def test_pages_show_everything_once_in_order(self, shop: SpanStore, order: str, sign: str) -> None:
        request = PageRequest(limit=3, order=f"{sign}{order}")
        rows = [row for page in pages(lambda at: shop.find_traces(EVERYTHING, at), request) for row in page]
        keys = {
            "start_time": lambda row: row.start_unix_nano,
            "duration": lambda row: row.duration_ns,
            "cost": lambda row: row.cost_usd or -1,
            "tokens": lambda row: (row.usage.input_tokens or 0) + (row.usage.output_tokens or 0),
            "span_count": lambda row: row.span_count,
            "error_count": lambda row: row.error_count,
        }
        values = [keys[order](row) for row in rows]
        assert len({row.trace_id for row in rows}) == len(rows) == 10
        assert values == sorted(values, reverse=sign == "-")

    @pytest.mark.parametrize("order", ["-start_time", "start_time", "-duration", "-tokens"])
    def test_a_cursor_is_stable_while_spans_arrive(self, shop: SpanStore, order: str) -> None:
        seen: list[str] = []
        for number, page in enumerate(pages(lambda at: shop.find_traces(EVERYTHING, at), PageRequest(limit=2, order=order))):
            seen += [row.trace_id for row in page]
            shop.write(Batch(spans=[span(100 + number, 0, start=NOW + number * MINUTE + 1)]))
            for trace in range(10):  # every trace gets earlier, longer and more expensive
                shop.write(Batch(spans=[llm(trace, 50 + number, 0, tokens=10**number, start=NOW - number * HOUR, duration=HOUR)]))
        first = {trace_id(trace) for trace in range(10)}
        assert sorted(one for one in seen if one in first) == sorted(first)

    def test_pages_of_a_search_show_everything_once(self, shop: SpanStore) -> None:
        shop.write(
            Batch(spans=[span(4, 70, 0, start=NOW + 4 * MINUTE + 5, attributes={"output.value": "more refunds"})])
        )  # the same trace said it again later
        rows = [row.trace_id for page in pages(lambda at: shop.find_traces(parse("refunds"), at), PageRequest(limit=3)) for row in page]
        assert len(rows) == len(set(rows)) == 10
        starts = [row.start_unix_nano for row in shop.find_traces(parse("refunds"), ALL).items]
        assert starts == sorted(starts, reverse=True)

    def test_pages_of_spans_show_everything_once(self, shop: SpanStore) -> None:
        for order in ("-start_time", "start_time", "-duration", "cost"):
            request, seen = PageRequest(limit=7, order=order), list[tuple[str, str]]()
            while True:
                page = shop.find_spans(EVERYTHING, request)
                seen += [(row.trace_id, row.span_id) for row in page.items]
                if page.next_cursor is None:
                    break
                request = replace(request, cursor=page.next_cursor)
            assert len(seen) == len(set(seen)) == 30

    @pytest.mark.parametrize(
        "request_", [PageRequest(0), PageRequest(1001), PageRequest(order="colour"), PageRequest(cursor="!!"), PageRequest(cursor="W10")]
    )
    def test_a_bad_page_is_refused(self, shop: SpanStore, request_: PageRequest) -> None:
        with pytest.raises(InvalidValue):
            shop.find_traces(EVERYTHING, request_)

    def test_changes_tell_what_was_touched(self, shop: SpanStore) -> None:
        rows, cursor = shop.changes(0, 4)
        assert len(rows) == 4
        rest, cursor = shop.changes(cursor, 100)
        assert len(rest) == 6
        assert shop.changes(cursor) == ([], cursor)
        assert shop.changes(-1)[1] == cursor
        shop.write(Batch(spans=[span(2, 60, 0)]))
        shop.write(Batch(scores=[Score("thumbs", 1.0, target=Target(trace_id(7)))]))
        rows, cursor = shop.changes(cursor, filter=parse("-user:u7"))
        assert [row.trace_id for row in rows] == [trace_id(2)]
        assert shop.changes(cursor)[0] == []

    def test_listeners_are_told(self, store: SpanStore) -> None:
        told: list[int] = []
        end = store.subscribe(lambda: told.append(1))
        store.write(Batch(spans=[span()]))
        end()
        store.write(Batch(spans=[span(1)]))
        assert len(told) == 1

    def test_sessions(self, shop: SpanStore) -> None:
        rows = shop.sessions(EVERYTHING, ALL).items
        assert [(row.session_id, row.trace_count) for row in rows] == [("s1", 5), ("s0", 5)]
        summary, traces = shop.session("s0")
        assert [int(row.trace_id, 16) - 1 for row in traces] == [0, 2, 4, 6, 8]
        assert (summary.error_count, summary.usage.input_tokens) == (2, 500)
        assert (summary.first_input_preview, summary.last_output_preview) == ("question number0 about refunds", "Within 30 days.")
        assert [row.session_id for row in shop.sessions(parse("user:u4"), ALL).items] == ["s0"]
        assert shop.sessions(EVERYTHING, PageRequest(1)).next_cursor
        with pytest.raises(NotFound):
            shop.session("nobody")

    def test_passages_are_stored_once_and_know_who_returned_them(self, shop: SpanStore) -> None:
        rows = shop.passages(None, "terms.md", ALL).items
        assert [(row.source, row.retrieved_count, row.trace_count, row.preview) for row in rows] == [
            ("terms.md", 10, 10, "Terms apply to everyone")
        ]
        assert len(shop.passages(None, None, ALL).items) == 11
        (row,) = shop.passages("passage 3", None, ALL).items
        summary, text, traces = shop.passage(row.passage_hash)
        assert (text, [trace.trace_id for trace in traces], summary.document_id) == ("Passage 3 of the faq", [trace_id(3)], "faq.md#3")
        assert found(shop, f"passage:{row.passage_hash}") == {3}
        shop.delete(parse("user:u3"))
        assert len(shop.passages(None, None, ALL).items) == 10
        with pytest.raises(NotFound):
            shop.passage(row.passage_hash)

    def test_values_and_their_counts(self, shop: SpanStore) -> None:
        assert [(one.value, one.count) for one in shop.values("model")] == [("gpt-4o-mini", 9), ("gpt-4o", 1)]
        assert [one.value for one in shop.values("user", "u", limit=3)] == ["u0", "u1", "u2"]
        assert [(one.value, one.count) for one in shop.values("kind", filter=parse("service:desk"))] == [
            ("CHAIN", 1),
            ("LLM", 1),
            ("RETRIEVER", 1),
        ]
        assert [(one.value, one.count) for one in shop.values("tag", filter=parse("session:s0"))] == [("t0", 3), ("t2", 2)]
        assert [one.value for one in shop.values('resource["host.name"]', "h")][:2] == ["h0", "h1"]
        assert {one.value for one in shop.values("passage.source")} == {"faq.md", "terms.md"}
        assert {one.value: one.count for one in shop.values("status", filter=parse("kind:llm status:error"))}["error"] == 4
        assert [one.value for one in shop.values("state", "r")] == ["running"]
        with pytest.raises(InvalidValue):
            shop.values("colour")

    @pytest.mark.parametrize("asked", ["-name:chat", "-kind:llm", "-kind:tool", "kind:llm -name:other", "-error:*", "-name:chat or tag:t1"])
    def test_counts_agree_with_the_list(self, shop: SpanStore, asked: str) -> None:
        listed = len(shop.find_traces(parse(asked), PageRequest(limit=1000)).items)
        for by in ([], ["kind"]):
            rows = shop.aggregate(parse(asked), ["traces"], by).items
            assert max((row["traces"] for row in rows), default=0) == listed, by  # type: ignore[type-var]  # JSON numbers

    def test_a_skeleton_says_what_the_shape_says(self, store: SpanStore) -> None:
        spans = [span(0, 1, 9, start=NOW), span(0, 2, 8, start=NOW + 1), span(0, 3, 2, attributes={"rightpassage.stage": "rerank"})]
        store.write(Batch(spans=spans))
        skeleton, whole = store.skeleton(trace_id(0)), store.trace(trace_id(0))
        assert [finding for finding in whole.health.findings if finding.code in {"missing_root", "orphan"}] == list(
            skeleton.health.findings
        )
        assert (skeleton.health.orphan_count, len(skeleton.health.findings)) == (2, 2)
        stages = {one.span_id: rollup.understood(one).stage for one in whole.spans}
        assert {row.span_id: row.stage for row in skeleton.rows} == stages

    def test_aggregates(self, shop: SpanStore) -> None:
        (row,) = shop.aggregate(EVERYTHING, ["count", "errors", "error_rate", "tokens", "p50", "p99", "traces"], []).items
        assert (row["count"], row["errors"], row["error_rate"], row["tokens"], row["traces"]) == (10, 0, 0.0, 1100, 10)
        assert (row["p50"], row["p99"]) == (2 * SECOND, 60 * SECOND)
        by_kind = {row["kind"]: row for row in shop.aggregate(EVERYTHING, ["count", "errors", "p95"], ["kind"]).items}
        assert (by_kind["LLM"]["count"], by_kind["LLM"]["errors"], by_kind["LLM"]["p95"]) == (10, 4, 1_500_000_000)
        assert [row["count"] for row in shop.aggregate(parse(f"since:{NOW + 5 * MINUTE}"), ["count"], ["minute"]).items] == [1] * 5
        assert {row["tag"]: row["count"] for row in shop.aggregate(EVERYTHING, ["count"], ["tag"]).items} == {
            "t0": 3,
            "t1": 3,
            "t2": 2,
            "t3": 2,
        }
        assert {row["model"]: row["count"] for row in shop.aggregate(parse("kind:llm"), ["count"], ["model"]).items} == {
            "gpt-4o": 1,
            "gpt-4o-mini": 9,
        }
        assert shop.aggregate(parse("service:nobody"), ["count"], ["hour"]).items == []
        with pytest.raises(InvalidValue):
            shop.aggregate(EVERYTHING, ["p42"], [])

    def test_export_goes_through_every_trace_oldest_first(self, shop: SpanStore) -> None:
        assert [int(trace.summary.trace_id, 16) - 1 for trace in shop.spans(EVERYTHING)] == list(range(10))
        assert [len(trace.spans) for trace in shop.spans(parse("user:u3"))] == [3]

    def test_candidates_below_the_cut_answer_filters(self, store: SpanStore) -> None:
        listed = '[{"id": "a", "rank": 1, "score": 0.80}, {"id": "b", "rank": 2, "score": 0.79, "dropped": "below_cut"}]'
        spans = retriever(
            0,
            1,
            0,
            passages=[("a", "kept text", 0.80)],
            attributes={"rightpassage.candidates": listed, "rightpassage.index.version": "v61"},
        )
        store.write(Batch(spans=[span(0, 0), spans, *question(1)]))
        assert isinstance(store.span(trace_id(0), span_id(1)).normalised.candidates[0], Candidate)  # type: ignore[union-attr]
        for wanted in ("margin:<0.02", "dropped:below_cut", "candidates:2", "index:v61", "index.version:v61 margin:<0.1"):
            assert found(store, wanted) == {0}, wanted
        assert found(store, "margin:>0.02") == set()


class RemovalConformance:
    """Delete, prune, renormalise."""

    def fill(self, store: SpanStore, count: int = 10) -> None:
        for trace in range(count):
            store.write(Batch(spans=question(trace, start=NOW - trace * DAY)))

    def test_delete_takes_everything_of_a_trace(self, store: SpanStore) -> None:
        self.fill(store)
        store.write(Batch(scores=[Score("thumbs", 1.0, target=Target(trace_id(2)))], running=[announced(2, 40)]))  # type: ignore[list-item]
        store.write(Batch(spans=[replace(span(2, 30, 0), links=[Link(trace_id(3), span_id(0))])]))
        pruned = store.delete(of_trace(trace_id(2)))
        assert (pruned.traces, pruned.spans) == (1, 4)
        assert not store.links(trace_id(3), ALL).items
        with pytest.raises(TraceNotFound):
            store.trace(trace_id(2))
        assert (store.scores(trace_id=trace_id(2)), store.stats().traces, store.stats().scores) == ([], 9, 0)
        store.write(Batch(spans=question(2)))
        assert store.find_traces(of_trace(trace_id(2)), ALL).items[0].scores == ()

    @pytest.mark.parametrize(
        ("policy", "kept"),
        [
            (RetentionPolicy(max_age_ns=4 * DAY + HOUR), 5),
            (RetentionPolicy(max_traces=3), 3),
            (RetentionPolicy(max_traces=100), 10),
            (RetentionPolicy(max_age_ns=2 * DAY + HOUR, keep_scored=True), 4),
            (RetentionPolicy(max_traces=2, service="nobody"), 10),
            (RetentionPolicy(), 10),
        ],
    )
    def test_prune_keeps_what_the_policy_keeps(
        self, store: SpanStore, monkeypatch: pytest.MonkeyPatch, policy: RetentionPolicy, kept: int
    ) -> None:
        self.fill(store)
        store.write(Batch(scores=[Score("gold", 1.0, target=Target(trace_id(8), span_id(1)))]))
        monkeypatch.setattr("time.time_ns", lambda: NOW)
        would = store.prune(policy, dry_run=True)
        assert store.stats().traces == 10
        pruned = store.prune(policy)
        assert (would.traces, would.spans, would.dry_run) == (pruned.traces, pruned.spans, True)
        assert store.stats().traces == kept

    def test_pruning_by_size_gives_the_disk_back(self, store: SpanStore) -> None:
        numbers = random.Random(1)
        for trace in range(60):
            text = "".join(numbers.choices("abcdefghijklmnopqrstuvwxyz ", k=20_000))
            store.write(Batch(spans=question(trace, text=text)))
        before = store.stats().bytes
        pruned = store.prune(RetentionPolicy(max_bytes=400_000))
        assert pruned.bytes_freed > 200_000
        assert store.stats().bytes < before - 200_000
        assert found(store, "") == set(range(60 - store.stats().traces, 60))
        for trace in store.spans(EVERYTHING):
            assert len(trace.spans) == 3

    def test_what_few_spans_still_need_is_packed_again(self, store: SpanStore) -> None:
        store.write(Batch(spans=[one for trace in range(12) for one in question(trace, text=f"question {trace}")]))
        store.delete(parse(" or ".join(f"input:*{trace}" for trace in range(12) if trace not in {5, 11}).replace("*1 ", '"question 1" ')))
        assert found(store, "") == {5, 11}
        assert store.span(trace_id(5), span_id(0)).attributes["input.value"] == "question 5"
        assert store.span(trace_id(11), span_id(2)).name == "retrieve"

    def test_renormalising_changes_nothing_that_is_right(self, store: SpanStore) -> None:
        self.fill(store, 3)
        before = image(store)
        assert store.renormalise() == 0
        assert image(store) == before


class CatalogConformance:
    """Versions, labels, trials."""

    def test_a_version_is_its_content(self, catalog: Catalog) -> None:
        first = catalog.add_version("prompt", "answer", {"template": "Hi", "n": 1}, ["production"])
        again = catalog.add_version("prompt", "answer", {"n": 1, "template": "Hi"})
        second = catalog.add_version("prompt", "answer", {"template": "Hello"})
        assert (first.digest, first.created_unix_nano) == (again.digest, again.created_unix_nano)
        assert [one.digest for one in catalog.versions("prompt", "answer")] == [second.digest, first.digest]
        assert catalog.version("prompt", "answer").digest == second.digest
        assert catalog.version("prompt", "answer", first.digest[:8]).content == {"template": "Hi", "n": 1}

    def test_labels_move(self, catalog: Catalog) -> None:
        first = catalog.add_version("prompt", "answer", 1, ["production"])
        second = catalog.add_version("prompt", "answer", 2)
        assert catalog.version("prompt", "answer", "production").digest == first.digest
        assert catalog.label("prompt", "answer", second.digest, "production").labels == ["production"]
        assert catalog.version("prompt", "answer", first.digest).labels == []
        for missing in (("prompt", "answer", "staging"), ("prompt", "other", "latest"), ("index", "answer", "latest")):
            with pytest.raises(NotFound):
                catalog.version(*missing)

    def test_names_and_removal(self, catalog: Catalog) -> None:
        for name in ("b", "a"):
            catalog.add_version("view", name, {"filter": ""})
        assert catalog.names("view") == ["a", "b"]
        assert (catalog.remove("view", "a"), catalog.remove("view", "a"), catalog.names("view")) == (1, 0, ["b"])

    def test_trials_keep_their_order(self, catalog: Catalog) -> None:
        score = Score("recall@5", 0.5, annotator_kind=AnnotatorKind.CODE, target=Target(trace_id(1)))
        trials = [Trial("e1", "q2", trace_id(1), {"answer": "x"}, [score]), Trial("e1", "q1", None, None, (), "timeout")]
        catalog.add_trials(trials)
        catalog.add_trials([Trial("e2", "q1", None)])
        read = catalog.trials("e1")
        assert [(one.example_id, one.output, one.error, len(one.scores)) for one in read] == [
            ("q2", {"answer": "x"}, None, 1),
            ("q1", None, "timeout", 0),
        ]
        assert read[0].scores[0] == score
        assert catalog.trials("nothing") == []


class DurabilityConformance:
    """What was written is there again."""

    def test_a_reopened_store_knows_everything(self, store: SpanStore, reopen: Callable[[], SpanStore]) -> None:
        store.write(Batch(spans=forest(random.Random(3), traces=5, spans=6), scores=[Score("a", 1.0, target=Target(trace_id(0)))]))
        before, changes = image(store), store.changes(0)[1]
        again = reopen()
        assert image(again) == before
        assert again.changes(0)[1] == changes
        again.write(Batch(spans=[span(77)]))
        assert again.stats().traces == 6

    def test_a_closed_store_says_so_and_closing_twice_is_fine(self, store: SpanStore) -> None:
        from collector.errors import StoreUnavailable

        store.close()
        store.close()
        with pytest.raises(StoreUnavailable):
            store.write(Batch(spans=[span()]))
        with pytest.raises(StoreUnavailable):
            store.stats()


class StoreConformance(
    WriteConformance, RollUpConformance, RunningConformance, FindConformance, RemovalConformance, CatalogConformance, DurabilityConformance
):
    """All of it."""
