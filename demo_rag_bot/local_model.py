"""The offline endpoint: OpenAI's API in the small, honest about what it is, so that the bot runs without a key, a download or a network.

It is no language model. `offline-lexical` makes embeddings from lexical statistics: the stemmed words of a text, their pairs and their
character n-grams, hashed into one vector. `offline-extractive` answers by quoting the sentences of the given passages that share most
with the question, and rewrites a follow-up by adding the subject of the question before it. Everything it says stands in a passage.

    POST /v1/embeddings   POST /v1/chat/completions (also streamed)   GET /v1/models
"""

from __future__ import annotations

import base64
import json
import math
import re
import sys
import textwrap
import threading
import time
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise, takewhile, zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from demo_rag_bot.terms import terms

CHAT_MODEL = "offline-extractive"
EMBEDDING_MODEL = "offline-lexical"
DIMENSION = 1024
MAX_BODY_BYTES = 32_000_000
NOT_FOUND = "NOT_FOUND"
LONGEST_CODE, LONGEST_LIST = 25, 12  # lines quoted with the sentence before them
MOST_SENTENCES, GOOD_SHARE = 3, 0.5  # of an answer; of the best one's weight that another needs
HEADING_SHARE = 0.8  # of a word that stands in the heading above a sentence, not in it
PASSAGE_STEP = 0.35  # how much each passage further down must be better to be quoted first


# ---- Embeddings ----


def embed(text: str) -> NDArray[np.float32]:
    """One text → one vector of length 1: hashed words (weight 1), word pairs and character n-grams (less), damped by their count."""
    vector = np.zeros(DIMENSION, np.float32)
    found = terms(text)
    for term, count in Counter(found).items():
        weight = 1 + math.log(count)
        for slot, sign, share in _features(term):
            vector[slot] += sign * share * weight
    for pair, count in Counter(pairwise(found)).items():
        slot, sign = _hashed(" ".join(pair))
        vector[slot] += sign * 0.4 * (1 + math.log(count))
    length = float(np.linalg.norm(vector))
    return vector / length if length else vector


@lru_cache(maxsize=200_000)
def _features(term: str) -> tuple[tuple[int, int, float], ...]:
    """The term itself and its character 4-grams: (slot, sign, weight)."""
    marked = f"^{term}$"
    grams = [marked[i : i + 4] for i in range(len(marked) - 3)] if len(term) > 3 else []
    share = 0.6 / math.sqrt(len(grams)) if grams else 0.0
    return ((*_hashed(term), 1.0), *((*_hashed(f"#{gram}"), share) for gram in grams))


def _hashed(feature: str) -> tuple[int, int]:
    number = zlib.crc32(feature.encode())
    return number % DIMENSION, 1 if number & 0x8000_0000 else -1


# ---- Chat ----


@dataclass(frozen=True, slots=True)
class _Sentence:
    passage: int  # its number in the prompt
    head: str  # what stands above it: page and headings
    text: str
    place: int = 0  # under its heading: 0 is the first
    below: str = ""  # what it leads in: the code block, list or table right after it
    items: frozenset[str] = frozenset()  # the sentences that stand in `below` too


def reply(messages: Sequence[dict[str, str]]) -> str:
    """The answer to a chat request: a rewrite where the system message asks for one, else quotations."""
    system = next((message["content"] for message in messages if message["role"] == "system"), "")
    user = next((message["content"] for message in reversed(messages) if message["role"] == "user"), "")
    return rewrite(user) if system.startswith("Task: rewrite") else extract(user)


def rewrite(prompt: str) -> str:
    """The follow-up with the subject of the conversation added, where it does not stand by itself."""
    earlier = re.findall(r"^User: (.*)$", prompt, re.MULTILINE)
    follow_up = prompt.rpartition("Follow-up: ")[2].strip()
    own = set(terms(follow_up))
    before = next((question for question in reversed(earlier) if len(set(terms(question))) >= 2), "")
    if not before or (len(own) >= 4 and not _LEANS.search(follow_up)):
        return follow_up
    subject = _ASKED_FOR.sub(" ", before, count=1) if own else before  # the follow-up has a verb of its own
    added = [word for word in re.findall(r"[^\s?!,;]+", subject) if (found := terms(word)) and not own.issuperset(found)]
    return f"{follow_up.rstrip('?')} ({' '.join(added)})?" if added else follow_up


