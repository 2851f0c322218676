"""Navigation only: the pages, their paths, and the chrome round them. Run by Streamlit once per page view."""

from __future__ import annotations

import streamlit as st

from viewer import chrome
from viewer.pages import ask, compare, home, importing, passages, session, sessions, trace, traces

PAGES = (
    st.Page(home.page, title="Start", url_path="home", default=True, visibility="hidden"),
    st.Page(traces.page, title="Traces", url_path="traces", icon=":material/list:"),
    st.Page(sessions.page, title="Sessions", url_path="sessions", icon=":material/forum:"),
    st.Page(passages.page, title="Passages", url_path="passages", icon=":material/find_in_page:"),
    st.Page(ask.page, title="Ask", url_path="ask", icon=":material/chat:"),
    st.Page(importing.page, title="Import", url_path="import", icon=":material/upload:"),
    st.Page(trace.page, title="Trace", url_path="trace", visibility="hidden"),
    st.Page(session.page, title="Session", url_path="session", visibility="hidden"),
    st.Page(compare.page, title="Compare", url_path="compare", visibility="hidden"),
)

chrome.draw()
chosen = st.navigation(list(PAGES), position="top")
chrome.name(chosen.title)
chosen.run()
chrome.settle(chosen.url_path)
