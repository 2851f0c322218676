"""Recorded requests + the truth log → what a viewer must show: the `.expect.json` of a case.

Each line of truth carries its moment; the innermost span around that moment is the span it is about. A true fact that the payload does
not hold anywhere in that span (looked for as text, through JSON inside strings) is not demanded: it is named in `not_in_payload`.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from benchmarks.live.tee import Recorded
from collector.model import Event, Span
from collector.otlp import decode_logs, decode_traces

Json = Any


def spans_of(recorded: Iterable[Recorded]) -> list[Span]:
    """Every span of the requests, the last of those that came twice."""
    found: dict[tuple[str, str], Span] = {}
    for request in recorded:
        if request.signal == "traces":
            kind = "application/json" if "json" in request.content_type else "application/x-protobuf"
            found.update({(span.trace_id, span.span_id): span for span in decode_traces(request.body, kind).spans})
    return list(found.values())


def with_logs(spans: Iterable[Span], recorded: Iterable[Recorded]) -> list[Span]:
    """The spans with the log records that carry their ids, as events."""
    events: dict[tuple[str, str], list[Event]] = defaultdict(list)
    for request in recorded:
        if request.signal == "logs":
            kind = "application/json" if "json" in request.content_type else "application/x-protobuf"
            for record in decode_logs(request.body, kind).logs:
                events[record.trace_id, record.span_id].append(record.event)
    return [replace(span, events=[*span.events, *events[span.trace_id, span.span_id]]) for span in spans]


# ---- Is a fact in the payload? ----


def leaves(value: Json) -> Iterator[Json]:
    """Every value inside, through JSON in strings."""
    yield value
    if isinstance(value, str) and value[:1] in '{["':
        try:
            yield from leaves(json.loads(value))
        except ValueError:
            return
    elif isinstance(value, Mapping):
        for key, child in value.items():
            if key == "langgraph_step":
                continue  # a small number that is easily taken for a count of tokens
            yield key
            yield from leaves(child)
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        for child in value:
            yield from leaves(child)


def leaves_of_text(text: str | None) -> list[Json]:
    """The text, or what stands in it where it is JSON."""
    inside = [leaf for leaf in leaves(text) if isinstance(leaf, str)][1:]
    return inside or [text]


class Payload:
    """What a span (and the log records that carry its ids) says, flat."""

    def __init__(self, span: Span, leave_out: Sequence[str] = ()) -> None:
        failures = [span.status_message, *(dict(e.attributes) for e in span.events if e.name == "exception")]
        counted = {key: value for key, value in span.attributes.items() if not key.endswith((".langgraph_step", *leave_out))}
        said = [span.name, counted, *(dict(e.attributes) for e in span.events if e.name != "exception")]
        self.failure = "\n".join(str(leaf) for value in failures for leaf in leaves(value))
        self.values = [leaf for value in said for leaf in leaves(value)]
        self.text = "\n".join(value for value in self.values if isinstance(value, str))
        self.numbers = {float(v) for v in self.values if isinstance(v, int | float) and not isinstance(v, bool)}
        self.numbers |= {float(v) for v in self.values if isinstance(v, str) and v.strip().isdigit()}

    def holds(self, fact: Json) -> bool:
        if fact is None or fact == "" or fact == [] or fact == {}:
            return True
        if isinstance(fact, str):
            return fact.strip() in self.text
        if isinstance(fact, bool):
            return fact in [value for value in self.values if isinstance(value, bool)]
        if isinstance(fact, float):
            return any(abs(number - fact) < 0.0006 for number in self.numbers)
        if isinstance(fact, int):
            return float(fact) in self.numbers or str(fact) in self.text
        if isinstance(fact, Mapping):
            return all(self.holds(child) for child in fact.values())
        return all(self.holds(child) for child in fact)


# ---- Truth → facts of a span ----

INPUTS = ("input.value", "gen_ai.input.messages", "langfuse.observation.input", "mlflow.spanInputs", "traceloop.entity.input")
OUTPUTS = ("output.value",)
PROVIDERS = {"chat": "openai", "responses": "openai", "embeddings": "openai", "anthropic": "anthropic"}
PROVIDER_KEYS = ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system", "ls_provider")


@dataclass
class About:
    """The facts of one span, and those the payload does not hold."""

    span: Span
    payload: Payload
    facts: dict[str, Json] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)

    def add(self, name: str, fact: Json) -> None:
        """A fact, as far as the payload holds it."""
        if fact in (None, [], {}):
            return
        if name in ("tokens", "invocation_params", "metadata_contains"):
            held = {key: value for key, value in fact.items() if self._holds_field(name, key, value, fact)}
            self.absent += [f"{name}.{key}" for key in fact.keys() - held.keys()]
            fact = held
        elif name in ("documents", "input_documents"):
            keys = [k for k in ("id", "content", "score", "metadata") if all(k in d and self.payload.holds(d[k]) for d in fact)]
            self.absent += [f"{name}.{key}" for key in ("id", "content", "score", "metadata") if key in fact[0] and key not in keys]
            fact = [{key: document[key] for key in keys} for document in fact] if keys else None
        elif name == "input_messages":
            fact = [{key: value for key, value in m.items() if key != "tool_call_id" or self.payload.holds(value)} for m in fact]
            asked = Payload(self.span, OUTPUTS)  # an answer may repeat what went before it (Gemini's automatic calls)
            if not all(asked.holds([m.get("tool_calls"), *leaves_of_text(m.get("content"))]) for m in fact):
                self.absent.append(name)
                return
            fact = [without_quotes(m) for m in fact]
        elif name == "error":
            kept = {key: value for key, value in fact.items() if value in self.payload.failure or self.payload.holds(value)}
            types = {str(e.attributes.get("exception.type")).rpartition(".")[2] for e in self.span.events if e.name == "exception"}
            fact = {key: value for key, value in kept.items() if key != "type" or not types or value in types}  # LangSmith says Exception
        elif name == "model_any":
            prefixed = {leaf for leaf in self.payload.values if isinstance(leaf, str) and leaf.endswith(tuple(f"/{name}" for name in fact))}
            fact = [*fact, *sorted(prefixed)] if any(self.payload.holds(value) for value in fact) else None  # LiteLLM: openai/gpt-4o-mini
        elif name not in ("kind", "vector_dims", "status", "attributes") and not self.payload.holds(fact):
            self.absent.append(name)
            return
        if fact:
            self.facts[name] = fact

    def _holds_field(self, name: str, key: str, value: Json, fact: Json) -> bool:
        if name != "tokens":
            return self.payload.holds(key) and self.payload.holds(value)
        told = {"reasoning_output": ("reasoning", "thoughts"), "cached_input": ("cache",)}.get(key, ("",))
        answered = Payload(self.span, INPUTS)  # a history may tell the tokens of earlier calls (Agno)
        if not any(map(answered.holds, told)):
            return False  # a small number of something else
        numbers, apart = answered.numbers, {"input": "cached_input", "output": "reasoning_output"}
        if float(value) in numbers or (key == "total" and {float(fact["input"]), float(fact["output"])} <= numbers):
            return True
        part = fact.get(apart.get(key, ""), 0)  # counted apart: 42 as 26 and 16 cached
        return bool(part) and {float(value - part), float(part), float(fact["total"])} <= numbers


def chat_facts(about: About, truth: Json) -> None:
    if "input_messages" in about.facts or "output_tool_calls" in about.facts:
        about.facts.clear()  # a client that calls tools by itself has one span for all its calls: the last one answers
    about.add("kind", truth.get("kind", "llm"))
    about.add("model_any", sorted({truth["model"], truth["response_model"]}))
    about.add("input_messages", truth["messages"])
    about.add("output_text", truth["output_text"])
    about.add("output_tool_calls", truth["output_tool_calls"])
    about.add("tokens", truth["tokens"])
    if about.payload.holds(truth.get("described") or "The weather in a city"):  # a name alone may come from a call
        about.add("tools_offered", truth["tools"])
    about.add("invocation_params", truth["parameters"])
    about.add("provider", provider_of(about.span, truth.get("api", "embeddings")))


def provider_of(span: Span, api: str) -> str | None:
    """The provider whose API was called, where an attribute made for it names it."""
    provider = PROVIDERS.get(api)
    named = {str(value).strip('"').lower() for key, value in span.attributes.items() if key.endswith(PROVIDER_KEYS)}
    return provider if provider in named else None


def without_quotes(message: Json) -> Json:
    """A tool's result that an SDK sent as JSON may be shown with other quotes and spaces."""
    quoted = message["role"] == "tool" and str(message.get("content")).startswith(('"', "{"))
    return {key: value for key, value in message.items() if key != "content"} if quoted else message


