from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from json import dumps, loads
from pathlib import Path
from threading import Thread

import pytest

from collector.client import CollectorClient
from demo_rag_bot.conversation import Conversations
from demo_rag_bot.settings import Library
from demo_rag_bot.threads import Feedback, ThreadStore, UnknownThread
from tracer.testing import capture_spans


def test_a_thread_is_a_session_and_remembers(talk: Conversations) -> None:
    with capture_spans() as spans:
        talk.say("t1", "How do I mount a volume?", user="ada")
        reply = talk.say("t1", "And how do I remove it?", user="ada")
    assert "volume" in reply["query"]
    roots = [span for span in spans if not span.parent_id]
    assert [span.attributes["session.id"] for span in roots] == ["t1", "t1"]
    assert roots[0].attributes["user.id"] == "ada"
    assert roots[1].trace_id == reply["trace_id"]
    thread = talk.store.thread("t1")
    assert [message["role"] for message in thread["messages"]] == ["user", "bot", "user", "bot"]
    assert thread["title"] == "How do I mount a volume?"


def test_a_reply_has_what_the_why_card_needs(talk: Conversations) -> None:
    reply = talk.say("t1", "How do I mount a volume?", user="ada")
    first = reply["documents"][0]
    assert (first["rank"], first["cited"], first["placed"], first["link"]) == (1, True, True, "volumes.md#mount-a-volume")
    assert reply["sources"][0] == {"link": first["link"], "source": "volumes.md", "title": "Volumes", "heading": "Mount a volume"}


def test_commands_switch_faults_explain_and_retry(talk: Conversations) -> None:
    assert "no answer to explain" in talk.say("t1", "/explain", user="ada")["text"]
    talk.say("t1", "How do I mount a volume?", user="ada")
    assert "1. volumes.md#mount-a-volume" in talk.say("t1", "/explain", user="ada")["text"]
    assert talk.say("t1", "/fault refusal on", user="ada")["text"] == "Fault `refusal` is on."
    with capture_spans() as spans:
        assert talk.say("t1", "/retry", user="ada")["abstained"]
    assert list(spans.named("answer question").attributes["tag.tags"]) == ["fault:refusal"]
    talk.say("t1", "/fault refusal off", user="ada")
    assert len(talk.say("t1", "/retry k=2", user="ada")["documents"]) == 2
    for wrong in ("/fault nonsense on", "/retry k=0", "/fault", "/frobnicate"):
        assert talk.say("t1", wrong, user="ada")["text"], wrong
    assert talk.store.questions("t1") == ["How do I mount a volume?"]


class Scores(BaseHTTPRequestHandler):
    taken: list[dict[str, object]]
    up = True

    def do_POST(self) -> None:
        body = loads(self.rfile.read(int(self.headers["content-length"])))
        if self.up:
            self.taken.append(body)
        data = dumps({"id": "s1"} if self.up else {"title": "no", "status": 503}).encode()
        self.send_response(202 if self.up else 503)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def scored(library: Library, store: ThreadStore) -> Iterator[tuple[Conversations, type[Scores]]]:
    handler = type("Handler", (Scores,), {"taken": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    client = CollectorClient(f"http://127.0.0.1:{server.server_address[1]}")
    yield Conversations(library, library.index(), store, collector=client), handler
    client.close()
    server.shutdown()
    server.server_close()


def test_feedback_becomes_a_score_and_can_be_taken_back(scored: tuple[Conversations, type[Scores]]) -> None:
    talk, handler = scored
    with capture_spans():
        reply = talk.say("t1", "How do I mount a volume?", user="ada")
    talk.give_feedback(Feedback(reply["id"], "ben", -1, "wrong page"))
    source = reply["sources"][0]["link"]
    talk.give_feedback(Feedback(reply["id"], "ben", 1, source=source))
    message = talk.give_feedback(Feedback(reply["id"], "ben", None))
    annotator = {"kind": "HUMAN", "id": "ben"}
    target = {"trace_id": reply["trace_id"]}
    assert handler.taken == [
        {"target": target, "name": "thumbs", "value": -1, "label": "wrong page", "annotator": annotator},
        {"target": target, "name": f"source:{source}", "value": 1, "annotator": annotator},
        {"target": target, "name": "thumbs", "annotator": annotator},
    ]
    assert [one["source"] for one in message["feedback"]] == [source]


def test_feedback_waits_for_a_collector_that_is_away(scored: tuple[Conversations, type[Scores]]) -> None:
    talk, handler = scored
    with capture_spans():
        reply = talk.say("t1", "How do I mount a volume?", user="ada")
    handler.up = False
    talk.give_feedback(Feedback(reply["id"], "ada", 1))
    assert handler.taken == []
    handler.up = True
    talk.send_feedback()
    assert [body["value"] for body in handler.taken] == [1]
    talk.send_feedback()
    assert len(handler.taken) == 1


def test_feedback_on_what_is_not_there_is_refused(talk: Conversations) -> None:
    reply = talk.say("t1", "How do I mount a volume?", user="ada")
    with pytest.raises(UnknownThread):
        talk.give_feedback(Feedback("nothing", "ada", 1))
    with pytest.raises(ValueError, match="not a source"):
        talk.give_feedback(Feedback(reply["id"], "ada", 1, source="elsewhere.md"))
    question = talk.store.thread("t1")["messages"][0]
    with pytest.raises(ValueError, match="bot's messages"):
        talk.give_feedback(Feedback(question["id"], "ada", 1))


def test_what_people_asked_is_for_the_owner_alone(tmp_path: Path) -> None:
    store = ThreadStore(tmp_path / "new" / "threads.db")
    store.open_thread("t1", channel="docs-help", user="ada")
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in (tmp_path / "new").iterdir()}
    store.close()
    assert set(modes.values()) == {"0o600"}, modes
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
