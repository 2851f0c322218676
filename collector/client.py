"""CollectorClient: everything a running collector can be asked, typed, over its HTTP API.

The viewer, the bot and the command line use it; so can a notebook. Answers are the dataclasses of `collector.model`, errors the classes
of `collector.errors`: an unknown id raises `TraceNotFound`, a bad filter `FilterError`, no collector `CollectorUnreachable`.
One client may be shared by threads. It makes no connection before the first question and follows no redirect.
"""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx
import orjson

from collector.errors import (
    CollectorRefused,
    CollectorUnreachable,
    FilterError,
    InvalidValue,
    NotFound,
    Overloaded,
    RequestTooLarge,
    RightPassageError,
    SpanNotFound,
    StoreUnavailable,
    TraceNotFound,
    Unauthorised,
    UnsupportedMediaType,
)
from collector.jsonform import encode, from_json, page_from_json
from collector.model import (
    AnnotatorKind,
    Json,
    LinkFrom,
    Page,
    PassageSummary,
    Pruned,
    RetentionPolicy,
    Score,
    SessionSummary,
    Skeleton,
    Span,
    SpanRow,
    Stats,
    Trace,
    TraceSummary,
    ValueCount,
    Version,
    Written,
)

T = TypeVar("T")
DEFAULT_URL = "http://127.0.0.1:4318"
_CONTENT_TYPES = {".json": "application/json", ".jsonl": "application/x-ndjson", ".ndjson": "application/x-ndjson"}


@dataclass(frozen=True, slots=True)
class FilterCheck:
    """Whether a filter parses; if not, where (characters from 0), why, and what may have been meant."""

    ok: bool
    position: int | None = None
    message: str | None = None
    suggestions: Sequence[str] = ()


