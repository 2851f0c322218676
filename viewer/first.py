"""What a page shows before Streamlit's front end has started: its component, drawn at once, taken over when Streamlit mounts it.

Before Streamlit asks for a component, its scripts are evaluated, a websocket is opened and the page's script has run: 0.3 s on a warm load.
A page that needs nothing but its address does not wait for that. Its HTML names the component and what it is given, begins the first
question to the collector, and loads the modules; `components/base/first.js` draws it where Streamlit will want it (docs/decisions/0059).
What a component is given is defined here once: the page's script passes on the same value.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

from viewer import assets, theme
from viewer.settings import load
from viewer.state import TRACE_ID

Query = Mapping[str, str]

API: Final = "/api/v1"
LINKS: Final = {"session": "/session?session_id=", "traces": "/traces", "compare": "/compare?a=", "html": "/trace.html?trace_id="}
LONGEST: Final = 300  # characters of a parameter that reach the component: its payload stays under 2 kB

# The place of Streamlit's main block in pixels (chrome.py gives it in rem of 14 px, which Streamlit sets when it has started).
PLACE: Final = "position:absolute;inset:54.6px 15.4px auto;z-index:1"
CAPITAL: Final = re.compile("(?=[A-Z])")
IMPORT: Final = re.compile(r'^(?:import|export) [^"]*?from "(\.[^"]+)";$', re.MULTILINE)


# ---- What components are given ----


def trace_data(query: Query) -> dict[str, Any]:
    """The trace page: names only, never data. `filter` and `order` name the list that previous and next walk along."""

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


def list_data(query: Query) -> dict[str, Any]:
    """The list of traces. The query makes Streamlit tell it that the address changed (a click on "Traces" in the navigation)."""
    collector = load().collector
    return {"api": API, "collector": collector, "endpoint": collector, "query": dict(query)}


def columns_of(data: Mapping[str, Any]) -> Sequence[str]:
    """The question a trace page begins with."""
    return [f"{API}/traces/{data['traceId']}?view=columns"] if TRACE_ID.fullmatch(data["traceId"]) else []


def nothing(_data: Mapping[str, Any]) -> Sequence[str]:
    """A page whose first question depends on more than its address."""
    return []


# ---- The HTML ----


@dataclass(frozen=True, slots=True)
class FirstView:
    """`asks` are paths that the component will fetch at once, just as they stand there."""

    component: str
    data: Callable[[Query], Mapping[str, Any]]
    asks: Callable[[Mapping[str, Any]], Sequence[str]] = nothing


VIEWS: Final[Mapping[str, FirstView]] = {
    "/trace": FirstView("trace_view", trace_data, columns_of),
    "/traces": FirstView("trace_list", list_data),
}


def modules(entry: str, files: Mapping[str, bytes] = assets.FILES) -> Sequence[str]:
    """The module and everything it imports, in the order a browser would find them."""
    found = [entry]
    for name in found:
        folder = name.rpartition("/")[0].split("/")
        for relative in IMPORT.findall(files[name].decode()):
            parts = list(folder)
            for part in relative.split("/"):
                parts = parts[:-1] if part == ".." else parts if part == "." else [*parts, part]
            if (path := "/".join(parts)) not in found:
                found.append(path)
    return found


def style() -> str:
    """Fonts and colours as Streamlit will set them: nothing moves or changes its colour when it takes over."""
    faces = "".join(
        f"@font-face{{font-family:'{face['family']}';src:url({assets.url('static/fonts')}/{face['url']}) format('woff2');"
        f"font-weight:{face['weight']};font-style:{face['style']};font-display:swap}}"
        for face in theme.FONT_FACES
    )

    def variables(named: Mapping[str, Any]) -> str:
        return ";".join(f"--st-{CAPITAL.sub('-', name).lower()}:{value}" for name, value in named.items())

    fonts = {name: theme.SHARED[name] for name in ("font", "codeFont", "headingFont", "baseRadius", "buttonRadius")}
    light, dark = theme.LIGHT["backgroundColor"], theme.DARK["backgroundColor"]
    return (
        f"{faces}html{{background:{light}}}html[data-scheme=dark]{{background:{dark}}}"
        f"#first-view{{{PLACE};{variables(fonts)};{variables(theme.LIGHT)}}}[data-scheme=dark] #first-view{{{variables(theme.DARK)}}}"
    )


def view_of(path: str, query_string: str) -> tuple[str, str]:
    """What goes into the head and to the end of the body of a page; "" for a page that Python draws."""
    view = VIEWS.get(path)
    if view is None:
        return "", ""
    data = view.data(dict(parse_qsl(query_string, keep_blank_values=True)))
    entry = f"components/{view.component}/{view.component}.js"
    head = "".join(f'<link rel="preload" as="fetch" crossorigin href="{html.escape(path)}">' for path in view.asks(data))
    head += "".join(f'<link rel="modulepreload" href="{assets.url(name)}">' for name in modules(entry)[1:])
    head += f'<script type="module" src="{assets.url(entry)}"></script>'
    return head, f'<div id="first-view" data-given="{html.escape(json.dumps(data, separators=(",", ":")))}"></div>'
