"""OpenAI's client traced: chat completions, responses and embeddings, sync and async, streamed or not, with tools.

The client's methods are wrapped once; arguments and results pass through untouched, a stream stays a stream. Works with every
OpenAI-compatible endpoint, because only the client is looked at.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import openai
import openai.resources.chat.completions as chat
import openai.resources.embeddings as embeddings
import openai.resources.responses as responses
from opentelemetry.context import attach, detach, get_current

from tracer import conventions as names
from tracer.decorators import Step
from tracer.lightspan import Span
from tracer.messages import arguments
from tracer.safety import quiet
from tracer.streaming import AsyncStream, Stream
from tracer.vectors import shape

_PARAMETERS = (
    "temperature",
    "top_p",
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "seed",
    "stop",
    "frequency_penalty",
    "presence_penalty",
    "n",
    "reasoning_effort",
    "response_format",
    "tool_choice",
    "dimensions",
    "encoding_format",
)

Request = Callable[[Span, dict[str, Any]], None]
Response = Callable[[Span, Any], None]


def instrument() -> None:
    """Wraps the methods of OpenAI's client, once."""
    for owner, method, kind, name, request, response, reduce in _METHODS:
        original = getattr(owner, method, None)
        if original is None or hasattr(original, "_traced_by_rightpassage"):
            continue
        wrapped = _wrapped(original, Step(kind), name, request, response, reduce)
        wrapped.__dict__["_traced_by_rightpassage"] = original
        setattr(owner, method, wrapped)


def uninstrument() -> None:
    """Puts the client's own methods back."""
    for owner, method, *_ in _METHODS:
        original = getattr(getattr(owner, method, None), "_traced_by_rightpassage", None)
        if original is not None:
            setattr(owner, method, original)


def _wrapped(
    original: Callable[..., Any], step: Step, name: str, request: Request, response: Response, reduce: Callable[[list[Any]], Any]
) -> Callable[..., Any]:
    def begin(client: Any, kwargs: dict[str, Any]) -> Span:
        span = step.open(f"{name} {kwargs['model']}" if isinstance(kwargs.get("model"), str) else name)
        _requested(span, client, kwargs, request)
        return span

    def end(span: Span, result: Any) -> Any:
        if isinstance(result, _STREAMS) or inspect.isgenerator(result):
            return _Streamed(result, span, response, reduce)
        if isinstance(result, _ASYNC_STREAMS) or inspect.isasyncgen(result):
            return _AsyncStreamed(result, span, response, reduce)
        _responded(span, result, response)
        span.end()
        return result

    if inspect.iscoroutinefunction(original) or inspect.iscoroutinefunction(inspect.unwrap(original)):

        @functools.wraps(original)
        async def call_async(self: Any, *args: Any, **kwargs: Any) -> Any:
            span = begin(self, kwargs)
            if not span.span_id:
                return await original(self, *args, **kwargs)
            token = attach(span.context)
            try:
                result = await original(self, *args, **kwargs)
            except BaseException as error:
                span.close(error)
                raise
            finally:
                if get_current() is span.context:
                    detach(token)
            return end(span, result)

        return call_async

    @functools.wraps(original)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        span = begin(self, kwargs)
        if not span.span_id:
            return original(self, *args, **kwargs)
        token = attach(span.context)
        try:
            result = original(self, *args, **kwargs)
        except BaseException as error:
            span.close(error)
            raise
        finally:
            detach(token)
        return end(span, result)

    return call


# ---- What was asked ----


@quiet
def _requested(span: Span, client: Any, kwargs: dict[str, Any], request: Request) -> None:
    if not span.recording:
        return
    given = {name: value for name, value in kwargs.items() if value is not None and type(value).__name__ not in _NOT_GIVEN}
    span.set_model(given.get("model"), provider=_provider(client))
    span.set_parameters(**{name: given[name] for name in _PARAMETERS if name in given})
    if given.get("tools"):
        span.set_tools(given["tools"])
    request(span, given)


_NOT_GIVEN = ("NotGiven", "Omit")


def _provider(client: Any) -> str:
    """OpenAI, Azure, or the host of a compatible endpoint."""
    host = str(getattr(getattr(getattr(client, "_client", None), "base_url", None), "host", "") or "")
    if host.endswith("openai.azure.com"):
        return "azure.ai.openai"
    return "openai" if not host or host.endswith("openai.com") else host


def _chat_request(span: Span, given: dict[str, Any]) -> None:
    sent = given.get("messages")
    span.set_messages(input=sent)
    span.set_input(sent)


def _response_request(span: Span, given: dict[str, Any]) -> None:
    span.put(names.OPERATION, "chat")
    asked = given.get("input")
    instructions = [{"role": "system", "content": given["instructions"]}] if isinstance(given.get("instructions"), str) else []
    turns = [{"role": "user", "content": asked}] if isinstance(asked, str) else _turns(asked)
    span.set_messages(input=[*instructions, *turns])
    span.set_input(asked)


