"""Who may talk to the viewer, and what its pages may load: one pure-ASGI layer round everything, websocket included.

In order: the Host must be ours (DNS rebinding), a caller must show the token when there is one (cookie or `Authorization: Bearer`), a
request that changes something must come from our own pages, and every answer carries the security headers. The content policy admits
only our own origin; Streamlit's one inline script is allowed by its hash, computed from the file that is served.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import parse_qs, quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE: Final = "rightpassage_session"
LOGIN_PATH: Final = "/auth"
OPEN_PATHS: Final = frozenset({"/healthz", "/_stcore/health", "/favicon.png", "/favicon.ico", LOGIN_PATH})
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
LOGIN_BODY_LIMIT: Final = 8_192

INLINE_SCRIPT = re.compile(rb"<script(?![^>]*\bsrc=)[^>]*>(.*?)</script>", re.DOTALL)


def script_hashes(html: bytes) -> tuple[str, ...]:
    """The CSP sources that admit exactly the inline scripts of a page."""
    digests = (hashlib.sha256(body).digest() for body in INLINE_SCRIPT.findall(html))
    return tuple(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)


def content_policy(script_sources: Iterable[str]) -> str:
    """The Content-Security-Policy: our origin only. `blob:` is where Streamlit puts a component's inline module."""
    scripts = " ".join(("'self'", "blob:", "'wasm-unsafe-eval'", *script_sources))
    return (
        f"default-src 'self'; script-src {scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
        "connect-src 'self'; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
    )


@dataclass(frozen=True, slots=True)
class Policy:
    """`hosts` empty admits any Host: only for a server that demands a token (a foreign page has no cookie for its own name)."""

    token: str = ""
    hosts: frozenset[str] = LOOPBACK
    csp: str = ""

    def admits_host(self, host: str | None) -> bool:
        return not self.hosts or hostname(host) in self.hosts

    def session(self) -> str:
        """What the cookie holds: derived from the token, so the token itself stays out of the browser's store."""
        return hmac.new(self.token.encode(), b"viewer session", hashlib.sha256).hexdigest()

    def admits(self, headers: Headers) -> bool:
        """Whether a request shows the token or the cookie; compared in constant time on bytes."""
        if not self.token:
            return True
        scheme, _, shown = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and hmac.compare_digest(shown.strip().encode("latin-1", "replace"), self.token.encode()):
            return True
        return hmac.compare_digest(cookie(headers.get("cookie", ""), COOKIE).encode(), self.session().encode())


def hostname(host: str | None) -> str:
    """The name in a Host header, lower case, without port; "" if there is none."""
    try:
        return (urlsplit(f"//{host or ''}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def cookie(header: str, name: str) -> str:
    """One cookie's value, "" if it is not there."""
    try:
        morsel = SimpleCookie(header).get(name)
    except CookieError:
        return ""
    return morsel.value if morsel else ""


def same_origin(headers: Headers) -> bool:
    """A browser's state-changing request is ours if its Origin names the Host it is sent to; a client without Origin is no browser."""
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host", "")


class Guard:
    """The outermost layer: refuses, or passes on and adds the headers."""

    def __init__(self, app: ASGIApp, policy: Policy) -> None:
        self.app, self.policy = app, policy
        self.headers = {
            "content-security-policy": policy.csp,
            "x-content-type-options": "nosniff",
            "x-frame-options": "DENY",
            "referrer-policy": "same-origin",
            "cross-origin-opener-policy": "same-origin",
            "cross-origin-resource-policy": "same-origin",
            "permissions-policy": "camera=(), geolocation=(), microphone=()",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    headers.setdefault(name, value)
            await send(message)

        refusal = await self.refusal(scope, receive)
        if refusal is None:
            await self.app(scope, receive, send_with_headers)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await refusal(scope, receive, send_with_headers)

    async def refusal(self, scope: Scope, receive: Receive) -> Response | None:
        """The answer to a request that may not pass (or to the login form), None for one that may."""
        headers = Headers(scope=scope)
        if not self.policy.admits_host(headers.get("host")):
            return PlainTextResponse("This host name is not one of the viewer's; see --allow-host.", 421)
        changing = scope["type"] == "websocket" or scope["method"] not in SAFE_METHODS
        if changing and not same_origin(headers):
            return PlainTextResponse("Requests from other origins are refused.", 403)
        if scope["path"] == LOGIN_PATH:
            return await self.login(scope, receive, headers)
        if scope["path"] in OPEN_PATHS or self.policy.admits(headers):
            return None
        if "text/html" in headers.get("accept", ""):
            query = scope.get("query_string", b"").decode("latin-1")
            return login_page(401, scope["path"] + (f"?{query}" if query else ""))
        return PlainTextResponse("A token is needed: Authorization: Bearer …", 401, {"www-authenticate": "Bearer"})

    async def login(self, scope: Scope, receive: Receive, headers: Headers) -> Response:
        """Exchange a token typed into the form for the session cookie; the token never stands in a URL."""
        if scope.get("method") != "POST":
            return login_page(200, "/")
        form = parse_qs((await body(receive, LOGIN_BODY_LIMIT)).decode("utf-8", "replace"))
        shown, target = form.get("token", [""])[0], local_path(form.get("next", ["/"])[0])
        if not (self.policy.token and hmac.compare_digest(shown.encode(), self.policy.token.encode())):
            return login_page(401, target, wrong=True)
        response = RedirectResponse(target, 303)
        secure = scope.get("scheme") == "https"
        response.set_cookie(COOKIE, self.policy.session(), httponly=True, samesite="lax", secure=secure, max_age=30 * 86_400)
        return response


def local_path(target: str) -> str:
    """A path on this server to go to after the login, "/" for anything that could lead elsewhere."""
    parts = urlsplit(target)
    inside = target.startswith("/") and not target.startswith(("//", "/\\")) and not parts.scheme and not parts.netloc
    return quote(target, safe="/?&=%:+,~-._!*'()@$;#[]") if inside else "/"


async def body(receive: Receive, limit: int) -> bytes:
    """A small request body; what is over the limit is cut off."""
    data = b""
    while len(data) <= limit:
        message = await receive()
        data += message.get("body", b"")
        if not message.get("more_body"):
            break
    return data[:limit]


LOGIN_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>Right Passage</title><link rel="icon" href="/favicon.png">
<style>:root{color-scheme:light dark}body{font:14px/1.5 system-ui,sans-serif;display:grid;place-items:center;min-height:90vh;margin:0}
form{width:320px;display:grid;gap:12px}h1{font-size:17px;margin:0}
input,button{font:inherit;padding:8px 10px;border-radius:8px;border:1px solid #8884}
button{background:#5b5bd6;color:#fff;border:0;font-weight:600;cursor:pointer}p{margin:0;opacity:.8}</style>
<form method="post" action="/auth"><h1>Right Passage</h1><p>__NOTE__</p>
<input type="hidden" name="next" value="__NEXT__">
<input name="token" type="password" aria-label="Token" autocomplete="current-password" autofocus>
<button>Open</button></form></html>"""


def login_page(status: int, target: str, wrong: bool = False) -> HTMLResponse:
    """The form that asks for the token."""
    note = "That token is not right." if wrong else "This viewer is guarded: enter the token it was started with."
    page = LOGIN_PAGE.replace("__NOTE__", note).replace("__NEXT__", quote(local_path(target), safe="/?&=%:+,~-._!*()@$;#[]"))
    return HTMLResponse(page, status, {"cache-control": "no-store"})
