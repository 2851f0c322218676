"""From the slots of one span to our fields: the one place where all dialects meet.

What a dialect names is taken first. What it does not name is read out of the span's input and output, by the kind of the span: a model
call's request and response, a retriever's question and its documents, a tool's arguments. Wrappings that an instrumentation put around
a value (`{"args": [x], "kwargs": {}}`) are taken off; what the program itself passed stays as it was given.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from collector.dialects import plain
from collector.dialects.documents import completed, looks_like_documents, read_documents
from collector.dialects.events import read_events
from collector.dialects.messages import answer_messages, read_messages, request_messages, said_anything, with_system
from collector.dialects.reading import Reading
from collector.dialects.reprs import rebuilt
from collector.dialects.usage import as_usage, read_counts, usage_object
from collector.dialects.values import as_list, as_text, first, integer, left_out, number, opened, plain_text, text
from collector.model import (
    AnnotatorKind,
    Attributes,
    Candidate,
    Citation,
    Document,
    Event,
    Index,
    Json,
    Message,
    Normalised,
    Placement,
    Prompt,
    Score,
    SpanError,
    SpanKind,
    StatusCode,
    Usage,
)

MODEL_KINDS = frozenset({SpanKind.LLM, SpanKind.EMBEDDING, SpanKind.RERANKER})
TALKING_KINDS = frozenset({SpanKind.LLM, SpanKind.AGENT})
PROVIDERS = {
    "az.ai.inference": "azure",
    "azure.ai.inference": "azure",
    "az.ai.openai": "azure",
    "azure.ai.openai": "azure",
    "azure_openai": "azure",
    "langchain": None,  # a framework, not who served the model
    "langgraph": None,
    "none": None,
}
PARAMETER_NAMES = (
    "temperature",
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "top_p",
    "top_k",
    "n",
    "seed",
    "stop",
    "stream",
    "frequency_penalty",
    "presence_penalty",
    "reasoning_effort",
    "response_format",
    "dimensions",
    "encoding_format",
)
NOT_PARAMETERS = frozenset(
    {
        *("model", "model_name", "tools", "functions", "messages", "_type", "user", "tags", "tool_definitions"),
        # An instrumentation of the Responses API records the whole response as parameters.
        *("id", "created_at", "object", "status", "output", "input", "instructions", "usage", "text", "metadata", "error"),
    }
)
QUERY_KEYS = ("query", "q", "question", "query_text", "search_query", "input", "text", "prompt", "search", "query_str", "keywords")
FINISH = {"tool_call": "tool_calls", "tool-calls": "tool_calls", "tool_use": "tool_calls", "end_turn": "stop"}


def compose(reading: Reading) -> Normalised:
    """All fields of the span. Groups of fields whose slots nobody claimed are not visited: most spans fill few of them."""
    reading.refine()
    if reading.span.events:
        read_events(reading)
    if reading.dialect < 0 or reading.dialect_name in OWN_ATTRIBUTES:
        plain.refine(reading)
    slots, kind = reading.slots(), reading.kind
    reading.given = _unwrapped(reading.take("input"))
    reading.returned = _unwrapped(reading.take("output"))
    status, error = _status(reading)
    resource = reading.span.resource.attributes
    fields: dict[str, Any] = {
        "kind": kind,
        "dialect": reading.dialect_name or ("plain" if reading.derived else None),
        "status": status,
        "error": error,
        "input": reading.given,
        "output": reading.returned,
        "repeats_usage": reading.repeats_usage,
        "service": text(resource.get("service.name")),
        "environment": _environment(reading, resource),
    }
    for needed, kinds, fill in GROUPS:
        if kind in kinds or not needed.isdisjoint(slots):
            fill(reading, kind, fields)
    if reading.derived:
        fields["derived"] = tuple(dict.fromkeys(_FIELD_OF.get(slot, slot) for slot in reading.derived))
    fields["unmapped"] = tuple(reading.unmapped)
    fields["sources"] = reading.sources
    return Normalised(**fields)


OWN_ATTRIBUTES = frozenset({"logfire"})
"""Dialects whose spans carry the program's own attributes beside theirs."""
_FIELD_OF = {"session": "session_id", "user": "user_id"}