def _turns(asked: Any) -> list[Any]:
    """The Responses API's items as messages."""
    turns: list[Any] = []
    for item in asked if isinstance(asked, (list, tuple)) else ():
        fields = item if isinstance(item, Mapping) else _dump(item)
        kind = fields.get("type")
        if kind == "function_call":
            turns.append({"role": "assistant", "parts": [_call(cast("Mapping[str, Any]", fields))]})
        elif kind == "function_call_output":
            part = {"type": "tool_call_response", "id": fields.get("call_id"), "response": fields.get("output")}
            turns.append({"role": "tool", "parts": [part]})
        elif "role" in fields:
            turns.append(fields)
    return turns


def _call(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "tool_call",
        "id": fields.get("call_id") or fields.get("id"),
        "name": fields.get("name"),
        "arguments": arguments(fields.get("arguments")),
    }


def _embedding_request(span: Span, given: dict[str, Any]) -> None:
    asked = given.get("input")
    if isinstance(asked, str) or (isinstance(asked, list) and all(isinstance(text, str) for text in cast("list[object]", asked))):
        span.set_texts(cast("str | list[str]", asked))
        span.set_input(asked)


# ---- What came back ----


@quiet
def _responded(span: Span, result: Any, response: Response) -> None:
    if span.recording:
        parsed = result.parse() if hasattr(result, "http_response") and hasattr(result, "parse") else result  # with_raw_response
        response(span, parsed)


def _dump(value: Any) -> dict[str, Any]:
    return value.model_dump(exclude_none=True) if hasattr(value, "model_dump") else dict(value)


def _usage(span: Span, usage: Any) -> None:
    if usage is None:
        return
    told = usage if isinstance(usage, Mapping) else _dump(usage)
    details_in = told.get("prompt_tokens_details") or told.get("input_tokens_details") or {}
    details_out = told.get("completion_tokens_details") or told.get("output_tokens_details") or {}
    span.set_usage(
        told.get("prompt_tokens", told.get("input_tokens")),
        told.get("completion_tokens", told.get("output_tokens")),
        cached_input_tokens=details_in.get("cached_tokens"),
        reasoning_tokens=details_out.get("reasoning_tokens"),
    )


def _chat_response(span: Span, result: Any) -> None:
    completion = _dump(result)
    choices: Sequence[Mapping[str, Any]] = completion.get("choices") or ()
    said = [{"role": "assistant", **(choice.get("message") or {}), "finish_reason": choice.get("finish_reason")} for choice in choices]
    span.set_model(
        None,
        response_model=completion.get("model"),
        response_id=completion.get("id"),
        finish_reasons=[choice["finish_reason"] for choice in choices if choice.get("finish_reason")],
    )
    _usage(span, completion.get("usage"))
    span.set_messages(output=[{"content": None, **message} for message in said])
    if said:
        span.set_output(said[0].get("content") or said[0])


def _response_response(span: Span, result: Any) -> None:
    answer = _dump(result)
    parts: list[dict[str, Any]] = []
    for item in answer.get("output") or ():
        if item.get("type") == "message":
            parts.extend(
                {"type": "text", "content": piece.get("text") or piece.get("refusal") or ""} for piece in item.get("content") or ()
            )
        elif item.get("type") == "reasoning":
            summary = " ".join(piece.get("text", "") for piece in item.get("summary") or ())
            parts.extend([{"type": "reasoning", "content": summary}] if summary else [])
        elif item.get("type") == "function_call":
            parts.append(_call(item))
    span.set_model(
        None,
        response_model=answer.get("model"),
        response_id=answer.get("id"),
        finish_reasons=[answer["status"]] if answer.get("status") else None,
    )
    _usage(span, answer.get("usage"))
    span.set_messages(output=[{"role": "assistant", "parts": parts}])
    texts = [str(part["content"]) for part in parts if part["type"] == "text"]
    span.set_output("".join(texts) if texts else parts)


def _embedding_response(span: Span, result: Any) -> None:
    vectors = [getattr(item, "embedding", None) for item in getattr(result, "data", None) or ()]
    count, dimension = shape([vector for vector in vectors if isinstance(vector, list)])
    if dimension is not None:
        span.set_dimension(dimension)
        span.set_output({"vectors": count, "dimension": dimension})
    else:
        span.set_output({"vectors": len(vectors)})
    span.set_model(None, response_model=getattr(result, "model", None))
    _usage(span, getattr(result, "usage", None))


# ---- Streams ----


