import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from demo_rag_bot.conversation import Conversations
from demo_rag_bot.serve import app


@pytest.fixture
def client(talk: Conversations) -> Iterator[TestClient]:
    with TestClient(app(talk), base_url="http://127.0.0.1") as client:
        yield client


def events(text: str) -> list[tuple[str, Any]]:
    pairs = [block.split("\n") for block in text.strip().split("\n\n")]
    return [(event.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for event, data in pairs]


def ask(client: TestClient, text: str, thread: str = "t1") -> list[tuple[str, Any]]:
    answer = client.post(f"/threads/{thread}/messages", json={"text": text, "user": "ada"})
    assert answer.headers["content-type"].startswith("text/event-stream")
    return events(answer.text)


def test_an_answer_streams_and_is_kept(client: TestClient) -> None:
    told = ask(client, "How do I mount a volume?")
    names = [name for name, _ in told]
    assert (names[0], names[1], names[-2], names[-1]) == ("message", "typing", "answer", "done")
    answer = told[-2][1]
    assert "".join(data["text"] for name, data in told if name == "text") == answer["text"]
    thread = client.get("/threads/t1").json()
    assert thread["messages"][1] == answer
    assert client.get("/threads").json()["threads"][0]["last_text"] == answer["text"]
    assert client.get("/channels").json()["channels"][0]["thread_count"] == 1


def test_feedback_over_http(client: TestClient) -> None:
    answer = ask(client, "How do I mount a volume?")[-2][1]
    reason = client.get("/reasons").json()["reasons"][0]
    for user, value in (("ada", -1), ("ben", 1), ("ben", None)):
        message = client.put(f"/messages/{answer['id']}/feedback", json={"user": user, "value": value, "reason": reason}).json()
    assert [(one["user"], one["value"], one["reason"]) for one in message["feedback"]] == [("ada", -1, reason)]
    assert client.put("/messages/nothing/feedback", json={"user": "a", "value": 1}).status_code == 404
    assert client.put(f"/messages/{answer['id']}/feedback", json={"user": "a", "value": 5}).status_code == 422


def test_threads_come_in_pages_the_last_active_first(client: TestClient) -> None:
    made = [client.post("/threads", json={"channel": "random"}).json()["id"] for _ in range(3)]
    page = client.get("/threads", params={"limit": 2, "channel": "random"}).json()
    rest = client.get("/threads", params={"limit": 2, "channel": "random", "before": page["next"]}).json()
    assert [thread["id"] for thread in page["threads"] + rest["threads"]] == made[::-1]
    assert rest["next"] is None
    assert client.delete(f"/threads/{made[0]}").status_code == 204
    assert client.get(f"/threads/{made[0]}").status_code == 404


def test_faults_over_http(client: TestClient) -> None:
    assert client.put("/faults", json={"on": ["refusal"]}).status_code == 200
    assert client.get("/healthz").json()["faults"] == ["refusal"]
    assert ask(client, "How do I mount a volume?")[-2][1]["abstained"]
    assert client.put("/faults", json={"on": ["nonsense"]}).status_code == 422
    assert [fault["name"] for fault in client.get("/faults").json()["faults"] if fault["on"]] == ["refusal"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 400),
        ({"content-type": "text/plain"}, 415),
        ({"content-length": "9999999"}, 413),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://127.0.0.1:8501"}, 200),
    ],
)
def test_other_origins_get_nothing(client: TestClient, headers: dict[str, str], status: int) -> None:
    sent = {"content-type": "application/json", **headers}
    answer = client.post("/threads/t1/messages", content=b'{"text": "/faults"}', headers=sent)
    assert answer.status_code == status
    assert "access-control-allow-origin" not in answer.headers


def test_odd_ids_and_empty_texts_are_refused(client: TestClient) -> None:
    assert client.post("/threads/a%20b/messages", json={"text": "hello"}).status_code == 422
    assert client.post("/threads/t1/messages", json={"text": ""}).status_code == 422
    assert client.get("/threads/unknown").status_code == 404


ROOTS = """
import json, sys
from pathlib import Path
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.testclient import TestClient
import tracer
from demo_rag_bot.conversation import Conversations
from demo_rag_bot.serve import app
from demo_rag_bot.settings import BotSettings, Library
from demo_rag_bot.threads import ThreadStore

exporter = InMemorySpanExporter()
tracer.configure(service="docs-bot", exporter=exporter)
library = Library.open(BotSettings.of(Path(sys.argv[1]), Path(sys.argv[2])))
talk = Conversations(library, library.index(), ThreadStore(Path(sys.argv[2]) / "bot.db"))
with TestClient(app(talk), base_url="http://127.0.0.1") as client:
    client.post("/threads/t1/messages", json={"text": "How do I mount a volume?"})
    for path in ("/healthz", "/channels", "/threads", "/threads/t1", "/faults"):
        assert client.get(path).status_code == 200, path
tracer.flush()
print(json.dumps([span.name for span in exporter.get_finished_spans() if span.parent is None]))
"""


def test_a_question_is_one_trace_and_looking_is_none(docs: Path, tmp_path: Path) -> None:
    """In a process of its own: the web framework traces only where a tracer is set for the whole process."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("RIGHTPASSAGE_", "OTEL_", "OPENAI_"))}
    command = [sys.executable, "-c", ROOTS, str(docs), str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    assert json.loads(ran.stdout or "null") == ["answer question"], ran.stderr
