"""A trace as one HTML file: the viewer's own component with its modules, its style sheet and the whole trace inside.

The file needs no network and no server; it opens by a double click and is drawn by the same code as the trace page. The data stands in
a `<script type="application/jsonl">`, where nothing is parsed as markup: a line with the summary and the health, then a line per span, so
that its exact text is at hand. The page's content policy admits the one script whose hash it names and no request at all. In a notebook
the same file is shown in a sandboxed frame.

    html.trace_html(client.trace(trace_id))          the text of the file
    html.show(client.trace(trace_id))                in a notebook; `%load_ext viewer.html` does it for every trace

The modules are joined here, not by a build tool: each becomes a function that fills its exports, in the order of their imports.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import html
import re
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from collector.client import CollectorClient
from collector.errors import NotFound, RightPassageError
from collector.jsonform import encode, to_json
from collector.model import Trace
from viewer.settings import load

ASSETS: Final = Path(__file__).parent / "components" / "trace_view" / "assets"
ENTRY: Final = "saved.js"

IMPORT: Final = re.compile(r'^import \{([^}]*)\} from "\./([\w.]+)";$', re.MULTILINE)
EXPORT: Final = re.compile(r"^export ((?:async )?function\*? ?|const |class )(\w+)", re.MULTILINE)


# ---- One script of many modules ----


def bundle(files: Mapping[str, str], entry: str) -> str:
    """One classic script that runs `files[entry]` and what it imports; its exports are the value of the script's `modules[entry]`.

    Understands what our modules use: named imports from siblings, `export function|const|class`. Anything else raises ValueError.
    """
    order: list[str] = []
    _visit(files, entry, order, ())
    return "const modules = {};\n" + "".join(_wrapped(name, files[name]) for name in order)


def _visit(files: Mapping[str, str], name: str, order: list[str], path: tuple[str, ...]) -> None:
    if name in path:
        raise ValueError(f"modules import each other in a circle: {' → '.join((*path, name))}")
    if name in order:
        return
    if name not in files:
        raise ValueError(f"{path[-1] if path else 'the entry'} imports {name}, which is not there")
    for match in IMPORT.finditer(files[name]):
        _visit(files, match[2], order, (*path, name))
    order.append(name)


def _wrapped(name: str, source: str) -> str:
    def imported(match: re.Match[str]) -> str:
        names = ", ".join(part.strip().replace(" as ", ": ") for part in match[1].split(",") if part.strip())
        return f'const {{ {names} }} = modules["{match[2]}"];'

    exports = ", ".join(found[2] for found in EXPORT.finditer(source))
    body = EXPORT.sub(r"\1\2", IMPORT.sub(imported, source))
    if left := re.search(r"^(?:import|export)\b.*", body, re.MULTILINE):
        raise ValueError(f"{name}: cannot join {left[0]!r}")
    return f'modules["{name}"] = (() => {{\n{body}\nreturn {{ {exports} }};\n}})();\n'


@cache
def _script() -> str:
    files = {path.name: path.read_text("utf-8") for path in ASSETS.glob("*.js")}
    return "(() => {\n" + bundle(files, ENTRY) + f'modules["{ENTRY}"].openSaved();\n' + "})();\n"


@cache
def _style() -> str:
    return (ASSETS / "trace_view.css").read_text("utf-8")


# ---- The file ----


def trace_html(trace: Trace | Mapping[str, Any], *, scheme: str = "") -> str:
    """The text of a single HTML file that shows a trace: a model value, or what `GET /api/v1/traces/{id}` answered."""
    return traces_html([trace], scheme=scheme)


def traces_html(traces: Sequence[Trace | Mapping[str, Any]], *, scheme: str = "") -> str:
    """The same for several traces, with a list to choose from.

    `scheme` is "light", "dark" or "" for what the reader's system prefers.
    """
    if scheme not in {"", "light", "dark"}:
        raise ValueError(f"scheme is 'light', 'dark' or '', not {scheme!r}")
    wholes = [to_json(trace) if isinstance(trace, Trace) else dict(trace) for trace in traces]
    title = _title(wholes[0]["trace"]) if len(wholes) == 1 else f"{len(wholes)} traces"
    return _PAGE.format(
        scheme=scheme,
        policy=content_policy(),
        title=html.escape(title),
        style=_style(),
        data="\n".join(f'<script type="application/jsonl">{_lines(whole)}</script>' for whole in wholes),
        script=_script(),
    )


def _title(summary: Mapping[str, Any]) -> str:
    said = str(summary.get("input_preview") or summary.get("root_name") or summary.get("trace_id"))
    return " ".join(said.split())[:120]


def _lines(whole: Mapping[str, Any]) -> str:
    lines = ({"trace": whole["trace"], "health": whole.get("health") or {}}, *whole["spans"])
    return "\n".join(_inert(encode(line).decode("utf-8", "replace")) for line in lines)


@cache
def content_policy() -> str:
    """Our one script by its hash, inline styles (bars have widths), images only from the file itself; nothing may be fetched."""
    digest = base64.b64encode(hashlib.sha256(_script().encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
    )


_PAGE: Final = """<!doctype html>
<html lang="en" data-scheme="{scheme}">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="generator" content="rightpassage">
<title>{title} · Right Passage</title>
<style>html,body{{margin:0}}html{{color-scheme:light dark;background:#fff}}html[data-scheme=dark]{{background:#0e1117}}
@media (prefers-color-scheme:dark){{html:not([data-scheme=light]){{background:#0e1117}}}}body{{padding:10px 14px}}
#chooser{{width:100%;max-width:720px;margin-bottom:8px;padding:4px 6px;font:13px system-ui,sans-serif}}
{style}</style>
<select id="chooser" aria-label="Trace"></select>
<div id="page"></div>
{data}
<script>{script}</script>
</html>
"""


def _inert(json_text: str) -> str:
    """JSON that cannot end its script element or start a comment in it, and that reads as the same value."""
    return json_text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


async def answer(request: Request) -> Response:
    """`GET /trace.html?trace_id=…`: the file, for the viewer's "single HTML file"."""
    trace_id = request.query_params.get("trace_id", "")
    settings = load()

    def file() -> str:
        with CollectorClient(settings.collector, settings.token or None) as client:
            return trace_html(client.trace(trace_id))

    try:
        text = await run_in_threadpool(file)
    except NotFound as missing:
        return PlainTextResponse(str(missing), 404)
    except RightPassageError as failure:
        return PlainTextResponse(str(failure), 502)
    return HTMLResponse(text, headers={"content-security-policy": content_policy(), "cache-control": "no-store"})


def main(arguments: Sequence[str]) -> None:
    """`python -m viewer html TRACE_ID…`: the traces as one file, on standard output."""
    settings = load()
    options = argparse.ArgumentParser(prog="python -m viewer html", description="Writes traces as one HTML file to standard output.")
    options.add_argument("--collector", default=settings.collector, metavar="URL", help="the collector to read (default: %(default)s)")
    options.add_argument("trace", nargs="+", help="id of a trace")
    chosen = options.parse_args(arguments)
    try:
        with CollectorClient(chosen.collector, settings.token or None) as client:
            text = traces_html([client.trace(trace_id) for trace_id in chosen.trace])
    except RightPassageError as failure:
        sys.exit(f"viewer: {failure}")
    sys.stdout.buffer.write(text.encode())


# ---- In a notebook ----


def notebook_html(trace: Trace, *, height: int = 640, link: str = "") -> str:
    """The file in a frame that may run its own script and nothing else; `link` is the trace's address in a viewer."""
    frame = (
        f'<iframe sandbox="allow-scripts" style="width:100%;height:{int(height)}px;border:1px solid #8884;border-radius:8px" '
        f'title="Trace {trace.summary.trace_id}" srcdoc="{html.escape(trace_html(trace))}"></iframe>'
    )
    return frame + (f'<p><a href="{html.escape(link)}" target="_blank" rel="noopener">Open in the viewer</a></p>' if link else "")


def show(trace: Trace | str, *, client: CollectorClient | None = None, viewer: str = "", height: int = 640) -> None:
    """Display a trace, or the trace with this id, below the notebook cell; `viewer` is the viewer's URL for the link."""
    from IPython.display import HTML, display  # pyright: ignore[reportMissingImports, reportUnknownVariableType]  # only notebooks have it

    whole = (client or CollectorClient()).trace(trace) if isinstance(trace, str) else trace
    link = f"{viewer.rstrip('/')}/trace?trace_id={whole.summary.trace_id}" if viewer else ""
    display(HTML(notebook_html(whole, height=height, link=link)))


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext viewer.html`: every `Trace` that is the value of a cell is drawn."""
    shell.display_formatter.formatters["text/html"].for_type(Trace, notebook_html)