_LEANS = re.compile(r"\b(it|its|that|this|those|these|they|them|one|there|same|instead|else|also|too)\b", re.IGNORECASE)
_ASKED_FOR = re.compile(r"\b(?:do|can|could|should|would|must|may|will)\s+(?:i|we|you|one)\s+\w+|\bhow\s+to\s+\w+", re.IGNORECASE)


def extract(prompt: str) -> str:
    """The best sentences of the passages in the prompt, each with its `[n]`; NOT_FOUND where none shares a word with the question."""
    question = prompt.rpartition("Question: ")[2].strip()
    sentences = [sentence for number, head, text in _passages(prompt) for sentence in _sentences(number, head, text)]
    wanted = set(terms(question))
    frequency = Counter(term for sentence in sentences for term in set(terms(sentence.text)))
    scored: list[tuple[float, int]] = []
    for position, sentence in enumerate(sentences):
        said = set(terms(f"{sentence.text} {sentence.below}")) & wanted
        above = (set(terms(sentence.head)) & wanted) - said  # a sentence under "Mount a volume" need not say so again
        weight = sum(_worth(term, frequency, len(sentences)) for term in said)
        weight += HEADING_SHARE / (1 + sentence.place / 3) * sum(_worth(term, frequency, len(sentences)) for term in above)
        length = max(8, len(sentence.text.split()) + len(sentence.below.split()) / 4)
        scored.append((weight / (1 + length / 60) / (1 + PASSAGE_STEP * (sentence.passage - 1)), position))
    ranked = sorted(scored, key=lambda one: (-one[0], one[1]))
    if not ranked or ranked[0][0] <= 0:
        return NOT_FOUND
    chosen: list[int] = []
    for weight, position in ranked:
        told = [sentences[place] for place in chosen]
        if (
            weight >= ranked[0][0] * GOOD_SHARE
            and len(chosen) < MOST_SENTENCES
            and not any(_repeats(sentences[position], one) for one in told)
        ):
            chosen.append(position)
    return "\n\n".join(_quoted(sentences[position]) for position in (chosen[0], *sorted(chosen[1:])))


def _repeats(one: _Sentence, other: _Sentence) -> bool:
    """Whether one of two sentences says the other again."""
    return one.text == other.text or one.text in other.items or other.text in one.items


def _worth(term: str, frequency: Counter[str], count: int) -> float:
    return math.log(1 + count / (1 + frequency[term]))


def _quoted(sentence: _Sentence) -> str:
    return f"{sentence.text} [{sentence.passage}]" + (f"\n\n{sentence.below}" if sentence.below else "")


def _passages(prompt: str) -> Iterator[tuple[int, str, str]]:
    """(number, heading, text) of each `[n] …` block before the question."""
    body = prompt.rpartition("Question: ")[0]
    marks = list(re.finditer(r"^\[(\d+)\] (.*)$", body, re.MULTILINE))
    for mark, following in zip(marks, [*marks[1:], None], strict=False):
        yield int(mark[1]), mark[2], body[mark.end() : following.start() if following else len(body)].strip()


def _sentences(passage: int, head: str, text: str) -> Iterator[_Sentence]:
    """What can be quoted of a passage. A sentence that leads in ("Use the option:") is quoted with what follows it, or not at all."""
    blocks = list(_blocks(text))
    place = 0
    for number, (kind, lines) in enumerate(blocks):
        if kind == "heading":
            head, place = f"{head} {lines[0].strip('# ')}", 0
            continue
        above = {_plain(part) for part in re.split(r" > |[()]", head)}
        said = [one for one in _said(kind, lines) if _plain(one) not in above]
        leads_in = bool(said) and said[-1].endswith((":", "："))
        below, items = _below(blocks[number + 1 :], leads_in)
        for one in said[:-1] if leads_in and not below else said:
            led = one is said[-1] and kind != "table"
            yield _Sentence(passage, head, one, place, below if led else "", items if led else frozenset())
            place += 1


