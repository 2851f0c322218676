"""Where the bot finds its things: the docs folder, the index folder, the data file; and how a `Bot` is put together from them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

from demo_rag_bot.corpus import Corpus, read_corpus
from demo_rag_bot.endpoint import Endpoint, EndpointSettings
from demo_rag_bot.index import Index
from demo_rag_bot.passages import STANDARD, Cutting
from demo_rag_bot.snapshots import Progress, open_or_build

HOST, PORT = "127.0.0.1", 8600
DECISIONS = "decisions"  # records for maintainers, not documentation: left out of the default corpus


def default_docs() -> Path:
    """The project's own documentation: `docs/` of a checkout, else the copy that travels in the wheel."""
    here = Path(__file__).resolve().parent
    checkout = here.parent / "docs"
    return checkout if (here.parent / "pyproject.toml").is_file() and checkout.is_dir() else here / "docs"


def default_threads() -> Path:
    """The bot's own SQLite file, in the user's data folder."""
    return platformdirs.user_data_path("rightpassage") / "bot.db"


@dataclass(frozen=True)
class BotSettings:
    docs: Path = field(default_factory=default_docs)
    index_folder: Path | None = None  # None: the platform's cache folder
    endpoint: EndpointSettings = field(default_factory=EndpointSettings.from_environment)

    @classmethod
    def of(cls, docs: Path | None = None, index_folder: Path | None = None) -> BotSettings:
        """The defaults, where nothing else is given."""
        return cls(docs or default_docs(), index_folder)

    @property
    def snapshots(self) -> Path:
        """The folder of this docs folder's snapshots."""
        root = self.index_folder or platformdirs.user_cache_path("rightpassage") / "indexes"
        docs = self.docs.resolve()
        return root / f"{docs.name}-{hashlib.sha256(os.fsencode(docs)).hexdigest()[:8]}"

    @property
    def leave_out(self) -> Sequence[str]:
        return (DECISIONS,) if self.docs.resolve() == default_docs().resolve() else ()


@dataclass(frozen=True)
class Library:
    """A docs folder, read, with the endpoint that embeds it: makes the indexes the bot asks."""

    settings: BotSettings
    corpus: Corpus
    endpoint: Endpoint

    @classmethod
    def open(cls, settings: BotSettings) -> Library:
        return cls(settings, read_corpus(settings.docs, leave_out=settings.leave_out), Endpoint.open(settings.endpoint))

    def index(
        self, corpus: Corpus | None = None, *, cutting: Cutting = STANDARD, progress: Progress = lambda what, done, total: None
    ) -> Index:
        """The snapshot of the corpus as it is now (or of a variant of it)."""
        return open_or_build(corpus or self.corpus, self.endpoint, self.settings.snapshots, cutting=cutting, progress=progress)

    def close(self) -> None:
        self.endpoint.close()
