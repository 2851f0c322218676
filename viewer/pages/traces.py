"""The traces page: mounts its component. Rows, facets and counts come to the browser over HTTP, never through Streamlit."""

from __future__ import annotations

import streamlit as st

from viewer.component import declare
from viewer.settings import load

TRACE_LIST = declare("trace_list")


def page() -> None:
    settings = load()
    TRACE_LIST(
        key="traces",
        # The query makes Streamlit tell the component that the address changed (a click on "Traces" in the navigation).
        data={"api": "/api/v1", "collector": settings.collector, "endpoint": settings.collector, "query": dict(st.query_params)},
    )
