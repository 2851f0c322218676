"""The offline endpoint through the openai client: the wire that real servers speak."""

from collections.abc import Iterator

import numpy as np
import openai
import pytest

from demo_rag_bot.local_model import NOT_FOUND, OfflineServer, extract, rewrite

PROMPT = """Passages:

[1] ports.md#publish (Ports > Publish)
Publish a port with `-p`. Ports below 1024 need root.

[2] volumes.md#mount (Volumes > Mount a volume)
Use the option `-v`:

```sh
run -v /a:/b
```

Question: {question}"""


@pytest.fixture
def client() -> Iterator[openai.OpenAI]:
    server = OfflineServer()
    with openai.OpenAI(base_url=server.base_url, api_key="none", max_retries=0) as client:
        yield client
    server.close()


def test_embeddings_of_like_texts_are_near(client: openai.OpenAI) -> None:
    answer = client.embeddings.create(model="offline-lexical", input=["mount a volume", "mounting volumes", "publish a port"])
    first, second, third = (np.array(item.embedding) for item in answer.data)
    assert first @ second > 0.6
    assert first @ second > first @ third + 0.4
    assert np.linalg.norm(first) == pytest.approx(1)
    assert answer.usage.prompt_tokens > 0


def test_chat_streamed_and_whole_say_the_same(client: openai.OpenAI) -> None:
    messages = [
        {"role": "system", "content": "Task: answer"},
        {"role": "user", "content": PROMPT.format(question="How do I mount a volume?")},
    ]
    whole = client.chat.completions.create(model="offline-extractive", messages=messages)  # type: ignore[arg-type]  # plain dicts, as people write them
    stream = client.chat.completions.create(
        model="offline-extractive",
        messages=messages,  # type: ignore[arg-type]
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == whole.choices[0].message.content
    assert chunks[-1].usage == whole.usage


def test_it_lists_its_models_and_refuses_the_rest(client: openai.OpenAI) -> None:
    assert {model.id for model in client.models.list()} == {"offline-extractive", "offline-lexical"}
    with pytest.raises(openai.NotFoundError):
        client.images.generate(prompt="a cat")
    with pytest.raises(openai.BadRequestError):
        client.post("/chat/completions", cast_to=object, body={"messages": 5})


def test_it_quotes_and_says_where_from() -> None:
    assert extract(PROMPT.format(question="How do I mount a volume?")) == "Use the option `-v`: [2]\n\n```sh\nrun -v /a:/b\n```"
    assert extract(PROMPT.format(question="Zebra crossing?")) == NOT_FOUND


@pytest.mark.parametrize(
    ("follow_up", "rewritten"),
    [
        ("And how do I remove it?", "And how do I remove it (volume)?"),
        ("How do I publish a port of the running web container?", "How do I publish a port of the running web container?"),
        ("Why?", "Why (mount volume)?"),
    ],
)
def test_a_follow_up_gets_the_subject_of_the_question_before(follow_up: str, rewritten: str) -> None:
    assert rewrite(f"User: How do I mount a volume?\n\nFollow-up: {follow_up}") == rewritten


TABLE = """Passages:

[1] ports.md (Ports)
| port | option | what |
|---|---|---|
| 4318 | `--http` | OTLP over HTTP |
| 8501 | `--port` | the viewer, `a\\|b` |

A day with them:

The viewer lists [all traces](traces.md). Then it waits for the gRPC bridge:

- open the bridge
- wait for the viewer

Question: {question}"""


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Which port has OTLP over HTTP?", "4318: option `--http`; OTLP over HTTP [1]"),
        ("Which list of traces?", "The viewer lists all traces. [1]"),
        ("What about the gRPC?", "Then it waits for the gRPC bridge: [1]\n\n- open the bridge\n- wait for the viewer"),
        ("What happens in a day?", NOT_FOUND),
    ],
)
def test_tables_read_as_text_and_lead_ins_come_with_what_they_lead_to(question: str, answer: str) -> None:
    assert extract(TABLE.format(question=question)) == answer


def test_an_answer_is_short_and_begins_with_the_best() -> None:
    passages = "\n\n".join(f"[{number}] p{number}.md (Page)\nThe port is number {number}." for number in range(1, 8))
    best = "[8] q.md (Page)\nThe default port of the harbour server is 80."
    told = extract(f"Passages:\n\n{passages}\n\n{best}\n\nQuestion: Which default port has the harbour server?")
    assert told.startswith("The default port of the harbour server is 80. [8]")
    assert told.count("[") <= 3


FAQ = """Passages:

[1] faq.md (Questions > How do I upgrade?)
How do I upgrade?

- [How do I upgrade the server?](server.md)
- How do I upgrade the client?

**Upgrade the rest**

Upgrade with `get --new`; nothing else is to be done for an upgrade.

Question: {question}"""


def test_questions_headings_and_bare_links_are_no_answers() -> None:
    told = extract(FAQ.format(question="How do I upgrade?"))
    assert told == "Upgrade with `get --new`; nothing else is to be done for an upgrade. [1]"
