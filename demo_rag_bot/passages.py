"""Pages → passages: the units that are indexed, retrieved and cited.

A passage is one section of a page, or a part of a long one, and knows its heading path and anchor. Sections are cut between paragraphs,
never inside a code block that fits. Sections of a line or two join the section that follows them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from demo_rag_bot.corpus import Page
from demo_rag_bot.formats import ATTRIBUTES, ATX_HEADING, outside_code, plain


@dataclass(frozen=True, slots=True)
class Cutting:
    """How pages are cut, in words. Part of an index's fingerprint."""

    target: int = 180  # a part is closed when it reaches this
    limit: int = 280  # and never grows beyond this
    small: int = 25  # a section shorter than this joins the next

    def __str__(self) -> str:
        return f"sections, {self.target}-{self.limit} words, join under {self.small}"


STANDARD = Cutting()


@dataclass(frozen=True, slots=True)
class Passage:
    id: str  # source#anchor, with ~n from the second part of a section on
    source: str
    title: str
    heading: str  # the path of headings under the title: "Install > From source"
    anchor: str
    text: str  # Markdown

    @property
    def digest(self) -> str:
        """The hash of what is embedded: the same text elsewhere needs no second embedding."""
        return hashlib.sha256(self.embedded_text.encode()).hexdigest()[:20]

    @property
    def embedded_text(self) -> str:
        return f"{self.title} > {self.heading}\n{self.text}" if self.heading else f"{self.title}\n{self.text}"

    @property
    def link(self) -> str:
        return f"{self.source}#{self.anchor}" if self.anchor else self.source


@dataclass(frozen=True, slots=True)
class _Section:
    level: int
    path: tuple[str, ...]
    anchor: str
    blocks: tuple[str, ...]

    @property
    def length(self) -> int:
        return sum(len(block.split()) for block in self.blocks)


def cut(pages: Sequence[Page], cutting: Cutting = STANDARD) -> list[Passage]:
    """Every passage of every page, in reading order."""
    return [passage for page in pages for passage in cut_page(page, cutting)]


def cut_page(page: Page, cutting: Cutting = STANDARD) -> Iterator[Passage]:
    taken: dict[str, int] = {}
    for section in _joined(_sections(page), cutting):
        for part in _parts(section.blocks, cutting):
            name = f"{page.source}#{section.anchor}" if section.anchor else page.source
            taken[name] = taken.get(name, 0) + 1
            number = f"~{taken[name]}" if taken[name] > 1 else ""
            path = section.path[1:] if section.path[:1] == (page.title,) else section.path
            yield Passage(f"{name}{number}", page.source, page.title, " > ".join(path), section.anchor, part)


def _sections(page: Page) -> Iterator[_Section]:
    path: list[tuple[int, str]] = []
    anchor, lines = "", list[str]()
    slugs: dict[str, int] = {}
    for line, in_code in outside_code(page.markdown):
        heading = None if in_code else ATX_HEADING.match(line)
        if not heading:
            lines.append(line)
            continue
        yield _Section(path[-1][0] if path else 0, tuple(name for _, name in path), anchor, tuple(_blocks(lines)))
        level, name = len(heading[1]), plain(heading[2])
        path = [*((above, text) for above, text in path if above < level), (level, name)]
        anchor, lines = _anchor(heading[2], name, slugs), []
    yield _Section(path[-1][0] if path else 0, tuple(name for _, name in path), anchor, tuple(_blocks(lines)))


def _anchor(heading: str, name: str, slugs: dict[str, int]) -> str:
    """The explicit `{#anchor}`, else the heading's slug as GitHub makes it."""
    explicit = ATTRIBUTES.search(heading)
    if explicit and explicit["anchor"]:
        return explicit["anchor"]
    slug = re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", name.lower()).strip())
    slugs[slug] = slugs.get(slug, -1) + 1
    return f"{slug}-{slugs[slug]}" if slugs[slug] else slug


def _blocks(lines: list[str]) -> Iterator[str]:
    """Paragraphs, lists, tables and code blocks: what stands between blank lines outside code."""
    block: list[str] = []
    for line, in_code in outside_code("\n".join(lines)):
        if line.strip() or in_code:
            block.append(line)
        elif block:
            yield "\n".join(block)
            block = []
    if block:
        yield "\n".join(block)


def _joined(sections: Iterator[_Section], cutting: Cutting) -> Iterator[_Section]:
    """Sections, where one too short to stand alone opens the next of its page."""
    held: _Section | None = None
    for section in sections:
        if held is not None:
            if section.level > held.level or held.length == 0:
                opened = (f"{'#' * section.level} {section.path[-1]}",) if held.length and section.path else ()
                section = replace(section, blocks=(*held.blocks, *opened, *section.blocks))
            else:
                yield held
            held = None
        if section.length < cutting.small:
            held = section if section.length else None
        else:
            yield section
    if held is not None:
        yield held


def _parts(blocks: Sequence[str], cutting: Cutting) -> Iterator[str]:
    """Blocks packed into parts of `target` to `limit` words."""
    return _packed((piece for block in blocks for piece in _pieces(block, cutting.limit)), "\n\n", cutting.target, cutting.limit)


def _pieces(block: str, limit: int) -> Iterator[str]:
    """A block over the limit, cut between lines, and an endless line between words."""
    if len(block.split()) <= limit:
        return iter((block,))
    lines = (piece for line in block.splitlines() for piece in _between_words(line, limit))
    return _packed(lines, "\n", limit, limit)


def _between_words(line: str, limit: int) -> Iterator[str]:
    words = line.split()
    return iter((line,)) if len(words) <= limit else (" ".join(words[start : start + limit]) for start in range(0, len(words), limit))


def _packed(pieces: Iterable[str], joint: str, target: int, limit: int) -> Iterator[str]:
    """Pieces joined until they have `target` words, none over `limit`."""
    pack, length = list[str](), 0
    for piece in pieces:
        size = len(piece.split())
        if pack and (length + size > limit or length >= target):
            yield joint.join(pack)
            pack, length = [], 0
        pack.append(piece)
        length += size
    if pack:
        yield joint.join(pack)