Fields = dict[str, Any]


def _messages(reading: Reading, kind: SpanKind, fields: Fields) -> None:
    fields["input_messages"] = _input_messages(reading, kind, reading.given)
    fields["output_messages"] = _output_messages(reading, kind, reading.returned)


def _call(reading: Reading, kind: SpanKind, fields: Fields) -> None:
    fields["operation"] = reading.take("operation")
    fields["provider"] = provider = _provider(reading, kind)
    model = _model(reading, kind, reading.given, reading.returned)
    fields["model"] = model.removeprefix(f"{provider}/") if model and provider else model  # LiteLLM's way to name a model
    fields["response_id"] = _response_id(reading, kind, reading.returned)
    fields["time_to_first_token_ns"] = reading.take("first_token", "time_to_first_token_ns")
    fields["finish_reasons"] = _finish_reasons(reading)
    fields["parameters"] = _parameters(reading, kind, reading.given)


def _tokens(reading: Reading, kind: SpanKind, fields: Fields) -> None:
    fields["usage"] = _usage(reading, kind, reading.returned)
    fields["cost_usd"], fields["cost_source"] = _cost(reading)


def _retrieval(reading: Reading, kind: SpanKind, fields: Fields) -> None:
    fields["documents"] = _documents(reading, kind, reading.given, reading.returned)
    fields["query"] = _query(reading, kind, reading.given)
    fields["input_documents"] = _input_documents(reading, kind, reading.given)
    fields["candidates"] = _candidates(reading)
    fields["index"] = _index(reading)


def _found_by_a_function(reading: Reading, kind: SpanKind, fields: Fields) -> None:
    if "documents" not in fields and isinstance(reading.returned, list | dict):
        fields["documents"] = _documents(reading, kind, reading.given, reading.returned)
        fields["query"] = _query(reading, kind, reading.given)


def _embedding(reading: Reading, kind: SpanKind, fields: Fields) -> None:
    fields["texts"] = _texts(reading, kind, reading.given, fields.get("input_messages", ()))
    if kind is SpanKind.EMBEDDING:
        fields["input_messages"] = ()  # Traceloop and LiteLLM write the embedded texts as messages; nobody talked
    fields["vector_dimensions"] = _dimensions(reading, kind, reading.returned)


def _tool_call(reading: Reading, kind: SpanKind, fields: Fields) -> None:
    fields["tool_name"] = _tool_name(reading, kind)
    fields["arguments"], fields["output"] = _tool_io(reading, kind, reading.given, reading.returned)


def _offered(reading: Reading, kind: SpanKind, fields: Fields) -> None:
    fields["tools_offered"] = _tools(reading, reading.given)


def _prompting(reading: Reading, kind: SpanKind, fields: Fields) -> None:
    fields["prompt"] = _prompt(reading)


def _answer(reading: Reading, kind: SpanKind, fields: Fields) -> None:
    fields["stage"] = reading.take("stage")
    fields["citations"] = _citations(reading)
    fields["placement"] = _placement(reading)


def _judged(reading: Reading, kind: SpanKind, fields: Fields) -> None:
    fields["scores"] = _scores(reading, kind, reading.returned)


def _whose(reading: Reading, kind: SpanKind, fields: Fields) -> None:
    fields["metadata"] = metadata = _metadata(reading)
    fields["session_id"] = reading.take("session", "session_id") or text(metadata.get("session_id"))
    fields["user_id"] = reading.take("user", "user_id") or text(metadata.get("user_id"))
    fields["tags"] = _tags(reading)


# ---- Input and output ----


