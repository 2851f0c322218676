"""A local double of Slack: its Web API over HTTP and a Socket Mode websocket, on the real wire. It records what the bot calls."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
import uuid
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from websockets.sync.server import ServerConnection, serve

BOT, SECRET = "UBOT", "shhh"


class SlackDouble:
    """One workspace. `calls` is every Web API call in order; `messages` what stands in the channels, by (channel, ts)."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.messages: dict[tuple[str, str], dict[str, Any]] = {}
        self.responses: list[dict[str, Any]] = []  # sent to response_url
        self.acknowledged: list[str] = []
        self._clock = 1000
        self._lock = threading.Lock()
        double = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
                if "json" in self.headers.get("content-type", ""):
                    given = json.loads(raw or "{}")
                else:
                    given = {key: values[0] for key, values in parse_qs(raw).items()}
                data = json.dumps(double.answer(self.path.rpartition("/")[2], given)).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/api/"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        self._socket = serve(self._connected, "127.0.0.1", 0)
        self._connection: ServerConnection | None = None
        threading.Thread(target=self._socket.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._socket.shutdown()
        self._http.shutdown()
        self._http.server_close()

    def answer(self, method: str, given: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            self.calls.append((method, given))
            if method == "auth.test":
                return {"ok": True, "user_id": BOT, "bot_id": "B1", "team_id": "T1"}
            if method == "chat.postMessage":
                self._clock += 1
                ts = f"{self._clock}.000100"
                self.messages[given["channel"], ts] = dict(given)
                return {"ok": True, "ts": ts, "channel": given["channel"]}
            if method == "chat.update":
                self.messages[given["channel"], given["ts"]] |= {"text": given["text"]}
                return {"ok": True, "ts": given["ts"]}
            if method == "apps.connections.open":
                return {"ok": True, "url": f"ws://127.0.0.1:{self._socket.socket.getsockname()[1]}/link"}
            if method == "response":
                self.responses.append(given)
            return {"ok": True}

    def texts(self) -> list[str]:
        return [message["text"] for message in self.messages.values()]

    def named(self, method: str) -> list[dict[str, Any]]:
        return [given for name, given in self.calls if name == method]

    # ---- Socket Mode ----

    def _connected(self, connection: ServerConnection) -> None:
        connection.send(json.dumps({"type": "hello", "num_connections": 1, "connection_info": {"app_id": "A1"}}))
        self._connection = connection
        for message in connection:
            self.acknowledged.append(json.loads(message)["envelope_id"])

    def send(self, payload: dict[str, Any]) -> str:
        """Send an event over the websocket; returns its envelope id."""
        wait_for(lambda: self._connection is not None)
        assert self._connection is not None
        envelope_id = uuid.uuid4().hex
        envelope = {"type": "events_api", "envelope_id": envelope_id, "accepts_response_payload": False, "payload": payload}
        self._connection.send(json.dumps(envelope))
        return envelope_id


def event(kind: str, **fields: Any) -> dict[str, Any]:
    """An Events API body."""
    return {
        "type": "event_callback",
        "team_id": "T1",
        "api_app_id": "A1",
        "event_id": f"Ev{uuid.uuid4().hex[:10]}",
        "event": {"type": kind, "user": "UADA", "channel": "C1", "ts": "900.000100", "event_ts": "900.000100", **fields},
    }


def signed(body: bytes, *, secret: str = SECRET, at: str | None = None) -> dict[str, str]:
    """The headers Slack sends with these bytes."""
    timestamp = at if at is not None else str(int(time.time()))
    digest = hmac.new(secret.encode(), b"v0:" + timestamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    return {"x-slack-request-timestamp": timestamp, "x-slack-signature": f"v0={digest}", "content-type": "application/json"}


def wait_for(happened: Callable[[], object], patience_s: float = 15) -> None:
    """Until it is so; what happens in another thread cannot be awaited otherwise."""
    until = time.monotonic() + patience_s
    while not happened():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)
