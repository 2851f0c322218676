"""The compare page: two traces aligned by stage: what was configured differently, which passages came and went, how the texts changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from collector.client import CollectorClient
from collector.model import Stage, TraceSummary
from viewer import connection, diff, layout
from viewer.format import compact, cost, counted, duration, gist, one_line, score
from viewer.pipeline import Pipeline, Ranked, pipeline
from viewer.sheet import Child, Node, h, icon, link
from viewer.state import Comparison

OFFERED = 12
STAGES = {stage.value: stage for stage in Stage}


@dataclass(frozen=True, slots=True)
class Move:
    """One passage in two rankings; None where it is not in one."""

    passage: Ranked
    before: Ranked | None
    after: Ranked | None

    @property
    def sign(self) -> tuple[str, str]:
        """(text, tone): out, in, up, down, same."""
        if self.after is None:
            return "out", "error"
        if self.before is None:
            return "in", "ok"
        climbed = self.before.rank - self.after.rank
        return (f"↑ {climbed}", "ok") if climbed > 0 else (f"↓ {-climbed}", "warning") if climbed else ("=", "")


def moves(before: Sequence[Ranked], after: Sequence[Ranked]) -> list[Move]:
    """Every passage of either ranking: those of the second in its order, then those that went out in the order of the first."""
    old = {passage.key: passage for passage in reversed(before)}
    new = {passage.key: passage for passage in reversed(after)}
    kept = [Move(passage, old.get(key), passage) for key, passage in sorted(new.items(), key=lambda item: item[1].rank)]
    gone = [Move(passage, passage, None) for key, passage in sorted(old.items(), key=lambda item: item[1].rank) if key not in new]
    return kept + gone


def page() -> None:
    connection.page("compare", lambda client: build(client, Comparison.read(st.query_params.to_dict())))


def build(client: CollectorClient, state: Comparison) -> list[Node]:
    if not state.a:
        text = (
            "Choose two rows in the list of traces and press Compare, or open one trace and compare it with another of the same question."
        )
        return [connection.remark("expand", "Nothing to compare yet", text, link("/traces", "button primary", "Choose two traces"))]
    left = pipeline(client.trace(state.a))
    if not state.b:
        return offer(client, state, left)
    right = pipeline(client.trace(state.b))
    return [
        layout.head(
            "Compare", link("/compare", "button", icon("expand"), "Swap", query={"a": state.b, "b": state.a, "stage": state.stage})
        ),
        h("div", "pair", side("A", left), side("B", right)),
        configuration(left, right),
        stages(left, right),
        passages(state, left, right),
        texts("Searched for", left.query, right.query),
        texts("Answer", left.answer, right.answer),
        texts("Prompt", left.prompt, right.prompt, folded=True),
    ]


def offer(client: CollectorClient, state: Comparison, left: Pipeline) -> list[Node]:
    """The second trace is missing: those of the same question first, then the newest."""
    question = one_line(left.question, 200).replace("\\", " ").replace('"', " ")
    same = client.traces(f'"{question}"', limit=OFFERED).items if question.strip() else ()
    newest = client.traces(limit=OFFERED).items
    known = {state.a}
    groups: list[Node] = []
    for title, found in (("Same question", same), ("Newest", newest)):
        rows = [candidate(state, trace) for trace in found if trace.trace_id not in known]
        known |= {trace.trace_id for trace in found}
        if rows:
            groups.append(layout.card(title, layout.table("used", PICK_COLUMNS, rows, title), css="flush"))
    return [layout.head("Compare with …", subtitle=one_line(left.question, 160)), *groups]


PICK_COLUMNS = (
    ("Question", "clip wide strong"),
    ("Answer", "clip wide muted"),
    ("Duration", "number"),
    ("Service", "clip short"),
    ("When", "number time"),
)


def candidate(state: Comparison, trace: TraceSummary) -> list[Node]:
    return [
        link("/compare", "", one_line(trace.input_preview, 140) or trace.root_name or trace.trace_id, query=state.query(b=trace.trace_id)),
        h("span", "", gist(trace.output_preview, 140)),
        h("span", "", duration(trace.duration_ns)),
        h("span", "", one_line(", ".join(trace.services), 30)),
        layout.moment(trace.start_unix_nano),
    ]


def side(name: str, seen: Pipeline) -> Node:
    trace = seen.trace.summary
    return h(
        "section",
        f"card side side-{name.lower()}",
        h(
            "div",
            "row",
            h("span", "letter", name),
            layout.trace_link(trace.trace_id, "question clip grow", one_line(seen.question, 160) or trace.root_name or trace.trace_id),
            layout.moment(trace.start_unix_nano),
        ),
        layout.facts(trace),
        h("div", "row", *layout.scores(trace.scores)) if trace.scores else None,
    )


def configuration(left: Pipeline, right: Pipeline) -> Node:
    """What was chosen differently: the first place to look for why."""
    a, b = left.configuration, right.configuration
    names = [name for name in dict.fromkeys([*a, *b]) if a.get(name) != b.get(name)]
    alike = len({*a, *b}) - len(names)
    if not names:
        return layout.card("Configuration", h("p", "muted", f"No difference in {counted(alike, 'recorded setting')}."))
    rows = [[h("span", "", name), value(a, name, "removed"), value(b, name, "added")] for name in names]
    listed = layout.table("settings", (("Setting", "clip name"), ("A", "clip wide"), ("B", "clip wide")), rows, "Settings that differ")
    return layout.card("Configuration", listed, note=f"{counted(len(names), 'difference')} · {alike} the same", css="flush")


def value(settings: Mapping[str, str], name: str, tone: str) -> Node:
    return h("span", f"mono {tone}", one_line(settings[name], 90)) if name in settings else h("span", "muted", "not set")


def stages(left: Pipeline, right: Pipeline) -> Node:
    slowest = max((step.duration_ns for seen in (left, right) for step in seen.steps.values()), default=1) or 1
    rows: list[Sequence[Child]] = []
    for stage in Stage:
        a, b = left.steps.get(stage), right.steps.get(stage)
        if a is None and b is None:
            continue
        found = [bar(step.duration_ns if step else None, slowest, stage) for step in (a, b)]
        change = percent(a.duration_ns, b.duration_ns) if a and b else h("span", "muted", "only in A" if a else "only in B")
        counts = [h("span", "", str(len(step.kept)) if step and step.ranking else "–") for step in (a, b)]
        rows.append([h("span", "row", icon(stage.value), stage.value.capitalize()), found[0], found[1], change, counts[0], counts[1]])
    a_all, b_all = left.trace.summary, right.trace.summary
    rows.append(
        [
            h("b", "", "Whole trace"),
            h("b", "", duration(a_all.duration_ns)),
            h("b", "", duration(b_all.duration_ns)),
            percent(a_all.duration_ns, b_all.duration_ns),
            "",
            "",
        ]
    )
    columns = (
        ("Stage", "clip name"),
        ("A", "wide"),
        ("B", "wide"),
        ("Change", "number"),
        ("Passages A", "number broad"),
        ("Passages B", "number broad"),
    )
    line = f"tokens {compact(tokens(a_all))} → {compact(tokens(b_all))} · cost {cost(a_all.cost_usd)} → {cost(b_all.cost_usd)}"
    return layout.card("Stages", layout.table("settings", columns, rows, "Stages"), note=line, css="flush")


def tokens(trace: TraceSummary) -> int | None:
    return layout.sum_of(trace.usage.input_tokens, trace.usage.output_tokens)


def bar(length_ns: int | None, slowest: int, stage: Stage) -> Node:
    if length_ns is None:
        return h("span", "muted", "–")
    return h(
        "span",
        "timed",
        h("span", "track", h("i", "", share=max(0.01, length_ns / slowest), hue=HUES[stage])),
        h("span", "", duration(length_ns)),
    )


HUES = {
    Stage.REWRITE: "chain",
    Stage.RECALL: "retriever",
    Stage.FUSE: "embedding",
    Stage.FILTER: "guardrail",
    Stage.RERANK: "reranker",
    Stage.ASSEMBLE: "prompt",
    Stage.GENERATE: "llm",
    Stage.CITE: "evaluator",
}


MANY_TIMES = 9  # from ten times on a factor reads better than per cent


def percent(before: int, after: int) -> Node:
    if not before:
        return h("span", "muted", "–")
    change = (after - before) / before
    if abs(change) < 0.005:
        return h("span", "muted", "=")
    tone = "muted" if abs(change) < 0.05 else "error-text" if change > 0 else "ok-text"
    return h("span", tone, f"{change:+.0%}" if change < MANY_TIMES else f"× {after / before:,.0f}")


def passages(state: Comparison, left: Pipeline, right: Pipeline) -> Node:
    """In, out and moved, at the stage nearest to the prompt or the one that was chosen."""
    offered = [stage for stage in Stage if any(stage in seen.steps and seen.steps[stage].ranking for seen in (left, right))]
    if not offered:
        return layout.card("Passages", h("p", "muted", "Neither trace recorded any."))
    chosen = STAGES.get(state.stage)
    before, after = ((seen.steps[chosen].kept if chosen in seen.steps else ()) if chosen else seen.passages for seen in (left, right))
    tabs = [tab(state, "", "Into the prompt"), *(tab(state, stage.value, stage.value.capitalize()) for stage in offered)]
    found = moves(before, after)
    signs = [move.sign[0] for move in found]
    note = (
        f"{signs.count('in')} in · {signs.count('out')} out · {sum(sign[0] in '↑↓' for sign in signs)} moved · {signs.count('=')} unmoved"
    )
    rows = [moved(move, left, right) for move in found]
    columns = (
        ("Change", "sign"),
        ("Passage", "clip wide strong"),
        ("Source", "clip source"),
        ("Rank A", "number"),
        ("Rank B", "number"),
        ("Score A", "number"),
        ("Score B", "number"),
    )
    listed = (
        layout.table("settings", columns, rows, "Passages in both rankings") if rows else h("p", "none muted", "No passages at this stage.")
    )
    return layout.card("Passages", h("nav", "tabs", *tabs, aria_label="Stage"), listed, note=note, css="flush")


def tab(state: Comparison, stage: str, title: str) -> Node:
    on = state.stage == stage
    return link("/compare", f"tab {'on' if on else ''}", title, query=state.query(stage=stage), aria_current="page" if on else None)


def moved(move: Move, left: Pipeline, right: Pipeline) -> list[Node]:
    text, tone = move.sign
    marks = [letter for letter, seen in (("A", left), ("B", right)) if move.passage.key in seen.cited]
    title = one_line(move.passage.title, 80) or one_line(move.passage.content, 80) or "passage"
    cited = h("span", "pill accent", icon("quote"), f"cited in {' and '.join(marks)}") if marks else None
    return [
        h("span", f"pill {tone}", text),
        h("span", "", title, " ", cited),
        h("span", "mono muted", one_line(move.passage.source, 60) or "–"),
        *(h("span", "", str(side.rank) if side else "–") for side in (move.before, move.after)),
        *(h("span", "muted", score(side.score) if side else "–") for side in (move.before, move.after)),
    ]


def texts(title: str, before: str, after: str, *, folded: bool = False) -> Node:
    if not before and not after:
        return layout.card(title, h("p", "muted", "Neither trace recorded it."))
    if before == after:
        return layout.card(title, h("fold", "", h("div", "diff", before), label="Show all of it"), note="the same in both")
    shown = layout.diffed(before, after)
    note = f"{diff.similarity(before, after):.0%} the same"
    return layout.card(title, h("fold", "", shown, label="Show all of it") if folded else shown, note=note)