def _chat_chunks(chunks: list[Any]) -> dict[str, Any]:
    """The completion that a stream's chunks add up to."""
    whole: dict[str, Any] = {}
    choices: dict[int, dict[str, Any]] = {}
    for chunk in map(_dump, chunks):
        whole.update({key: chunk[key] for key in ("id", "model", "usage") if chunk.get(key)})
        for choice in chunk.get("choices") or ():
            kept = choices.setdefault(choice.get("index", 0), {"message": {"role": "assistant", "content": "", "tool_calls": {}}})
            _add_delta(kept["message"], choice.get("delta") or {})
            if choice.get("finish_reason"):
                kept["finish_reason"] = choice["finish_reason"]
    for kept in choices.values():
        message = kept["message"]
        message["tool_calls"] = list(message["tool_calls"].values())
        message["content"] = message["content"] or None
    return {**whole, "choices": [choices[index] for index in sorted(choices)]}


def _add_delta(message: dict[str, Any], delta: Mapping[str, Any]) -> None:
    message["content"] += delta.get("content") or ""
    if delta.get("refusal"):
        message["refusal"] = message.get("refusal", "") + delta["refusal"]
    for part in delta.get("tool_calls") or ():
        call = message["tool_calls"].setdefault(part.get("index", 0), {"id": None, "function": {"name": "", "arguments": ""}})
        call["id"] = part.get("id") or call["id"]
        function = part.get("function") or {}
        call["function"]["name"] += function.get("name") or ""
        call["function"]["arguments"] += function.get("arguments") or ""


def _response_events(events: list[Any]) -> Any:
    """The response that the last event carries, or what the text deltas add up to when the stream was left."""
    for event in reversed(events):
        whole = getattr(event, "response", None)
        if whole is not None and getattr(event, "type", "").endswith(("completed", "incomplete", "failed")):
            return whole
    text = "".join(getattr(event, "delta", "") for event in events if getattr(event, "type", "") == "response.output_text.delta")
    return {"output": [{"type": "message", "content": [{"text": text}]}]}


def _nothing(chunks: list[Any]) -> None:
    return None


class _Streamed(Stream):
    """The client's own stream with a span that ends when it does; what the chunks add up to is recorded then."""

    def __init__(self, source: Any, span: Span, response: Response, reduce: Callable[[list[Any]], Any]) -> None:
        super().__init__(source, lambda: span, _recording(span, response, reduce), counts=_says_something)


class _AsyncStreamed(AsyncStream):
    def __init__(self, source: Any, span: Span, response: Response, reduce: Callable[[list[Any]], Any]) -> None:
        super().__init__(source, lambda: span, _recording(span, response, reduce), counts=_says_something)

    async def close(self) -> None:
        await self.aclose()


def _recording(span: Span, response: Response, reduce: Callable[[list[Any]], Any]) -> Callable[[list[Any]], Any]:
    def record(chunks: list[Any]) -> Any:
        response(span, reduce(chunks))
        return None

    return record


def _says_something(chunk: Any) -> bool:
    """Whether a chunk carries text or a tool call: the first one such is the first token."""
    choices = getattr(chunk, "choices", None)
    if choices is None:
        return str(getattr(chunk, "type", "")).endswith(".delta")
    deltas = [getattr(choice, "delta", None) for choice in choices]
    return any(getattr(delta, "content", None) or getattr(delta, "tool_calls", None) for delta in deltas)


_STREAMS: tuple[type, ...] = (openai.Stream,)
_ASYNC_STREAMS: tuple[type, ...] = (openai.AsyncStream,)

_METHODS: tuple[tuple[type, str, str, str, Request, Response, Callable[[list[Any]], Any]], ...] = (
    (chat.Completions, "create", "LLM", "chat", _chat_request, _chat_response, _chat_chunks),
    (chat.Completions, "parse", "LLM", "chat", _chat_request, _chat_response, _chat_chunks),
    (chat.AsyncCompletions, "create", "LLM", "chat", _chat_request, _chat_response, _chat_chunks),
    (chat.AsyncCompletions, "parse", "LLM", "chat", _chat_request, _chat_response, _chat_chunks),
    (responses.Responses, "create", "LLM", "response", _response_request, _response_response, _response_events),
    (responses.Responses, "parse", "LLM", "response", _response_request, _response_response, _response_events),
    (responses.AsyncResponses, "create", "LLM", "response", _response_request, _response_response, _response_events),
    (responses.AsyncResponses, "parse", "LLM", "response", _response_request, _response_response, _response_events),
    (embeddings.Embeddings, "create", "EMBEDDING", "embed", _embedding_request, _embedding_response, _nothing),
    (embeddings.AsyncEmbeddings, "create", "EMBEDDING", "embed", _embedding_request, _embedding_response, _nothing),
)
"""Owner, method, kind, span name, how the request and the response are read, and what a stream adds up to."""
