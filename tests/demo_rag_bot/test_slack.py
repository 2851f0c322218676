"""The Slack adapter against a double of Slack on the real wire (promises: signatures, retries, three seconds, no pings)."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote_plus

import pytest
from starlette.testclient import TestClient

from demo_rag_bot.conversation import Conversations
from demo_rag_bot.mrkdwn import from_slack, split, to_mrkdwn
from demo_rag_bot.slack import PATH, Adapter, SlackRefused, SlackSettings, http_app, socket_mode, verified
from tests.demo_rag_bot.slack_double import BOT, SECRET, SlackDouble, event, signed, wait_for
from tracer.testing import capture_spans


@pytest.fixture
def slack() -> Iterator[SlackDouble]:
    double = SlackDouble()
    yield double
    double.close()


@pytest.fixture
def adapter(talk: Conversations, slack: SlackDouble) -> Adapter:
    return Adapter(talk, SlackSettings("xoxb-1", SECRET, "xapp-1", slack.url))


@pytest.fixture
def client(adapter: Adapter) -> TestClient:
    return TestClient(http_app(adapter))


def post(client: TestClient, payload: dict[str, Any], **headers: str) -> int:
    body = json.dumps(payload).encode()
    return client.post(PATH, content=body, headers={**signed(body), **headers}).status_code


def answered(slack: SlackDouble, count: int = 1) -> None:
    """Until `count` answers have their thumbs: the last thing the bot does."""
    wait_for(lambda: len(slack.named("reactions.add")) >= 2 * count)


# ---- Asking ----


def test_a_mention_is_acknowledged_at_once_and_answered_in_its_thread(client: TestClient, slack: SlackDouble) -> None:
    started = time.monotonic()
    assert post(client, event("app_mention", text=f"<@{BOT}> How do I mount a volume?")) == 200
    assert time.monotonic() - started < 3
    answered(slack)
    first = slack.named("chat.postMessage")[0]
    assert (first["thread_ts"], first["text"]) == ("900.000100", "Searching the documentation …")
    assert (first["unfurl_links"], first["unfurl_media"]) in (("0", "0"), (False, False), ("false", "false"))
    [text] = slack.texts()
    assert "-v host:container" in text
    assert "&gt; " not in text.split("volumes.md")[0]
    assert "> volumes.md#mount-a-volume" in text
    assert "Do not post secrets" in text
    assert {call["name"] for call in slack.named("reactions.add")} == {"thumbsup", "thumbsdown"}


def test_a_reply_in_its_thread_needs_no_mention_and_has_the_history(client: TestClient, slack: SlackDouble, adapter: Adapter) -> None:
    post(client, event("app_mention", text=f"<@{BOT}> How do I mount a volume?"))
    answered(slack)
    post(client, event("message", channel_type="channel", thread_ts="900.000100", ts="950.000100", text="And how do I remove it?"))
    answered(slack, 2)
    assert "harbour volume rm" in slack.texts()[1]
    assert "Do not post secrets" not in slack.texts()[1]
    thread = adapter.conversations.store.thread("slack.C1.900.000100")
    assert len(thread["messages"]) == 4
    post(client, event("message", channel_type="channel", thread_ts="111.000100", ts="951.000100", text="Unrelated thread"))
    time.sleep(0.3)
    assert len(slack.messages) == 2


def test_direct_messages_and_the_slash_command(client: TestClient, slack: SlackDouble) -> None:
    post(client, event("message", channel="D1", channel_type="im", text="How do I uninstall it?"))
    answered(slack)
    assert "pip uninstall harbour" in slack.texts()[0]
    body = f"command=/docs&text={quote_plus('How do I publish a port & more?')}&user_id=UADA&channel_id=C1&team_id=T1&trigger_id=1".encode()
    headers = {**signed(body), "content-type": "application/x-www-form-urlencoded"}
    assert client.post(PATH, content=body, headers=headers).status_code == 200
    answered(slack, 2)
    assert slack.texts()[1] == "<@UADA> asks: How do I publish a port &amp; more?"
    empty = b"command=/docs&text=&user_id=UADA&channel_id=C1&team_id=T1"
    told = client.post(PATH, content=empty, headers={**signed(empty), "content-type": "application/x-www-form-urlencoded"})
    assert "Ask like this" in told.text


@pytest.mark.parametrize("fields", [{"bot_id": "B9"}, {"user": BOT}, {"subtype": "message_changed"}, {"user": "USLACKBOT"}])
def test_bots_and_edits_are_ignored(client: TestClient, slack: SlackDouble, fields: dict[str, str]) -> None:
    assert post(client, event("message", channel="D1", channel_type="im", text="hello", **fields)) == 200
    time.sleep(0.3)
    assert slack.messages == {}


def test_an_event_that_comes_again_is_answered_once(client: TestClient, slack: SlackDouble) -> None:
    payload = event("app_mention", text="How do I mount a volume?")
    for number in range(3):
        assert post(client, payload, **({"x-slack-retry-num": str(number)} if number else {})) == 200
    answered(slack)
    time.sleep(0.3)
    assert len(slack.messages) == 1


def test_a_failing_model_is_a_friendly_message(client: TestClient, slack: SlackDouble, adapter: Adapter) -> None:
    adapter.conversations.switch_faults(["error"])
    post(client, event("app_mention", text="How do I mount a volume?"))
    answered(slack)
    assert slack.texts()[0].startswith("Sorry, I cannot reach the model.")


def test_a_thread_is_a_session_of_its_user(client: TestClient, slack: SlackDouble) -> None:
    with capture_spans() as spans:
        post(client, event("app_mention", text="How do I mount a volume?"))
        answered(slack)
    root = spans.named("answer question")
    assert (root.attributes["session.id"], root.attributes["user.id"]) == ("slack.C1.900.000100", "UADA")


# ---- Feedback ----


def test_reactions_are_scores_and_a_thumb_down_asks_why(client: TestClient, slack: SlackDouble, adapter: Adapter) -> None:
    post(client, event("app_mention", text="How do I mount a volume?"))
    answered(slack)
    [(channel, ts)] = slack.messages
    item = {"type": "message", "channel": channel, "ts": ts}
    message_id = adapter.conversations.store.slack_message(channel, ts)
    assert message_id

    def given() -> list[tuple[str, int, str | None]]:
        return [(one["user"], one["value"], one["reason"]) for one in adapter.conversations.store.message(message_id)["feedback"]]

    post(client, event("reaction_added", reaction="+1", item=item, user="UBEN"))
    post(client, event("reaction_added", reaction="thumbsdown::skin-tone-3", item=item, user="UADA"))
    post(client, event("reaction_added", reaction="thumbsup", item=item, user=BOT))
    post(client, event("reaction_added", reaction="tada", item=item, user="UBEN"))
    wait_for(lambda: len(given()) == 2 and slack.named("chat.postEphemeral"))
    asked = slack.named("chat.postEphemeral")[0]
    blocks = asked["blocks"] if isinstance(asked["blocks"], list) else json.loads(asked["blocks"])
    button = blocks[1]["elements"][0]
    assert asked["user"] == "UADA"
    tapped = {
        "type": "block_actions",
        "user": {"id": "UADA"},
        "team": {"id": "T1"},
        "response_url": f"{slack.url}response",
        "actions": [{**button, "type": "button", "block_id": "b"}],
    }
    body = f"payload={quote_plus(json.dumps(tapped))}".encode()
    assert client.post(PATH, content=body, headers={**signed(body), "content-type": "application/x-www-form-urlencoded"}).status_code == 200
    wait_for(lambda: ("UADA", -1, "wrong page") in given() and slack.responses)
    post(client, event("reaction_removed", reaction="+1", item=item, user="UBEN"))
    wait_for(lambda: given() == [("UADA", -1, "wrong page")])


# ---- Who may speak as Slack ----

BODY = json.dumps({"type": "url_verification", "challenge": "abc"}).encode()
GOOD = signed(BODY)


def test_the_challenge_is_echoed_as_text(client: TestClient) -> None:
    answer = client.post(PATH, content=BODY, headers=signed(BODY))
    assert (answer.status_code, answer.text) == (200, "abc")
    assert answer.headers["content-type"].startswith("text/plain")
    long = json.dumps({"type": "url_verification", "challenge": "x" * 500}).encode()
    assert len(client.post(PATH, content=long, headers=signed(long)).text) == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-slack-request-timestamp": GOOD["x-slack-request-timestamp"]},
        {"x-slack-signature": GOOD["x-slack-signature"]},
        {**GOOD, "x-slack-signature": GOOD["x-slack-signature"].replace("v0=", "v1=")},
        {**GOOD, "x-slack-signature": "v0=" + GOOD["x-slack-signature"][3:].upper()},
        signed(BODY, secret="other"),
        signed(BODY + b" "),
        *(signed(BODY, at=at) for at in ("", "-1", "1e9", "tomorrow", " 1", "9" * 30)),
        signed(BODY, at="1000000000"),
    ],
)
def test_what_slack_did_not_sign_is_401(client: TestClient, headers: dict[str, str]) -> None:
    assert client.post(PATH, content=BODY, headers=headers).status_code == 401


@pytest.mark.parametrize(
    ("timestamp", "accepted"), [("1000", True), ("700", True), ("699", False), ("1300", True), ("1301", False), (" 1000", False)]
)
def test_a_signature_is_good_for_five_minutes(timestamp: str, accepted: bool) -> None:
    headers = [(key.encode(), value.encode()) for key, value in signed(BODY, at=timestamp).items()]
    assert verified(headers, BODY, SECRET, now=1000.0) is accepted


def test_a_signature_that_is_no_ascii_is_false() -> None:
    headers = [(b"X-Slack-Signature", "v0=ü".encode()), (b"X-Slack-Request-Timestamp", b"1000")]
    assert verified(headers, BODY, SECRET, now=1000.0) is False
    assert verified(headers, BODY, "", now=1000.0) is False


def test_two_signatures_are_401_and_header_names_have_no_case(client: TestClient) -> None:
    pairs = [*signed(BODY).items(), ("x-slack-signature", "v0=00")]
    assert client.post(PATH, content=BODY, headers=pairs).status_code == 401
    assert client.post(PATH, content=BODY, headers={key.title(): value for key, value in signed(BODY).items()}).status_code == 200


@pytest.mark.parametrize("body", [b"text=a%20b+c&command=%2Fother", "text=größe".encode(), b""])
def test_the_signature_is_over_the_raw_bytes(client: TestClient, body: bytes) -> None:
    headers = {**signed(body), "content-type": "application/x-www-form-urlencoded"}
    assert client.post(PATH, content=body, headers=headers).status_code in (200, 404)
    assert client.post(PATH, content=body + b"&", headers=headers).status_code == 401


def test_large_bodies_are_refused(client: TestClient) -> None:
    body = b"x" * 1_000_001
    assert client.post(PATH, content=body, headers=signed(body)).status_code == 413


def test_it_does_not_start_without_its_secrets(talk: Conversations, slack: SlackDouble) -> None:
    with pytest.raises(SlackRefused, match="SLACK_SIGNING_SECRET"):
        http_app(Adapter(talk, SlackSettings("xoxb-1", "", "", slack.url)))
    with pytest.raises(SlackRefused, match="SLACK_APP_TOKEN"):
        socket_mode(Adapter(talk, SlackSettings("xoxb-1", SECRET, "", slack.url)))
    with pytest.raises(SlackRefused, match="SLACK_BOT_TOKEN"):
        Adapter(talk, SlackSettings(""))


# ---- Socket Mode ----


def test_socket_mode_answers_and_acknowledges(talk: Conversations, slack: SlackDouble) -> None:
    handler = socket_mode(Adapter(talk, SlackSettings("xoxb-1", "", "xapp-1", slack.url)))
    handler.connect()
    try:
        payload = event("app_mention", text=f"<@{BOT}> How do I mount a volume?")
        envelopes = [slack.send(payload), slack.send(payload)]
        answered(slack)
        assert "-v host:container" in slack.texts()[0]
        wait_for(lambda: set(envelopes) <= set(slack.acknowledged))
        assert len(slack.messages) == 1
    finally:
        handler.close()


# ---- Text ----


@pytest.mark.parametrize(
    ("markdown", "mrkdwn"),
    [
        ("**bold** and *it* and `a < b`", "*bold* and *it* and `a &lt; b`"),
        ("## Heading\n- one\n* two", "*Heading*\n• one\n• two"),
        ("[site](https://example.com/a) [page](page.md)", "<https://example.com/a|site> page"),
        ("![leak](https://evil.example/?q=secret)", "leak"),
        ("<!channel> <!here> <@U123> <script> & co", "   &lt;script&gt; &amp; co"),
        ("```python\nif a < b: **x**\n```", "```\nif a &lt; b: **x**\n```"),
        ("~~gone~~ a_b_c __strong__", "~gone~ a_b_c *strong*"),
    ],
)
def test_markdown_becomes_mrkdwn_that_pings_nobody(markdown: str, mrkdwn: str) -> None:
    assert to_mrkdwn(markdown) == mrkdwn


def test_what_a_user_wrote_is_plain_text() -> None:
    assert from_slack("<@UBOT> is <https://a.example|this> &lt;b&gt; &amp; <https://c.example>?") == "is this <b> & https://c.example?"


def test_long_answers_are_split_with_their_code_whole() -> None:
    text = "Intro.\n\n" + "```\n" + "line of code\n" * 400 + "```\n\n" + "word " * 900
    pieces = list(split(text))
    assert all(len(piece) <= 2900 for piece in pieces)
    assert all(piece.count("```") % 2 == 0 for piece in pieces)
    assert sum(piece.count("line of code") for piece in pieces) == 400