def _unwrapped(value: Any) -> Any:
    """A decorated call's only argument, a wrapped result."""
    if isinstance(value, dict):
        if len(value) == 2 and isinstance(value.get("args"), list) and isinstance(value.get("kwargs"), dict):
            arguments, keywords = value["args"], value["kwargs"]
            if len(arguments) == 1 and not keywords:
                return opened(arguments[0])
            return keywords if not arguments else value
        if len(value) == 1 and "output" in value:
            return value["output"]
        if value.get("type") == "tool" and "content" in value and "tool_call_id" in value:
            return value["content"]  # LangChain's ToolMessage, in the three ways it is serialised
        if value.get("type") == "tool" and isinstance(data := value.get("data"), dict):
            return data.get("content", value)
        if isinstance(kwargs := value.get("kwargs"), dict) and value.get("id", [""])[-1:] == ["ToolMessage"]:
            return kwargs.get("content", value)
    return value


def _input_messages(reading: Reading, kind: SpanKind, given: Any) -> Sequence[Message]:
    found: list[Message] = []
    for key, value in reading.every("input_messages"):
        found = request_messages(value)
        if any(map(said_anything, found)):
            reading.sources.setdefault("input_messages", key)
            break
    if not found:
        for key, items in reading.listed("input_messages"):
            found = [message for message in read_messages(items) if said_anything(message) or message.role]
            if any(map(said_anything, found)):
                reading.sources.setdefault("input_messages", f"{key}.*")
                found = _with_the_mute(found, given)
                break
            found = []
    if not found and kind is SpanKind.LLM and given is not None:
        found = request_messages(given)
        if found:
            reading.sources.setdefault("input_messages", reading.sources.get("input", "input"))
    if found or kind in TALKING_KINDS:
        system = reading.take("system", "input_messages")
        if system is not None and (found or kind in TALKING_KINDS):
            found = with_system(found, system)
    return found


def _with_the_mute(messages: list[Message], given: Any) -> list[Message]:
    """The messages, those of which only the role was recorded (Haystack's tool calls under OpenInference) as the span's input has them."""
    if given is None or all(map(said_anything, messages)):
        return messages
    others = request_messages(given)
    if [message.role for message in others] != [message.role for message in messages]:
        return messages
    return [message if said_anything(message) else other for message, other in zip(messages, others, strict=True)]


def _output_messages(reading: Reading, kind: SpanKind, returned: Any) -> Sequence[Message]:
    found: list[Message] = []
    for key, value in reading.every("output_messages"):
        found = [message for message in answer_messages(value) if said_anything(message)]
        if found:
            reading.sources.setdefault("output_messages", key)
            break
    for key, items in reading.listed("output_messages"):
        flat = [message for message in read_messages(items, "assistant") if said_anything(message)]
        if flat and not found:
            found = flat
            reading.sources.setdefault("output_messages", f"{key}.*")
        elif flat and not any(message.tool_calls for message in found):
            calls = [call for message in flat for call in message.tool_calls]
            if calls:  # LiteLLM: the messages lost their calls, the flattened copy has them
                found = [_with_calls(found[0], calls), *found[1:]]
    if not found and kind is SpanKind.LLM and returned is not None:
        found = [message for message in answer_messages(returned) if said_anything(message)]
        if found:
            reading.sources.setdefault("output_messages", reading.sources.get("output", "output"))
    return found


def _with_calls(message: Message, calls: Sequence[Any]) -> Message:
    return Message(message.role, message.content, calls, message.tool_call_id, message.reasoning, message.media, message.name)


# ---- Model, provider, parameters ----


def _model(reading: Reading, kind: SpanKind, given: Any, returned: Any) -> str | None:
    for slot in ("response_model", "request_model", "fallback_model"):
        found = reading.take(slot, "model")
        if found:
            return found
    if kind in MODEL_KINDS:
        for _, parameters in reading.every("parameters"):
            if isinstance(parameters, dict) and (found := text(first(parameters, ("model", "model_name")))):
                return found
        for value in (returned, given):
            if isinstance(value, dict):
                found = text(first(value, ("model", "model_name", "modelId", "model_id")))
                if found:
                    return found
                meta = value.get("meta")
                replies = value.get("replies")
                if isinstance(replies, list) and replies and isinstance(replies[0], dict):
                    meta = replies[0].get("meta") or replies[0].get("_meta")
                if isinstance(meta, list) and meta:
                    meta = meta[0]
                if isinstance(meta, dict) and (found := text(meta.get("model"))):
                    return found
    return None


