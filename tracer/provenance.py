"""Which code and which settings made a trace: git commit and a digest of the configuration, as resource attributes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tracer import conventions as names
from tracer.capture import to_json

_GIT_SECONDS = 1.0
_DEPTH = 12  # folders looked at above the working directory


def described(service: str | None, environment: str | None, configuration: Mapping[str, object] | None) -> dict[str, str | bool]:
    """The resource attributes of this process, beside those of OpenTelemetry."""
    found: dict[str, str | bool | None] = {
        names.SERVICE_NAME: service,
        names.ENVIRONMENT: environment,
        names.GIT_COMMIT: commit(Path.cwd()),
        names.CONFIGURATION_DIGEST: digest(configuration) if configuration is not None else None,
    }
    return {name: value for name, value in found.items() if value is not None}


def dirty(folder: Path) -> bool | None:
    """Whether tracked files differ from the commit; None where that cannot be told. Starts git: off the caller's thread only."""
    command = ["git", "-C", str(folder), "status", "--porcelain", "--untracked-files=no"]
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    try:
        told = subprocess.run(command, capture_output=True, timeout=_GIT_SECONDS, stdin=subprocess.DEVNULL, env=environment, check=False)
    except (OSError, subprocess.SubprocessError):
        return None
    return bool(told.stdout.strip()) if told.returncode == 0 else None


def digest(configuration: Mapping[str, object]) -> str:
    """A short digest of settings, the same for the same settings in any order."""
    from hashlib import sha256

    ordered = dict(sorted((str(name), value) for name, value in configuration.items()))
    return sha256(to_json(ordered)).hexdigest()[:16]


def commit(folder: Path) -> str | None:
    """The commit checked out in this folder, read from git's files: no process is started. None outside a work tree."""
    for parent in [folder, *folder.parents][:_DEPTH]:
        git = parent / ".git"
        try:
            if git.is_file():
                git = (parent / git.read_text().partition("gitdir:")[2].strip()).resolve()
            if git.is_dir():
                return _head(git)
        except (OSError, UnicodeDecodeError):
            return None
    return None


def _head(git: Path) -> str | None:
    head = (git / "HEAD").read_text().strip()
    if not head.startswith("ref: "):
        return head or None
    reference = head[5:]
    common = git / "commondir"
    root = (git / common.read_text().strip()).resolve() if common.exists() else git
    for place in (git, root):
        if (place / reference).is_file():
            return (place / reference).read_text().strip()
    packed = root / "packed-refs"
    if packed.is_file():
        for line in packed.read_text().splitlines():
            sha, _, name = line.partition(" ")
            if name == reference:
                return sha
    return None
