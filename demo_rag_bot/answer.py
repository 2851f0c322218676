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
from demo_rag_bot.local_model import count_tokens
from demo_rag_bot.retrieval import Candidate

MAX_SOURCES = 5
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
def template(name: str) -> Template:
    return Template(files("demo_rag_bot").joinpath("prompts", f"{name}.md").read_text("utf-8"))


@tracer.prompt("assemble prompt", stage="assemble", ignore=["candidates"], capture_output=False)
def assemble(question: str, candidates: Sequence[Candidate], *, budget: int, history: Sequence[str] = ()) -> Assembled:
    """The messages for the model: instructions, then as many passages, best first, as fit `budget` tokens, then the question."""
    used: list[Candidate] = []
    blocks: list[str] = []
    placements: list[dict[str, object]] = []
    left = budget
    for candidate in candidates:
        head = f"[{len(used) + 1}] {candidate.passage.link} ({candidate.passage.title} > {candidate.passage.heading})\n"
        room = 4 * (left - count_tokens(head))
        text = candidate.passage.text
        if count_tokens(head + text) > left:
            if used or room < 40:
                placements.append({"id": candidate.passage.id, "position": len(placements) + 1, "tokens": 0, "cut": True})
                continue
            text = text[:room]
        used.append(candidate)
        blocks.append(head + text)
        left -= count_tokens(head + text)
        placements.append(
            {
                "id": candidate.passage.id,
                "position": len(placements) + 1,
                "message": 1,
                "tokens": count_tokens(text),
                "cut": len(text) < len(candidate.passage.text),
            }
        )
    variables = {"passages": "\n\n".join(blocks), "question": question, "history": "\n".join(history)}
    instructions, _, request = template("answer").template.partition("\n---\n")
    messages = [
        {"role": "system", "content": instructions.strip()},
        {"role": "user", "content": Template(request.strip()).substitute(variables)},
    ]
    for placement, block in zip((placement for placement in placements if placement.get("message")), blocks, strict=True):
        start = messages[1]["content"].index(block)
        placement.update(start=start, end=start + len(block))
    tracer.current_span().set_prompt(template("answer").template, variables, name="answer").set_placement(placements).set_messages(
        input=messages
    )
    return Assembled(messages, used)


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
