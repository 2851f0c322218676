"""Where the viewer's collector and bot are, and the token that guards it: one frozen value read from the environment.

`python -m viewer` writes its options into the environment before Streamlit starts; a page, a test or another ASGI server reads them back
from there, so a page needs no argument and nothing is global but the process itself.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

COLLECTOR, BOT, TOKEN, HOSTS = "RIGHTPASSAGE_COLLECTOR", "RIGHTPASSAGE_BOT", "RIGHTPASSAGE_TOKEN", "RIGHTPASSAGE_ALLOW_HOST"

DEFAULT_COLLECTOR = "http://127.0.0.1:4318"


@dataclass(frozen=True, slots=True)
class Settings:
    """`token` guards the viewer's own pages and is what it shows the collector; `bot` is "" where no bot runs."""

    collector: str = DEFAULT_COLLECTOR
    bot: str = ""
    token: str = ""
    allowed_hosts: tuple[str, ...] = ()

    def environment(self) -> dict[str, str]:
        """The variables that make `load` return this value."""
        return {COLLECTOR: self.collector, BOT: self.bot, TOKEN: self.token, HOSTS: ",".join(self.allowed_hosts)}


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of this process (or of the given environment)."""
    env = os.environ if environ is None else environ
    return Settings(
        collector=(env.get(COLLECTOR) or DEFAULT_COLLECTOR).rstrip("/"),
        bot=(env.get(BOT) or "").rstrip("/"),
        token=env.get(TOKEN) or "",
        allowed_hosts=tuple(host.strip() for host in (env.get(HOSTS) or "").split(",") if host.strip()),
    )
