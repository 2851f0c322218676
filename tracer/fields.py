"""What can be said about a step: one typed setter for each thing worth recording, the same on every span.

Setters take what the program has at hand, write the attribute names of `tracer.conventions`, never raise, and return the span.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Self, TypedDict, Unpack, cast

import orjson

from tracer import conventions as names
from tracer.capture import Captured, capture, to_json
from tracer.documents import Document
from tracer.documents import documents as find_documents
from tracer.messages import messages as find_messages
from tracer.safety import chained, known_keywords, report

STAGES = ("rewrite", "recall", "fuse", "filter", "rerank", "assemble", "generate", "cite")

MODEL_KEYS = {"EMBEDDING": names.EMBEDDING_MODEL, "RERANKER": names.RERANKER_MODEL}
"""Where a kind keeps the name of its model; the others at `names.MODEL_NAME`."""


class FieldValues(TypedDict, total=False):
    """The keywords of `span.set(...)`: each is the setter of that name with its first argument."""

    input: object
    output: object
    input_messages: object
    output_messages: object
    query: str
    documents: object
    input_documents: object
    candidates: object
    stage: str
    index: str | Mapping[str, object]
    prompt: str | Mapping[str, object]
    placement: Iterable[Mapping[str, object]]
    citations: Iterable[Mapping[str, object]]
    model: str
    provider: str
    parameters: Mapping[str, object]
    usage: Mapping[str, int | None]
    cost: float
    tool: str
    tools: object
    texts: Iterable[str]
    dimension: int
    metadata: Mapping[str, object]
    tags: Iterable[str]
    error: BaseException | str


class Fields:
    """The setters. A span provides `put` (one attribute, JSON as bytes), `kind`, `value_limit` and the two capture switches."""

    __slots__ = ()

    kind: str
    value_limit: int
    captures_input: bool
    captures_output: bool

    def put(self, key: str, value: Any) -> None:
        """Writes one attribute; `bytes` is JSON or text in UTF-8."""
        raise NotImplementedError

    def get(self, key: str) -> Any:
        """The value of one attribute, or None."""
        raise NotImplementedError

    def fail(self, error: BaseException | str) -> None:
        """Marks the span as failed."""
        raise NotImplementedError

    # ---- Input and output ----

    @chained
    def set_input(self, value: object) -> Self:
        """Records what went in: text, or anything JSON-like."""
        self._put_value(names.INPUT_VALUE, value)
        return self

    @chained
    def set_output(self, value: object) -> Self:
        """Records what came out: text, or anything JSON-like."""
        self._put_value(names.OUTPUT_VALUE, value)
        return self

    @chained
    def set_messages(self, input: object = None, output: object = None) -> Self:
        """Records chat messages: a list of `{"role", "content", "tool_calls"}` or `{"role", "parts"}`, or a text."""
        if input is not None:
            self._put_list(names.INPUT_MESSAGES, find_messages(self._plain(input)) or input)
        if output is not None:
            self._put_list(names.OUTPUT_MESSAGES, find_messages(self._plain(output), role="assistant") or output)
        return self

    # ---- Retrieval ----

    @chained
    def set_query(self, text: str) -> Self:
        """Records what a retriever or reranker was asked."""
        if self.captures_input:
            self.put(names.RERANKER_QUERY if self.kind == "RERANKER" else names.QUERY, capture(text, self.value_limit))
        return self

    @chained
    def set_documents(self, documents: object, *, score_kind: str | None = None) -> Self:
        """Records the documents a step returned, in rank order."""
        self._put_documents(names.DOCUMENTS, documents, score_kind)
        return self

    @chained
    def set_input_documents(self, documents: object, *, score_kind: str | None = None) -> Self:
        """Records the documents a reranker was given."""
        self._put_documents(names.INPUT_DOCUMENTS, documents, score_kind)
        return self

    @chained
    def set_candidates(self, candidates: object, *, stage: str | None = None, score_kind: str | None = None) -> Self:
        """Records every document a stage considered, also below the cut; `dropped` in one says why it went no further.

        Called again, it adds: one call for each recall source is fine.
        """
        found = self._documents(candidates, score_kind)
        for candidate in found:
            if stage is not None:
                candidate.setdefault("stage", stage)
        before = self.get(names.CANDIDATES)
        known: list[Any] = orjson.loads(before) if isinstance(before, (bytes, str)) else []
        self.put(names.CANDIDATES, to_json(known + found, self.value_limit))
        return self

    @chained
    def set_stage(self, stage: str) -> Self:
        """Records which stage of the pipeline this is: rewrite, recall, fuse, filter, rerank, assemble, generate or cite."""
        if stage not in STAGES:
            report(f"stage {stage}", "unknown stage %r; known are %s", stage, ", ".join(STAGES))
        self.put(names.STAGE, stage)
        return self

    @chained
    def set_index(
        self,
        name: str | None = None,
        *,
        version: str | None = None,
        corpus_digest: str | None = None,
        passage_count: int | None = None,
        embedding_model: str | None = None,
        dimension: int | None = None,
        chunking: object = None,
    ) -> Self:
        """Records the fingerprint of the index that was asked."""
        self._put_known(names.INDEX_NAME, name)
        self._put_known(names.INDEX_VERSION, version)
        self._put_known(names.INDEX_CORPUS_DIGEST, corpus_digest)
        self._put_count(names.INDEX_PASSAGE_COUNT, passage_count)
        self._put_known(names.INDEX_EMBEDDING_MODEL, embedding_model)
        self._put_count(names.INDEX_DIMENSION, dimension)
        self._put_known(names.INDEX_CHUNKING, capture(chunking) if chunking is not None else None)
        return self

    # ---- Prompt and answer ----

    @chained
    def set_prompt(
        self,
        template: str | None = None,
        variables: Mapping[str, object] | None = None,
        *,
        name: str | None = None,
        version: str | None = None,
    ) -> Self:
        """Records how the prompt was made: the template and what was filled in."""
        if template is not None and self.captures_input:
            self.put(names.PROMPT_TEMPLATE, capture(template, self.value_limit))
        if variables is not None and self.captures_input:
            self.put(names.PROMPT_VARIABLES, to_json(variables, self.value_limit))
        self._put_known(names.PROMPT_NAME, name)
        self._put_known(names.PROMPT_VERSION, version)
        return self

    @chained
    def set_placement(self, placements: Iterable[Mapping[str, object]]) -> Self:
        """Records which passage went where in the prompt: `{"id", "position", "message", "start", "end", "tokens", "cut"}` each."""
        self._put_list(names.PLACEMENT, list(placements))
        return self

    @chained
    def set_citations(self, citations: Iterable[Mapping[str, object]]) -> Self:
        """Records the marks of the answer and what they point at: `{"marker", "document_id", "valid"}` each."""
        self._put_list(names.CITATIONS, list(citations))
        return self

    # ---- The call of a model or a tool ----

    @chained
    def set_model(
        self,
        model: str | None,
        *,
        provider: str | None = None,
        response_model: str | None = None,
        response_id: str | None = None,
        finish_reasons: Sequence[str] | None = None,
    ) -> Self:
        """Records the model that was asked and, where they differ, the one that answered."""
        self._put_known(names.REQUEST_MODEL, model)
        self._put_known(MODEL_KEYS.get(self.kind, names.MODEL_NAME), response_model or model)
        self._put_known(names.PROVIDER, provider)
        self._put_known(names.RESPONSE_MODEL, response_model)
        self._put_known(names.RESPONSE_ID, response_id)
        self._put_known(names.FINISH_REASONS, tuple(str(reason) for reason in finish_reasons) if finish_reasons else None)
        return self

    @chained
    def set_parameters(self, **parameters: object) -> Self:
        """Records how the model was asked: temperature, max_tokens, top_p, seed, …"""
        known = {name: value for name, value in parameters.items() if value is not None}
        for name, value in known.items():
            if isinstance(value, (bool, int, float, str)):
                self.put(names.REQUEST_PREFIX + name, value)
        self.put(names.INVOCATION_PARAMETERS, to_json(known, self.value_limit))
        return self

    @chained
    def set_usage(
        self,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
        *,
        cached_input_tokens: int | None = None,
        reasoning_tokens: int | None = None,
    ) -> Self:
        """Records the tokens of this one call; cached ones are part of the input, reasoning is part of the output."""
        self._put_count(names.INPUT_TOKENS, input_tokens)
        self._put_count(names.OUTPUT_TOKENS, output_tokens)
        self._put_count(names.CACHED_INPUT_TOKENS, cached_input_tokens)
        self._put_count(names.REASONING_TOKENS, reasoning_tokens)
        return self

    @chained
    def set_cost(self, usd: float) -> Self:
        """Records what the call cost, in US dollars."""
        self.put(names.COST_TOTAL, float(usd))
        return self

    @chained
    def set_tool(self, name: str, *, arguments: object = None, result: object = None, call_id: str | None = None) -> Self:
        """Records the tool that was called."""
        self.put(names.TOOL_NAME, name)
        self._put_known(names.TOOL_CALL_ID, call_id)
        if arguments is not None and self.captures_input:
            self._put_list(names.TOOL_CALL_ARGUMENTS, arguments)
        if result is not None and self.captures_output:
            self._put_list(names.TOOL_CALL_RESULT, result)
        return self

    @chained
    def set_tools(self, definitions: object) -> Self:
        """Records the tools that were offered to the model."""
        self._put_list(names.TOOL_DEFINITIONS, definitions)
        return self

    @chained
    def set_texts(self, texts: Iterable[str]) -> Self:
        """Records the texts that were embedded."""
        if self.captures_input:
            self._put_list(names.EMBEDDING_TEXTS, [texts] if isinstance(texts, str) else list(texts))
        return self

    @chained
    def set_dimension(self, dimension: int) -> Self:
        """Records the length of the vectors."""
        self.put(names.EMBEDDING_DIMENSION, int(dimension))
        return self

    # ---- Anything else ----

    @chained
    def set_metadata(self, metadata: Mapping[str, object]) -> Self:
        """Adds to the free fields of this span."""
        before = self.get(names.METADATA)
        known: dict[str, object] = orjson.loads(before) if isinstance(before, (bytes, str)) else {}
        self.put(names.METADATA, to_json({**known, **metadata}, self.value_limit))
        return self

    @chained
    def set_tags(self, *tags: str) -> Self:
        """Adds tags to this span."""
        before = cast("tuple[str, ...]", self.get(names.TAGS) or ())
        self.put(names.TAGS, (*before, *(str(tag) for tag in tags if tag not in before)))
        return self

    @chained
    def set_error(self, error: BaseException | str) -> Self:
        """Marks this span as failed; an exception that escapes the step is recorded without it."""
        self.fail(error)
        return self

    @chained
    def set(self, **values: Unpack[FieldValues]) -> Self:
        """Any of the above by keyword: `span.set(query=question, documents=hits)`."""
        for name, value in known_keywords("span.set", values, _SETTERS).items():
            _SETTERS[name](self, value)
        return self

    # ---- How values are written ----

    def _put_known(self, key: str, value: Captured | float | tuple[str, ...] | None) -> None:
        if value is not None:
            self.put(key, value)

    def _put_count(self, key: str, value: int | None) -> None:
        """A whole number, also where a library counts in numpy's."""
        if value is not None:
            self.put(key, int(value))

    def _put_value(self, key: str, value: object) -> None:
        if self.captures_input if key == names.INPUT_VALUE else self.captures_output:
            self.put(key, capture(value, self.value_limit))

    def _put_list(self, key: str, value: object) -> None:
        if (key in _INPUTS and not self.captures_input) or (key in _OUTPUTS and not self.captures_output):
            return
        self.put(key, value.encode() if isinstance(value, str) else to_json(value, self.value_limit))

    def _put_documents(self, key: str, value: object, score_kind: str | None) -> None:
        self.put(key, to_json(self._documents(value, score_kind), self.value_limit))

    def _documents(self, value: object, score_kind: str | None) -> list[Document]:
        found = find_documents(self._plain(value), score_kind=score_kind)
        if not self.captures_output:
            return [{name: item for name, item in document.items() if name != "content"} for document in found]
        return found

    def _plain(self, value: object) -> object:
        return value if isinstance(value, str) else orjson.loads(to_json(value, self.value_limit))


