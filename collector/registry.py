"""Named things with immutable versions and labels that move: prompts, indexes, datasets, pipelines, saved views.

A version is its content: publishing the same content again is the same version, whoever does it. People write `name`, `name@label`
or `name@digest`; the catalogue keeps them. This is that way of speaking, over any `Catalog`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from collector.errors import InvalidValue
from collector.model import Index, Json, Prompt, Version
from collector.store.base import Catalog


class Kind(StrEnum):
    """What is versioned."""

    PROMPT = "prompt"
    INDEX = "index"
    DATASET = "dataset"
    PIPELINE = "pipeline"
    VIEW = "view"
    RULES = "rules"


@dataclass(frozen=True, slots=True)
class Reference:
    """`name`, `name@label` or `name@digest`; without an @ the latest version is meant."""

    name: str
    version: str = "latest"

    @classmethod
    def parse(cls, text: str) -> Reference:
        name, at, version = text.rpartition("@")
        if not at:
            return cls(text)
        if not name or not version:
            raise InvalidValue(f"{text!r} is no reference: write name, name@label or name@digest")
        return cls(name, version)


class Registry:
    """One kind of things in a catalogue."""

    def __init__(self, catalog: Catalog, kind: Kind) -> None:
        self._catalog, self.kind = catalog, kind

    def publish(self, name: str, content: Json, *, labels: Sequence[str] = ()) -> Version:
        """The version with this content, added if it is new; labels move to it."""
        return self._catalog.add_version(self.kind, name, content, labels)

    def get(self, reference: str) -> Version:
        """The version a reference names; `NotFound` names what there is."""
        wanted = Reference.parse(reference)
        return self._catalog.version(self.kind, wanted.name, wanted.version)

    def promote(self, reference: str, label: str) -> Version:
        """Move a label to the version that a reference names."""
        found = self.get(reference)
        return self._catalog.label(self.kind, found.name, found.digest, label)

    def history(self, name: str) -> Sequence[Version]:
        """All versions, newest first."""
        return self._catalog.versions(self.kind, name)

    def names(self) -> Sequence[str]:
        return self._catalog.names(self.kind)

    def forget(self, name: str) -> int:
        """Remove a name with its versions; how many there were."""
        return self._catalog.remove(self.kind, name)


def prompt_of(version: Version) -> Prompt:
    """A prompt version's content as a `Prompt`."""
    content = version.content
    if not isinstance(content, Mapping) or not isinstance(content.get("template"), str):
        raise InvalidValue(f"{version.kind} {version.name!r} has no template")
    return Prompt(str(content["template"]), {}, version.name, version.digest[:12])


def index_of(version: Version) -> Index:
    """An index version's manifest as an `Index`; unknown entries are left out."""
    content = version.content
    if not isinstance(content, Mapping):
        raise InvalidValue(f"{version.kind} {version.name!r} has no manifest")
    known = Index(name=version.name, version=version.digest[:12])
    for field in ("corpus_digest", "embedding_model", "chunking"):
        if isinstance(text := content.get(field), str):
            known = replace(known, **{field: text})
    for field in ("passage_count", "dimension"):
        if isinstance(number := content.get(field), int):
            known = replace(known, **{field: number})
    return known