def embedding_facts(about: About, truth: Json) -> None:
    about.add("kind", truth.get("kind", "embedding"))
    about.add("model_any", [truth["model"]])
    about.add("texts", truth["texts"])
    if any(isinstance(value, list) and len(value) == truth["dimensions"] and type(value[0]) is float for value in about.payload.values):
        about.add("vector_dims", truth["dimensions"])
    about.add("provider", provider_of(about.span, truth.get("api", "embeddings")))
    about.add("tokens", truth["tokens"])


def tool_facts(about: About, truth: Json) -> None:
    task = about.span.attributes.get("traceloop.span.kind") == "task" and "gen_ai.operation.name" not in about.span.attributes
    declared = "chain" if task else str(about.span.attributes.get("openinference.span.kind") or "tool").lower()
    about.add("kind", declared)
    if declared != "tool":
        return  # Haystack's tool invoker is a chain to OpenInference, LlamaIndex's tool a task to OpenLLMetry
    about.add("tool_name", truth["name"])
    if all(about.payload.holds(key) for key in truth["arguments"]):  # LangChain may record the bare value
        about.add("arguments", truth["arguments"])
    about.add("output_text", truth.get("result"))
    if "error" in truth:
        about.add("status", "error")
        about.add("error", {"type": truth["error"], "message_contains": truth["message"]})


