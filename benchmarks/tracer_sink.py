"""A collector that understands what each tracer sends: OTLP, and the protocols of langsmith, opik and weave

It keeps bodies as they come and reads them when the program has ended, so that it costs the program it listens to as little as a sink
can. Reading yields parts of spans (weave and langsmith send start and end apart), merged by id; what never ended does not count.
"""

from __future__ import annotations

import gzip
import json
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.servers import QuietServer

Seen = list[dict[str, Any]]
Part = dict[str, Any]
SHOWN = 4000  # characters kept of an attribute: enough to judge it, little enough to hold 20,000 spans

ERROR = 2


def _otlp(body: bytes, content_type: str) -> Iterator[Part]:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    for group in ExportTraceServiceRequest.FromString(body).resource_spans:
        for scope in group.scope_spans:
            for span in scope.spans:
                if any(pair.key == "logfire.pending_parent_id" for pair in span.attributes):
                    continue
                yield {
                    "id": span.span_id,
                    "name": span.name,
                    "parent": span.parent_span_id,
                    "status": span.status.code,
                    "ended": bool(span.end_time_unix_nano),
                    "attributes": {pair.key: str(pair.value)[:SHOWN] for pair in span.attributes},
                }


def _opik(body: bytes, content_type: str) -> Iterator[Part]:
    for span in json.loads(body)["spans"]:
        yield {
            "id": span["id"],
            "name": span.get("name"),
            "parent": span.get("parent_span_id"),
            "status": ERROR if span.get("error_info") else 0,
            "ended": bool(span.get("end_time")),
            "attributes": _shown(span, "input", "output", "metadata", "error_info"),
        }


def _langsmith(body: bytes, content_type: str) -> Iterator[Part]:
    """Multipart: `post.<id>` and `patch.<id>` carry the run, `post.<id>.inputs` and the like its large fields."""
    boundary = content_type.split("boundary=", 1)[1].strip('"').encode()
    for section in body.split(b"--" + boundary)[1:-1]:
        head, _, value = section.partition(b"\r\n\r\n")
        found = re.search(rb'name="(?:post|patch)\.([0-9a-f-]+)(?:\.(\w+))?"', head)
        if not found:
            continue
        run, field = found[1].decode(), found[2]
        if field:
            part: Part = {"id": run, "attributes": {field.decode(): value.decode("utf-8", "replace")[:SHOWN]}}
            if field == b"error" and value.strip() not in (b"", b"null"):
                part["status"] = ERROR
        else:
            told = json.loads(value)
            part = {"id": run, "parent": told.get("parent_run_id"), "attributes": _shown(told, "inputs", "outputs", "error")}
            part |= {"name": told["name"]} if told.get("name") else {}
            part |= {"ended": True} if told.get("end_time") else {}
            part |= {"status": ERROR} if told.get("error") else {}
        yield part


def _weave(body: bytes, content_type: str) -> Iterator[Part]:
    """A call whole, or its start and its end apart, one or many at a time."""
    told = json.loads(body)
    for item in told.get("batch", [told]):
        for call in item.get("req", item).values() if "id" not in item else [item]:
            part: Part = {"id": call["id"], "attributes": _shown(call, "inputs", "output", "exception")}
            if "op_name" in call:
                part |= {"name": call["op_name"].rsplit("/op/", 1)[-1].split(":", 1)[0], "parent": call.get("parent_id")}
            if call.get("ended_at"):
                part |= {"ended": True, "status": ERROR if call.get("exception") else 0}
            yield part


def _shown(told: dict[str, Any], *fields: str) -> dict[str, str]:
    return {field: json.dumps(told[field])[:SHOWN] for field in fields if told.get(field) is not None}


READERS: dict[str, Callable[[bytes, str], Iterator[Part]]] = {
    "/v1/private/spans/batch": _opik,
    "/runs/multipart": _langsmith,
    "/calls/complete": _weave,
    "/call/upsert_batch": _weave,
    "/call/start": _weave,
    "/call/end": _weave,
    "/traces": _otlp,
}

# What servers are asked before or between spans, answered as the real ones do, as far as the clients look.
ANSWERS: dict[str, Any] = {
    "/info": {"version": "0.12.0", "instance_flags": {}},  # langsmith, which then goes by its defaults
    "/server_info": {"min_required_weave_python_version": "0.0.1", "trace_server_version": "9.0.0"},
    "/call/upsert_batch": {"res": []},
    "/obj/create": {"digest": "0" * 43},
    "/file/create": {"digest": "0" * 43},
    "/table/create": {"digest": "0" * 43, "row_digests": []},
    "/graphql": {
        "data": {
            "viewer": {"username": "nobody", "entity": "behaviour", "defaultEntity": {"name": "behaviour"}, "flags": "{}"},
            "upsertModel": {"model": {"name": "behaviour", "entity": {"name": "behaviour"}}, "project": {"name": "behaviour"}},
            "project": {"name": "behaviour"},
            "model": {"name": "behaviour"},
            "serverInfo": {},
        }
    },
    "/is-alive/ver": {"version": "9.0.0"},  # opik
}


class Sink(QuietServer):
    """Listens on a free port; `GET /silence` makes it accept and answer nothing from then on."""

    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bodies: list[tuple[str, str, bytes]] = []
        self.silenced = threading.Event()
        self.closing = threading.Event()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def close(self) -> None:
        self.closing.set()
        self.shutdown()
        self.server_close()

    def spans(self) -> Seen:
        """Every span that ended, its parts put together."""
        seen: dict[Any, dict[str, Any]] = {}
        for path, content_type, body in self.bodies:
            reader = next((read for suffix, read in READERS.items() if path.endswith(suffix)), None)
            if reader is None:
                continue
            for part in reader(body, content_type):
                span = seen.setdefault(part["id"], {"name": "", "parent": None, "status": 0, "ended": False, "attributes": {}})
                attributes = {**span["attributes"], **part["attributes"]}
                span.update({key: value for key, value in part.items() if value is not None}, attributes=attributes)
        return [span for span in seen.values() if span["ended"]]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        sink = self.server
        assert isinstance(sink, Sink)
        path = self.path.split("?", 1)[0]
        body = self._body()
        if body is None:  # the program was stopped in the middle of it
            return
        if sink.silenced.is_set():
            sink.closing.wait(120)
            return
        if path == "/silence":
            sink.silenced.set()
        sink.bodies.append((path, self.headers.get("Content-Type", ""), body))
        answer = next((told for suffix, told in ANSWERS.items() if path.endswith(suffix)), {})
        sent = b"" if "protobuf" in self.headers.get("Content-Type", "") else json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    do_GET = do_PUT = do_PATCH = do_POST  # noqa: N815

    def _body(self) -> bytes | None:
        if self.headers.get("Transfer-Encoding") == "chunked":
            chunks: list[bytes] = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                chunks.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            body = b"".join(chunks)
        else:
            size = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(size)
            if len(body) < size:
                return None
        return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

    def log_message(self, format: str, *args: Any) -> None:
        return None
