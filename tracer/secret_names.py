"""Which names of keys, headers and arguments say that their value is a secret."""

from __future__ import annotations

import functools
import re

_SECRET_NAMES = (
    rb"pass(?:word|wd|phrase|code)|pwd|secret(?:s|[_-]?key|[_-]?access[_-]?key)?|api[_-]?key|access[_-]?key(?:[_-]?id)?|account[_-]?key"
    rb"|private[_-]?key|client[_-]?secret|(?:auth|access|refresh|bearer|session|id|bot|api|personal[_-]?access)[_-]?token|token"
    rb"|authorization|proxy-authorization|credentials?|(?:set-)?cookie"
)
_NAMED = re.compile(rb"(?:^|[._\-\s])(?:" + _SECRET_NAMES + rb")$", re.IGNORECASE)


@functools.lru_cache(maxsize=4096)
def names_a_secret(name: str) -> bool:
    """Whether a key, header or argument of this name holds a secret."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)  # apiKey
    return _NAMED.search(spaced.encode("utf-8", "replace")) is not None
