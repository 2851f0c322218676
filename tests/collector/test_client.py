"""What the client says where the wire, not the collector, is at fault."""

from __future__ import annotations

import socket
import threading

import pytest

from collector.client import CollectorClient
from collector.errors import CollectorUnreachable

BEGUN = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n"
    b"1f\r\n" + b'{"resourceSpans": []}'.ljust(30) + b"\n\r\n"
)


def test_an_export_that_breaks_off_is_told_with_how_much_came() -> None:
    """A collector that meets damage in the middle ends the connection without the stream's end."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65_536)
            connection.sendall(BEGUN)

    serving = threading.Thread(target=answer)
    serving.start()
    came: list[bytes] = []
    client = CollectorClient(f"http://127.0.0.1:{listener.getsockname()[1]}")
    with client, pytest.raises(CollectorUnreachable, match=r"cut after 31 bytes.*incomplete"):
        came.extend(client.export())
    serving.join()
    listener.close()
    assert b"".join(came) == BEGUN[-33:-2]
