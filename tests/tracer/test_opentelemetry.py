"""From outside it stays plain OpenTelemetry: processors, exporters, samplers, limits and variables of the user mean what they mean."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tracer.conftest import Sink, lines


def run(program: str, sink: Sink, **environment: str) -> str:
    """A fresh process: a TracerProvider can be set once."""
    head = "import json, tracer\nfrom opentelemetry import trace\nfrom opentelemetry.sdk.trace import TracerProvider, SpanLimits\n"
    done = subprocess.run(
        [sys.executable, "-c", head + program],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "RIGHTPASSAGE_SPOOL": "off", "OTEL_EXPORTER_OTLP_ENDPOINT": sink.url, **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


LISTENER = """
from opentelemetry.sdk.trace import SpanProcessor, ReadableSpan
class Listener(SpanProcessor):
    def on_start(self, span, parent_context=None):
        span.set_attribute("seen.at.start", span.name)
    def on_end(self, span):
        assert isinstance(span, ReadableSpan)
        print(json.dumps([span.name, dict(span.attributes), span.parent and span.parent.span_id, span.status.status_code.name]))
"""

WORK = """
@tracer.retriever
def retrieve(q): return [{"id": "a", "content": "sk-abcdefghijklmnop1234"}]
with tracer.chain("request"):
    retrieve("why")
"""


def test_processors_of_the_user_see_our_spans_as_the_sdks_own_and_redacted(quiet_sink: Sink) -> None:
    program = LISTENER + "tracer.configure()\ntrace.get_tracer_provider().add_span_processor(Listener())\n" + WORK
    seen = {name: (attributes, parent, status) for name, attributes, parent, status in lines(run(program, quiet_sink))}
    assert seen["retrieve"][0]["seen.at.start"] == "retrieve"
    assert seen["retrieve"][0]["gen_ai.retrieval.documents"] == '[{"id":"a","content":"[redacted]","rank":1}]'
    assert seen["retrieve"][1] is not None
    arrived = {span.name: span for span in quiet_sink.all()}
    assert arrived["retrieve"]["seen.at.start"] == "retrieve"


def test_an_installed_provider_is_joined_not_replaced(quiet_sink: Sink) -> None:
    program = (
        LISTENER
        + """
from opentelemetry.sdk.resources import Resource
limits = SpanLimits(max_span_attributes=3, max_span_attribute_length=4)
provider = TracerProvider(resource=Resource({"service.name": "theirs"}), span_limits=limits)
provider.add_span_processor(Listener())
trace.set_tracer_provider(provider)
tracer.configure("ours")
assert trace.get_tracer_provider() is provider
with tracer.chain("limited") as span:
    for n in range(5): span.set_attribute(f"k{n}", "abcdefgh")
with trace.get_tracer("other").start_as_current_span("sdk"): pass
"""
    )
    names = [name for name, *_ in lines(run(program, quiet_sink))]
    assert sorted(names) == ["limited", "sdk"]
    arrived = {span.name: span for span in quiet_sink.all()}
    assert set(arrived) == {"limited", "sdk"}
    assert arrived["limited"].resource["service.name"] == "theirs"
    assert arrived["limited"].attributes == {"k2": "abcd", "k3": "abcd", "k4": "abcd"}


def test_the_sampler_decides_and_its_decision_travels(quiet_sink: Sink) -> None:
    program = """
from opentelemetry import propagate
with tracer.chain("root"):
    headers = {}
    propagate.inject(headers)
    with tracer.chain("child") as child:
        assert not child.is_recording()
        child.set_output("x")
    with trace.get_tracer("other").start_as_current_span("sdk") as sdk:
        assert not sdk.is_recording()
assert headers["traceparent"].split("-")[3] in ("00", "02"), headers
"""
    run(program, quiet_sink, OTEL_TRACES_SAMPLER="always_off")
    run(program.replace("not ", "").replace('("00", "02")', '("01", "03")'), quiet_sink, OTEL_TRACES_SAMPLER="traceidratio")
    assert {span.name for span in quiet_sink.all()} == {"root", "child", "sdk"}
    quiet_sink.requests.clear()
    remote = """
from opentelemetry import propagate
from opentelemetry.context import attach
attach(propagate.extract({"traceparent": "00-" + "a" * 32 + "-" + "b" * 16 + "-00"}))
with tracer.chain("unsampled"): pass
"""
    run(remote, quiet_sink)
    assert quiet_sink.all() == []


def test_an_exporter_of_the_user_gets_the_spans_instead(quiet_sink: Sink) -> None:
    program = (
        """
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
exporter = InMemorySpanExporter()
tracer.configure(exporter=exporter)
"""
        + WORK
        + """
tracer.flush()
print(json.dumps(sorted(span.name for span in exporter.get_finished_spans())))
"""
    )
    assert lines(run(program, quiet_sink)) == [["request", "retrieve"]]
    assert quiet_sink.all() == []


def test_environment_and_code_are_named_on_the_resource(quiet_sink: Sink, tmp_path: Path) -> None:
    program = """
tracer.configure("bot", environment="production", configuration={"k": 5, "model": "m"})
with tracer.chain("x"): pass
"""
    repository = tmp_path / "repository"
    (repository / ".git" / "refs" / "heads").mkdir(parents=True)
    (repository / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (repository / ".git" / "refs" / "heads" / "main").write_text("a" * 40 + "\n")
    run(f"import os; os.chdir({str(repository)!r})\n" + program, quiet_sink)
    resource = quiet_sink.all()[0].resource
    assert resource["service.name"] == "bot"
    assert resource["deployment.environment.name"] == "production"
    assert resource["vcs.ref.head.revision"] == "a" * 40
    assert len(resource["rightpassage.configuration.digest"]) == 16
    assert resource["telemetry.sdk.language"] == "python"


def test_opentelemetry_instrument_needs_no_code(quiet_sink: Sink) -> None:
    pytest.importorskip("opentelemetry.instrumentation")
    program = "from opentelemetry import trace\nwith trace.get_tracer('plain').start_as_current_span('untouched'): pass\n"
    command = [sys.executable, "-m", "opentelemetry.instrumentation.auto_instrumentation", sys.executable, "-c", program]
    environment = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": quiet_sink.url, "RIGHTPASSAGE_SPOOL": "off"}
    launcher = Path(sys.executable).with_name("opentelemetry-instrument")
    command = [str(launcher), sys.executable, "-c", program] if launcher.exists() else command
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    assert done.returncode == 0, done.stderr
    assert [span.name for span in quiet_sink.all()] == ["untouched"]


def test_import_loads_the_standard_library_and_opentelemetry_only() -> None:
    program = """
import sys
before = set(sys.modules)
import tracer
tracer.chain, tracer.span, tracer.session, tracer.current_span
loaded = {name.partition(".")[0] for name in set(sys.modules) - before}
foreign = {name for name in loaded if name not in sys.stdlib_module_names}
print(sorted(foreign))
assert "opentelemetry.exporter" not in sys.modules
assert not {"requests", "google", "grpc", "httpx", "ssl", "http"} & loaded, loaded
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    allowed = {"tracer", "opentelemetry", "orjson", "typing_extensions", "importlib_metadata", "zipp"}
    assert set(eval(done.stdout)) <= allowed


def test_conventions_cost_nothing() -> None:
    program = "import sys, tracer.conventions; assert 'opentelemetry' not in sys.modules and 'orjson' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
