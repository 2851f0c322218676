"""Makers: the same instances as the class itself makes, only sooner."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError, replace

import pytest

from collector.making import maker
from collector.model import Document, Normalised, Span


def test_what_a_maker_makes_is_an_instance_of_the_frozen_class() -> None:
    made = maker(Document)("A passage.", "doc-1", rank=2)
    assert type(made) is Document
    assert made == Document("A passage.", "doc-1", rank=2)
    assert replace(made, rank=1).rank == 1
    assert pickle.loads(pickle.dumps(made)) == made
    with pytest.raises(FrozenInstanceError):
        made.rank = 3  # type: ignore[misc]


def test_defaults_are_those_of_the_class_and_never_shared() -> None:
    make = maker(Normalised)
    assert make() == Normalised()
    assert make().parameters is not make().parameters
    with pytest.raises(TypeError):
        maker(Span)("only a trace id")  # type: ignore[call-arg]
