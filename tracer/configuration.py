"""configure(): from a few words and the environment to a working recorder.

It makes no network call and cannot fail the program. Where a TracerProvider is installed already, ours joins it: its sampler, resource,
limits and processors stay; else one is made and installed. The standard `OTEL_*` variables mean what they mean everywhere.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace import Tracer as SdkTracer
from opentelemetry.sdk.trace.sampling import Sampler

from tracer.endpoint import Endpoint
from tracer.finish import Redactor
from tracer.flatten import flatten as flattened
from tracer.pipeline import Limits, Pipeline
from tracer.provenance import described
from tracer.recorder import ForeignSpans, Processors, Recorder, current
from tracer.redaction import redactor
from tracer.safety import forgiving, log, quiet, report
from tracer.spool import Spool, default_folder

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

DEFAULT_ENDPOINT = "http://localhost:4318"
DEFAULT_VIEWER = "http://localhost:8501"
SCOPE = "rightpassage"
_OFF = ("0", "false", "off", "no")


@quiet
@forgiving
def configure(
    service: str | None = None,
    *,
    endpoint: str | None = None,
    token: str | None = None,
    headers: Mapping[str, str] | None = None,
    environment: str | None = None,
    configuration: Mapping[str, object] | None = None,
    capture: bool | None = None,
    redact: bool | Callable[[str, str], str | None] | None = None,
    exporter: SpanExporter | None = None,
    sampler: Sampler | None = None,
    provider: TracerProvider | None = None,
    spool: str | Path | bool | None = None,
    announce: bool | None = None,
    flatten: bool | None = None,
    threads: bool | None = None,
    viewer: str | None = None,
    limits: Limits | None = None,
) -> None:
    """Decides where spans go and what they carry. Optional: without it, the first span takes everything from the environment.

    Args:
        service: name of this application (`OTEL_SERVICE_NAME`).
        endpoint: base URL of the collector (`OTEL_EXPORTER_OTLP_ENDPOINT`), http://localhost:4318 by default.
        token: bearer token of the collector (`RIGHTPASSAGE_TOKEN`).
        headers: further HTTP headers (`OTEL_EXPORTER_OTLP_HEADERS`).
        environment: deployment environment, such as "production".
        configuration: the settings of this pipeline; their digest goes on the resource, so that traces can be told apart by it.
        capture: False records no content: no inputs, outputs, messages (`RIGHTPASSAGE_CAPTURE`).
        redact: False keeps secrets; a function (key, text) → text or None is asked after the built-in table (`RIGHTPASSAGE_REDACT`).
        exporter: any OpenTelemetry exporter to use instead of our own delivery.
        sampler: an OpenTelemetry sampler, where the provider is made here.
        provider: the TracerProvider to join; default: the global one.
        spool: folder for spans while the collector is away, or False (`RIGHTPASSAGE_SPOOL`).
        announce: False does not announce running spans (`RIGHTPASSAGE_ANNOUNCE`).
        flatten: whether to add OpenInference's flattened attributes; default: to collectors that are not ours.
        threads: True carries the context into threads and thread pools (`RIGHTPASSAGE_THREADS`).
        viewer: base URL of the viewer, for `current_trace_url` (`RIGHTPASSAGE_VIEWER`).
        limits: sizes of values, queue, memory, spool and batches.
    """
    if _disabled():
        disable()
        return
    limits = limits or Limits()
    redact_with = redactor(redact if redact is not None else _switch("RIGHTPASSAGE_REDACT", True))
    joined, processors = _provider(provider, service, environment, configuration, sampler)
    if joined is None:
        disable()
        return
    sdk_tracer = joined.get_tracer(SCOPE, _version())
    if not isinstance(sdk_tracer, SdkTracer):  # OTEL_SDK_DISABLED, or a provider of another make
        disable()
        return
    previous = current.recorder
    foreign = _our_processor(joined)
    recorder = Recorder(
        provider=joined,
        tracer=sdk_tracer,
        limits=_span_limits(sdk_tracer),
        pipeline=None,
        redact=redact_with,
        listeners=(lambda: processors.others) if processors is not None else (lambda: (sdk_tracer.span_processor,)),
        flatten=flattened if flatten is not False else None,
        captures=capture if capture is not None else _switch("RIGHTPASSAGE_CAPTURE", True),
        value_limit=limits.value,
        viewer=(viewer or os.environ.get("RIGHTPASSAGE_VIEWER") or DEFAULT_VIEWER).rstrip("/"),
        always_flatten=flatten is True,
        foreign=foreign,
        asks_git=processors is not None,
    )
    exporter = exporter or _exporter_of_protocol()
    if exporter is not None:
        _use_exporter(joined, exporter, redact_with)
    elif os.environ.get("OTEL_TRACES_EXPORTER", "").strip() != "none":
        recorder.pipeline = _pipeline(recorder, endpoint, token, headers, spool, announce, limits)
    foreign.recorder = recorder
    current.recorder, current.off = recorder, False
    if previous is not None and previous.pipeline is not None:
        previous.pipeline.retire()
    if threads if threads is not None else _switch("RIGHTPASSAGE_THREADS", False):
        from tracer.threads import carry_into_threads

        carry_into_threads()


def configure_by_itself() -> None:
    """What the first span does where nobody configured: as `configure()`, but no files on the disk of a program that named no collector."""
    asked = any(
        os.environ.get(name) for name in ("RIGHTPASSAGE_SPOOL", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    )
    configure(spool=None if asked else False)


def disable() -> None:
    """Turns every step into a pass-through; spans that are queued are still delivered. `configure()` turns tracing on again."""
    recorder, current.recorder, current.off = current.recorder, None, True
    if recorder is not None and recorder.pipeline is not None:
        recorder.pipeline.retire()


def _disabled() -> bool:
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return True
    return not _switch("RIGHTPASSAGE_TRACING", True)


def _switch(name: str, default: bool) -> bool:
    given = os.environ.get(name, "").strip().lower()
    return default if not given else given not in _OFF


def _version() -> str:
    from tracer import __version__

    return __version__


# ---- The provider ----


def _provider(
    given: TracerProvider | None,
    service: str | None,
    environment: str | None,
    configuration: Mapping[str, object] | None,
    sampler: Sampler | None,
) -> tuple[TracerProvider | None, Processors | None]:
    """The provider to stand on, and its processors where it is of our making."""
    found = given or trace.get_tracer_provider()
    if isinstance(found, TracerProvider):
        known = getattr(found, "_active_span_processor", None)
        if service or environment or configuration or sampler:
            log.info("joining the installed TracerProvider: service, environment, configuration and sampler stay its own")
        return found, known if isinstance(known, Processors) else None
    processors = Processors()
    resource = Resource.create(described(service, environment, configuration))
    made = TracerProvider(sampler=sampler, resource=resource, active_span_processor=processors)
    if type(found).__name__ == "ProxyTracerProvider":  # nobody has installed one yet
        trace.set_tracer_provider(made)
    else:
        log.info("beside the installed %s, which takes no processors: only spans of our own are delivered", type(found).__name__)
    return made, processors


def _our_processor(provider: TracerProvider) -> ForeignSpans:
    """Our processor on this provider, added at the first time."""
    known = getattr(getattr(provider, "_active_span_processor", None), "_span_processors", ())
    for processor in known:
        if isinstance(processor, ForeignSpans):
            return processor
    added = ForeignSpans()
    provider.add_span_processor(added)
    return added


def _span_limits(tracer: SdkTracer) -> SpanLimits:
    known = getattr(tracer, "_span_limits", None)
    return known if isinstance(known, SpanLimits) else SpanLimits()


# ---- Where spans go ----


def _pipeline(
    recorder: Recorder,
    endpoint: str | None,
    token: str | None,
    headers: Mapping[str, str] | None,
    spool: str | Path | bool | None,
    announce: bool | None,
    limits: Limits,
) -> Pipeline | None:
    try:
        target = _endpoint(endpoint, token, headers)
    except ValueError as error:
        log.warning("spans are not delivered: %s", error)
        return None
    return Pipeline(
        target,
        recorder.prepare,
        spool=_spool(spool, target, limits),
        limits=limits,
        delay=_number("OTEL_BSP_SCHEDULE_DELAY", 500.0) / 1000,
        announce=announce if announce is not None else _switch("RIGHTPASSAGE_ANNOUNCE", True),
    )


def _endpoint(base: str | None, token: str | None, headers: Mapping[str, str] | None) -> Endpoint:
    exact = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    if base is None and exact:
        url = exact
    else:
        base = base or os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or DEFAULT_ENDPOINT
        url = base if base.rstrip("/").endswith("/v1/traces") else base.rstrip("/") + "/v1/traces"
    sent = {**_headers_from_environment(), **(headers or {})}
    token = token or os.environ.get("RIGHTPASSAGE_TOKEN")
    if token and not any(name.lower() == "authorization" for name in sent):
        sent["Authorization"] = f"Bearer {token}"
    return Endpoint(
        url=url,
        headers={"User-Agent": f"rightpassage-tracer/{_version()}", **sent},
        timeout=_number("OTEL_EXPORTER_OTLP_TIMEOUT", 10.0),
        certificate=_otlp("CERTIFICATE"),
        client_certificate=_otlp("CLIENT_CERTIFICATE"),
        client_key=_otlp("CLIENT_KEY"),
        compression=_otlp("COMPRESSION"),
    )


def _headers_from_environment() -> dict[str, str]:
    pairs = (pair.partition("=") for pair in (_otlp("HEADERS") or "").split(",") if "=" in pair)
    return {unquote(name).strip(): unquote(value).strip() for name, _, value in pairs}


def _otlp(name: str) -> str | None:
    return os.environ.get(f"OTEL_EXPORTER_OTLP_TRACES_{name}") or os.environ.get(f"OTEL_EXPORTER_OTLP_{name}")


def _number(name: str, default: float) -> float:
    try:
        return float(os.environ.get(name) or default)
    except ValueError:
        report(name, "%s=%r is no number", name, os.environ.get(name))
        return default


def _spool(given: str | Path | bool | None, endpoint: Endpoint, limits: Limits) -> Spool | None:
    if given is None:
        given = os.environ.get("RIGHTPASSAGE_SPOOL") or True
    if given is False or (isinstance(given, str) and given.lower() in _OFF):
        return None
    folder = default_folder() if given is True else Path(given)
    return Spool(folder, endpoint.url, limits.spool)


def _exporter_of_protocol() -> SpanExporter | None:
    """OpenTelemetry's own exporter where the environment asks for another protocol than HTTP."""
    if (_otlp("PROTOCOL") or "").strip() != "grpc":
        return None
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter()


def _use_exporter(provider: TracerProvider, exporter: SpanExporter, redact: Redactor | None) -> None:
    """Spans of ours reach the exporter finished and redacted, as other processors get them."""
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider.add_span_processor(BatchSpanProcessor(exporter))