_INPUTS = frozenset({names.INPUT_MESSAGES, names.TOOL_CALL_ARGUMENTS, names.EMBEDDING_TEXTS, names.SYSTEM_INSTRUCTIONS})
_OUTPUTS = frozenset({names.OUTPUT_MESSAGES, names.TOOL_CALL_RESULT})


def _keywords(setter: Callable[..., object], first: str) -> Callable[[Fields, Any], object]:
    def call(span: Fields, value: Any) -> object:
        return setter(span, **value) if isinstance(value, Mapping) else setter(span, **{first: value})

    return call


_SETTERS: dict[str, Callable[[Fields, Any], object]] = {
    "input": Fields.set_input,
    "output": Fields.set_output,
    "input_messages": lambda span, value: span.set_messages(input=value),
    "output_messages": lambda span, value: span.set_messages(output=value),
    "query": Fields.set_query,
    "documents": Fields.set_documents,
    "input_documents": Fields.set_input_documents,
    "candidates": Fields.set_candidates,
    "stage": Fields.set_stage,
    "index": _keywords(Fields.set_index, "name"),
    "prompt": _keywords(Fields.set_prompt, "template"),
    "placement": Fields.set_placement,
    "citations": Fields.set_citations,
    "model": Fields.set_model,
    "provider": lambda span, value: span.set_model(None, provider=value),
    "parameters": lambda span, value: span.set_parameters(**value),
    "usage": lambda span, value: span.set_usage(**value),
    "cost": Fields.set_cost,
    "tool": _keywords(Fields.set_tool, "name"),
    "tools": Fields.set_tools,
    "texts": Fields.set_texts,
    "dimension": Fields.set_dimension,
    "metadata": Fields.set_metadata,
    "tags": lambda span, value: span.set_tags(*value),
    "error": Fields.set_error,
}
