"""instrument(): libraries traced from outside, by the instrumentation packages that are installed.

OpenAI and FAISS are our own (`tracer.integrations`), because RAG needs facts of theirs that nobody else records. Everything else comes
through the entry points of OpenTelemetry and OpenInference packages; where none is installed, the answer says what to install.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Protocol, cast

from tracer.recorder import active
from tracer.safety import log, quiet

GROUPS = ("opentelemetry_instrumentor", "openinference_instrumentor")

OWN = {"openai": "tracer.integrations.openai", "faiss": "tracer.integrations.faiss"}
"""Library → the module here that traces it."""

PACKAGES = {
    "anthropic": "openinference-instrumentation-anthropic",
    "autogen": "openinference-instrumentation-autogen-agentchat",
    "bedrock": "openinference-instrumentation-bedrock",
    "crewai": "openinference-instrumentation-crewai",
    "dspy": "openinference-instrumentation-dspy",
    "fastapi": "opentelemetry-instrumentation-fastapi",
    "flask": "opentelemetry-instrumentation-flask",
    "google_genai": "openinference-instrumentation-google-genai",
    "groq": "openinference-instrumentation-groq",
    "haystack": "openinference-instrumentation-haystack",
    "httpx": "opentelemetry-instrumentation-httpx",
    "langchain": "openinference-instrumentation-langchain",
    "litellm": "openinference-instrumentation-litellm",
    "llama_index": "openinference-instrumentation-llama-index",
    "mistralai": "openinference-instrumentation-mistralai",
    "pydantic_ai": "openinference-instrumentation-pydantic-ai",
    "requests": "opentelemetry-instrumentation-requests",
    "smolagents": "openinference-instrumentation-smolagents",
    "sqlalchemy": "opentelemetry-instrumentation-sqlalchemy",
    "threading": "opentelemetry-instrumentation-threading",
    "vertexai": "openinference-instrumentation-vertexai",
}
"""Library → the package to install for it."""


class Instrumentor(Protocol):
    """What an entry point of OpenTelemetry's group loads, once called."""

    def instrument(self, **kwargs: Any) -> Any: ...


def instrument(*libraries: str) -> list[str]:
    """Traces these libraries; without a name, every installed one that can be traced. Returns what was switched on.

    `tracer.instrument("openai", "langchain")`. A library that cannot be traced is logged, with the package to install; nothing raises.
    """
    if active() is None:
        return []
    wanted = [_plain(str(library)) for library in libraries] or _possible()
    switched_on = quiet(_switch_on)
    return [library for library in wanted if switched_on(library, bool(libraries))]


def _plain(library: str) -> str:
    return library.strip().lower().replace("-", "_").replace(".", "_")


def _possible() -> list[str]:
    own = [library for library in OWN if importlib.util.find_spec(library) is not None]
    return sorted({*own, *(_plain(point.name) for point in _points() if not point.value.startswith("tracer."))})


def _points() -> Iterable[EntryPoint]:
    return (point for group in GROUPS for point in entry_points(group=group))


def _switch_on(library: str, asked: bool) -> bool:
    if library in OWN:
        return _own(library)
    for point in _points():
        if _plain(point.name) == library and not point.value.startswith("tracer."):
            try:
                made = cast("Callable[[], Instrumentor]", point.load())()
            except ImportError as error:
                log.log(30 if asked else 10, "%s is not traced: %s", library, error)
                return False
            recorder = active()
            made.instrument(tracer_provider=recorder.provider if recorder is not None else None)
            return True
    package = PACKAGES.get(library)
    known = ", ".join(sorted({*OWN, *PACKAGES}))
    log.warning(
        "%s is not traced: %s",
        library,
        f"install it with `pip install {package}`" if package else f"no instrumentation of that name is installed; known are {known}",
    )
    return False


def _own(library: str) -> bool:
    if importlib.util.find_spec(library) is None:
        log.warning("%s is not traced: it is not installed", library)
        return False
    importlib.import_module(OWN[library]).instrument()
    return True
