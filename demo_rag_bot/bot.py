"""The bot: a question goes through rewrite → retrieve → rerank → prompt → generate → cite, and each step is a traced function.

This is the file to read first, and to copy. A step is an ordinary function with a decorator that says what it is; what matters about it
(passages, scores, what was dropped and why) is set on the current span by the step itself. The terminal, the HTTP API and Slack all
share this one class.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Self

import openai

import tracer
from demo_rag_bot.answer import Answer, assemble, cite, filled, links
from demo_rag_bot.endpoint import BadReply, Endpoint
from demo_rag_bot.evidence import ENOUGH, weigh
from demo_rag_bot.index import Candidate, Index
from demo_rag_bot.local_model import NOT_FOUND
from demo_rag_bot.local_model import rewrite as rewrite_offline
from demo_rag_bot.reply import spoken
from demo_rag_bot.rerank import Reranker
from demo_rag_bot.retrieval import Retriever

Say = Callable[[str], None]
"""Told each piece of the answer as it arrives."""


def silent(piece: str) -> None:
    """Say nothing until the answer is whole."""


@dataclass(frozen=True)
class Options:
    k: int = 8  # passages that go on to the prompt
    prompt_tokens: int = 3000  # budget for passages
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
        answer = self._answer(question, history, say)
        span.set_output(answer.text).set_metadata({"abstained": answer.abstained, "query": answer.query})
        return replace(answer, offline=self.endpoint.offline, trace_id=tracer.current_trace_id(), trace_url=tracer.current_trace_url())

    def _answer(self, question: str, history: Sequence[str], say: Say) -> Answer:
        draft = Answer(question, question)
        try:
            draft = replace(draft, query=self.rewrite(question, history))
            candidates = self.retriever.retrieve(draft.query, self.options.k)
            draft = replace(draft, documents=self.reranker.rerank(draft.query, candidates, self.options.k))
            if weigh(self.retriever.index, draft.query, draft.documents) < ENOUGH:
                return declined(draft, say)
            prompt = assemble(draft.query, draft.documents, budget=self.options.prompt_tokens)
            text = self.generate(prompt.messages, say)
            if text.strip().startswith(NOT_FOUND):
                return declined(draft, say)
            return cited(draft, text, prompt.passages)
        except openai.OpenAIError as error:
            tracer.current_span().set_error(error)
            return failed(draft, error, say)

    @tracer.chain("rewrite question", stage="rewrite")
    def rewrite(self, question: str, history: Sequence[str]) -> str:
        """The question as it will be searched: a follow-up gets what the conversation says it is about."""
        if not history:
            return question
        earlier = "\n".join(f"User: {line}" for line in history[-self.options.history :])
        messages = filled("rewrite", history=earlier, question=question)
        try:
            return spoken(self.endpoint.stream(messages, stage="rewrite")).strip() or question
        except openai.OpenAIError as error:  # the search can go on without the model, and its passages are worth having
            tracer.current_span().set_error(error)
            return rewrite_offline(messages[1]["content"])

    def generate(self, messages: Sequence[dict[str, str]], say: Say) -> str:
        text = told = ""
        for piece in self.endpoint.stream(messages, stage="generate"):
            text += piece
            if not NOT_FOUND.startswith(text.strip()[: len(NOT_FOUND)]):  # that is not for the user's eyes
                say(text[len(told) :])
                told = text
        return spoken(text)


# ---- The three ways a question ends ----


def cited(draft: Answer, text: str, passages: Sequence[Candidate]) -> Answer:
    """The model's text, its citations checked, with the pages they lead to."""
    cleaned, citations = cite(text, passages)
    used = {citation.document_id for citation in citations}
    sources = links([one for one in passages if one.passage.id in used] or passages[:3])
    return replace(draft, text=cleaned, citations=citations, sources=sources, placed=frozenset(one.passage.id for one in passages))


def declined(draft: Answer, say: Say) -> Answer:
    """An honest no, with the pages that came nearest."""
    pages = links(draft.documents)
    text = "I could not find this in the documentation." + (f" Nearest pages: {', '.join(pages)}" if pages else "")
    say(text)
    return replace(draft, text=text, sources=pages, abstained=True)


def failed(draft: Answer, error: openai.OpenAIError, say: Say) -> Answer:
    """What a user is told when the model endpoint fails; the trace has the error."""
    text = next((told for kind, told in FAILURES.items() if isinstance(error, kind)), "Sorry, the model endpoint failed.")
    say(text)
    return replace(draft, text=text, sources=links(draft.documents), failed=True)


FAILURES: dict[type[openai.OpenAIError], str] = {
    openai.APITimeoutError: "Sorry, the model did not answer in time. Please ask again.",
    openai.APIConnectionError: "Sorry, I cannot reach the model. Is the endpoint of OPENAI_BASE_URL running?",
    openai.AuthenticationError: "Sorry, the model endpoint does not accept the key in OPENAI_API_KEY.",
    openai.RateLimitError: "Sorry, the model endpoint is out of quota or asked too often. Please try again in a minute.",
    BadReply: "Sorry, what the model endpoint answered was empty, broke off or cannot be read. Please ask again.",
    openai.NotFoundError: "Sorry, the model endpoint does not know this model or path. See OPENAI_MODEL and OPENAI_BASE_URL.",
}
