"""The start: leads to the traces. It exists because Streamlit's default page has no path of its own, and every page of ours has one."""

from __future__ import annotations

import streamlit as st

from viewer.pages import traces


def page() -> None:
    st.switch_page(st.Page(traces.page, url_path="traces"))
