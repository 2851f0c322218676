"""The model endpoint: embeddings and chat completions through the `openai` client, whoever serves them.

`OPENAI_BASE_URL` and `OPENAI_API_KEY` choose it (OpenAI, Ollama, vLLM, LM Studio, …); with neither, the offline endpoint of
`local_model` is started on a free loopback port. Time-outs, retries with back-off and rate limits (`Retry-After`) are the client's;
what is left over leaves here as an `openai.OpenAIError`, an answer that is none (`BadReply`) included.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, cast

import httpx
import numpy as np
import openai
from numpy.typing import NDArray
from openai.types.chat import ChatCompletionMessageParam

import tracer
from demo_rag_bot.local_model import CHAT_MODEL, EMBEDDING_MODEL, OfflineServer
from demo_rag_bot.reply import Reply, spoken

BATCH = 64  # texts per embedding request
Message = dict[str, str]


class BadReply(openai.OpenAIError):
    """The endpoint answered, but not with what was asked for."""


@dataclass(frozen=True)
class EndpointSettings:
    """Where the models are; neither a URL nor a key means offline."""

    base_url: str | None = None
    api_key: str | None = None
    chat_model: str = "gpt-4.1-mini"
    embedding_model: str = "text-embedding-3-small"
    max_tokens: int = 800  # of a reply, thoughts included
    timeout_s: float = 60
    retries: int = 3

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        return cls(
            base_url=environment.get("OPENAI_BASE_URL"),
            api_key=environment.get("OPENAI_API_KEY"),
            chat_model=environment.get("OPENAI_MODEL", cls.chat_model),
            embedding_model=environment.get("OPENAI_EMBEDDING_MODEL", cls.embedding_model),
            max_tokens=int(environment.get("RIGHTPASSAGE_MODEL_TOKENS", cls.max_tokens)),
            timeout_s=float(environment.get("RIGHTPASSAGE_MODEL_TIMEOUT", cls.timeout_s)),
        )


@dataclass(frozen=True)
class Endpoint:
    """A chat model and an embedding model behind one URL."""

    client: openai.OpenAI
    chat_model: str
    embedding_model: str
    max_tokens: int = EndpointSettings.max_tokens
    server: OfflineServer | None = None  # ours, when offline

    @classmethod
    def open(cls, settings: EndpointSettings | None = None) -> Self:
        """The endpoint the settings (or the environment) name, else the offline one."""
        chosen = settings or EndpointSettings.from_environment()
        limits: dict[str, Any] = {"timeout": chosen.timeout_s, "max_retries": chosen.retries}
        if chosen.base_url or chosen.api_key:
            client = openai.OpenAI(base_url=chosen.base_url, api_key=chosen.api_key or "none", **limits)
            return cls(client, chosen.chat_model, chosen.embedding_model, chosen.max_tokens)
        server = OfflineServer()
        return cls(openai.OpenAI(base_url=server.base_url, api_key="none", **limits), CHAT_MODEL, EMBEDDING_MODEL, server=server)

    @property
    def offline(self) -> bool:
        return self.server is not None

    @property
    def provider(self) -> str:
        return "rightpassage-offline" if self.offline else "openai"

    def close(self) -> None:
        self.client.close()
        if self.server:
            self.server.close()

    def embed(self, texts: Sequence[str], progress: Callable[[int], None] = lambda done: None) -> NDArray[np.float32]:
        """One unit vector per text, in batches; `progress` hears how many each batch added."""
        batches: list[NDArray[np.float32]] = []
        for start in range(0, len(texts), BATCH):
            batches.append(self._embed_batch(texts[start : start + BATCH]))
            progress(len(batches[-1]))
        vectors = np.concatenate(batches) if batches else np.zeros((0, 1), np.float32)
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)

    def _embed_batch(self, texts: Sequence[str]) -> NDArray[np.float32]:
        try:
            answer = self.client.embeddings.create(model=self.embedding_model, input=list(texts))
        except (openai.BadRequestError, openai.UnprocessableEntityError):
            if len(texts) == 1:
                raise
            half = len(texts) // 2  # servers limit the tokens of a request: two halves may pass where the whole did not
            return np.concatenate([self._embed_batch(texts[:half]), self._embed_batch(texts[half:])])
        except ValueError as error:  # no JSON, or JSON without vectors
            raise BadReply(f"{self.embedding_model} did not answer with embeddings: {error}") from error
        vectors = [item.embedding for item in sorted(answer.data, key=lambda item: item.index)]
        if len(vectors) != len(texts) or len({len(vector) for vector in vectors}) != 1 or not np.isfinite(vectors).all():
            raise BadReply(f"{self.embedding_model} answered {len(texts)} texts with {len(vectors)} vectors, or with unusable ones")
        return np.array(vectors, np.float32)

    @tracer.embedding("embed query", capture_output=False)
    def embed_query(self, question: str) -> NDArray[np.float32]:
        vector = self.embed([question])[0]
        span = tracer.current_span().set(model=self.embedding_model, texts=[question], dimension=len(vector))
        if self.offline:
            span.set_cost(0)
        return vector

    @tracer.llm("chat completion", reduce=spoken)
    def stream(self, messages: Sequence[Message], *, stage: str) -> Iterator[str]:
        """The model's answer, piece by piece."""
        span = tracer.current_span()
        span.set(stage=stage, input_messages=messages)
        span.set_model(self.chat_model, provider=self.provider).set_parameters(temperature=0, max_tokens=self.max_tokens)
        if self.offline:
            span.set_cost(0)  # it runs here and is free, which is more than "no price is known"
        yield from self.complete(messages, stage)

    def complete(self, messages: Sequence[Message], stage: str) -> Iterator[str]:
        span = tracer.current_span()
        chunks = self.client.chat.completions.create(
            model=self.chat_model,
            messages=cast(list[ChatCompletionMessageParam], list(messages)),
            temperature=0,
            max_tokens=self.max_tokens,
            stream=True,
            stream_options={"include_usage": True},
        )
        reply, finished = Reply(), None
        try:
            for chunk in chunks:
                if chunk.usage:
                    span.set_usage(chunk.usage.prompt_tokens, chunk.usage.completion_tokens)
                for choice in chunk.choices:
                    yield from reply.take(choice.delta)
                    if choice.finish_reason:
                        finished = choice.finish_reason
                        span.set_model(self.chat_model, response_model=chunk.model, response_id=chunk.id, finish_reasons=[finished])
            yield from reply.end()
        except (ValueError, httpx.TransportError, openai.APIConnectionError) as error:  # half an event, or the connection is gone
            raise BadReply(f"{self.chat_model} broke off: {error}") from error
        if reply.thoughts:
            span.set_messages(output=[{"role": "assistant", "reasoning": reply.thoughts, "content": reply.said}])
        if not reply.said:  # an answer without a finish reason counts: lax servers give none
            raise BadReply(f"{self.chat_model} said nothing (finish reason: {finished or 'none'})")
