"""The Ask page: the bot's chat. The browser talks to the bot's own HTTP API through the viewer (`/bot/…`); Streamlit only mounts it."""

from __future__ import annotations

import streamlit as st

from viewer.component import declare
from viewer.settings import load

CHAT = declare("chat")

SUGGESTIONS = (
    "How do I decorate a retriever?",
    "What happens to spans while the collector is away?",
    "How do I find slow retrievers in the list?",
    "How can I redact secrets before they leave my process?",
)


def page() -> None:
    configured = bool(load().bot)
    CHAT(key="ask", data={"bot": "/bot", "configured": configured, "suggestions": SUGGESTIONS, "query": dict(st.query_params)})
