"""The trace page: mounts its component and says which trace. Everything shown comes to the browser over HTTP, never through Streamlit.

The address is the state: `/trace?trace_id=…&span_id=…&tab=…`; `filter` and `order` name the list that previous and next walk along.
The component keeps the address itself while spans are chosen, so a click costs no rerun and no message.
"""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from viewer.component import declare

TRACE_VIEW = declare("trace_view")
API = "/api/v1"
LINKS = {"session": "/session?session_id=", "traces": "/traces", "compare": "/compare?a=", "html": "/trace.html?trace_id="}
LONGEST = 300  # characters of a parameter that reach the component: its payload stays under 2 kB


def payload(query: Mapping[str, str]) -> dict[str, object]:
    """What the component is given: names only, never data."""

    def said(name: str) -> str:
        return str(query.get(name, ""))[:LONGEST]

    return {
        "api": API,
        "traceId": said("trace_id").strip().lower(),
        "spanId": said("span_id").strip().lower(),
        "tab": said("tab"),
        "list": {"filter": said("filter"), "order": said("order")},
        "links": LINKS,
    }


def page() -> None:
    """Drawn by `viewer.app`'s navigation."""
    TRACE_VIEW(key="trace", data=payload(st.query_params))
