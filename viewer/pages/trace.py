"""The trace page: mounts its component and says which trace. Everything shown comes to the browser over HTTP, never through Streamlit.

The address is the state: `/trace?trace_id=…&span_id=…&tab=…`; `filter` and `order` name the list that previous and next walk along.
The component keeps the address itself while spans are chosen, so a click costs no rerun and no message.
"""

from __future__ import annotations

import streamlit as st

from viewer.component import declare
from viewer.first import trace_data

TRACE_VIEW = declare("trace_view")


def page() -> None:
    """Drawn by `viewer.app`'s navigation."""
    TRACE_VIEW(key="trace", data=trace_data(st.query_params))