def _provider(reading: Reading, kind: SpanKind) -> str | None:
    for key, value in reading.every("provider"):
        lower = value.lower()
        found = PROVIDERS.get(lower, lower)
        if found:
            reading.sources.setdefault("provider", key)
            return found
    if kind is SpanKind.LLM:  # LangChain's callback handlers keep its name for the provider among the metadata
        for metadata in (reading.mapped("metadata"), *(value for _, value in reading.every("metadata"))):
            if found := plain_text(metadata.get("ls_provider")):
                reading.sources.setdefault("provider", "metadata: ls_provider")
                return found.lower()
    return None


def _parameters(reading: Reading, kind: SpanKind, given: Any) -> Mapping[str, Json]:
    merged: dict[str, Json] = {}
    if kind in MODEL_KINDS and isinstance(given, dict):
        for holder in (given, given.get("invocation_params"), given.get("generation_kwargs"), given.get("config")):
            if isinstance(holder, dict):
                merged.update({name: holder[name] for name in PARAMETER_NAMES if holder.get(name) is not None})
        if merged:
            reading.sources.setdefault("parameters", reading.sources.get("input", "input"))
    claims = list(reading.every("parameters"))
    for key, parameters in reversed(claims):
        if isinstance(parameters, dict):
            merged.update({name: value for name, value in parameters.items() if name not in NOT_PARAMETERS and value is not None})
            reading.sources["parameters"] = key
    for name, value in reading.mapped("parameters").items():
        if name not in NOT_PARAMETERS:
            merged[name] = _json(value)
    return {name: value for name, value in merged.items() if not left_out(value)}


def _finish_reasons(reading: Reading) -> Sequence[str]:
    given: Sequence[str] = reading.take("finish_reasons") or ()
    return [FINISH.get(reason, reason) for reason in given]


def _response_id(reading: Reading, kind: SpanKind, returned: Any) -> str | None:
    found = reading.take("response_id")
    if found is None and kind is SpanKind.LLM and isinstance(returned, dict) and ("choices" in returned or "output" in returned):
        found = text(returned.get("id"))
    return found


def _json(value: Any) -> Json:
    return f"({len(value)} bytes)" if isinstance(value, bytes) else value


# ---- Usage and cost ----

_COUNTS = (
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cached_input_tokens",
    "cache_write",
    "reasoning_tokens",
    "audio_input_tokens",
    "audio_output_tokens",
)


def _usage(reading: Reading, kind: SpanKind, returned: Any) -> Usage | None:
    counts: dict[str, int] = {}
    for slot in _COUNTS:
        found = reading.take(slot, "usage")
        if found is not None and found >= 0:
            counts[slot] = found
    for key, usage in reading.every("usage"):
        read_counts(usage, counts)
        reading.sources.setdefault("usage", key)
    if kind in MODEL_KINDS and ("input_tokens" not in counts or "reasoning_tokens" not in counts):
        inside = usage_object(returned)
        if inside is not None:
            read_counts(inside, counts)
            reading.sources.setdefault("usage", reading.sources.get("output", "output"))
    return as_usage(counts)


def _cost(reading: Reading) -> tuple[float | None, str | None]:
    cost = reading.take("cost", "cost_usd")
    return (float(cost), "reported") if cost is not None and cost >= 0 else (None, None)


# ---- Retrieval ----


def _query(reading: Reading, kind: SpanKind, given: Any) -> str | None:
    found = reading.take("query")
    if found is None and kind in (SpanKind.RETRIEVER, SpanKind.RERANKER) and given is not None:
        found = question_in(given)
        if found:
            reading.sources.setdefault("query", reading.sources.get("input", "input"))
    if found is None and reading.candidates("documents") and "documents" in reading.derived and given is not None:
        found = question_in(given)
    return found