def _plain(text: str) -> str:
    return re.sub(r"\W+", " ", text.lower()).strip()


def _below(following: Sequence[tuple[str, list[str]]], leads_in: bool) -> tuple[str, frozenset[str]]:
    """What belongs to the sentence before it: a code block; after a colon also a list or table; and the sentences in it."""
    kind = following[0][0] if following else ""
    if kind == "code" and len(following[0][1]) <= LONGEST_CODE:
        return "\n".join(following[0][1]), frozenset()
    if kind not in ("item", "table") or not leads_in:
        return "", frozenset()
    blocks = [lines for _, lines in takewhile(lambda block: block[0] == kind, following)]
    items = frozenset(one for lines in blocks for one in _said(kind, lines))
    below = "\n".join(f"- {one}" for one in _said(kind, blocks[0])) if kind == "table" else "\n".join("\n".join(lines) for lines in blocks)
    return (textwrap.dedent(below), items) if below.count("\n") < LONGEST_LIST else ("", frozenset())


def _blocks(text: str) -> Iterator[tuple[str, list[str]]]:
    """(kind, lines) of each block: code, heading, table, item (of a list), prose."""
    for number, piece in enumerate(
        re.split(r"(^[ \t]*(?:```|~~~).*?(?:^[ \t]*(?:```|~~~)[ \t]*$|\Z))", text, flags=re.MULTILINE | re.DOTALL)
    ):
        if number % 2:
            yield "code", textwrap.dedent(piece).splitlines()
            continue
        for block in re.split(r"\n\s*\n|\n(?=\s*(?:[-*+>]|\d+[.)]) )|\n(?=#)|(?<=[^|\s])[ \t]*\n(?=\s*\|)", piece):
            lines = [line for line in block.splitlines() if line.strip()]
            if lines:
                yield next(kind for kind, begins in _BEGINS.items() if begins.match(lines[0])), lines


_BEGINS = {
    "heading": re.compile(r"#"),
    "table": re.compile(r"\s*\|"),
    "item": re.compile(r"\s*(?:[-*+]|\d+[.)]) "),
    "prose": re.compile(r""),
}


def _said(kind: str, lines: Sequence[str]) -> list[str]:
    """The sentences of a block that may answer: questions, bold headings and bare links do not. A row of a table is one; code has none."""
    if kind == "code":
        return []
    if kind == "table":
        return list(_rows(lines))
    line = re.sub(r"\s+", " ", re.sub(r"^\s*(?:[-*+>]|\d+[.)]|!!!|:::) +", "", " ".join(lines).strip()))
    parts = re.split(r"(?<=[.!?。！？])(?:\s+|(?<=[。！？]))(?=\S)", line)
    return [_LOCAL_LINK.sub(r"\1", part) for part in parts if len(part) > 2 and not _NO_ANSWER.fullmatch(part)]


_LOCAL_LINK = re.compile(r"!?\[([^\]]+)\]\((?!https?:)[^)\s]*\)")  # from a page, leads nowhere from a chat
_NO_ANSWER = re.compile(r"\*\*[^*]+\*\*|.*[?？]|(?:\s*!?\[[^\]]*\]\([^)]*\)[.,:;]?)+")


def _rows(lines: Sequence[str]) -> Iterator[str]:
    """Each row as text: its first cell, then the others, with the names of columns where there are more than two."""
    rows = [[cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))] for line in lines]
    ruled = len(rows) > 1 and all(re.fullmatch(r":?-+:?", cell) for cell in rows[1])
    names = rows[0] if ruled else []
    for first, *others in rows[2:] if ruled else rows:
        pairs = [(name, cell) for name, cell in zip_longest(names[1:], others, fillvalue="") if cell]
        if first.isdecimal() and names and not names[0].strip("# ") and pairs:  # a row's number says nothing
            first, pairs = pairs[0][1], pairs[1:]
        plain = len(others) == 1
        named = [cell if plain or name.lower() in _SAYS_NOTHING else f"{name} {cell}" for name, cell in pairs]
        yield f"{first}: {'; '.join(named)}" if first and named else first or "; ".join(named)


