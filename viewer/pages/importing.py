"""The import page: mounts its component, which sends dropped files to the collector's import in pieces."""

from __future__ import annotations

from viewer.component import declare
from viewer.settings import load

IMPORT_FILES = declare("import_files")


def page() -> None:
    IMPORT_FILES(key="import", data={"api": "/api/v1", "endpoint": load().collector})
