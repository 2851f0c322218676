"""The bot in Slack: mentions, direct messages, replies in its threads and a slash command; reactions and buttons become feedback.

Slack wants an answer to every request within three seconds: events are acknowledged at once, a placeholder is posted, and the answer is
edited into it as it arrives. A thread in Slack is a thread of the bot, and so a session. `docs/slack.md` sets it up in five minutes.

Requests are verified here before `slack-bolt` sees them: it accepts some timestamps (with spaces) and fails on others (no number).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slack_bolt import App, BoltRequest, BoltResponse
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web import WebClient
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from demo_rag_bot.conversation import NOTICE, REASONS, Conversations
from demo_rag_bot.mrkdwn import escape, from_slack, split, to_mrkdwn
from demo_rag_bot.threads import Body, Feedback, UnknownThread

PATH = "/slack/events"
COMMAND = "/docs"
MAX_BODY_BYTES = 1_000_000
MAX_AGE_S = 300
EDIT_EVERY_S = 1.0  # Slack allows about one edit a second
SEARCHING = "Searching the documentation …"
THUMBS = {"thumbsup": 1, "+1": 1, "thumbsdown": -1, "-1": -1}

log = logging.getLogger("demo_rag_bot.slack")


class SlackRefused(ValueError):
    """The adapter cannot start with these settings."""


@dataclass(frozen=True, slots=True)
class SlackSettings:
    """What Slack gives an app: the bot token, and the signing secret (HTTP) or the app token (Socket Mode)."""

    bot_token: str
    signing_secret: str = ""
    app_token: str = ""
    api_url: str = WebClient.BASE_URL

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> SlackSettings:
        return cls(
            bot_token=environment.get("SLACK_BOT_TOKEN", ""),
            signing_secret=environment.get("SLACK_SIGNING_SECRET", ""),
            app_token=environment.get("SLACK_APP_TOKEN", ""),
            api_url=environment.get("SLACK_API_URL", WebClient.BASE_URL),
        )

    def client(self) -> WebClient:
        if not self.bot_token:
            raise SlackRefused("SLACK_BOT_TOKEN is empty: set it to the token that begins with xoxb-")
        return WebClient(token=self.bot_token, base_url=self.api_url, timeout=10)


def verified(headers: Sequence[tuple[bytes, bytes]], body: bytes, secret: str, *, now: float) -> bool:
    """Whether Slack signed exactly these bytes within the last five minutes (v0, HMAC-SHA256, lower-case hex)."""
    signatures = [value for key, value in headers if key.lower() == b"x-slack-signature"]
    times = [value for key, value in headers if key.lower() == b"x-slack-request-timestamp"]
    if not secret or len(signatures) != 1 or len(times) != 1 or not re.fullmatch(rb"[0-9]{1,12}", times[0]):
        return False
    if abs(now - int(times[0])) > MAX_AGE_S:
        return False
    expected = b"v0=" + hmac.new(secret.encode(), b"v0:" + times[0] + b":" + body, hashlib.sha256).hexdigest().encode()
    return hmac.compare_digest(expected, signatures[0])


# ---- What Slack tells us, and what we do ----


class Adapter:
    """One bot in one Slack workspace."""

    def __init__(self, conversations: Conversations, settings: SlackSettings) -> None:
        self.conversations, self.settings = conversations, settings
        self.client = settings.client()
        self.me = str(self.client.auth_test()["user_id"])
        self.app = App(
            client=self.client,
            signing_secret=settings.signing_secret or "socket-mode",
            token_verification_enabled=False,
            request_verification_enabled=bool(settings.signing_secret),
            raise_error_for_unhandled_request=False,
        )
        self.app.middleware(self._once)
        self.app.event("app_mention")(self._mentioned)
        self.app.event("message")(self._message)
        self.app.event("reaction_added")(self._reaction_added)
        self.app.event("reaction_removed")(self._reaction_removed)
        self.app.command(COMMAND)(self._command)
        self.app.action(re.compile("^reason-"))(self._reason)

    def _once(self, body: Mapping[str, Any], next: Callable[[], BoltResponse]) -> BoltResponse:
        """An event that Slack sends again was understood the first time."""
        event_id = body.get("event_id")
        if event_id and not self.conversations.store.first_time(str(event_id), time_s=time.time()):
            return BoltResponse(status=200, body="")
        return next()

    def _mentioned(self, event: Mapping[str, Any]) -> None:
        if not self._of_a_bot(event):
            self._answer(event["channel"], event.get("thread_ts") or event["ts"], event["user"], from_slack(event.get("text", "")))

    def _message(self, event: Mapping[str, Any]) -> None:
        """A direct message, or a reply in a thread the bot is in; a mention comes as an event of its own."""
        if self._of_a_bot(event) or event.get("subtype") or f"<@{self.me}>" in event.get("text", ""):
            return
        root = event.get("thread_ts") or event["ts"]
        if event.get("channel_type") == "im" or (event.get("thread_ts") and self._knows(event["channel"], root)):
            self._answer(event["channel"], root, event["user"], from_slack(event.get("text", "")))

    def _command(self, ack: Callable[..., None], command: Mapping[str, Any]) -> None:
        question = from_slack(command.get("text") or "")
        if not question:
            ack(f"Ask like this: `{COMMAND} How do I …?`")
            return
        ack()
        asked = self._post(command["channel_id"], None, f"<@{command['user_id']}> asks: {escape(question)}")
        self._answer(command["channel_id"], asked["ts"], command["user_id"], question)

    def _of_a_bot(self, event: Mapping[str, Any]) -> bool:
        return bool(event.get("bot_id") or event.get("bot_profile") or event.get("user") in (None, self.me, "USLACKBOT"))

    # ---- Answering ----

    def _answer(self, channel: str, root: str, user: str, question: str) -> None:
        if not question:
            self._post(channel, root, "Ask me something about the documentation.")
            return
        first = not self._knows(channel, root)
        placeholder = self._post(channel, root, SEARCHING)
        edited = _Edited(self, channel, placeholder["ts"])
        reply = self.conversations.say(_thread_id(channel, root), question, user=user, channel=f"slack-{channel}", on_text=edited.add)
        pieces = list(split(to_mrkdwn(reply["text"]))) or [""]
        pieces[-1] += _closing(reply, notice=first)
        self.edit(channel, placeholder["ts"], pieces[0])
        timestamps = [placeholder["ts"], *(self._post(channel, root, piece)["ts"] for piece in pieces[1:])]
        for ts in timestamps:
            self.conversations.store.remember_slack_message(channel, ts, reply["id"])
        for name in ("thumbsup", "thumbsdown"):
            self.quietly(lambda name=name: self.client.reactions_add(channel=channel, timestamp=timestamps[-1], name=name))

    def _knows(self, channel: str, root: str) -> bool:
        try:
            return bool(self.conversations.store.thread(_thread_id(channel, root))["messages"])
        except UnknownThread:
            return False

    def _post(self, channel: str, root: str | None, text: str) -> Mapping[str, Any]:
        sent = self.client.chat_postMessage(channel=channel, thread_ts=root, text=text, mrkdwn=True, unfurl_links=False, unfurl_media=False)
        return {"ts": sent["ts"]}

    def edit(self, channel: str, ts: str, text: str) -> None:
        self.client.chat_update(channel=channel, ts=ts, text=text)

    def quietly(self, call: Callable[[], object]) -> None:
        """A nicety (a reaction, an edit on the way) whose failure must not cost the answer."""
        try:
            call()
        except (SlackApiError, SlackClientError, OSError) as error:
            log.warning("Slack refused: %s", error)

    # ---- Feedback ----

    def _reaction_added(self, event: Mapping[str, Any]) -> None:
        message_id, value = self._rated(event)
        if message_id is None:
            return
        self.conversations.give_feedback(Feedback(message_id, event["user"], value))
        if value < 0:
            self._ask_why(event["item"]["channel"], event["item"]["ts"], event["user"], message_id)

    def _reaction_removed(self, event: Mapping[str, Any]) -> None:
        message_id, value = self._rated(event)
        if message_id is not None and self._last_word(message_id, event["user"]) == value:
            self.conversations.give_feedback(Feedback(message_id, event["user"], None))

    def _rated(self, event: Mapping[str, Any]) -> tuple[str | None, int]:
        """The message a reaction is about, and whether it is up or down; no message: not about an answer of ours."""
        value = THUMBS.get(event.get("reaction", "").partition("::")[0], 0)
        item = event.get("item", {})
        if not value or event.get("user") == self.me or item.get("type") != "message":
            return None, 0
        return self.conversations.store.slack_message(item["channel"], item["ts"]), value

    def _last_word(self, message_id: str, user: str) -> int | None:
        given = self.conversations.store.message(message_id)["feedback"]
        return next((one["value"] for one in given if one["user"] == user and one["source"] is None), None)

    def _ask_why(self, channel: str, ts: str, user: str, message_id: str) -> None:
        """One tap for the reason, seen by the user alone."""
        buttons = [
            {
                "type": "button",
                "action_id": f"reason-{number}",
                "text": {"type": "plain_text", "text": reason},
                "value": json.dumps([message_id, reason]),
            }
            for number, reason in enumerate(REASONS)
        ]
        blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": "What was wrong?"}}, {"type": "actions", "elements": buttons}]
        self.quietly(
            lambda: self.client.chat_postEphemeral(channel=channel, user=user, thread_ts=ts, text="What was wrong?", blocks=blocks)
        )

    def _reason(self, ack: Callable[..., None], body: Mapping[str, Any], respond: Callable[..., object]) -> None:
        ack()
        message_id, reason = json.loads(body["actions"][0]["value"])
        if reason in REASONS:
            self.conversations.give_feedback(Feedback(message_id, body["user"]["id"], -1, reason))
        self.quietly(lambda: respond(text=f"Noted: {reason}. Thank you.", replace_original=True))


class _Edited:
    """An answer on its way into its placeholder, edited at most once a second."""

    def __init__(self, adapter: Adapter, channel: str, ts: str) -> None:
        self._adapter, self._channel, self._ts = adapter, channel, ts
        self._text, self._last = "", time.monotonic()

    def add(self, piece: str) -> None:
        self._text += piece
        if time.monotonic() - self._last >= EDIT_EVERY_S:
            self._last = time.monotonic()
            shown = next(split(to_mrkdwn(self._text)), SEARCHING)
            self._adapter.quietly(lambda: self._adapter.edit(self._channel, self._ts, f"{shown} …"))


def _thread_id(channel: str, root: str) -> str:
    return f"slack.{channel}.{root}"


def _closing(reply: Body, *, notice: bool) -> str:
    """Under an answer: its sources, whether it was the offline model, the trace, and once per thread the notice."""
    lines: list[str] = []
    if reply.get("sources") and not reply.get("abstained"):
        lines += [f"> {escape(source['link'])}" for source in reply["sources"][:3]]
    if reply.get("offline"):
        lines.append("_quoted by the offline extractive model_")
    if reply.get("trace_url"):
        lines.append(f"<{reply['trace_url']}|Why this answer?>")
    if notice:
        lines.append(f"_{NOTICE}_")
    return ("\n\n" + "\n".join(lines)) if lines else ""


# ---- The two ways in ----


def http_app(adapter: Adapter) -> Starlette:
    """Slack's Events API over HTTP: one route, verified before anything is read out of the body."""
    secret = adapter.settings.signing_secret
    if not secret:
        raise SlackRefused("SLACK_SIGNING_SECRET is empty: without it anybody could speak as Slack")

    async def events(request: Request) -> Response:
        if int(request.headers.get("content-length") or 0) > MAX_BODY_BYTES:
            return PlainTextResponse("too large", 413)
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > MAX_BODY_BYTES:
                return PlainTextResponse("too large", 413)
        if not verified(request.headers.raw, body, secret, now=time.time()):
            return PlainTextResponse("the signature does not match", 401)
        challenge = _challenge(body)
        if challenge is not None:
            return PlainTextResponse(challenge)
        asked = BoltRequest(body=body.decode("utf-8", "replace"), headers={key: [value] for key, value in request.headers.items()})
        answer = await run_in_threadpool(adapter.app.dispatch, asked)
        return Response(answer.body, answer.status, {key: values[0] for key, values in answer.headers.items()})

    return Starlette(routes=[Route(PATH, events, methods=["POST"])])


def _challenge(body: bytes) -> str | None:
    """What Slack wants to hear back when the address is entered; None for every other request."""
    if not body.startswith(b"{"):
        return None
    try:
        asked = json.loads(body)
    except ValueError:
        return None
    return str(asked.get("challenge", ""))[:200] if asked.get("type") == "url_verification" else None


def socket_mode(adapter: Adapter) -> Any:
    """Slack's Socket Mode: no public address needed. Returns the handler; `connect()` opens it, `close()` ends it."""
    from slack_bolt.adapter.socket_mode import SocketModeHandler

    if not adapter.settings.app_token:
        raise SlackRefused("SLACK_APP_TOKEN is empty: Socket Mode needs the token that begins with xapp-")
    return SocketModeHandler(adapter.app, adapter.settings.app_token)