def retrieval_facts(about: About, truth: Json) -> None:
    about.add("kind", truth["kind"])
    about.add("query", truth["query"])
    about.add("documents", truth["documents"])


def rerank_facts(about: About, truth: Json) -> None:
    about.add("kind", "reranker")
    about.add("query", truth["query"])
    about.add("documents", truth["documents"])


def failure_facts(about: About, truth: Json) -> None:
    about.add("kind", truth.get("kind", "llm"))
    about.add("model_any", [truth["model"]])
    about.add("status", "error")
    about.add("error", {"message_contains": truth["message"]})


FACTS = {
    "chat": chat_facts,
    "embedding": embedding_facts,
    "tool": tool_facts,
    "retrieval": retrieval_facts,
    "rerank": rerank_facts,
    "failure": failure_facts,
}


# ---- A whole case ----


def innermost(spans: Sequence[Span], moment: int, skip: Sequence[str]) -> Span | None:
    around = [s for s in spans if s.start_unix_nano <= moment <= s.end_unix_nano and not any(fnmatchcase(s.name, g) for g in skip)]
    return max(around, key=lambda span: (span.start_unix_nano, -span.end_unix_nano), default=None)


def case_facts(spans: Sequence[Span], truths: Sequence[Json], *, skip: Sequence[str] = (), calls: str = "") -> dict[str, Json]:
    """`traces`, `spans`, `not_in_payload` and the counts of a case."""
    abouts: dict[str, About] = {}
    totals: dict[str, dict[str, int]] = defaultdict(lambda: {"input_tokens": 0, "output_tokens": 0, "calls_with_usage": 0})
    lost: list[Json] = []

    def about(span: Span) -> About:
        return abouts.setdefault(span.span_id, About(span, Payload(span)))

    for truth in truths:
        if truth["what"] in FACTS:
            if truth["what"] == "chat" and calls:
                span = last_begun(spans, truth["at"], calls)
            elif truth["what"] == "tool":
                span = holding(spans, truth, skip) or innermost(spans, truth["at"], skip)
            else:
                span = innermost(spans, truth["at"], skip)
            if span is None:
                lost.append({"what": truth["what"], "note": "no span around this moment"})
                continue
            if not traced(about(span), truth):
                continue
            FACTS[truth["what"]](about(span), truth)
            tokens = about(span).facts.get("tokens", {})
            if truth["what"] == "chat" and truth["tokens"] and not {"input", "output"} <= tokens.keys():
                tokens = told_beside(span, spans, truth)
            if truth["what"] == "chat" and {"input", "output"} <= tokens.keys():
                total = totals[span.trace_id]
                total["input_tokens"] += tokens["input"]
                total["output_tokens"] += tokens["output"]
                total["calls_with_usage"] += 1
    for truth in truths:
        for span in spans if truth["what"] == "span" else ():
            if fnmatchcase(span.name, truth["name"]) and truth["where"].items() <= dict(span.attributes).items():
                for name, fact in truth["facts"].items():
                    about(span).facts.pop(name, None) if fact is None else about(span).add(name, fact)
    traces = [trace_facts(trace_id, group, totals.get(trace_id)) for trace_id, group in by_trace(spans).items()]
    for truth in truths:
        if truth["what"] == "trace":
            here = innermost(spans, truth["at"], ())
            for trace in traces:
                if here is None or trace["trace_id"] == here.trace_id:
                    told = [Payload(span) for span in spans if span.trace_id == trace["trace_id"]]
                    trace.update({name: fact for name, fact in truth["facts"].items() if any(payload.holds(fact) for payload in told)})
    shown = sorted(abouts.values(), key=lambda about: (about.span.start_unix_nano, about.span.span_id))
    return {
        "trace_count": len(traces),
        "span_count": len(spans),
        "root_span_names": [name for trace in traces for name in trace["root_names"]],
        "traces": traces,
        "spans": [{"span_id": a.span.span_id, "trace_id": a.span.trace_id, "name": a.span.name, **a.facts} for a in shown if a.facts],
        "not_in_payload": [{"name": a.span.name, "absent": a.absent} for a in shown if a.absent] + lost,
    }


