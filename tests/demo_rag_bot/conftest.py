"""A small docs folder about an imaginary tool, read by the real bot with its offline endpoint."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import tracer
from demo_rag_bot.bot import Bot
from demo_rag_bot.conversation import Conversations
from demo_rag_bot.settings import BotSettings, Library
from demo_rag_bot.threads import ThreadStore

PAGES = {
    "install.md": """---
title: Installation
---
# Installation

Install Harbour with `pip install harbour`. It needs Python 3.11 or newer.

## From source

Clone the repository and run `make install` in it. The build takes about 40 seconds.

## Uninstall

Run `pip uninstall harbour`; the configuration in `~/.harbour` stays.
""",
    "volumes.md": """# Volumes

A volume keeps data after a container has gone.

## Mount a volume

Use the option `-v host:container`:

```sh
harbour run -v /data:/var/lib/app app
```

The host folder is made if it is missing. See [ports](network/ports.md#publish-a-port) for the network.

## Remove a volume

`harbour volume rm NAME` deletes it; a volume in use is refused unless you add `--force`.
""",
    "network/ports.rst": """Ports
=====

Publish a port
--------------

Publish a port with :option:`-p`. The form is ``host:container``.

.. code-block:: sh

   harbour run -p 8080:80 web

.. note:: Ports below 1024 need root.

Timeouts
--------

A connection that is idle for 90 seconds is closed. Set ``max_idle_seconds`` to change it.
""",
    "logging.html": """<html><head><title>Logging</title></head><body><nav>menu</nav><main><h1 id="logging">Logging</h1>
<p>Logs go to standard error. Set <code>HARBOUR_LOG=json</code> for JSON lines.</p>
<h2 id="rotation">Rotation</h2><p>Log files are rotated at 10 MB; five are kept.</p>
<table><tr><th>level</th><th>meaning</th></tr><tr><td>debug</td><td>everything</td></tr></table></main></body></html>""",
    "ja.md": "# 日本語ガイド\n\n## ボリュームの削除\n\nボリュームを削除するには `harbour volume rm` を使います。\n",
    "notes.txt": "Release notes\n\nVersion 2 renamed the option --publish to -p.\n",
}


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    root = tmp_path / "docs"
    for name, text in PAGES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, "utf-8")
    return root


@pytest.fixture
def library(docs: Path, tmp_path: Path) -> Iterator[Library]:
    opened = Library.open(BotSettings.of(docs, tmp_path / "indexes"))
    yield opened
    opened.close()


@pytest.fixture
def bot(library: Library) -> Bot:
    return Bot.on(library.index(), library.endpoint)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ThreadStore]:
    opened = ThreadStore(tmp_path / "bot.db")
    yield opened
    opened.close()


@pytest.fixture
def talk(library: Library, store: ThreadStore) -> Conversations:
    return Conversations(library, library.index(), store)


@pytest.fixture(scope="session", autouse=True)
def untraced() -> None:
    """Nothing is sent anywhere; what a test captures it captures all the same."""
    tracer.disable()


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY", "RIGHTPASSAGE_FAULT", "RIGHTPASSAGE_DOCS"):
        monkeypatch.delenv(name, raising=False)
