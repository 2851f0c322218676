"""Whatever is asked of the API, it answers with data or a problem: no 5xx, no hang, no HTML."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.app import create_api
from tests.collector.served import Served, rag_trace, served

DESCRIBED: dict[str, dict[str, Any]] = create_api().openapi()["paths"]
READS = [(path, operations["get"]) for path, operations in DESCRIBED.items() if "get" in operations and path != "/api/v1/live"]
WRITES = [(method.upper(), path) for path, methods in DESCRIBED.items() for method in methods if method in ("post", "put", "delete")]
STRANGE = st.sampled_from(
    [
        "",
        "\0",
        "\x1b[31m",
        "../../etc/passwd",
        "%00",
        "' OR 1=1 --",
        "0",
        "-1",
        "1e999",
        str(2**70),
        "true",
        "*",
        "(" * 60,
        "中文",
        "‮",
        "a" * 5_000,
    ]
)
TEXT = STRANGE | st.text(max_size=40)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("fuzz")) as running:
        running.send(*rag_trace(session="s")[1])
        yield running


def is_sane(answer: Any) -> bool:
    kinds = ("application/json", "application/problem+json", "application/x-ndjson", "text/plain", "application/vnd.sqlite3")
    return (answer.status_code < 500 or answer.status_code == 503) and answer.headers.get("content-type", "").startswith(kinds)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(read=st.sampled_from(READS), data=st.data())
def test_any_question_is_answered(here: Served, read: tuple[str, dict[str, Any]], data: st.DataObject) -> None:
    path, operation = read
    filled = re.sub(r"\{[^}]+\}", lambda _: quote(data.draw(TEXT, "in the path"), safe="") or "x", path)
    names = [parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "query"]
    params = {name: data.draw(TEXT, name) for name in names if data.draw(st.booleans(), f"{name}?")}
    answer = here.http.get(filled, params=params)
    assert is_sane(answer), (filled, params, answer.status_code, answer.text[:500])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(TEXT | st.sampled_from(["target", "name", "value", "annotator", "fields"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(write=st.sampled_from(WRITES), body=JSON, in_path=TEXT)
def test_any_body_is_answered(here: Served, write: tuple[str, str], body: Any, in_path: str) -> None:
    method, path = write
    filled = re.sub(r"\{[^}]+\}", lambda _: quote(in_path, safe="") or "x", path)
    content = json.dumps(body).encode("utf-8", "replace")
    answer = here.http.request(method, filled, content=content, headers={"content-type": "application/json"})
    assert is_sane(answer), (method, filled, body, answer.status_code, answer.text[:500])