def traced(about: About, truth: Json) -> bool:
    """Whether the innermost span is about this at all: some SDKs trace no model calls, some programs not their own functions."""
    payload = about.payload
    if str(about.span.attributes.get("gen_ai.operation.name")) in ("invoke_agent", "create_agent", "invoke_workflow"):
        return False
    if "model" in truth:
        return payload.holds(truth["model"]) or truth["what"] == "failure"
    if truth["what"] == "retrieval":
        return any(payload.holds(document["content"]) for document in truth["documents"])
    return truth["name"] in about.span.name or payload.holds(truth["name"])


def told_beside(span: Span, spans: Sequence[Span], truth: Json) -> dict[str, int]:
    """The tokens of a call that a sibling tells (Logfire's "streaming response")."""
    for other in spans:
        if other.parent_span_id == span.parent_span_id and other.trace_id == span.trace_id and other.start_unix_nano > truth["at"]:
            payload = Payload(other)
            if truth["output_text"] and payload.holds(truth["output_text"]) and payload.holds(truth["tokens"]):
                return truth["tokens"]
    return {}


def holding(spans: Sequence[Span], truth: Json, skip: Sequence[str]) -> Span | None:
    """Of tools that ran side by side, the one that this is about."""
    about = [span for span in spans if truth["name"] in span.name or Payload(span).holds(truth["name"])]
    told = [span for span in about if Payload(span).holds([truth["arguments"], truth.get("result")])]
    return innermost(told, truth["at"], skip)


def last_begun(spans: Sequence[Span], moment: int, name: str) -> Span | None:
    begun = [span for span in spans if span.start_unix_nano <= moment and fnmatchcase(span.name, name)]
    return max(begun, key=lambda span: span.start_unix_nano, default=None)


def by_trace(spans: Sequence[Span]) -> dict[str, list[Span]]:
    groups: dict[str, list[Span]] = defaultdict(list)
    for span in sorted(spans, key=lambda span: (span.start_unix_nano, span.span_id)):
        groups[span.trace_id].append(span)
    return groups


def trace_facts(trace_id: str, spans: Sequence[Span], totals: dict[str, int] | None) -> dict[str, Json]:
    ids = {span.span_id for span in spans}
    tops = [span for span in spans if span.parent_span_id not in ids]
    services = sorted({str(span.resource.attributes.get("service.name")) for span in spans})

    def branch(span: Span) -> Json:
        below = [child for child in spans if child.parent_span_id == span.span_id]
        return {"name": span.name, "span_id": span.span_id, "children": [branch(child) for child in below]}

    facts: dict[str, Json] = {
        "trace_id": trace_id,
        "span_count": len(spans),
        "root_names": [span.name for span in tops],
        "root_missing": all(span.parent_span_id for span in tops),
        "services": services,
        "tree": [branch(span) for span in tops],
        "has_error": any(
            span.status == "error"
            or span.attributes.get("langfuse.observation.level") == "ERROR"
            or any(event.name == "exception" for event in span.events if span.scope.name in ("", "langsmith"))
            for span in spans
        ),
    }
    return facts | ({"llm_totals": totals} if totals else {})


def as_protobuf(request: Recorded) -> ExportTraceServiceRequest:
    """The request, parsed: for counting and for neutralising paths."""
    parsed = ExportTraceServiceRequest()
    if "json" in request.content_type:
        return json_format.Parse(request.body, parsed, ignore_unknown_fields=True)
    parsed.ParseFromString(request.body)
    return parsed
