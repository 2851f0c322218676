"""Passages → answer: the prompt within its budget, the model's text, the citations checked.

A passage goes into the prompt whole or not at all, but for the first, which is cut when it alone is over the budget. A citation `[n]`
counts only if passage n was in the prompt; others are taken out of the text and stay in the trace as invalid.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from string import Template

import tracer
from demo_rag_bot.endpoint import Message
from demo_rag_bot.index import Candidate
from demo_rag_bot.local_model import count_tokens

MAX_SOURCES = 5
SHORTEST_CUT = 10  # tokens; a first passage cut shorter says nothing
CODE = re.compile(r"(```.*?```|`[^`\n]+`)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Citation:
    """A `[n]` in the answer and the passage it points at (None: there was no passage n)."""

    marker: str
    document_id: str | None
    link: str | None

    @property
    def valid(self) -> bool:
        return self.document_id is not None


@dataclass(frozen=True, slots=True)
class Assembled:
    """A prompt ready to send, and the passages that made it in."""

    messages: Sequence[Message]
    passages: Sequence[Candidate]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the bot gives back, however it was asked."""

    question: str
    query: str  # the question as it was searched
    text: str = ""
    documents: Sequence[Candidate] = ()
    citations: Sequence[Citation] = ()
    sources: Sequence[str] = ()  # page#anchor of what the answer rests on, or of the nearest pages when it declines
    abstained: bool = False
    failed: bool = False
    offline: bool = False
    placed: frozenset[str] = frozenset()  # ids of the passages that went into the prompt
    trace_id: str | None = None
    trace_url: str | None = None


@cache
def template(name: str) -> str:
    return files("demo_rag_bot").joinpath("prompts", f"{name}.md").read_text("utf-8")


def filled(name: str, **variables: str) -> list[Message]:
    """The messages of a prompt: what stands above its rule are instructions, what stands below is the request."""
    instructions, _, request = template(name).partition("\n---\n")
    return [
        {"role": "system", "content": instructions.strip()},
        {"role": "user", "content": Template(request.strip()).substitute(variables)},
    ]


@tracer.prompt("assemble prompt", stage="assemble", ignore=["candidates"], capture_output=False)
def assemble(question: str, candidates: Sequence[Candidate], *, budget: int) -> Assembled:
    """The messages for the model: instructions, then as many passages, best first, as fit `budget` tokens, then the question."""
    blocks: dict[str, str] = {}  # id of a passage → what stands in the prompt
    for candidate in candidates:
        passage = candidate.passage
        head = f"[{len(blocks) + 1}] {passage.link} ({passage.title} > {passage.heading})\n"
        room = budget - sum(map(count_tokens, blocks.values())) - count_tokens(head)
        if count_tokens(passage.text) <= room:
            blocks[passage.id] = head + passage.text
        elif not blocks and room >= SHORTEST_CUT:
            blocks[passage.id] = head + passage.text[: 4 * room]
    variables = {"passages": "\n\n".join(blocks.values()), "question": question}
    messages = filled("answer", **variables)
    placements = [_placement(place, one, blocks.get(one.passage.id), messages[1]["content"]) for place, one in enumerate(candidates, 1)]
    tracer.current_span().set_prompt(template("answer"), variables, name="answer").set_placement(placements).set_messages(input=messages)
    return Assembled(messages, [candidate for candidate in candidates if candidate.passage.id in blocks])


def _placement(position: int, candidate: Candidate, block: str | None, prompt: str) -> dict[str, object]:
    """Where a passage stands in the prompt, and whether all of it does."""
    passage = candidate.passage
    told: dict[str, object] = {"id": passage.id, "position": position}
    if block is None:
        return told | {"tokens": 0, "cut": True}
    start, cut = prompt.index(block), not block.endswith(passage.text)
    return told | {"message": 1, "start": start, "end": start + len(block), "tokens": count_tokens(block), "cut": cut}


@tracer.guardrail("check citations", stage="cite", ignore=["passages"])
def cite(text: str, passages: Sequence[Candidate]) -> tuple[str, list[Citation]]:
    """The text without marks that point nowhere, and every mark it had, once each."""
    found: dict[str, Citation] = {}

    def checked(mark: re.Match[str]) -> str:
        number = mark[1]
        there = 0 < int(number) <= len(passages)
        passage = passages[int(number) - 1].passage if there else None
        found[number] = Citation(f"[{number}]", passage.id if passage else None, passage.link if passage else None)
        return mark[0] if there else ""

    parts = CODE.split(text)  # `rows[0]` in code is no citation
    cleaned = "".join(part if place % 2 else re.sub(r" ?\[(\d{1,4})\]", checked, part) for place, part in enumerate(parts))
    marks = [{"marker": one.marker, "document_id": one.document_id, "valid": one.valid} for one in found.values()]
    tracer.current_span().set_citations(marks).set_output(cleaned)
    return cleaned, list(found.values())


def links(candidates: Sequence[Candidate]) -> list[str]:
    """The pages of some passages with their anchors, each once, at most five."""
    return list(dict.fromkeys(candidate.passage.link for candidate in candidates))[:MAX_SOURCES]
