"""The viewer as one ASGI process: Streamlit's pages, our assets, and the collector's and the bot's APIs on the same origin.

    browser ─▶ Guard ─▶ /assets/…   fonts, modules, styles: by digest, cached for good
                      ─▶ /api/v1/…  streamed to the collector      ─▶ /bot/…  streamed to the bot
                      ─▶ pages      index.html, title and start-up patched once
                      ─▶ the rest   Streamlit (websocket, its own static files)

One origin means that components fetch what they show over HTTP, with ETags and without the websocket, under a content policy that
admits nothing else.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import streamlit
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from streamlit import App
from streamlit.runtime.pages_manager import PagesManager
from streamlit.web import bootstrap

from viewer import assets, first, html, theme
from viewer.guard import LOOPBACK, Guard, Policy, content_policy, script_hashes
from viewer.settings import Settings, load

STREAMLIT_STATIC: Final = Path(streamlit.__file__).parent / "static"
TEXT_TYPES: Final = (".css", ".js", ".svg", ".html", ".json")
FOR_GOOD: Final = "public, max-age=31536000, immutable"

PAGES: Final = frozenset({"traces", "trace", "sessions", "session", "passages", "compare", "ask", "import"})
# Streamlit answers an address that it does not know with its default page under a dialog.
NO_SUCH_PAGE: Final = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>No such page · Right Passage</title><link rel="icon" href="/favicon.png">
<style>
:root{color-scheme:light dark}
body{margin:0;min-height:100vh;display:grid;place-content:center;text-align:center;padding:0 16px}
body{font:14px/1.5 system-ui,sans-serif;background:#fff;color:#1a1f2b}
h1{margin:0 0 8px;font-size:19px}p{margin:0;opacity:.75}
nav{display:flex;flex-wrap:wrap;justify-content:center;gap:8px;margin-top:20px}
a{padding:6px 14px;border:1px solid #d6d9e2;border-radius:8px;color:inherit;text-decoration:none;font-weight:500}
a:first-child{background:#5b5bd6;border-color:#5b5bd6;color:#fff}a:hover{border-color:#5b5bd6}
@media (prefers-color-scheme:dark){body{background:#0e1117;color:#e6e8ee}a{border-color:#353a47}}
</style>
<main><h1>There is no such page</h1><p>The address may be mistyped. A trace is at <code>/trace?trace_id=</code> and its id.</p>
<nav><a href="/traces">Traces</a><a href="/sessions">Sessions</a><a href="/passages">Passages</a><a href="/ask">Ask</a></nav></main></html>
"""

HOP_BY_HOP: Final = frozenset(
    {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade"}
)
NOT_PASSED_ON: Final = HOP_BY_HOP | {"host", "authorization", "cookie", "origin", "referer"}
NOT_PASSED_BACK: Final = HOP_BY_HOP | {"server", "date", "set-cookie"}


# ---- Assets ----


class Compressed:
    """Gzips what never changes, once, on first demand: Streamlit serves its 2.7 MB of scripts plain."""

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}

    def response(self, name: str, data: bytes, headers: Headers, media_type: str, cache: str = FOR_GOOD) -> Response:
        answer = {"cache-control": cache, "vary": "accept-encoding"}
        if name.endswith(TEXT_TYPES) and "gzip" in headers.get("accept-encoding", ""):
            if name not in self.bodies:
                self.bodies[name] = gzip.compress(data, 6)
            data, answer["content-encoding"] = self.bodies[name], "gzip"
        return Response(data, media_type=media_type, headers=answer)


def index_page(html: bytes) -> bytes:
    """Streamlit's index.html with our title and start-up script, without the preload of a font that we do not use."""
    page = re.sub(rb"<title>.*?</title>", b"<title>Right Passage</title>", html)
    page = re.sub(rb'<link\s+rel="preload"[^>]*SourceSans[^>]*/>', b"", page)
    boot, away = assets.url("static/boot.js"), assets.url("components/base/away.js")
    font = assets.url("static/fonts/inter-latin-wght-normal.woff2")
    head = (
        f'<script src="{boot}"></script><script type="module" src="{away}"></script>'
        f'<link rel="preload" href="{font}" as="font" type="font/woff2" crossorigin>'
        f"<style>{first.style()}</style></head>"
    )
    return page.replace(b"</head>", head.encode(), 1)


