import json
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from demo_rag_bot.answer import assemble, cite
from demo_rag_bot.bot import Bot, Options
from demo_rag_bot.endpoint import Endpoint, EndpointSettings
from demo_rag_bot.reply import spoken
from demo_rag_bot.settings import BotSettings, Library
from tracer.testing import assert_retrieved, capture_spans


def test_an_answer_cites_the_page_it_comes_from(bot: Bot) -> None:
    answer = bot.ask("How do I mount a volume?")
    assert "-v host:container" in answer.text
    assert answer.sources[0] == "volumes.md#mount-a-volume"
    assert answer.citations
    assert all(citation.valid for citation in answer.citations)
    assert not answer.abstained
    assert answer.offline


def test_a_question_the_docs_do_not_answer_is_declined(bot: Bot) -> None:
    answer = bot.ask("How do I configure Kafka consumer groups with OAuth?")
    assert answer.abstained
    assert answer.text.startswith("I could not find this")


def test_the_trace_shows_every_stage_with_its_candidates(bot: Bot) -> None:
    with capture_spans() as spans:
        answer = bot.ask("How do I mount a volume?")
    stages = [span.attributes.get("rightpassage.stage") for span in spans]
    assert [stage for stage in dict.fromkeys(stages) if stage] == [
        "rewrite",
        "recall",
        "fuse",
        "filter",
        "rerank",
        "assemble",
        "generate",
        "cite",
    ]
    assert_retrieved(spans, "volumes.md", k=1, stage="rerank")
    recall = spans.named("lexical search")
    assert recall.candidates[0]["score_kind"] == "bm25"
    assert recall.attributes["rightpassage.index.version"] == bot.retriever.index.manifest.version
    placement = spans.named("assemble prompt").json("rightpassage.prompt.placement")
    message = spans.named("assemble prompt").json("gen_ai.input.messages")[1]
    text = message.get("content") or message["parts"][0]["content"]
    assert "-v host:container" in text[placement[0]["start"] : placement[0]["end"]]
    assert spans.named("check citations").json("rightpassage.citations")[0]["valid"] is True
    root = spans.named("answer question")
    assert (root.parent_id, root.input, root.output) == ("", "How do I mount a volume?", answer.text)
    assert answer.trace_id == root.trace_id


def test_spans_nest_as_the_code_nests(bot: Bot) -> None:
    with capture_spans() as spans:
        bot.ask("How do I mount a volume?")
    root, retrieve = spans.named("answer question"), spans.named("retrieve")
    assert {span.name for span in spans.children(root)} >= {
        "rewrite question",
        "retrieve",
        "rerank",
        "assemble prompt",
        "chat completion",
        "check citations",
    }
    assert [span.name for span in spans.children(retrieve)] == ["dense search", "lexical search", "fuse", "filter"]
    assert len(spans) >= 10


def test_what_missed_the_cut_is_there_with_its_reason(library: Library) -> None:
    bot = Bot.on(library.index(), library.endpoint, Options(k=2))
    with capture_spans() as spans:
        bot.ask("How do I mount a volume?")
    reasons = [candidate.get("dropped") for candidate in spans.named("rerank").candidates]
    assert reasons[:2] == [None, None]
    assert reasons[2] == "below cut: rank 3 of 2"


def test_a_follow_up_gets_its_subject(bot: Bot) -> None:
    with capture_spans() as spans:
        answer = bot.ask("And how do I remove it?", ["How do I mount a volume?"])
    assert "volume" in answer.query
    assert answer.documents[0].passage.link == "volumes.md#remove-a-volume"
    rewrite = spans.named("rewrite question")
    assert "And how do I remove it?" in json.dumps(rewrite.input)
    assert rewrite.output == answer.query


def test_the_answer_streams(bot: Bot) -> None:
    pieces: list[str] = []
    answer = bot.ask("How do I mount a volume?", say=pieces.append)
    assert len(pieces) > 3
    assert "".join(pieces) == answer.text


def test_japanese_is_found_and_answered(bot: Bot) -> None:
    answer = bot.ask("ボリュームを削除するには?")
    assert answer.documents[0].passage.source == "ja.md"
    assert "harbour volume rm" in answer.text