def question_in(value: Any) -> str | None:
    """The question in a retriever's input: the text itself, or the likeliest of its fields."""
    value = opened(value)
    for _ in range(4):
        if isinstance(value, str):
            return value or None
        if isinstance(value, list):
            value = value[0] if value else None
        elif isinstance(value, dict):
            inner = first(value, QUERY_KEYS)
            if inner is None and isinstance(keywords := value.get("kwargs"), dict):
                inner = first(keywords, QUERY_KEYS)
                inner = inner if inner is not None else next(iter(as_list(value.get("args"))), None)
            if inner is None and isinstance(bundle := value.get("query_bundle"), dict):
                inner = bundle.get("query_str")
            if inner is None:
                texts = [item for item in value.values() if isinstance(item, str) and item]
                inner = texts[0] if len(texts) == 1 else None
            value = inner
        else:
            return None
    return value if isinstance(value, str) and value else None


def _documents(reading: Reading, kind: SpanKind, given: Any, returned: Any) -> Sequence[Document]:
    found: Sequence[Document] = ()
    for key, value in reading.every("documents"):
        found = value if value and isinstance(value, list) and isinstance(value[0], Document) else read_documents(value)
        if found:
            reading.sources.setdefault("documents", key)
            break
    if not found:
        for key, items in reading.listed("documents"):
            found = read_documents(items)
            if found:
                reading.sources.setdefault("documents", f"{key}.*")
                break
    if returned is None or isinstance(returned, str):
        return found
    if found and any(document.id is None for document in found):
        return completed(found, read_documents(returned))
    if not found:
        if kind in (SpanKind.RETRIEVER, SpanKind.RERANKER):
            found = read_documents(returned)
        elif kind in (SpanKind.CHAIN, SpanKind.TOOL, SpanKind.UNKNOWN) and _declares_a_search(reading) and looks_like_documents(returned):
            found = read_documents(returned)
            reading.derived.append("documents")
            if kind is not SpanKind.TOOL:
                query = question_in(given)
                if query and not reading.candidates("query"):
                    reading.claim("query", reading.sources.get("input", "input"), query)
                    reading.derived.append("query")
        if found:
            reading.sources.setdefault("documents", reading.sources.get("output", "output"))
    return found


def _declares_a_search(reading: Reading) -> bool:
    """A decorated function without a word for retrieval (Traceloop's task, Logfire's span) whose result is a list of documents."""
    return reading.dialect_name in ("openllmetry", "logfire", "genai", "weave", "plain", None) or bool(
        re.search(r"retriev|search|lookup|fetch", reading.span.name, re.IGNORECASE)
    )


def _input_documents(reading: Reading, kind: SpanKind, given: Any) -> Sequence[Document]:
    value = reading.take("input_documents")
    found = read_documents(value) if value is not None else []
    if not found:
        for key, items in reading.listed("input_documents"):
            found = read_documents(items)
            reading.sources.setdefault("input_documents", f"{key}.*")
            if found:
                break
    if not found and kind is SpanKind.RERANKER and isinstance(given, dict | list):
        found = read_documents(given)
    return found


def _candidates(reading: Reading) -> Sequence[Candidate]:
    return [
        Candidate(
            id=text(item.get("id")),
            content=text(item.get("content")),
            stage=text(item.get("stage")),
            rank=integer(item.get("rank")),
            score=number(item.get("score")),
            score_kind=text(item.get("score_kind")),
            dropped=text(item.get("dropped")),
            metadata=metadata if isinstance(metadata := item.get("metadata"), dict) else {},
        )
        for item in reading.take("candidates") or ()
        if isinstance(item, dict)
    ]


def _index(reading: Reading) -> Index | None:
    if reading.kind is not SpanKind.RETRIEVER and not reading.candidates("index_version"):
        return None
    index = Index(
        name=reading.take("index_name", "index"),
        version=reading.take("index_version", "index"),
        corpus_digest=reading.take("index_corpus_digest", "index"),
        passage_count=reading.take("index_passage_count", "index"),
        embedding_model=reading.take("index_embedding_model", "index"),
        dimension=reading.take("index_dimension", "index"),
        chunking=reading.take("index_chunking", "index"),
    )
    return None if index == Index() else index


# ---- Embeddings ----


