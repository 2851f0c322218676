"""The sessions page: conversations, the most recently active first; and who holds them."""

from __future__ import annotations

import streamlit as st

from collector.client import CollectorClient
from collector.model import SessionSummary, ValueCount
from viewer import connection, layout
from viewer.format import compact, cost, counted, gist, one_line
from viewer.settings import load
from viewer.sheet import Node, h, icon, link
from viewer.state import Browsing

PAGE_SIZE = 50
COLUMNS = (
    ("Session", "clip name mono"),
    ("First question", "clip wide strong"),
    ("Last answer", "clip wide muted"),
    ("Turns", "number count"),
    ("Errors", "number count"),
    ("Tokens", "number count"),
    ("Cost", "number"),
    ("User", "clip short"),
    ("Service", "clip short"),
    ("Last active", "number time"),
)


USER_COLUMNS = (("User", "clip wide strong"), ("Traces", "number"), ("Failed", "number"), ("Show", "clip source"))
USERS_SHOWN = 200


def page() -> None:
    query = st.query_params.to_dict()
    state = Browsing.read(query)
    connection.page("sessions", lambda client: users(client, state) if query.get("by") == "user" else build(client, state))


def heading(state: Browsing, by_user: bool) -> Node:
    tabs = h(
        "nav",
        "tabs",
        link("/sessions", f"tab {'' if by_user else 'on'}", "Sessions", query={"q": state.text}),
        link("/sessions", f"tab {'on' if by_user else ''}", "Users", query={"q": state.text, "by": "user"}),
        aria_label="By",
    )
    search = h(
        "form",
        "row",
        h("input", "", name="by", value="user", type="hidden") if by_user else None,
        h(
            "input",
            "input search",
            name="q",
            value=state.text,
            type="search",
            placeholder="e.g. user:maria status:error",
            aria_label="Filter",
        ),
        h("button", "button", "Filter", type="submit"),
    )
    return layout.head("Sessions", tabs, search)


def build(client: CollectorClient, state: Browsing) -> list[Node]:
    found = client.sessions(state.text, limit=PAGE_SIZE, cursor=state.cursor or None)
    if not found.items and not state.text and not state.cursor:
        text = "A session is a conversation: traces that share a session id. Give one with tracer.session(…) and its turns gather here."
        return [layout.empty("quote", "No sessions yet", text, load().collector)]
    first = link("/sessions", "button", icon("left"), "First page", query=state.at(None)) if state.cursor else None
    following = link("/sessions", "button", "Next", icon("right"), query=state.at(found.next_cursor)) if found.next_cursor else None
    rows = [row(session) for session in found.items]
    listed = layout.table("sessions", COLUMNS, rows, "Sessions") if rows else h("p", "none muted", "No session matches.")
    note = counted(len(rows), "session") + " on this page"
    return [heading(state, by_user=False), h("div", "panel", listed), layout.leaf(first, following, note)]


def users(client: CollectorClient, state: Browsing) -> list[Node]:
    found = client.values("user", filter=state.text, limit=USERS_SHOWN)
    failed = {value.value: value.count for value in client.values("user", filter=f"{state.text} status:error", limit=USERS_SHOWN)}
    rows = [user_row(value, failed.get(value.value, 0)) for value in found if value.value]
    empty = "No trace names its user yet: give one with tracer.user(…)."
    listed = layout.table("users", USER_COLUMNS, rows, "Users") if rows else h("p", "none muted", empty)
    return [heading(state, by_user=True), h("div", "panel", listed), layout.leaf(None, None, counted(len(rows), "user"))]


def user_row(user: ValueCount, failed: int) -> list[Node]:
    written = quoted("user", user.value)
    return [
        link("/sessions", "", one_line(user.value, 120), query={"q": written}),
        h("span", "", f"{'≥ ' if user.at_least else ''}{user.count:,}"),
        h("span", "error-text" if failed else "muted", str(failed)),
        link("/traces", "text-link", "their traces", query={"filter": written}),
    ]


def quoted(field: str, value: str) -> str:
    """A condition of the filter language on any text."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{field}:"{escaped}"'


def row(session: SessionSummary) -> list[Node]:
    usage = layout.sum_of(session.usage.input_tokens, session.usage.output_tokens)
    failed = h("span", "error-text", str(session.error_count)) if session.error_count else h("span", "muted", "0")
    return [
        link("/session", "mono open", one_line(session.session_id, 40), query={"session_id": session.session_id}),
        link("/session", "", one_line(session.first_input_preview, 120) or "–", query={"session_id": session.session_id}),
        h("span", "", gist(session.last_output_preview, 120) or "–"),
        h("span", "", str(session.trace_count)),
        failed,
        h("span", "", compact(usage)),
        h("span", "", cost(session.cost_usd)),
        h("span", "", one_line(session.user_id, 40) or "–"),
        h("span", "", one_line(", ".join(session.services), 40)),
        layout.moment(session.end_unix_nano),
    ]