# ---- The pass-through ----


class PassThrough:
    """Streams a request to an upstream and its answer back, both ways without buffering; the upstream's token stays on the server.

    `strip` is the part of our path that the upstream does not have."""

    def __init__(self, upstream: str, token: str, noun: str, strip: str = "") -> None:
        self.upstream, self.token, self.noun, self.strip = upstream, token, noun, strip
        # Reads wait without limit: a live tail is silent for minutes. Connecting does not.
        self.client = httpx.AsyncClient(
            timeout=httpx.Timeout(30, connect=2, read=None),
            limits=httpx.Limits(max_connections=1_000, max_keepalive_connections=50),  # each live tail holds one
            follow_redirects=False,
            trust_env=False,
        )
        self.streaming: set[httpx.Response] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await self.answer(Request(scope, receive))
        await answer(scope, receive, send)

    async def answer(self, request: Request) -> Response:
        path = request.scope["raw_path"].decode("latin-1").removeprefix(self.strip)
        if not self.upstream:
            return problem(404, f"no {self.noun} is configured")
        if ".." in path or "//" in path:
            return problem(404, "no such path")
        headers = [(name, value) for name, value in request.headers.raw if name.decode("latin-1") not in NOT_PASSED_ON]
        if self.token:
            headers.append((b"authorization", b"Bearer " + self.token.encode()))
        url = httpx.URL(self.upstream + path, query=request.scope["query_string"])
        has_body = "content-length" in request.headers or "transfer-encoding" in request.headers
        sent = self.client.build_request(request.method, url, headers=headers, content=request.stream() if has_body else None)
        try:
            answer = await self.client.send(sent, stream=True)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            return problem(502, f"no {self.noun} answers at {self.upstream}")
        except httpx.HTTPError as error:
            return problem(502, f"the {self.noun} at {self.upstream} broke off: {type(error).__name__}")
        except ClientDisconnect:
            return Response(status_code=499)
        kept = {name: value for name, value in answer.headers.items() if name not in NOT_PASSED_BACK}
        return StreamingResponse(self.chunks(answer), answer.status_code, kept)

    async def chunks(self, answer: httpx.Response) -> AsyncIterator[bytes]:
        """The raw body (its content encoding kept); an upstream that breaks off ends the answer."""
        self.streaming.add(answer)
        try:
            async for chunk in answer.aiter_raw():
                yield chunk
        except (httpx.HTTPError, httpx.StreamError):
            return
        finally:
            self.streaming.discard(answer)
            await answer.aclose()

    async def hang_up(self) -> None:
        """End what is streaming: a live tail would keep a stopping server waiting."""
        for answer in tuple(self.streaming):
            await answer.aclose()


def problem(status: int, detail: str) -> JSONResponse:
    """A problem JSON (RFC 9457), like the collector's own."""
    body = {"type": "about:blank", "title": "Bad gateway" if status == 502 else "Not found", "status": status, "detail": detail}
    return JSONResponse(body, status, media_type="application/problem+json", headers={"cache-control": "no-store"})


# ---- Pages and static files ----