def _texts(reading: Reading, kind: SpanKind, given: Any, asked: Sequence[Message]) -> Sequence[str]:
    value = reading.take("texts")
    if value is not None:
        return [found for item in (value if isinstance(value, list) else [value]) if (found := as_text(item))]
    for key, items in reading.listed("embeddings"):
        found = [item["text"] for item in as_list(items) if isinstance(item, dict) and isinstance(item.get("text"), str)]
        if found:
            reading.sources.setdefault("texts", f"{key}.*.text")
            return found
    if kind is not SpanKind.EMBEDDING:
        return ()
    if asked:
        return [message.content for message in asked if message.content]
    if isinstance(given, dict):
        given = first(given, ("input", "inputs", "texts", "text", "documents", "query", "content"))
    if isinstance(given, dict):
        given = first(given, ("content", "text"))
    return [found for item in (given if isinstance(given, list) else [given]) if (found := _embedded_text(item))]


def _embedded_text(item: Any) -> str | None:
    if isinstance(item, dict):
        item = first(item, ("text", "content", "page_content"))
    return item if isinstance(item, str) and item else None


def _dimensions(reading: Reading, kind: SpanKind, returned: Any) -> int | None:
    found = reading.take("dimensions", "vector_dimensions")
    if found is not None:
        return found
    for _, items in reading.listed("embeddings"):
        if size := _vector_size(as_list(items)):
            return size
    claimed = reading.take("embeddings", "vector_dimensions")
    if claimed and (size := _vector_size(as_list(claimed))):
        return size
    if kind is SpanKind.EMBEDDING and isinstance(returned, dict):
        if (found := integer(first(returned, ("dimensions", "dimension", "vector_dimensions")))) is not None:
            return found
        held = first(returned, ("data", "embeddings", "embedding", "documents", "vectors"))
        return _vector_size(held) if isinstance(held, list) else None
    if kind is SpanKind.EMBEDDING and isinstance(returned, list):
        return _vector_size(returned)
    return None


def _vector_size(items: Sequence[Any]) -> int | None:
    if not items:
        return None
    item = items[0]
    if isinstance(item, dict):
        item = opened(first(item, ("vector", "embedding", "values")))
    if isinstance(item, list):
        return len(item) or None
    return len(items) if isinstance(item, int | float) else None


# ---- Tools ----


def _tool_name(reading: Reading, kind: SpanKind) -> str | None:
    found = reading.take("tool_name")
    if found is None and kind is SpanKind.TOOL:
        found = reading.span.name.removeprefix("execute_tool ").removeprefix("running tool: ").removesuffix(".tool") or None
    return found


def _tool_io(reading: Reading, kind: SpanKind, given: Any, returned: Any) -> tuple[Json, Json]:
    """Arguments and output of a tool; of any other span its output alone."""
    arguments, result = reading.take("arguments"), reading.take("result", "output")
    if kind is not SpanKind.TOOL:
        return arguments, returned if returned is not None else result
    if arguments is None and given is not None:
        arguments = given
        if isinstance(given, dict) and "args" in given and isinstance(given.get("kwargs"), dict):
            arguments = given["kwargs"] or given["args"]
        elif isinstance(given, dict) and len(given) == 1 and isinstance(given.get("kwargs"), dict):
            arguments = given["kwargs"]  # LlamaIndex
        elif isinstance(given, dict) and isinstance(given.get("args"), dict) and "name" in given:
            arguments = given["args"]  # LangChain's tool call
        reading.sources.setdefault("arguments", reading.sources.get("input", "input"))
    return arguments, _unwrapped(result) if result is not None else returned


def _tools(reading: Reading, given: Any) -> Sequence[Mapping[str, Json]]:
    for key, value in reading.every("tools"):
        found = [tool for item in as_list(opened(value)) for tool in _tool(item)]
        if found:
            reading.sources.setdefault("tools_offered", key)
            return found
    for key, items in reading.listed("tools"):
        found = [tool for item in as_list(items) for tool in _tool(item)]
        if found:
            reading.sources.setdefault("tools_offered", f"{key}.*")
            return found
    if reading.kind is SpanKind.LLM:
        config = given.get("config") if isinstance(given, dict) else None
        holders = [given, config, *(value for _, value in reading.every("parameters"))]
        for holder in holders:
            if isinstance(holder, dict):
                found = [tool for item in as_list(opened(first(holder, ("tools", "functions")))) for tool in _tool(item)]
                if found:
                    reading.sources.setdefault("tools_offered", reading.sources.get("input", "input"))
                    return found
    return ()


