"""Why do my spans not arrive, or arrive blank? `diagnose` tries every way in as an SDK would, and says in plain words what is wrong.

It sends one small trace over each transport, looks it up through the API, removes it again, reads the environment variables that point SDKs
somewhere, and looks at the traces that came lately for model calls without content. Each check is a `Check`: what was tried, whether it
holds, what was seen, what to do about it.
"""

from __future__ import annotations

import gzip
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

import grpc
import httpx
from google.protobuf.message import DecodeError
from google.rpc import status_pb2

from collector import otlp
from collector.client import CollectorClient
from collector.errors import CollectorUnreachable, RightPassageError
from collector.health import content_switch
from collector.model import Resource, Scope, Span, SpanKind, StatusCode
from collector.otlp import Encoding
from collector.settings import DEFAULT_COLLECTOR, DEFAULT_GRPC
from tracer.conventions import COLLECTOR_HEADER, SERVICE_NAME, SPAN_KIND

PATIENCE_S = 5.0
RECENT_TRACES = 50
SERVICE = "rightpassage-doctor"
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


class Outcome(StrEnum):
    """How a check ended; only `FAILED` makes the command fail."""

    OK = "ok"
    FAILED = "failed"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was tried: what, how it went, what was seen, and what to do where it is not right."""

    name: str
    outcome: Outcome
    seen: str
    advice: str = ""

    def line(self) -> str:
        mark = {Outcome.OK: "✓", Outcome.FAILED: "✗", Outcome.WARNING: "!"}[self.outcome]
        return f"{mark} {self.name}: {self.seen}" + (f"\n    → {self.advice}" if self.advice else "")


def diagnose(
    endpoint: str = DEFAULT_COLLECTOR,
    grpc_target: str | None = DEFAULT_GRPC,
    token: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Check]:
    """Checks as they are done, the most basic first. Stops early where nothing answers, because the rest would only repeat it."""
    base = endpoint.rstrip("/")
    yield from check_environment(environment or {}, base, grpc_target)
    with httpx.Client(base_url=base, timeout=PATIENCE_S, trust_env=False, headers=_header(token)) as http:
        answers = _who_answers(http, base)
        yield answers
        if answers.outcome is not Outcome.FAILED:
            yield from _over_http(http, base, token)
            yield from _recent(base, token)
    if grpc_target:
        yield _over_grpc(grpc_target, base, token)


def failed(checks: Sequence[Check]) -> bool:
    return any(check.outcome is Outcome.FAILED for check in checks)


def _header(token: str | None) -> dict[bytes, bytes]:
    return {b"authorization": f"Bearer {token}".encode()} if token else {}


# ---- Who is there ----


def _who_answers(http: httpx.Client, base: str) -> Check:
    name = f"a collector at {base}"
    try:
        answer = http.get("/healthz")
    except httpx.ConnectError:
        return Check(
            name, Outcome.FAILED, "nobody answers", f"start one with `rightpassage serve`; its HTTP port is {_port(DEFAULT_COLLECTOR)}"
        )
    except httpx.RemoteProtocolError:
        return Check(
            name, Outcome.FAILED, "what answers speaks gRPC, not HTTP/1", "use the HTTP port here (4318 by default), and gRPC at 4317"
        )
    except httpx.TimeoutException:
        return Check(name, Outcome.FAILED, f"accepts the connection and says nothing for {PATIENCE_S:g} s", "is this the HTTP port?")
    except httpx.HTTPError as problem:
        return Check(name, Outcome.FAILED, f"cannot be asked: {problem}", "is the address right, http:// included?")
    if answer.status_code == 401:
        return Check(name, Outcome.WARNING, "is there and wants a token", "pass --token, or set RIGHTPASSAGE_TOKEN")
    try:
        health = answer.json()
    except ValueError:
        health = None
    if answer.status_code != 200 or not isinstance(health, dict) or "sqlite_version" not in health:
        server = answer.headers.get("server", "another program")
        return Check(
            name, Outcome.FAILED, f"{server} answers with HTTP {answer.status_code}", "another program has this port: --http HOST:PORT"
        )
    return Check(name, Outcome.OK, f"Right Passage {health.get('version', '?')}")


def _port(url: str) -> int | None:
    return urlsplit(url if "//" in url else f"//{url}").port


# ---- HTTP ----


def _probe() -> Span:
    """One LLM-shaped root span that ends now."""
    now = time.time_ns()
    return Span(
        trace_id=secrets.token_hex(16),
        span_id=secrets.token_hex(8),
        parent_span_id="",
        name="rightpassage doctor",
        start_unix_nano=now - 1_000_000,
        end_unix_nano=now,
        attributes={SPAN_KIND: SpanKind.CHAIN.value, "input.value": "Does this arrive?", "output.value": "It does."},
        status=StatusCode.OK,
        resource=Resource({SERVICE_NAME: SERVICE}),
        scope=Scope(SERVICE),
    )


_HTTP_WAYS: Sequence[tuple[str, Encoding, Callable[[bytes], bytes], Mapping[str, str]]] = (
    ("OTLP over HTTP, protobuf", Encoding.PROTOBUF, bytes, {}),
    ("OTLP over HTTP, protobuf with gzip", Encoding.PROTOBUF, gzip.compress, {"content-encoding": "gzip"}),
    ("OTLP over HTTP, JSON", Encoding.JSON, bytes, {}),
)


def _over_http(http: httpx.Client, base: str, token: str | None) -> Iterator[Check]:
    for name, encoding, compress, headers in _HTTP_WAYS:
        probe = _probe()
        body = compress(otlp.encode_traces([probe], encoding))
        try:
            answer = http.post("/v1/traces", content=body, headers={"content-type": encoding, **headers})
        except httpx.HTTPError as problem:
            yield Check(name, Outcome.FAILED, f"no answer: {problem}")
            continue
        if answer.status_code == 200 and COLLECTOR_HEADER in answer.headers:
            yield _arrived(name, base, token, probe)
        else:
            yield Check(name, Outcome.FAILED, f"HTTP {answer.status_code}: {_said(answer)}", _HTTP_ADVICE.get(answer.status_code, ""))


def _said(answer: httpx.Response) -> str:
    """The message of a google.rpc.Status, in whichever encoding; of another program the beginning of what it sent."""
    with suppress(DecodeError, KeyError, TypeError, ValueError):
        if answer.headers.get("content-type", "").startswith("application/x-protobuf"):
            return status_pb2.Status.FromString(answer.content).message
        return str(answer.json()["message"])
    return answer.text[:200]


_HTTP_ADVICE = {
    401: "the token is missing or wrong: OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20TOKEN",
    404: "the path is wrong: SDKs append /v1/traces to OTEL_EXPORTER_OTLP_ENDPOINT; give them the host and port only",
    405: "another program has this port",
    413: "the request is too large: make the SDK's batches smaller (OTEL_BSP_MAX_EXPORT_BATCH_SIZE)",
    415: "send application/x-protobuf or application/json",
    421: "the Host header is not one this collector answers to: see docs/security.md",
    429: "the collector has more to write than it can: it asks to come again later",
    503: "the collector cannot write: is the disk full, or the database read-only?",
}


def _arrived(name: str, base: str, token: str | None, probe: Span) -> Check:
    """Look the probe up as a user would, then take it away again."""
    deadline = time.monotonic() + PATIENCE_S
    with CollectorClient(base, token) as client:
        while True:
            try:
                stored = client.span(probe.trace_id, probe.span_id)
            except CollectorUnreachable as problem:
                return Check(name, Outcome.FAILED, f"was accepted, but the API does not answer: {problem}")
            except RightPassageError as problem:
                if time.monotonic() > deadline:
                    return Check(
                        name, Outcome.FAILED, f"was accepted and is not shown: {problem}", "please report this with the collector's log"
                    )
                time.sleep(0.1)
                continue
            with suppress(RightPassageError):
                client.delete_trace(probe.trace_id)
            understood = stored.normalised is not None and stored.normalised.input == "Does this arrive?"
            if not understood:
                return Check(name, Outcome.FAILED, "arrived without its input", "please report this")
            return Check(name, Outcome.OK, "arrived, was understood, and is removed again")


# ---- gRPC ----


def _over_grpc(target: str, base: str, token: str | None) -> Check:
    name, probe = f"OTLP over gRPC at {target}", _probe()
    address = target.split("://")[-1]
    if token and not token.isascii():
        return Check(
            name, Outcome.WARNING, "the token has letters beyond ASCII, which gRPC cannot carry", "choose a token of ASCII letters"
        )
    metadata = (("authorization", f"Bearer {token}"),) if token else ()
    with grpc.insecure_channel(address, options=[("grpc.enable_retries", 0)]) as channel:
        export = channel.unary_unary(EXPORT)
        try:
            export(otlp.encode_traces([probe]), timeout=PATIENCE_S, metadata=metadata)
        except grpc.RpcError as problem:
            code = problem.code()  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]  (a call, too)
            return _grpc_problem(name, code, str(problem.details()), address)  # pyright: ignore[reportAttributeAccessIssue]  (a call, too)
    return _arrived(name, base, token, probe)


def _grpc_problem(name: str, code: grpc.StatusCode, details: str, address: str) -> Check:
    if code is grpc.StatusCode.UNAUTHENTICATED:
        return Check(
            name, Outcome.FAILED, "the token is missing or wrong", "metadata authorization: Bearer TOKEN, as OTEL_EXPORTER_OTLP_HEADERS"
        )
    if code is grpc.StatusCode.UNAVAILABLE and _speaks_http(address):
        return Check(
            name, Outcome.FAILED, "what answers speaks HTTP/1, not gRPC", "use the gRPC port here (4317 by default), and HTTP at 4318"
        )
    if code is grpc.StatusCode.UNAVAILABLE:
        return Check(name, Outcome.FAILED, "nobody answers", "the collector was started with --grpc off, or on another port")
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return Check(name, Outcome.FAILED, "another gRPC server has this port", "--grpc HOST:PORT gives the collector another")
    return Check(name, Outcome.FAILED, f"{code.name}: {details[:200]}")


def _speaks_http(address: str) -> bool:
    try:
        httpx.get(f"http://{address}/", timeout=1.0, trust_env=False)
    except httpx.HTTPError:
        return False
    return True


# ---- What points SDKs where ----

ENDPOINT_VARIABLES = {
    "OTEL_EXPORTER_OTLP_ENDPOINT": "every OpenTelemetry SDK",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "every OpenTelemetry SDK, for traces",
    "TRACELOOP_BASE_URL": "Traceloop",
    "LANGFUSE_HOST": "Langfuse",
    "LANGFUSE_BASE_URL": "Langfuse",
    "LANGSMITH_ENDPOINT": "LangSmith",
    "PHOENIX_COLLECTOR_ENDPOINT": "phoenix.otel",
    "WANDB_BASE_URL": "Weave",
    "RIGHTPASSAGE_COLLECTOR": "our tracer",
}
OFF_SWITCHES = {
    "OTEL_SDK_DISABLED": ("true", "the OpenTelemetry SDK is switched off: no span leaves the program"),
    "OTEL_TRACES_EXPORTER": ("none", "no traces are exported"),
    "OTEL_TRACES_SAMPLER": ("always_off", "every trace is sampled away"),
    "TRACELOOP_TRACE_CONTENT": ("false", "Traceloop records no prompts and answers"),
    "OPENINFERENCE_HIDE_INPUTS": ("true", "OpenInference hides inputs"),
    "OPENINFERENCE_HIDE_OUTPUTS": ("true", "OpenInference hides outputs"),
    "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": ("false", "OpenTelemetry's GenAI instrumentations record no content"),
    "HAYSTACK_CONTENT_TRACING_ENABLED": ("false", "Haystack records no content"),
    "LANGFUSE_TRACING_ENABLED": ("false", "Langfuse's tracing is switched off"),
}


def check_environment(environment: Mapping[str, str], base: str, grpc_target: str | None) -> Iterator[Check]:
    """What the variables of this environment would make an SDK do."""
    for variable, whose in ENDPOINT_VARIABLES.items():
        if value := environment.get(variable):
            yield _check_endpoint(variable, value, whose, environment, base, grpc_target)
    for variable, (off, meaning) in OFF_SWITCHES.items():
        if environment.get(variable, "").strip().lower() == off:
            yield Check(f"{variable}={off}", Outcome.WARNING, meaning, f"unset {variable}")
    limit = environment.get("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "")
    if limit.isdigit() and int(limit) < 100_000:
        yield Check(
            "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", Outcome.WARNING, f"the SDK cuts values at {limit} characters", "unset it, or raise it"
        )


def _check_endpoint(variable: str, value: str, whose: str, environment: Mapping[str, str], base: str, grpc_target: str | None) -> Check:
    name = f"{variable}={value}"
    protocol = environment.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or environment.get("OTEL_EXPORTER_OTLP_PROTOCOL") or "http/protobuf"
    parts = urlsplit(value if "//" in value else f"//{value}")
    ports = {_port(base), *([_port(grpc_target)] if grpc_target else [])}
    is_otel = variable.startswith("OTEL_")
    if is_otel and protocol.startswith("http") and "//" not in value:
        return Check(name, Outcome.FAILED, "has no scheme, so an HTTP exporter cannot use it", f"http://{value}")
    if is_otel and protocol.startswith("http") and grpc_target and parts.port == _port(grpc_target):
        return Check(
            name,
            Outcome.FAILED,
            f"names the gRPC port, but the protocol is {protocol}",
            "use port 4318, or OTEL_EXPORTER_OTLP_PROTOCOL=grpc",
        )
    if is_otel and protocol == "grpc" and parts.port == _port(base):
        return Check(
            name,
            Outcome.FAILED,
            "names the HTTP port, but the protocol is grpc",
            "use port 4317, or OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
        )
    if variable == "OTEL_EXPORTER_OTLP_ENDPOINT" and parts.path.endswith("/v1/traces"):
        return Check(name, Outcome.FAILED, "SDKs append /v1/traces once more", "give the host and port only")
    if variable == "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" and protocol.startswith("http") and parts.path in ("", "/"):
        return Check(
            name,
            Outcome.WARNING,
            "is used as it is, without /v1/traces (this collector takes it, others do not)",
            f"{value.rstrip('/')}/v1/traces",
        )
    if parts.port not in ports:
        return Check(
            name, Outcome.WARNING, f"sends {whose} elsewhere than {base}", "set it to this collector if its spans are missing here"
        )
    return Check(name, Outcome.OK, f"points {whose} here")


# ---- What came lately ----


def _recent(base: str, token: str | None) -> Iterator[Check]:
    """Blank model calls and keys nobody could map, among the newest traces."""
    with CollectorClient(base, token) as client:
        try:
            traces = [summary for summary in client.traces(limit=RECENT_TRACES).items if SERVICE not in summary.services]
            spans = [span for summary in traces[:20] for span in client.trace(summary.trace_id).spans]
        except RightPassageError as problem:
            yield Check("traces that came lately", Outcome.WARNING, f"cannot be read: {problem}")
            return
    if not traces:
        yield Check("traces that came lately", Outcome.WARNING, "none", "point an SDK here: docs/recipes.md has the lines for each")
        return
    services = sorted({service for summary in traces for service in summary.services}) or ["(no service.name)"]
    dialects = sorted({span.normalised.dialect for span in spans if span.normalised and span.normalised.dialect})
    seen = f"{len(traces)} traces of {', '.join(services[:5])}" + (f"; dialects {', '.join(dialects)}" if dialects else "")
    yield Check("traces that came lately", Outcome.OK, seen)
    silent = [span for span in spans if _is_silent(span)]
    for scope in sorted({span.scope.name for span in silent}):
        count = sum(span.scope.name == scope for span in silent)
        switch = content_switch(scope)
        advice = f"switch content on: {switch}" if switch else "look for the instrumentation's switch that records content"
        yield Check(f"model calls of {scope or '(no scope)'}", Outcome.WARNING, f"{count} came without input and output text", advice)
    keys = sorted({key for span in spans if span.normalised for key in span.normalised.unmapped})
    if keys:
        yield Check(
            "keys that sound like content and mean nothing to us",
            Outcome.WARNING,
            ", ".join(keys[:8]),
            "add a rule: docs/dialects.md, “Your own names”",
        )


def _is_silent(span: Span) -> bool:
    n = span.normalised
    return (
        n is not None
        and n.kind is SpanKind.LLM
        and not (n.input_messages or n.output_messages or n.input is not None or n.output is not None)
    )
