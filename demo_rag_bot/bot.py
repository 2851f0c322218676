"""The bot: a question goes through rewrite → retrieve → rerank → prompt → generate → cite, and each step is a traced function.

This is the file to read first, and to copy. A step is an ordinary function with a decorator that says what it is; what matters about it
(passages, scores, what was dropped and why) is set on the current span by the step itself. The terminal, the HTTP API and Slack all
share this one class.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from string import Template
from typing import Self

import openai

import tracer
from demo_rag_bot.answer import Answer, assemble, cite, links, template
from demo_rag_bot.endpoint import Endpoint
from demo_rag_bot.index import Index
from demo_rag_bot.local_model import NOT_FOUND
from demo_rag_bot.rerank import Reranker
from demo_rag_bot.retrieval import Candidate, Retriever

Say = Callable[[str], None]
"""Told each piece of the answer as it arrives."""


def silent(piece: str) -> None:
    """Say nothing until the answer is whole."""


@dataclass(frozen=True)
class Options:
    k: int = 8  # passages that go on to the prompt
    prompt_tokens: int = 3000  # budget for passages
    answer_tokens: int = 800
    history: int = 6  # earlier questions that the rewrite sees


STANDARD = Options()


@dataclass(frozen=True)
class Bot:
    """Answers questions from one index with one endpoint."""

    retriever: Retriever
    reranker: Reranker
    endpoint: Endpoint
    options: Options = STANDARD

    @classmethod
    def on(cls, index: Index, endpoint: Endpoint, options: Options = STANDARD) -> Self:
        return cls(Retriever(index, endpoint), Reranker(index), endpoint, options)

    @tracer.chain("answer question", ignore=["say"])
    def ask(self, question: str, history: Sequence[str] = (), *, say: Say = silent) -> Answer:
        """The answer to a question, given the earlier questions of its thread; never raises because of the model endpoint."""
        span = tracer.current_span().set_input(question)
        try:
            answer = self._answer(question, history, say)
        except openai.OpenAIError as error:
            span.set_error(error)
            answer = Answer(question, question, friendly(error), failed=True)
            say(answer.text)
        span.set_output(answer.text).set_metadata({"abstained": answer.abstained, "query": answer.query})
        return replace(answer, offline=self.endpoint.offline, trace_id=tracer.current_trace_id(), trace_url=tracer.current_trace_url())

    def _answer(self, question: str, history: Sequence[str], say: Say) -> Answer:
        query = self.rewrite(question, history)
        candidates = self.retriever.retrieve(query, self.options.k)
        passages = self.reranker.rerank(query, candidates, self.options.k)
        if not passages:
            return self.decline(question, query, passages, say)
        prompt = assemble(query, passages, budget=self.options.prompt_tokens)
        text = self.generate(prompt.messages, say)
        if text.strip().startswith(NOT_FOUND):
            return self.decline(question, query, passages, say)
        cleaned, citations = cite(text, prompt.passages)
        cited = [c for c in prompt.passages if any(citation.document_id == c.passage.id for citation in citations)]
        placed = frozenset(candidate.passage.id for candidate in prompt.passages)
        return Answer(question, query, cleaned, passages, citations, links(cited or prompt.passages[:3]), placed=placed)

    @tracer.chain("rewrite question", stage="rewrite")
    def rewrite(self, question: str, history: Sequence[str]) -> str:
        """The question as it will be searched: a follow-up gets what the conversation says it is about."""
        if not history:
            return question
        instructions, _, request = template("rewrite").template.partition("\n---\n")
        earlier = "\n".join(f"User: {line}" for line in history[-self.options.history :])
        user = Template(request.strip()).substitute(history=earlier, question=question)
        messages = [{"role": "system", "content": instructions.strip()}, {"role": "user", "content": user}]
        return "".join(self.endpoint.stream(messages, max_tokens=120, stage="rewrite")).strip() or question

    def generate(self, messages: Sequence[dict[str, str]], say: Say) -> str:
        pieces: list[str] = []
        for piece in self.endpoint.stream(messages, max_tokens=self.options.answer_tokens, stage="generate"):
            pieces.append(piece)
            say(piece)
        return "".join(pieces)

    def decline(self, question: str, query: str, nearest: Sequence[Candidate], say: Say) -> Answer:
        pages = links(nearest)
        text = "I could not find this in the documentation." + (f" Nearest pages: {', '.join(pages)}" if pages else "")
        say(text)
        return Answer(question, query, text, nearest, sources=pages, abstained=True)


def friendly(error: openai.OpenAIError) -> str:
    """What a user is told when the model endpoint fails."""
    return f"Sorry, I could not answer: {error}"