def _tool(item: Any) -> list[Mapping[str, Json]]:
    """A tool definition as name, description, parameters; several where Gemini or Bedrock group them."""
    item = opened(item)
    if isinstance(item, str):
        item = rebuilt(item)
    if isinstance(item, str):
        return [{"name": item}] if item else []
    if not isinstance(item, dict):
        return []
    if "json_schema" in item:
        return _tool(item["json_schema"])
    for group in ("functionDeclarations", "function_declarations"):
        if isinstance(grouped := item.get(group), list):
            return [tool for inner in grouped for tool in _tool(inner)]
    for wrapper in ("function", "toolSpec", "tool", "data"):  # "data": Haystack's serialised tools
        if isinstance(inner := item.get(wrapper), dict):
            return _tool(inner)
    name = text(item.get("name")) or text(item.get("type"))
    if not name:
        return []
    tool: dict[str, Json] = {"name": name}
    if description := text(item.get("description")):
        tool["description"] = description
    schema = opened(first(item, ("parameters", "input_schema", "inputSchema", "parameters_json_schema", "schema")))
    if schema is not None:
        tool["parameters"] = schema
    return [tool]


# ---- Prompt, answer ----


def _prompt(reading: Reading) -> Prompt | None:
    template = reading.take("template", "prompt")
    variables = reading.take("variables", "prompt") or reading.mapped("variables")
    name, version = reading.take("prompt_name", "prompt"), reading.take("prompt_version", "prompt")
    if not (template or variables or name or version):
        return None
    return Prompt(template, {key: _json(value) for key, value in variables.items()}, name, version)


def _citations(reading: Reading) -> Sequence[Citation]:
    return [
        Citation(
            str(item.get("marker", "")), text(item.get("document_id")), valid if isinstance(valid := item.get("valid"), bool) else None
        )
        for item in reading.take("citations") or ()
        if isinstance(item, dict)
    ]


def _placement(reading: Reading) -> Sequence[Placement]:
    return [
        Placement(
            text(item.get("id")),
            integer(item.get("position")) or 0,
            integer(item.get("message")),
            integer(item.get("start")),
            integer(item.get("end")),
            integer(item.get("tokens")),
            bool(item.get("cut")),
        )
        for item in reading.take("placement") or ()
        if isinstance(item, dict)
    ]


def _scores(reading: Reading, kind: SpanKind, returned: Any) -> Sequence[Score]:
    found: list[Score] = []
    for _, items in reading.listed("evaluations"):
        found += [score for item in as_list(items) if (score := _score(item))]
    for _, items in reading.every("scores"):
        found += [score for item in items if (score := item if isinstance(item, Score) else _score(item))]
    if not found and kind is SpanKind.EVALUATOR and isinstance(returned, dict):
        judged = _score({"name": reading.span.name, **returned})
        if judged:
            found.append(judged)
    return found


def _score(item: Any) -> Score | None:
    if not isinstance(item, dict):
        return None
    name = text(item.get("name"))
    value = first(item, ("value", "score"))
    if isinstance(value, bool):
        value = float(value)
    label, explanation = text(item.get("label")), text(first(item, ("explanation", "reason", "reasoning")))
    if name is None or (number(value) is None and label is None):
        return None
    annotator = item.get("annotator") if isinstance(item.get("annotator"), dict) else {}
    kind = str((annotator or {}).get("kind") or item.get("annotator_kind") or "CODE").upper()
    identity = text((annotator or {}).get("id") or item.get("identifier"))
    known = AnnotatorKind(kind) if kind in AnnotatorKind.__members__ else AnnotatorKind.CODE
    return Score(name, number(value), label, explanation, known, identity)


# ---- Who, what for ----


def _tags(reading: Reading) -> Sequence[str]:
    return list(dict.fromkeys(tag for _, tags in reading.every("tags") for tag in tags))


