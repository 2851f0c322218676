"""The gate in front of every HTTP route, OTLP included: Host, Origin, token, media type, body size and time, security headers.

It stands outermost, so a new route cannot be forgotten. In order: a foreign `Host` is refused (DNS rebinding), then a foreign `Origin` of a
state-changing request, then a missing or wrong token (before one byte of the body is read), then what only `/api` limits. There is no CORS.
Errors are problem JSON; those of `/v1/*` a google.rpc.Status in the request's encoding. gRPC asks `token_matches` too.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import re
import socket
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from google.rpc import status_pb2
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from collector.jsonform import encode
from collector.routes.otlp import signal_of
from collector.routes.problems import problem
from collector.settings import Address

API_BODY_BYTES = 2**20  # scores, views, rules: the largest in use is a few kB
BODY_SECONDS = 30  # a body must be there by then; OTLP bodies have the endpoint's own clock
SAFE_METHODS = frozenset({"GET", "HEAD"})
SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
_PORT = re.compile(r":\d{0,5}")
_GRPC_CODES = {401: 16, 403: 7, 421: 7, 503: 14}  # google.rpc.Code of the refusals an OTLP client can meet here
_JSON_TYPES = frozenset({"application/json"})
_UPLOAD_TYPES = _JSON_TYPES | {"application/x-ndjson", "application/jsonl", "application/x-protobuf", "application/octet-stream"}


def token_matches(token: str | None, authorization: str | bytes | None) -> bool:
    """Whether an `Authorization` value carries the token; compared in constant time, as bytes, so that no character can raise."""
    if token is None:
        return True
    given = authorization.encode("utf-8", "surrogateescape") if isinstance(authorization, str) else authorization or b""
    scheme, _, secret = given.strip().partition(b" ")
    return hmac.compare_digest(secret.strip(), token.encode()) and scheme.lower() == b"bearer"


class HostList:
    """The names under which this collector may be asked for."""

    def __init__(self, bound: Address, extra: Iterable[str] = ()) -> None:
        self.names = {"localhost", "127.0.0.1", "::1", bound.host.lower(), *(name.lower() for name in extra)}
        self.open = not bound.is_loopback
        if self.open:
            self.names.add(socket.gethostname().lower())

    def allows(self, host: str) -> bool:
        """A listed name on any port. Beyond loopback also any IP address: rebinding needs a name, and there a token is demanded."""
        name = _host_name(host)
        return "*" in self.names or name in self.names or (self.open and _is_address(name))


def _host_name(host: str) -> str:
    """`Example.org:4318` → `example.org`, `[::1]:4318` → `::1`."""
    host = host.strip().lower()
    if host.startswith("["):
        name, _, port = host[1:].partition("]")
        return name if not port or _PORT.fullmatch(port) else host
    name, colon, port = host.partition(":")
    return name.removesuffix(".") if not colon or _PORT.fullmatch(colon + port) else host


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class Guard:
    """ASGI middleware: refuse what must not come in, mark what goes out."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: HostList,
        token: str | None,
        max_upload_bytes: int,
        takes: Callable[[Scope], bool],
        closing: asyncio.Event,
    ) -> None:
        """`takes`: whether there is a route of this path and method; what there is not is refused (404, 405) without reading a body.
        `closing`: set when the collector stops; what is cut off then is answered with 503."""
        self.app, self.hosts, self.token, self.max_upload_bytes = app, hosts, token, max_upload_bytes
        self.takes, self.closing = takes, closing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return

        started = False

        async def guarded_send(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                there = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(pair for pair in SECURITY_HEADERS if pair[0] not in there)]
            await send(message)

        try:
            await self._answer(scope, receive, guarded_send)
        except asyncio.CancelledError:
            if not self.closing.is_set():
                raise
            if not started:
                await _stopping(scope)(scope, receive, guarded_send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if refusal := self._refusal(scope):
            await refusal(scope, receive, send)
        elif scope["path"].startswith("/api/v1/") and scope["method"] not in SAFE_METHODS and self.takes(scope):
            await self._with_body(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self.hosts.allows(host):
            detail = f"the Host {host!r} is not one of {', '.join(sorted(self.hosts.names))}; add it with --allow-host"
            return _refuse(scope, headers, 421, "foreign-host", "This collector is not known by that name", detail)
        if origin is not None and scope["method"] not in SAFE_METHODS and not self.hosts.allows(urlsplit(origin).netloc):
            detail = f"the page at {origin!r} may not change anything here"
            return _refuse(scope, headers, 403, "foreign-origin", "Asked by a foreign page", detail)
        if not token_matches(self.token, _authorization(scope)):
            detail = "this collector wants `Authorization: Bearer TOKEN` with the token it was started with"
            return _refuse(scope, headers, 401, "unauthorised", "A token is needed", detail)
        return None

    async def _with_body(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read a body whole, within its limits, before the route runs: no route can be held open or filled up by a slow or endless one."""
        headers, is_upload = Headers(scope=scope), scope["path"] == "/api/v1/import"
        media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        allowed, limit = (_UPLOAD_TYPES, self.max_upload_bytes) if is_upload else (_JSON_TYPES, API_BODY_BYTES)
        if media_type not in allowed and scope["method"] != "DELETE":
            detail = f"content type {media_type!r} is not read at {scope['path']}; send {' or '.join(sorted(allowed))}"
            await problem(415, "unsupported-media-type", "The content type is not read here", detail)(scope, receive, send)
            return
        if not is_upload and (coding := headers.get("content-encoding", "identity").strip().lower()) != "identity":
            detail = f"content encoding {coding!r} is not read at {scope['path']}; send the body as it is"
            await problem(415, "unsupported-media-type", "The content encoding is not read here", detail)(scope, receive, send)
            return
        declared = headers.get("content-length", "")
        try:
            too_large = declared.isdecimal() and int(declared) > limit
            body = None if too_large else await asyncio.wait_for(_read(receive, limit), BODY_SECONDS)
        except TimeoutError:
            detail = f"the body was not complete after {BODY_SECONDS} s"
            await problem(408, "too-slow", "The body came too slowly", detail)(scope, receive, send)
            return
        if body is None:
            detail = f"the body is over the {limit} bytes that {scope['path']} reads"
            await problem(413, "request-too-large", "The request is too large", detail, {"connection": "close"})(scope, receive, send)
            return
        await self.app(scope, _replay(body, receive), send)


def _authorization(scope: Scope) -> bytes | None:
    return next((value for name, value in scope["headers"] if name == b"authorization"), None)


async def _read(receive: Receive, limit: int) -> bytes | None:
    """The whole body, or None as soon as it is over the limit."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"".join(parts)
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > limit:
            return None
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay


def _stopping(scope: Scope) -> Response:
    return _refuse(scope, Headers(scope=scope), 503, "store-unavailable", "The store cannot answer now", "this collector is stopping")


def _refuse(scope: Scope, headers: Headers, status: int, name: str, title: str, detail: str) -> Response:
    """The refusal in the form that the path's clients read."""
    extra = {"www-authenticate": 'Bearer realm="rightpassage"'} if status == 401 else {}
    extra |= {"retry-after": "5"} if status == 503 else {}
    extra |= {"connection": "close"}
    if signal_of(scope["method"], scope["path"]) is None:
        return problem(status, name, title, detail, extra)
    if headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json":
        return Response(encode({"code": _GRPC_CODES[status], "message": detail}), status, extra, media_type="application/json")
    body = status_pb2.Status(code=_GRPC_CODES[status], message=detail).SerializeToString()
    return Response(body, status, extra, media_type="application/x-protobuf")
