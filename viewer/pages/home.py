"""The start: leads to the traces. It exists because Streamlit's default page has no path of its own, and every page of ours has one."""

from __future__ import annotations

from viewer.component import declare

HOME = declare("home")


def page() -> None:
    HOME(key="home", data={})