def test_a_passage_that_does_not_fit_is_left_out_or_cut(bot: Bot) -> None:
    found = bot.reranker.rerank("mount a volume", bot.retriever.retrieve("mount a volume", 5), 5)
    tight = assemble("mount a volume", found, budget=70)
    assert len(tight.passages) == 1
    whole = assemble("mount a volume", found, budget=3000)
    assert len(whole.passages) == len(found)


def test_a_mark_that_points_nowhere_is_taken_out(bot: Bot) -> None:
    found = bot.retriever.retrieve("mount a volume", 2)[:2]
    with capture_spans() as spans:
        text, citations = cite("Use -v [1]. It is fast [7].", found)
    assert text == "Use -v [1]. It is fast."
    assert [(citation.marker, citation.valid) for citation in citations] == [("[1]", True), ("[7]", False)]
    assert spans.named("check citations").json("rightpassage.citations")[1]["valid"] is False


def test_an_index_in_code_is_no_citation(bot: Bot) -> None:
    found = bot.retriever.retrieve("mount a volume", 2)[:2]
    text = "Take `rows[0]` [1]:\n\n```python\nprint(rows[7])\n```\n\nor all [9]."
    assert cite(text, found)[0] == text.replace(" [9]", "")


# ---- Endpoints that misbehave ----


class Misbehaving(BaseHTTPRequestHandler):
    """Embeddings work; what chat completions answer is set per test."""

    status, body, seen = 500, {"error": {"message": "down"}}, 0
    stream: Sequence[Any] | None = None  # what is said in events instead; text goes out as it stands
    dimension = 3

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path.endswith("/embeddings"):
            texts = request["input"] if isinstance(request["input"], list) else [request["input"]]
            if sum(map(len, texts)) > 2000:
                self.answer(400, {"error": {"message": "too many tokens"}})
            else:
                vectors = [[1.0, len(text) % 7, text.count("e"), 0.0][: self.dimension] for text in texts]
                self.answer(200, {"data": [{"index": i, "embedding": vector} for i, vector in enumerate(vectors)], "model": "m"})
        elif self.stream is not None:
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            if CUT_OFF in self.stream:
                self.send_header("content-length", "100000")
            self.end_headers()
            for event in self.stream:
                if event == CUT_OFF:
                    return
                self.wfile.write(f"data: {event if isinstance(event, str) else json.dumps(event)}\n\n".encode())
        else:
            type(self).seen += 1
            self.answer(self.status, self.body)

    def answer(self, status: int, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def misbehaving() -> Iterator[tuple[type[Misbehaving], Endpoint]]:
    handler = type("Handler", (Misbehaving,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    endpoint = Endpoint.open(EndpointSettings(f"http://127.0.0.1:{server.server_address[1]}/v1", "key", timeout_s=5, retries=1))
    yield handler, endpoint
    endpoint.close()
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("status", "told"), [(500, "endpoint failed"), (401, "OPENAI_API_KEY"), (404, "OPENAI_MODEL"), (429, "quota")])
def test_a_failing_model_is_a_friendly_answer_with_its_passages_and_an_error_trace(
    library: Library, misbehaving: tuple[type[Misbehaving], Endpoint], status: int, told: str
) -> None:
    handler, endpoint = misbehaving
    handler.status = status
    bot = Bot.on(Library(library.settings, library.corpus, endpoint).index(), endpoint)
    with capture_spans() as spans:
        answer = bot.ask("How do I mount a volume?")
    assert answer.failed
    assert told in answer.text
    assert answer.documents
    assert spans.named("answer question").error
    assert spans.named("chat completion").error
    assert handler.seen == (2 if status in (429, 500) else 1)


CUT_OFF = "the connection goes here"  # less is sent than was announced


def chunk(delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "m", "choices": [choice]}


@pytest.mark.parametrize(
    ("stream", "told"),
    [
        ([chunk({"content": "Use -v "}), '{"id": "1", "choi'], "broke off"),
        ([chunk({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "search"}}]}), chunk({}, "tool_calls")], "tool_calls"),
        ([chunk({"content": ""}), chunk({}, "stop")], "said nothing"),
        (["[DONE]"], "said nothing"),
        ([chunk({"content": "<think>The user wants"}), chunk({}, "length")], "length"),
        ([chunk({"content": "Use -v "}), CUT_OFF], "broke off"),
    ],
)
def test_an_answer_that_is_none_is_a_friendly_failure(
    library: Library, misbehaving: tuple[type[Misbehaving], Endpoint], stream: Sequence[Any], told: str
) -> None:
    handler, endpoint = misbehaving
    handler.stream = stream
    with capture_spans() as spans:
        answer = Bot.on(Library(library.settings, library.corpus, endpoint).index(), endpoint).ask("How do I mount a volume?")
    assert answer.failed
    assert "ask again" in answer.text
    assert told in str(spans.named("chat completion").error)
    assert spans.named("answer question").error


