"""The bot over HTTP: threads, streamed answers, feedback (docs/bot.md has every form). The chat page of the viewer talks to this.

Loopback only unless told otherwise, no CORS, JSON bodies only: a page of another origin can neither read nor ask. Answers are worked out in
a thread of the server's pool and handed to the event stream piece by piece.
"""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import FastAPI, Path, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

import tracer
from demo_rag_bot.conversation import CHANNELS, NOTICE, REASONS, Conversations
from demo_rag_bot.faults import FAULTS
from demo_rag_bot.threads import THREAD_ID, Body, Feedback, UnknownThread, new_id

MAX_BODY_BYTES = 100_000
LOOPBACK = ("127.0.0.1", "localhost", "[::1]", "::1")

# Newer FastAPIs trace each request themselves: health checks would fill the trace list, and a question's root would be `POST /threads/…`.
UNTRACED: dict[str, Any] = {"telemetry": {"tracing": False}} if "telemetry" in inspect.signature(FastAPI).parameters else {}

ThreadId = Annotated[str, Path(pattern=f"^{THREAD_ID.pattern}$")]
Name = Annotated[str, Field(min_length=1, max_length=80)]


class NewThread(BaseModel):
    channel: Name = "docs-help"
    user: Name = "you"


class NewMessage(BaseModel):
    text: Annotated[str, Field(min_length=1, max_length=20_000)]
    user: Name = "you"
    channel: Name = "docs-help"


class GivenFeedback(BaseModel):
    user: Name = "you"
    value: Annotated[int, Field(ge=-1, le=1)] | None
    reason: Annotated[str, Field(max_length=200)] | None = None
    source: Annotated[str, Field(max_length=500)] | None = None


class FaultsOn(BaseModel):
    on: list[str]


def app(
    conversations: Conversations, *, allowed_hosts: tuple[str, ...] = LOOPBACK, collector: str | None = None, viewer: str | None = None
) -> ASGIApp:
    """The ASGI application."""
    api = FastAPI(title="Right Passage docs bot", version=tracer.__version__, docs_url=None, redoc_url=None, **UNTRACED)
    store = conversations.store

    @api.exception_handler(UnknownThread)
    def not_found(request: Request, error: Exception) -> Response:
        return JSONResponse({"detail": str(error)}, 404)

    @api.exception_handler(ValueError)
    def invalid(request: Request, error: Exception) -> Response:
        return JSONResponse({"detail": str(error)}, 422)

    @api.get("/healthz")
    def healthz() -> Body:
        manifest = conversations.bot.retriever.index.manifest
        endpoint = conversations.library.endpoint
        return {
            "status": "ok",
            "version": tracer.__version__,
            "offline": endpoint.offline,
            "chat_model": endpoint.chat_model,
            "embedding_model": endpoint.embedding_model,
            "index": {key: getattr(manifest, key) for key in ("name", "version", "page_count", "passage_count")},
            "collector": collector,
            "viewer": viewer,
            "faults": sorted(conversations.faults),
            "notice": NOTICE,
        }

    @api.get("/channels")
    def channels() -> Body:
        counts = store.channel_counts()
        topics = {**CHANNELS, **{name: "" for name in counts if name not in CHANNELS}}
        return {
            "channels": [{"id": name, "name": name, "topic": topic, "thread_count": counts.get(name, 0)} for name, topic in topics.items()]
        }

    @api.get("/reasons")
    def reasons() -> Body:
        return {"reasons": list(REASONS)}

    @api.get("/threads")
    def threads(channel: str | None = None, limit: Annotated[int, Query(ge=1, le=200)] = 50, before: str | None = None) -> Body:
        found, following = store.threads(channel=channel, limit=limit, before=before)
        return {"threads": found, "next": following}

    @api.post("/threads", status_code=201)
    def new_thread(new: NewThread) -> Body:
        return store.open_thread(new_id(), channel=new.channel, user=new.user)

    @api.get("/threads/{thread_id}")
    def thread(thread_id: ThreadId) -> Body:
        return store.thread(thread_id)

    @api.delete("/threads/{thread_id}", status_code=204)
    def delete_thread(thread_id: ThreadId) -> None:
        store.delete_thread(thread_id)

    @api.post("/threads/{thread_id}/messages")
    async def say(thread_id: ThreadId, new: NewMessage) -> StreamingResponse:
        return StreamingResponse(
            _answer_events(conversations, thread_id, new), media_type="text/event-stream", headers={"cache-control": "no-store"}
        )

    @api.put("/messages/{message_id}/feedback")
    def give_feedback(message_id: str, given: GivenFeedback) -> Body:
        return conversations.give_feedback(Feedback(message_id, given.user, given.value or None, given.reason, given.source or ""))

    @api.get("/faults")
    def faults() -> Body:
        on = conversations.faults
        return {"faults": [{"name": f.name, "stage": f.stage, "description": f.description, "on": f.name in on} for f in FAULTS.values()]}

    @api.put("/faults")
    def switch_faults(wanted: FaultsOn) -> Body:
        conversations.switch_faults(wanted.on)
        return faults()

    return TrustedHostMiddleware(_Guard(api, allowed_hosts), allowed_hosts=[*allowed_hosts])


async def _answer_events(conversations: Conversations, thread_id: str, new: NewMessage) -> AsyncIterator[bytes]:
    """The events of one answer. The work goes on, and is stored, even where the reader has gone."""
    events: asyncio.Queue[bytes] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def tell(name: str, data: Any) -> None:
        loop.call_soon_threadsafe(events.put_nowait, f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode())

    def stored(message: Body) -> None:
        tell("message", message)
        tell("typing", {"typing": True})

    def work() -> None:
        try:
            answer = conversations.say(
                thread_id,
                new.text,
                user=new.user,
                channel=new.channel,
                on_message=stored,
                on_text=lambda text: tell("text", {"text": text}),
            )
            tell("answer", answer)
        except (UnknownThread, ValueError, OSError) as error:
            tell("error", {"message": str(error)})
        finally:
            tell("done", {})

    working = asyncio.create_task(run_in_threadpool(work))
    while True:
        event = await events.get()
        yield event
        if event.startswith(b"event: done"):
            break
    await working


class _Guard:
    """Before any route: pages of other origins are refused, bodies must be JSON and small, answers are not sniffed, framed or stored."""

    def __init__(self, inner: ASGIApp, allowed_hosts: Sequence[str]) -> None:
        self.inner, self.allowed_hosts = inner, frozenset(allowed_hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.inner(scope, receive, send)
            return
        headers = {key.lower(): value for key, value in scope["headers"]}
        kind = headers.get(b"content-type", b"").split(b";")[0].strip().lower()
        origin = headers.get(b"origin")
        if origin is not None and (urlsplit(origin.decode("latin-1")).hostname or "") not in self.allowed_hosts:
            await JSONResponse({"detail": "pages of other origins are not answered"}, 403)(scope, receive, send)
            return
        if scope["method"] in ("POST", "PUT") and kind != b"application/json":
            await JSONResponse({"detail": "the body must be application/json"}, 415)(scope, receive, send)
            return
        if int(headers.get(b"content-length", b"0") or 0) > MAX_BODY_BYTES or b"transfer-encoding" in headers:
            await JSONResponse({"detail": f"at most {MAX_BODY_BYTES} bytes, with a content-length"}, 413)(scope, receive, send)
            return

        async def send_guarded(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"x-content-type-options", b"nosniff"), (b"x-frame-options", b"DENY")]
            await send(message)

        await self.inner(scope, receive, send_guarded)
