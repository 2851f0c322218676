"""Secrets leave no trace: a table of (pattern, action) applied to every text before it leaves the process or reaches the disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Attributes = dict[str, Any]


def redactor(rules: object = True) -> Callable[[Attributes], Attributes] | None:
    return None