class Pages:
    """Answers what a browser asks for before it reaches Streamlit: the APIs, assets, icon, pages and Streamlit's static files."""

    def __init__(self, app: ASGIApp, index: bytes, passed_on: Mapping[str, PassThrough]) -> None:
        self.app, self.index, self.passed_on = app, index, passed_on
        self.compressed = Compressed()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        # Before Streamlit's own layers: the APIs want no session cookie and no second compression, and a live tail must not be held up.
        for prefix, upstream in self.passed_on.items():
            if scope["path"].startswith(prefix):
                await upstream(scope, receive, send)
                return
        answer = (
            self.answer(scope["path"], scope["query_string"].decode("latin-1"), Headers(scope=scope))
            if scope["method"] in {"GET", "HEAD"}
            else None
        )
        await (answer or self.app)(scope, receive, send)

    def answer(self, path: str, query: str, headers: Headers) -> Response | None:
        if path == "/":
            return RedirectResponse("/traces", 307)
        if path.startswith("/assets/"):
            return self.asset(path.removeprefix(assets.PREFIX + "/"), headers)
        if path in {"/favicon.png", "/favicon.ico"}:
            return self.asset("static/favicon.svg", headers)
        if path.startswith("/static/"):
            return self.static(path, headers)
        if path == "/healthz":
            return JSONResponse({"status": "ok"}, headers={"cache-control": "no-store"})
        if path != "/" and path.rstrip("/") != path and is_page(path.rstrip("/")):
            return RedirectResponse(path.rstrip("/"), 307)
        if path == "/home":
            return RedirectResponse("/traces", 307)
        if is_page(path) and path.removeprefix("/") not in PAGES and "text/html" in headers.get("accept", ""):
            return HTMLResponse(NO_SUCH_PAGE, 404, headers={"cache-control": "no-store"})
        if is_page(path):
            return self.page(path, query)
        return None

    def page(self, path: str, query: str) -> Response:
        """Streamlit's index page; with a first view where the page has one."""
        head, body = first.view_of(path, query)
        return HTMLResponse(
            self.index.replace(b"<head>", b"<head>" + head.encode(), 1).replace(b"</body>", body.encode() + b"</body>", 1),
            headers={"cache-control": "no-cache"},
        )

    def asset(self, name: str, headers: Headers) -> Response:
        data = assets.FILES.get(name)
        if data is None:
            return problem(404, f"no asset {name!r}")
        return self.compressed.response(name, data, headers, assets.MEDIA_TYPES[Path(name).suffix])

    def static(self, path: str, headers: Headers) -> Response | None:
        """A script or style sheet of Streamlit's front end; anything else (and any odd path) is left to Streamlit."""
        kind = assets.MEDIA_TYPES.get(Path(path).suffix)
        if kind is None or not path.endswith(TEXT_TYPES):
            return None
        known = path in self.compressed.bodies
        file = (STREAMLIT_STATIC / path.lstrip("/")).resolve()
        if not known and not (file.is_relative_to(STREAMLIT_STATIC.resolve()) and file.is_file()):
            return None
        return self.compressed.response(path, file.read_bytes(), headers, kind)


def is_page(path: str) -> bool:
    """A page has one plain segment: `/traces`, not `/_stcore/…`, `/media/…` or a file."""
    return re.fullmatch(r"/[a-z][a-z-]*", path) is not None


# ---- The application ----


def allowed_hosts(settings: Settings, address: str) -> frozenset[str]:
    """Loopback names, the bind address and what was allowed by name; every name on a wildcard address, which demands a token."""
    if address in {"0.0.0.0", "::"} and not settings.allowed_hosts:
        return frozenset()
    return LOOPBACK | {address.lower()} | {host.lower() for host in settings.allowed_hosts}


def create_app(settings: Settings | None = None, address: str = "127.0.0.1") -> App:
    """The ASGI application; also the factory for another server: `uvicorn --factory viewer.asgi:create_app`."""
    settings = settings or load()
    PagesManager.uses_pages_directory = False  # our pages/ is a package, not Streamlit's old folder of scripts
    bootstrap.load_config_options(theme.options(assets.url("static/fonts")))
    index = index_page((STREAMLIT_STATIC / "index.html").read_bytes())
    policy = Policy(settings.token, allowed_hosts(settings, address), content_policy(script_hashes(index)))
    collector = PassThrough(settings.collector, settings.token, "collector")
    bot = PassThrough(settings.bot, settings.token, "bot", strip="/bot")

    async def hang_up() -> None:
        await collector.hang_up()
        await bot.hang_up()

    @asynccontextmanager
    async def lifespan(_app: App) -> AsyncGenerator[dict[str, Any]]:
        yield {"hang_up": hang_up}
        await collector.client.aclose()
        await bot.client.aclose()

    return App(
        assets.PACKAGE / "app.py",
        routes=[
            Route("/trace.html", html.answer),
        ],
        middleware=[
            Middleware(Guard, policy=policy),
            Middleware(Pages, index=index, passed_on={"/api/v1/": collector, "/bot/": bot}),
        ],
        lifespan=lifespan,
    )
