"""The passages page: what retrieval ever returned, and for one passage the traces that used it."""

from __future__ import annotations

import streamlit as st

from collector.client import CollectorClient
from collector.model import PassageSummary, TraceSummary
from viewer import connection, layout
from viewer.format import counted, duration, gist, one_line
from viewer.settings import load
from viewer.sheet import Node, h, icon, link
from viewer.state import Browsing

PAGE_SIZE = 50
LAID_OUT = 20_000  # characters, as on the trace page
COLUMNS = (("Passage", "clip wide"), ("Source", "clip source"), ("Returned", "number"), ("Traces", "number"), ("Last seen", "number time"))
TRACE_COLUMNS = (
    ("Question", "clip wide strong"),
    ("Answer", "clip wide muted"),
    ("Duration", "number"),
    ("Service", "clip short"),
    ("When", "number time"),
)


def page() -> None:
    query = st.query_params.to_dict()
    chosen = query.get("passage", "")
    connection.page("passages", lambda client: one(client, chosen) if chosen else build(client, Browsing.read(query)))


def build(client: CollectorClient, state: Browsing) -> list[Node]:
    found = client.passages(state.text or None, source=state.source or None, limit=PAGE_SIZE, cursor=state.cursor or None)
    if not found.items and not (state.text or state.source or state.cursor):
        text = "Every passage a retriever returns is kept once, by its text. Record retrieval with @tracer.retriever and they gather here."
        return [layout.empty("prompt", "No passages yet", text, load().collector)]
    search = h(
        "form",
        "row",
        h(
            "input",
            "input search",
            name="q",
            value=state.text,
            type="search",
            placeholder="Words in the passage",
            aria_label="Words in the passage",
        ),
        h(
            "input",
            "input search small",
            name="source",
            value=state.source,
            type="search",
            placeholder="Source, e.g. faq.md",
            aria_label="Source",
        ),
        h("button", "button", "Search", type="submit"),
    )
    first = link("/passages", "button", icon("left"), "First page", query=state.at(None)) if state.cursor else None
    following = link("/passages", "button", "Next", icon("right"), query=state.at(found.next_cursor)) if found.next_cursor else None
    rows = [row(passage) for passage in found.items]
    listed = layout.table("passages", COLUMNS, rows, "Passages") if rows else h("p", "none muted", "No passage matches.")
    note = counted(len(rows), "passage") + " on this page"
    return [layout.head("Passages", search), h("div", "panel", listed), layout.leaf(first, following, note)]


def row(passage: PassageSummary) -> list[Node]:
    query = {"passage": passage.passage_hash}
    return [
        link("/passages", "", gist(passage.preview, 180) or "(empty)", query=query),
        h("span", "mono muted", one_line(passage.source or passage.document_id, 70) or "–"),
        h("span", "", f"{passage.retrieved_count:,}"),
        h("span", "", f"{passage.trace_count:,}"),
        layout.moment(passage.last_seen_unix_nano),
    ]


def one(client: CollectorClient, passage_hash: str) -> list[Node]:
    passage, text, traces = client.passage(passage_hash)
    line = h(
        "div",
        "facts",
        layout.fact("Source", one_line(passage.source, 90) or "–", "mono"),
        layout.fact("Id", one_line(passage.document_id, 60) or "–", "mono"),
        layout.fact("Returned", f"{passage.retrieved_count:,} times"),
        layout.fact("In", counted(passage.trace_count, "trace")),
        layout.fact("Hash", passage.passage_hash[:12], "mono"),
    )
    back = link("/passages", "button", icon("left"), "All passages")
    same = link("/passages", "button", "Same source", query={"source": passage.source}) if passage.source else None
    as_traces = link("/traces", "button", icon("path"), "As traces", query={"filter": f"passage:{passage.passage_hash}"})
    used = layout.table("used", TRACE_COLUMNS, [trace_row(trace) for trace in traces], "Traces that retrieved it")
    title = gist(text, 100) or "Passage"
    return [
        layout.head(title, back, same, as_traces, subtitle=line),
        layout.card("Text", h("fold", "", whole(text), label="Show all of it"), note=counted(len(text), "character")),
        layout.card("Where it was retrieved", used, note="the newest 100" if passage.trace_count > len(traces) else None, css="flush"),
    ]


def whole(text: str) -> Node:
    """A passage as it reads; one too long to lay out as it came."""
    return h("prose", "passage-prose", text) if len(text) <= LAID_OUT else h("div", "passage-whole", text)


def trace_row(trace: TraceSummary) -> list[Node]:
    return [
        layout.trace_link(trace.trace_id, "", one_line(trace.input_preview, 140) or trace.root_name or trace.trace_id),
        h("span", "", gist(trace.output_preview, 140)),
        h("span", "", duration(trace.duration_ns)),
        h("span", "", one_line(", ".join(trace.services), 30)),
        layout.moment(trace.start_unix_nano),
    ]
