"""The composition root: a store, its one writer, both OTLP transports and the JSON API become one running collector.

`create_app` puts the HTTP side together: the guard, behind it OTLP (answered before any routing: it carries nearly all requests) and
FastAPI for `/api`. `serve` opens the database, binds both ports, says `ready` once it accepts, and on SIGTERM refuses new work, finishes
what runs, drains the writer and returns. `private_collector` is the same for the length of one command, for a file that no one holds.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from collector.dialects import use_rules
from collector.errors import InvalidValue
from collector.guard import Guard, HostList
from collector.ingest import Ingest
from collector.live import Tail
from collector.pricing import read_table, use_prices
from collector.reception import Limits, Reception
from collector.retention import Retention
from collector.routes import (
    counts,
    diagnosis,
    exchange,
    filters,
    health,
    housekeeping,
    live,
    media,
    passages,
    problems,
    rules,
    scores,
    sessions,
    spans,
    traces,
    views,
)
from collector.routes.otlp import OtlpEndpoint, signal_of
from collector.routes.parts import Parts
from collector.settings import Address, ServeSettings
from collector.store import open_store, store_path

if TYPE_CHECKING:
    from collector.client import CollectorClient

ROUTERS = (health, counts, traces, diagnosis, spans, scores, sessions, passages, live, filters, views, rules, exchange, housekeeping, media)
COLLECT_AFTER = 20_000
"""New objects until Python looks for cycles (its default: 700). A batch makes tens of thousands and no cycle: 8 % of the CPU went there."""
DRAIN_SECONDS = 4  # for running requests at SIGTERM, of each transport; then they are cut


# ---- The HTTP side ----


class _Entrance:
    """OTLP before everything, FastAPI for the rest; HEAD is GET without the body."""

    def __init__(self, otlp: OtlpEndpoint, api: FastAPI) -> None:
        self._otlp, self._api = otlp, api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and signal_of(scope["method"], scope["path"]) is not None:
            await self._otlp(scope, receive, send)
        elif scope["type"] == "http" and scope["method"] == "HEAD":
            await self._api({**scope, "method": "GET"}, receive, _only_head(send))
        else:
            await self._api(scope, receive, send)


def _only_head(send: Send) -> Send:
    """Ends the answer where its body begins; a stream then notices that nobody listens any more."""
    ended = False

    async def head(message: Message) -> None:
        nonlocal ended
        if message["type"] == "http.response.start":
            await send(message)
        elif not ended:
            ended = True
            await send({"type": "http.response.body", "body": b""})

    return head


def create_api(parts: Parts | None = None) -> FastAPI:
    """The JSON API alone; without parts, for its OpenAPI description."""
    api = FastAPI(
        title="Right Passage collector",
        version=version("rightpassage"),
        description="Traces of RAG and LLM applications: list, read, filter, score, export. OTLP goes to `/v1/traces` on the same port.",
        docs_url=None,  # both pages load scripts from elsewhere
        redoc_url=None,
    )
    api.state.parts = parts
    for module in ROUTERS:
        api.include_router(module.router)
    problems.install(api)
    return api


def create_app(parts: Parts, endpoint: OtlpEndpoint, settings: ServeSettings) -> ASGIApp:
    """The whole HTTP face, guarded."""
    api = create_api(parts)
    return Guard(
        _Entrance(endpoint, api),
        hosts=HostList(settings.http, settings.allowed_hosts),
        token=settings.token,
        max_upload_bytes=settings.max_body_bytes,
        takes=lambda scope: scope["method"] in problems.allowed_methods(api.routes, scope),
        closing=parts.closing,
    )


# ---- One running collector ----


@dataclass(frozen=True, slots=True)
class _Running:
    """What `_opened` put together."""

    app: ASGIApp
    closing: asyncio.Event
    listener: socket.socket
    addresses: str  # as the ready line names them


@contextmanager
def _opened(settings: ServeSettings) -> Generator[_Running, None, None]:
    """Everything open and bound in the order that fails earliest; closed in reverse, the writer drained last."""
    with ExitStack() as stack:
        listener = stack.enter_context(settings.http.bind("--http"))
        if settings.grpc:
            settings.grpc.bind("--grpc").close()  # gRPC's own refusal does not name the option
        store = open_store(settings.db)
        stack.callback(store.close)
        use_rules(rules.saved_rules(store.catalog))
        if settings.prices:
            use_prices(read_table(settings.prices))
        reception = Reception(Limits(body_bytes=settings.max_body_bytes))
        ingest = Ingest(store)
        stack.callback(ingest.close)
        store.give_way_to(lambda: ingest.waiting_bytes > 0)
        retention = Retention(store, settings.retention)
        stack.callback(retention.close)
        tail = Tail(store)
        stack.callback(tail.close)
        closing = asyncio.Event()
        http = _bound(settings.http, listener.getsockname()[1])
        grpc_address = None
        if settings.grpc:
            from collector import grpc

            transport = grpc.serve(ingest, settings.grpc.netloc, settings.token, reception=reception)
            stack.callback(transport.stop, DRAIN_SECONDS)
            grpc_address = _bound(settings.grpc, transport.port).netloc
        parts = Parts(
            store=store,
            catalog=store.catalog,
            ingest=ingest,
            tail=tail,
            closing=closing,
            folder=str(store.path.parent),
            max_upload_bytes=settings.max_body_bytes,
            about={
                "version": version("rightpassage"),
                "sqlite_version": store.sqlite_version,
                "database": str(store.path),
                "grpc": grpc_address,
            },
            counters=lambda: {**reception.counts, "commits": ingest.commits, "batches_refused": ingest.refused},
        )
        app = create_app(parts, OtlpEndpoint(ingest, reception=reception), settings)
        addresses = f"http://{http.netloc}" + (f" grpc://{grpc_address}" if grpc_address else "")
        yield _Running(app, closing, listener, addresses)


def _bound(address: Address, port: int) -> Address:
    return Address(address.host, port)


class _Server(uvicorn.Server):
    """uvicorn that says when it accepts, ends live streams when it closes, exits 0 on SIGTERM and at once on a second one."""

    def __init__(self, running: _Running, announce: Callable[[str], None]) -> None:
        super().__init__(
            uvicorn.Config(
                running.app,
                http="httptools",
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                date_header=False,
                proxy_headers=False,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=DRAIN_SECONDS,
            )
        )
        self._running, self._announce = running, announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._announce(f"ready {self._running.addresses}")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._running.closing.set()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._told) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _told(self, number: int, frame: FrameType | None) -> None:
        if self.should_exit:
            os._exit(1)  # what was acknowledged is on disk
        self.should_exit = True


def serve(settings: ServeSettings, *, announce: Callable[[str], None]) -> int:
    """Run a collector until SIGTERM or SIGINT; the exit status."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    settings.check()
    with _opened(settings) as running:
        gc.freeze()
        gc.set_threshold(COLLECT_AFTER)
        _Server(running, announce).run([running.listener])
    return 0


@contextmanager
def serving(settings: ServeSettings) -> Generator[str, None, None]:
    """A collector in a thread of this process for the length of the block; the addresses of its ready line."""
    settings.check()
    ready = threading.Event()
    with _opened(settings) as running:
        server = _Server(running, lambda _: ready.set())
        thread = threading.Thread(target=server.run, args=([running.listener],), name="collector")
        thread.start()
        try:
            ready.wait(10)
            yield running.addresses
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def private_collector(db: str, *, create: bool = True) -> Generator[CollectorClient, None, None]:
    """A client of a collector of its own, over a database that no other one holds; not to `create`: one that is there."""
    if not create and not (path := store_path(db)).exists():
        raise InvalidValue(f"there is no database at {path}")
    from collector.client import CollectorClient  # here: `serve` starts 0.1 s earlier without an HTTP client

    token = secrets.token_urlsafe(24)
    settings = ServeSettings(db=db, http=Address("127.0.0.1", 0), grpc=None, token=token)
    with serving(settings) as address, CollectorClient(address, token) as client:
        yield client
