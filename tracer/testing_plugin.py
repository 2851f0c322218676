"""The pytest plugin: spans of a test as a fixture, and the span tree of a failed test in its report.

`captured_spans` keeps the spans of a test; a failing test that uses it shows them as a tree, with documents and errors. With
`--trace-to URL` the spans go to a collector as well, and the report links each failed test's traces. The tracer itself is only imported
by tests that use the fixture.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tracer.testing import CapturedSpans

_SPANS: pytest.StashKey[CapturedSpans] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("rightpassage", "traces of tests")
    group.addoption("--trace-to", metavar="URL", default=None, help="send the spans of tests to this collector, and link failed tests")


@pytest.fixture
def captured_spans(request: pytest.FixtureRequest) -> Generator[CapturedSpans]:
    """The spans of this test: a sequence with `named(…)`, `of_kind(…)` and `tree()`."""
    import tracer
    from tracer.testing import capture_spans

    collector: str | None = request.config.getoption("--trace-to")
    if collector is not None:
        tracer.configure("pytest", endpoint=collector)
    with capture_spans(deliver=collector is not None) as spans, tracer.metadata(test=request.node.nodeid):
        request.node.stash[_SPANS] = spans
        yield spans
    if collector is not None:
        tracer.flush()


@pytest.fixture
def assert_retrieved(captured_spans: CapturedSpans) -> Callable[..., None]:
    """`assert_retrieved("volumes.md", k=3)`: fails unless a retriever of this test returned the document."""
    from tracer.testing import assert_retrieved as check

    def assert_retrieved(expected: str, *, k: int | None = None, stage: str | None = None) -> None:
        __tracebackhide__ = True
        check(captured_spans, expected, k=k, stage=stage)

    return assert_retrieved


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    spans = item.stash.get(_SPANS, None)
    if report.failed and report.when == "call" and spans:
        report.sections.append(("Captured spans", spans.tree() + _links(item, spans)))
    return report


def _links(item: pytest.Item, spans: CapturedSpans) -> str:
    if item.config.getoption("--trace-to") is None:
        return ""
    from tracer.recorder import current
    from tracer.where import trace_url

    viewer = current.recorder.viewer if current.recorder is not None else None
    return "".join(f"\n{trace_url(trace_id, viewer)}" for trace_id in dict.fromkeys(span.trace_id for span in spans))
