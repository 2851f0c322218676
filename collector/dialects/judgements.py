"""What was made of an answer: its prompt's template, where passages went, citations, and evaluations that travelled with the span."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from collector.dialects.reading import Fields, Reading
from collector.dialects.values import as_json, as_list, first, integer, number, text
from collector.model import (
    AnnotatorKind,
    Citation,
    Placement,
    Prompt,
    Score,
    SpanKind,
)


def fill_prompt(reading: Reading, kind: SpanKind, fields: Fields) -> None:
    fields["prompt"] = _prompt(reading)


def fill_citations(reading: Reading, kind: SpanKind, fields: Fields) -> None:
    fields["citations"] = _citations(reading)


def fill_placement(reading: Reading, kind: SpanKind, fields: Fields) -> None:
    fields["placement"] = _placement(reading)


def fill_scores(reading: Reading, kind: SpanKind, fields: Fields) -> None:
    fields["scores"] = _scores(reading, kind, reading.returned)


def _prompt(reading: Reading) -> Prompt | None:
    template = reading.take("template", "prompt")
    variables = reading.take("variables", "prompt") or reading.mapped("variables")
    name, version = reading.take("prompt_name", "prompt"), reading.take("prompt_version", "prompt")
    if not (template or variables or name or version):
        return None
    return Prompt(template, {key: as_json(value) for key, value in variables.items()}, name, version)


def _citations(reading: Reading) -> Sequence[Citation]:
    return [
        Citation(
            str(item.get("marker", "")), text(item.get("document_id")), valid if isinstance(valid := item.get("valid"), bool) else None
        )
        for item in reading.take("citations") or ()
        if isinstance(item, dict)
    ]


def _placement(reading: Reading) -> Sequence[Placement]:
    return [
        Placement(
            text(item.get("id")),
            integer(item.get("position")) or 0,
            integer(item.get("message")),
            integer(item.get("start")),
            integer(item.get("end")),
            integer(item.get("tokens")),
            bool(item.get("cut")),
        )
        for item in reading.take("placement") or ()
        if isinstance(item, dict)
    ]


def _scores(reading: Reading, kind: SpanKind, returned: Any) -> Sequence[Score]:
    found: list[Score] = []
    for _, items in reading.listed("evaluations"):
        found += [score for item in as_list(items) if (score := _score(item))]
    for _, items in reading.every("scores"):
        found += [score for item in items if (score := item if isinstance(item, Score) else _score(item))]
    if not found and kind is SpanKind.EVALUATOR and isinstance(returned, dict):
        judged = _score({"name": reading.span.name, **returned})
        if judged:
            found.append(judged)
    return found


def _score(item: Any) -> Score | None:
    if not isinstance(item, dict):
        return None
    name = text(item.get("name"))
    value = first(item, ("value", "score"))
    if isinstance(value, bool):
        value = float(value)
    label, explanation = text(item.get("label")), text(first(item, ("explanation", "reason", "reasoning")))
    if name is None or (number(value) is None and label is None):
        return None
    annotator = item.get("annotator") if isinstance(item.get("annotator"), dict) else {}
    kind = str((annotator or {}).get("kind") or item.get("annotator_kind") or "CODE").upper()
    identity = text((annotator or {}).get("id") or item.get("identifier"))
    known = AnnotatorKind(kind) if kind in AnnotatorKind.__members__ else AnnotatorKind.CODE
    return Score(name, number(value), label, explanation, known, identity)
