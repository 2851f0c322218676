"""The traces page: mounts its component. Rows, facets and counts come to the browser over HTTP, never through Streamlit."""

from __future__ import annotations

import streamlit as st

from viewer.component import declare
from viewer.first import list_data

TRACE_LIST = declare("trace_list")


def page() -> None:
    """Drawn by `viewer.app`'s navigation."""
    TRACE_LIST(key="traces", data=list_data(st.query_params))
