"""Zero-code start: `opentelemetry-instrument python app.py` configures this tracer and switches on what is installed.

OpenTelemetry's launcher finds these classes by their entry points: a configurator, and an instrumentor for each library of our own.
Where another configurator is installed too, `OTEL_PYTHON_CONFIGURATOR=rightpassage` chooses this one.
"""

from __future__ import annotations

import importlib
import importlib.util
from importlib.metadata import entry_points
from typing import Any

from tracer.configuration import configure
from tracer.instrumentation import OWN


class Configurator:
    """Does what `tracer.configure()` does, from the environment."""

    def configure(self, **kwargs: Any) -> None:
        configure()


class _Library:
    """An instrumentor of our own, unless another package already traces the library."""

    library = ""

    def instrument(self, **kwargs: Any) -> None:
        if importlib.util.find_spec(self.library) is None:
            raise ModuleNotFoundError(f"{self.library} is not installed")
        if not _traced_by_another(self.library):
            importlib.import_module(OWN[self.library]).instrument()


class OpenAI(_Library):
    library = "openai"


class Faiss(_Library):
    library = "faiss"


def _traced_by_another(library: str) -> bool:
    return any(
        library in point.name and not point.value.startswith("tracer.") for point in entry_points(group="opentelemetry_instrumentor")
    )
