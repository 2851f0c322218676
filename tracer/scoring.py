"""score(): a judgement of the open span, or of a past trace, span or session, delivered like spans are."""

from __future__ import annotations

import orjson

from tracer import conventions as names
from tracer.lightspan import Span
from tracer.recorder import active
from tracer.safety import forgiving, quiet, report
from tracer.where import current_span


@quiet
@forgiving
def score(
    name: str,
    value: float | None = None,
    *,
    label: str | None = None,
    explanation: str | None = None,
    annotator: str | None = None,
    annotator_kind: str = "CODE",
    trace_id: str | None = None,
    span_id: str | None = None,
    session_id: str | None = None,
) -> None:
    """Records a score: on the open span, or on what `trace_id` (and `span_id`), or `session_id` names.

    The last score of one name and annotator counts; one without value and label takes it back.
    """
    said = {"value": float(value) if value is not None else None, "label": label, "explanation": explanation}
    judged: dict[str, object] = {"name": name, **{key: item for key, item in said.items() if item is not None}}
    judged["annotator"] = {"kind": annotator_kind, **({"id": annotator} if annotator is not None else {})}
    if trace_id is None and session_id is None:
        _on_open_span(name, judged)
        return
    recorder = active()
    if recorder is None or recorder.pipeline is None:
        return
    target = {"session_id": session_id} if trace_id is None else {"trace_id": trace_id, **({"span_id": span_id} if span_id else {})}
    recorder.pipeline.post("/api/v1/scores", orjson.dumps({"target": target, **judged}))


def _on_open_span(name: str, judged: dict[str, object]) -> None:
    span = current_span()
    if not isinstance(span, Span) or not span.recording:
        report("score", "score(%r) needs an open span, or trace_id= or session_id=", name)
        return
    before = span.get(names.SCORES)
    known = orjson.loads(before) if before is not None else []
    span.put(names.SCORES, orjson.dumps([*known, judged]))
