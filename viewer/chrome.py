"""What surrounds every page: title, icon, logo, the dense padding, and the heap frozen once a page is warm.

Streamlit's own garbage collection after each run is off (theme.py); what a page's first run loaded will never be garbage, so it is taken
out of the collector's sight: 80-95 ms of CPU a run became 10 (Streamlit 1.67, 2 cores).
"""

from __future__ import annotations

import gc

import streamlit as st

from viewer import assets

ICON = str(assets.PACKAGE / "static" / "favicon.svg")
ABOUT = "**Right Passage** shows whether your RAG app retrieved the right passages, and where an answer went wrong."

# `.stMainBlockContainer` and the header have no theme option of their own; everything else is themed in theme.py.
STYLE = """<style>
.stMainBlockContainer{padding:3.9rem 1.1rem .6rem;max-width:none}
.stMainBlockContainer [data-testid=stVerticalBlock]{gap:.5rem}
[data-testid=stElementContainer]:has(>.stHtml style){display:none}
[data-testid=stLogoLink]{display:flex;align-items:center;gap:.55rem;color:inherit}
[data-testid=stLogoLink]::after{content:"Right Passage";font-weight:650;letter-spacing:-.01em}
</style>"""

warm: set[str] = set()


def draw() -> None:
    """Called before the navigation: without an icon of our own, Streamlit would have the browser ask a font host for the page's."""
    st.set_page_config(page_title="Right Passage", page_icon=ICON, layout="wide", menu_items={"About": ABOUT})
    st.logo(ICON, size="small", link=None)
    st.html(STYLE)


def name(title: str) -> None:
    """Called once the page is known."""
    st.set_page_config(page_title=f"{title} · Right Passage")


def settle(page: str) -> None:
    """Called after the page: the first time, what it loaded is frozen."""
    if page not in warm:
        warm.add(page)
        gc.collect()
        gc.freeze()
