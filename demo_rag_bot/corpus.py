"""A folder of documentation → pages.

Every readable file becomes one `Page`: Markdown text with its headings, whatever it was written in (`formats.py` converts). A file that
cannot be read is named in `Corpus.skipped` and never stops the others. The digest of a page is the digest of its text, so that a
re-index touches only what changed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from demo_rag_bot.formats import READERS, Unreadable

MAX_FILE_BYTES = 4_000_000  # a larger file is a data dump, not a page
_NOT_DOCS = frozenset({"node_modules", "__pycache__", "_build", "_static", "_templates", "_themes", "site-packages"})


@dataclass(frozen=True, slots=True)
class Page:
    """One file: `source` is its path relative to the folder, `markdown` its text."""

    source: str
    title: str
    markdown: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(f"{self.source}\0{self.title}\0{self.markdown}".encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Corpus:
    root: Path
    pages: Sequence[Page]
    skipped: Sequence[tuple[str, str]] = ()  # (source, reason)

    @property
    def digest(self) -> str:
        return hashlib.sha256("\n".join(sorted(page.digest for page in self.pages)).encode()).hexdigest()[:16]


def read_corpus(root: Path, *, leave_out: Sequence[str] = ()) -> Corpus:
    """Every page under `root`, in path order; folders named in `leave_out` (relative to `root`) are not entered."""
    if not root.is_dir():
        raise NotADirectoryError(f"no such docs folder: {root}")
    pages: list[Page] = []
    skipped: list[tuple[str, str]] = []
    for path in _files(root, frozenset(leave_out)):
        source = path.relative_to(root).as_posix()
        try:
            title, markdown = READERS[path.suffix.lower()](_text(path), path, root)
        except (Unreadable, OSError, UnicodeDecodeError) as error:
            skipped.append((source, str(error) or type(error).__name__))
            continue
        if markdown.strip():
            pages.append(Page(source, title or path.stem.replace("_", " ").replace("-", " "), markdown))
    return Corpus(root, pages, skipped)


def _files(root: Path, leave_out: frozenset[str]) -> Iterator[Path]:
    for folder, subfolders, names in os.walk(root):
        here = Path(folder)
        subfolders[:] = sorted(
            name
            for name in subfolders
            if name not in _NOT_DOCS and not name.startswith(".") and (here / name).relative_to(root).as_posix() not in leave_out
        )
        for name in sorted(names):
            if Path(name).suffix.lower() in READERS and not name.startswith("."):
                yield here / name


def _text(path: Path) -> str:
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        raise Unreadable(f"{size:,} bytes; at most {MAX_FILE_BYTES:,} are read")
    data = path.read_bytes()
    if b"\0" in data[:8192]:
        raise Unreadable("binary data in a text file")
    return data.decode("utf-8-sig")