_SAYS_NOTHING = frozenset({"", "what", "meaning", "description", "what it does", "notes"})  # names of columns


# ---- The server ----


class OfflineServer:
    """The endpoint on a loopback port of its own, in a thread; `base_url` is what an OpenAI client takes."""

    def __init__(self, port: int = 0) -> None:
        self._server = _Server(("127.0.0.1", port), _Handler)
        self.base_url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="offline-endpoint", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no error of ours; anything else is told."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        if self.path.rstrip("/") == "/v1/models":
            models = [
                {"id": name, "object": "model", "created": 0, "owned_by": "rightpassage-offline"} for name in (CHAT_MODEL, EMBEDDING_MODEL)
            ]
            self._send({"object": "list", "data": models})
        else:
            self._refuse(404, f"no such path {self.path}; this offline endpoint has /v1/models, /v1/embeddings and /v1/chat/completions")

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        if length > MAX_BODY_BYTES:
            self.close_connection = True
            self._refuse(413, f"{length:,} bytes; at most {MAX_BODY_BYTES:,}")
            return
        body = self.rfile.read(length)
        try:
            request = json.loads(body)
            answer = {"/v1/embeddings": self._embeddings, "/v1/chat/completions": self._chat}[self.path.rstrip("/")]
        except (ValueError, KeyError) as error:
            self._refuse(400 if isinstance(error, ValueError) else 404, f"cannot serve {self.path}: {error}")
            return
        try:
            answer(request)
        except (KeyError, TypeError, AttributeError) as error:
            self._refuse(400, f"the request lacks or misuses a field: {error}")

    def _embeddings(self, request: dict[str, Any]) -> None:
        texts: list[str] = [request["input"]] if isinstance(request["input"], str) else request["input"]
        as_text = request.get("encoding_format") == "base64"
        vectors = [embed(text) for text in texts]
        data = [
            {
                "object": "embedding",
                "index": index,
                "embedding": base64.b64encode(vector.tobytes()).decode() if as_text else vector.tolist(),
            }
            for index, vector in enumerate(vectors)
        ]
        tokens = sum(count_tokens(text) for text in texts)
        self._send({"object": "list", "data": data, "model": EMBEDDING_MODEL, "usage": {"prompt_tokens": tokens, "total_tokens": tokens}})

    def _chat(self, request: dict[str, Any]) -> None:
        messages: list[dict[str, str]] = request["messages"]
        text = reply(messages)
        tokens_in = sum(count_tokens(message["content"]) for message in messages)
        tokens_out = count_tokens(text)
        usage = {"prompt_tokens": tokens_in, "completion_tokens": tokens_out, "total_tokens": tokens_in + tokens_out}
        head = {"id": f"offline-{time.time_ns():x}", "created": int(time.time()), "model": CHAT_MODEL}
        if not request.get("stream"):
            choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
            self._send({**head, "object": "chat.completion", "choices": [choice], "usage": usage})
            return
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for piece in re.findall(r"\S+\s*|\s+", text):
            self._event(
                {**head, "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]}
            )
        self._event({**head, "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        self._event({**head, "object": "chat.completion.chunk", "choices": [], "usage": usage})
        self._chunk(b"data: [DONE]\n\n")
        self._chunk(b"")

    def _event(self, data: dict[str, Any]) -> None:
        self._chunk(f"data: {json.dumps(data, ensure_ascii=False)}\n\n".encode())

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def _send(self, answer: dict[str, Any], status: int = 200) -> None:
        body = json.dumps(answer, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _refuse(self, status: int, message: str) -> None:
        self._send({"error": {"message": message, "type": "invalid_request_error", "code": status}}, status)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet: the bot's own trace says what was asked."""


def count_tokens(text: str) -> int:
    """About as many tokens as a common tokeniser makes: four characters a token, one for each CJK character."""
    wide = len(re.findall(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]", text))
    return wide + math.ceil((len(text) - wide) / 4)
