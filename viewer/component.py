"""Streamlit v2 components from our own modules: a stub of one line imports the real module from `/assets/…`.

The stub travels in each mount's message and stays tiny; the module, its siblings and its style sheet come over HTTP, compressed and cached
for good. Unlike packaged components this needs no manifest that Streamlit has to find, so it works alike from a wheel, from an editable
install and in AppTest (docs/decisions/0055).
"""

from __future__ import annotations

from streamlit.components import v2
from streamlit.components.v2.types import ComponentRenderer

from viewer import assets


def declare(name: str) -> ComponentRenderer:
    """The component whose module is `components/<name>/<name>.js`; call once, at module level."""
    module = assets.url(f"components/{name}/{name}.js")
    # Two lines: Streamlit takes a single line for the path of a packaged file.
    stub = f'const module = await import(new URL("{module}", location.origin).href);\nexport default module.default;\n'
    return v2.component(f"rightpassage_{name}", js=stub, html='<div class="mount"></div>')