@pytest.mark.parametrize(
    "stream",
    [
        [chunk({"content": "Use -v."})],  # no finish reason: some servers give none
        [chunk({"content": piece}) for piece in ("\n<th", "ink>\nA volume? Yes", ", -v.</thi", "nk>", "\n\n", "Use", " -v.")],
        [chunk({"content": piece}) for piece in ("A volume?", " Yes, -v.</thi", "nk>", "\n\n", "Use", " -v.")],  # opened by the prompt
        [chunk({"reasoning_content": "A volume? Yes, -v."}), chunk({"content": "Use -v."}), chunk({}, "stop")],
    ],
)
def test_the_thoughts_of_a_reasoning_model_are_on_the_span_and_not_in_the_answer(
    library: Library, misbehaving: tuple[type[Misbehaving], Endpoint], stream: Sequence[Any]
) -> None:
    handler, endpoint = misbehaving
    handler.stream = stream
    said: list[str] = []
    with capture_spans() as spans:
        bot = Bot.on(Library(library.settings, library.corpus, endpoint).index(), endpoint)
        answer = bot.ask("How do I mount a volume?", say=said.append)
    call = spans.named("chat completion")
    assert (answer.failed, answer.text, call.output) == (False, "Use -v.", "Use -v.")
    assert "".join(said).rpartition("</think>")[2].strip() == "Use -v."
    if len(stream) > 1:
        parts = call.json("gen_ai.output.messages")[0]["parts"]
        assert [(part["type"], part["content"]) for part in parts] == [("reasoning", "A volume? Yes, -v."), ("text", "Use -v.")]


def test_an_answer_about_thoughts_is_an_answer() -> None:
    for text in ("It ends with `</think>`.", "Thoughts stand in <think> and </think>.", "", "Use -v."):
        assert spoken(text) == text


def test_vectors_of_another_length_than_the_index_are_a_friendly_failure(
    library: Library, misbehaving: tuple[type[Misbehaving], Endpoint]
) -> None:
    handler, endpoint = misbehaving
    bot = Bot.on(Library(library.settings, library.corpus, endpoint).index(), endpoint)
    handler.dimension = 4
    with capture_spans() as spans:
        answer = bot.ask("How do I mount a volume?")
    assert answer.failed
    assert "vectors of 3 numbers" in str(spans.named("answer question").error)


def test_without_a_chat_model_a_follow_up_is_still_searched(library: Library, misbehaving: tuple[type[Misbehaving], Endpoint]) -> None:
    endpoint = misbehaving[1]
    bot = Bot.on(Library(library.settings, library.corpus, endpoint).index(), endpoint)
    answer = bot.ask("And how do I remove it?", ["How do I mount a volume?"])
    assert "volume" in answer.query
    assert answer.documents


def test_the_page_about_a_matter_comes_before_a_page_that_mentions_it(docs: Path, tmp_path: Path) -> None:
    said = "Rotate the certificates of a gateway with the rotate command."
    (docs / "a_tour.md").write_text(f"# Tour\n\n## Certificates\n\n{said} Then go on to see the next sight.\n", "utf-8")
    (docs / "gateway.md").write_text(
        f"# Gateway\n\n## Certificates\n\n{said} Then start it again with the new ones.\n\n## Rotate by hand\n\n"
        "Certificates of a gateway can be rotated by hand too, one after another, while it serves: copy, rename, reload, and look at it.\n",
        "utf-8",
    )
    library = Library.open(BotSettings.of(docs, tmp_path / "more"))
    try:
        answer = Bot.on(library.index(), library.endpoint).ask("How do I rotate the certificates of a gateway?")
    finally:
        library.close()
    assert answer.documents[0].passage.source == "gateway.md"