class CollectorClient:
    """Ask a collector: `CollectorClient("http://127.0.0.1:4318").traces("status:error")`."""

    def __init__(
        self, url: str = DEFAULT_URL, token: str | None = None, *, timeout_s: float = 30, transport: httpx.BaseTransport | None = None
    ) -> None:
        self.url, self.token = _checked(url), token
        headers = {b"authorization": f"Bearer {token}".encode()} if token else {}
        self._http = httpx.Client(base_url=self.url, headers=headers, timeout=timeout_s, transport=transport, trust_env=False)

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        self.close()

    # ---- The collector itself ----

    def health(self) -> Mapping[str, Json]:
        """`/healthz`: status, version, sqlite_version, …"""
        return self._json("GET", "/healthz")

    def stats(self) -> Stats:
        """Exact counts and bytes."""
        return from_json(Stats, self._json("GET", "/api/v1/stats"))

    # ---- Traces and spans ----

    def traces(self, filter: str = "", *, limit: int = 50, cursor: str | None = None, order: str = "-start_time") -> Page[TraceSummary]:
        """One page of trace summaries, the newest first; `order` is [-]start_time, duration, cost, tokens, span_count or error_count."""
        answer = self._json("GET", "/api/v1/traces", params=_given(filter=filter, limit=limit, cursor=cursor, order=order))
        return page_from_json(TraceSummary, "traces", answer)

    def each_trace(self, filter: str = "", *, order: str = "-start_time", page_size: int = 200) -> Iterator[TraceSummary]:
        """Every matching trace, page by page."""
        cursor: str | None = None
        while True:
            page = self.traces(filter, limit=page_size, cursor=cursor, order=order)
            yield from page.items
            cursor = page.next_cursor
            if cursor is None:
                return

    def trace(self, trace_id: str) -> Trace:
        """A whole trace."""
        return from_json(Trace, self._json("GET", f"/api/v1/traces/{quote(trace_id, safe='')}"))

    def skeleton(self, trace_id: str) -> Skeleton:
        """A trace without payloads: what a tree needs."""
        return from_json(Skeleton, self._json("GET", f"/api/v1/traces/{quote(trace_id, safe='')}", params={"view": "skeleton"}))

    def span(self, trace_id: str, span_id: str) -> Span:
        """One whole span."""
        return from_json(Span, self._json("GET", f"/api/v1/traces/{quote(trace_id, safe='')}/spans/{quote(span_id, safe='')}"))

    def links(self, trace_id: str, *, limit: int = 50, cursor: str | None = None) -> Page[LinkFrom]:
        """One page of the links from other traces to a trace, the newest first."""
        answer = self._json("GET", f"/api/v1/traces/{quote(trace_id, safe='')}/links", params=_given(limit=limit, cursor=cursor))
        return page_from_json(LinkFrom, "from", answer)

    def spans(self, filter: str = "", *, limit: int = 50, cursor: str | None = None, order: str = "-start_time") -> Page[SpanRow]:
        """One page of matching spans, without payloads."""
        answer = self._json("GET", "/api/v1/spans", params=_given(filter=filter, limit=limit, cursor=cursor, order=order))
        return page_from_json(SpanRow, "spans", answer)

    def live(self, filter: str = "", *, last_event_id: str | None = None) -> Iterator[TraceSummary]:
        """Traces as they arrive or change, for ever; ends when the collector does."""
        headers = {"last-event-id": last_event_id} if last_event_id else {}
        with self._stream("GET", "/api/v1/live", "text/event-stream", params=_given(filter=filter), headers=headers) as answer:
            event = ""
            for line in answer.iter_lines():
                field, _, value = line.partition(": ")
                if field == "event":
                    event = value
                elif field == "data" and event == "trace":
                    yield from_json(TraceSummary, orjson.loads(value))

    def delete(self, filter: str) -> Pruned:
        """Delete the matching traces whole."""
        return from_json(Pruned, self._json("DELETE", "/api/v1/traces", params={"filter": filter}))

    def delete_all(self) -> Pruned:
        """Delete every trace."""
        return from_json(Pruned, self._json("DELETE", "/api/v1/traces", params={"all": "true"}, timeout_s=None))

    def delete_trace(self, trace_id: str) -> Pruned:
        """Delete one trace whole."""
        return from_json(Pruned, self._json("DELETE", f"/api/v1/traces/{quote(trace_id, safe='')}"))

    # ---- Scores ----

    def score(
        self,
        name: str,
        *,
        value: float | None = None,
        label: str | None = None,
        explanation: str | None = None,
        trace_id: str | None = None,
        span_id: str | None = None,
        session_id: str | None = None,
        annotator_kind: AnnotatorKind = AnnotatorKind.HUMAN,
        annotator_id: str | None = None,
    ) -> str:
        """Score a span, a trace or a session, also before it arrives; returns the score's id. No value and no label retract it."""
        body = _given(
            target=_given(trace_id=trace_id, span_id=span_id, session_id=session_id),
            name=name,
            value=value,
            label=label,
            explanation=explanation,
            annotator=_given(kind=annotator_kind.value, id=annotator_id),
        )
        return self._json("POST", "/api/v1/scores", json=body)["id"]

    def scores(self, trace_id: str) -> Sequence[Score]:
        """The scores that count on a trace and its spans."""
        answer = self._json("GET", f"/api/v1/traces/{quote(trace_id, safe='')}/scores")
        return tuple(from_json(Score, item) for item in answer["scores"])

    # ---- Sessions and passages ----

    def sessions(self, filter: str = "", *, limit: int = 50, cursor: str | None = None) -> Page[SessionSummary]:
        """One page of conversations, the most recently active first."""
        answer = self._json("GET", "/api/v1/sessions", params=_given(filter=filter, limit=limit, cursor=cursor))
        return page_from_json(SessionSummary, "sessions", answer)

    def session(self, session_id: str) -> tuple[SessionSummary, Sequence[TraceSummary]]:
        """One conversation and its traces, oldest first."""
        answer = self._json("GET", f"/api/v1/sessions/{quote(session_id, safe='')}")
        return from_json(SessionSummary, answer["session"]), tuple(from_json(TraceSummary, item) for item in answer["traces"])

    def passages(
        self, text: str | None = None, *, source: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> Page[PassageSummary]:
        """One page of the distinct passages that were ever returned."""
        answer = self._json("GET", "/api/v1/passages", params=_given(q=text, source=source, limit=limit, cursor=cursor))
        return page_from_json(PassageSummary, "passages", answer)

    def passage(self, passage_hash: str) -> tuple[PassageSummary, str, Sequence[TraceSummary]]:
        """One passage: summary, full text, the newest traces that retrieved it."""
        answer = self._json("GET", f"/api/v1/passages/{quote(passage_hash, safe='')}")
        traces = tuple(from_json(TraceSummary, item) for item in answer["traces"])
        return from_json(PassageSummary, answer["passage"]), answer["text"], traces

    # ---- Counting ----

    def values(self, field: str, *, prefix: str = "", filter: str = "", limit: int = 50) -> Sequence[ValueCount]:
        """Values of a field with their trace counts, most frequent first."""
        answer = self._json("GET", "/api/v1/values", params=_given(field=field, prefix=prefix, filter=filter, limit=limit))
        return tuple(from_json(ValueCount, item) for item in answer["values"])

    def aggregate(self, filter: str = "", *, measures: Sequence[str] = ("count",), by: Sequence[str] = ()) -> Sequence[Mapping[str, Json]]:
        """One row per group of spans (docs/api.md lists measures and groups)."""
        params = _given(filter=filter, measures=",".join(measures), by=",".join(by))
        return self._json("GET", "/api/v1/aggregate", params=params)["rows"]

    # ---- The filter language ----

    def filter_fields(self) -> Sequence[Mapping[str, Json]]:
        """The fields a filter may name: name, description, type, operators."""
        return self._json("GET", "/api/v1/filter/fields")["fields"]

    def check_filter(self, text: str) -> FilterCheck:
        """Whether a filter parses, and if not, where and why."""
        return from_json(FilterCheck, self._json("GET", "/api/v1/filter/check", params={"filter": text}))

    # ---- In and out ----

    def export(self, filter: str = "", *, format: str = "otlp-jsonl") -> Iterator[bytes]:
        """The matching traces as a stream of bytes: `otlp-jsonl` (lossless) or `jsonl` (our own form). One that breaks off raises
        `CollectorUnreachable`, which says after how many bytes."""
        came = 0
        with self._stream("GET", "/api/v1/export", "application/x-ndjson", params=_given(filter=filter, format=format)) as answer:
            try:
                for part in answer.iter_bytes():
                    came += len(part)
                    yield part
            except httpx.TransportError as problem:
                raise CollectorUnreachable(
                    f"the export was cut after {came:,} bytes: {self.url} broke off ({problem or type(problem).__name__}); what came is "
                    "incomplete. The collector's log says why; export again"
                ) from problem

    def import_bytes(self, body: bytes, *, content_type: str = "application/x-ndjson") -> Written:
        """Store what `export` (or an OTLP file exporter) wrote; spans already there are counted as duplicates."""
        answer = self._json("POST", "/api/v1/import", content=body, headers={"content-type": content_type})
        return from_json(Written, answer)

    def import_file(self, path: str | Path) -> Written:
        """`import_bytes` of a whole file, its kind taken from its name: .json, .jsonl, else protobuf."""
        path = Path(path)
        return self.import_bytes(path.read_bytes(), content_type=_CONTENT_TYPES.get(path.suffix, "application/x-protobuf"))

    # ---- Housekeeping ----

    def prune(self, policy: RetentionPolicy, *, dry_run: bool = False) -> Pruned:
        """Remove what the policy does not keep, oldest first."""
        body = {name: getattr(policy, name) for name in ("max_age_ns", "max_bytes", "max_traces", "keep_scored", "service")}
        return from_json(Pruned, self._json("POST", "/api/v1/prune", json=_given(**body, dry_run=dry_run), timeout_s=None))

    def renormalise(self) -> int:
        """Derive every stored span's fields again; returns the spans changed."""
        return self._json("POST", "/api/v1/renormalise", json={}, timeout_s=None)["changed"]

    def backup(self, path: str | Path) -> int:
        """Write a consistent copy of the running collector's database to a new file here; returns its bytes."""
        json_body = {"content": b"{}", "headers": {"content-type": "application/json"}}
        with (
            self._stream("POST", "/api/v1/backup", "application/vnd.sqlite3", **json_body) as answer,
            open(path, "xb", opener=_for_the_owner) as out,
        ):
            for part in answer.iter_bytes():
                out.write(part)
            return out.tell()

    # ---- Saved views and dialect rules ----

    def views(self) -> Sequence[Version]:
        """The saved views by name, each in its newest version."""
        return tuple(from_json(Version, item) for item in self._json("GET", "/api/v1/views")["views"])

    def save_view(self, name: str, content: Json) -> Version:
        """Save a view under a name (a new version, if there is one)."""
        return from_json(Version, self._json("PUT", f"/api/v1/views/{quote(name, safe='')}", json=content))

    def delete_view(self, name: str) -> None:
        self._json("DELETE", f"/api/v1/views/{quote(name, safe='')}")

    def rules(self) -> Mapping[str, Json]:
        """The user's dialect rules: attribute key → field."""
        return self._json("GET", "/api/v1/rules")["rules"]

    def save_rules(self, rules: Mapping[str, Json]) -> Mapping[str, Json]:
        """Replace the user's dialect rules; stored spans follow at the next `renormalise`."""
        return self._json("PUT", "/api/v1/rules", json=rules)["rules"]

    # ---- Over the wire ----

    def _json(self, method: str, path: str, *, json: object = None, timeout_s: float | None = -1, **options: Any) -> Any:
        if json is not None:
            options["content"] = encode(json)
            options["headers"] = {"content-type": "application/json"}
        if timeout_s != -1:
            options["timeout"] = timeout_s
        try:
            answer = self._http.request(method, path, **options)
        except httpx.TransportError as problem:
            raise self._unreachable(problem) from problem
        if not answer.is_success:
            raise _refusal(answer)
        try:
            return orjson.loads(answer.content)
        except ValueError:
            raise self._another_program(answer) from None

    @contextmanager
    def _stream(self, method: str, path: str, media_type: str, **options: Any) -> Generator[httpx.Response, None, None]:
        patient = httpx.Timeout(self._http.timeout.connect, read=None)
        try:
            with self._http.stream(method, path, timeout=patient, **options) as answer:
                if not answer.is_success:
                    answer.read()
                    raise _refusal(answer)
                if not answer.headers.get("content-type", "").startswith(media_type):
                    raise self._another_program(answer)
                yield answer
        except httpx.TransportError as problem:
            raise self._unreachable(problem) from problem

    def _another_program(self, answer: httpx.Response) -> CollectorRefused:
        kind = answer.headers.get("content-type", "").partition(";")[0] or "no content type"
        return CollectorRefused(
            f"what answers at {self.url} is no collector (it sent {kind}): is that the viewer's port? A collector's is 4318"
        )

    def _unreachable(self, problem: httpx.TransportError) -> CollectorUnreachable:
        return CollectorUnreachable(
            f"no collector answers at {self.url} ({problem or type(problem).__name__}); start one: rightpassage serve"
        )


def _checked(url: str) -> str:
    """`http://HOST:PORT`, also written without the scheme."""
    whole = url.strip().rstrip("/")
    whole = whole if "://" in whole else f"http://{whole}"
    with suppress(httpx.InvalidURL):
        parsed = httpx.URL(whole)
        if parsed.scheme in ("http", "https") and parsed.host:
            return whole
    raise InvalidValue(f"{url!r} is not the address of a collector: write http://HOST:PORT, as in {DEFAULT_URL}")


def _given(**options: Any) -> dict[str, Any]:
    """The options that were given: None and empty text are not."""
    return {name: value for name, value in options.items() if value is not None and value != ""}


# ---- Problem JSON → exception ----


def _refusal(answer: httpx.Response) -> RightPassageError:
    """The exception that a problem answer stands for; the last part of its `type` names the class."""
    try:
        problem: Any = json.loads(answer.content)
    except ValueError:
        problem = {}
    problem = problem if isinstance(problem, dict) else {}
    detail = str(
        problem.get("detail") or problem.get("message") or f"{answer.request.method} {answer.request.url.path}: {answer.status_code}"
    )
    name = str(problem.get("type", "")).rpartition(":")[2]
    match name:
        case "trace-not-found":
            return TraceNotFound(str(problem.get("trace_id", "")))
        case "span-not-found":
            return SpanNotFound(str(problem.get("trace_id", "")), str(problem.get("span_id", "")))
        case "filter-error":
            return FilterError(detail, str(problem.get("value", "")), int(problem.get("position", 0)), problem.get("suggestions") or ())
        case _:
            return _BY_STATUS.get(answer.status_code, CollectorRefused)(detail)


def _for_the_owner(path: str, flags: int) -> int:
    """A backup holds every prompt: like the database, it is for its owner alone."""
    return os.open(path, flags, 0o600)


_BY_STATUS: dict[int, type[RightPassageError]] = {
    400: InvalidValue,
    401: Unauthorised,
    404: NotFound,
    413: RequestTooLarge,
    415: UnsupportedMediaType,
    422: InvalidValue,
    429: Overloaded,
    503: StoreUnavailable,
}