def _metadata(reading: Reading) -> Mapping[str, Json]:
    merged = {name: _json(value) for name, value in reading.mapped("metadata").items()}
    for key, value in reversed(list(reading.every("metadata"))):
        merged.update(value)
        reading.sources["metadata"] = key
    return merged


ENVIRONMENT_KEYS = ("deployment.environment.name", "deployment.environment", "langfuse.environment")


def _environment(reading: Reading, resource: Attributes) -> str | None:
    return reading.take("environment") or text(next((found for key in ENVIRONMENT_KEYS if (found := resource.get(key))), None))


# ---- Which group is visited for which span ----

_ANY = frozenset[SpanKind]()
_FUNCTIONS = frozenset({SpanKind.CHAIN, SpanKind.TOOL, SpanKind.UNKNOWN})
GROUPS: Sequence[tuple[frozenset[str], frozenset[SpanKind], Callable[[Reading, SpanKind, Fields], None]]] = (
    (frozenset({"input_messages", "output_messages", "system"}), TALKING_KINDS, _messages),
    (
        frozenset(
            {
                "operation",
                "response_model",
                "request_model",
                "fallback_model",
                "provider",
                "response_id",
                "first_token",
                "finish_reasons",
                "parameters",
            }
        ),
        MODEL_KINDS,
        _call,
    ),
    (frozenset({*_COUNTS, "usage", "cost"}), MODEL_KINDS, _tokens),
    (
        frozenset({"query", "documents", "input_documents", "candidates", "index_version"}),
        frozenset({SpanKind.RETRIEVER, SpanKind.RERANKER}),
        _retrieval,
    ),
    (frozenset(), _FUNCTIONS, _found_by_a_function),
    (frozenset({"texts", "embeddings", "dimensions"}), frozenset({SpanKind.EMBEDDING}), _embedding),
    (frozenset({"tool_name", "arguments", "result"}), frozenset({SpanKind.TOOL}), _tool_call),
    (frozenset({"tools"}), frozenset({SpanKind.LLM}), _offered),
    (frozenset({"template", "variables", "prompt_name", "prompt_version"}), _ANY, _prompting),
    (frozenset({"stage", "citations", "placement"}), _ANY, _answer),
    (frozenset({"evaluations", "scores"}), frozenset({SpanKind.EVALUATOR}), _judged),
    (frozenset({"session", "user", "tags", "metadata"}), _ANY, _whose),
)
"""Slots and kinds that call for a group of fields, and what fills it."""


# ---- Status ----

_PREFIXED = re.compile(r"([A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt|Timeout|Warning))(?:: |\()")


def _status(reading: Reading) -> tuple[StatusCode, SpanError | None]:
    """The status as it must be shown, and what went wrong: the exception event says it best. An exception that was handled is told too, and
    leaves the status alone."""
    span = reading.span
    status = span.status
    exception = next((event for event in reversed(span.events) if event.name == "exception"), None) if span.events else None
    if status is not StatusCode.ERROR:
        escaped = exception is not None and str(exception.attributes.get("exception.escaped")).lower() == "true"
        # LangSmith records an exception for a failed run only, but its status may have been set to OK before, which OpenTelemetry keeps.
        failed = exception is not None and reading.dialect_name == "langsmith"
        if failed or str(reading.attributes.get("langfuse.observation.level")) == "ERROR" or (status is StatusCode.UNSET and escaped):
            status = StatusCode.ERROR
        elif exception is None:
            return status, None
    type_, message, stack = _exception(exception)
    message = message or reading.take("error_message", "error") or span.status_message or None
    type_ = type_ or reading.take("error_type", "error")
    if type_ is None and message and (prefixed := _PREFIXED.match(message[:200])):
        type_ = prefixed[1]
    return status, SpanError(type_, message, stack or reading.take("error_stack", "error"))


def _exception(event: Event | None) -> tuple[str | None, str | None, str | None]:
    if event is None:
        return None, None, None
    return (
        text(event.attributes.get("exception.type")),
        text(event.attributes.get("exception.message")),
        text(event.attributes.get("exception.stacktrace")),
    )
