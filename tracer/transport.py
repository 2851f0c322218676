"""One HTTP POST at a time over a kept connection, with a deadline that holds against a peer of any kind.

The collector may be absent, silent, slow by the byte, or answer a gigabyte: a request ends within its deadline, at most 64 KB of an
answer are read, redirects are not followed. The standard library's http.client does the protocol; the deadline sits below it, in the
reads of the socket. Loading it takes 25 ms: only the sender's thread does.
"""

from __future__ import annotations

import base64
import codecs
import http.client
import io
import socket
import ssl
import time
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.request import getproxies, proxy_bypass

from tracer.endpoint import THIS_MACHINE, Endpoint

_ANSWER_LIMIT = 64 * 1024
_CONNECT_TIMEOUT = 3.0

codecs.lookup("idna")  # a module that the first connection would load: it is to be here before a fork


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes


class _Deadlined(io.RawIOBase):
    """Reads of a socket that all together end at a deadline: a socket's own timeout starts anew at every byte."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, deadline: float) -> None:
        self._raw, self._sock, self._deadline = raw, sock, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the collector did not answer in time")
        self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class Transport:
    """Posts bodies to one collector. Not thread-safe: the sender thread owns it."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._connection: http.client.HTTPConnection | None = None
        self._proxy_headers: dict[str, str] = {}

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Posts once, or twice when a kept connection turns out to be closed. Raises OSError when nothing came back."""
        deadline = time.monotonic() + self.endpoint.timeout
        kept = self._connection is not None
        try:
            try:
                return self._post(url, headers, body, deadline)
            except (ConnectionError, http.client.BadStatusLine):
                self.close()
                if not kept:
                    raise
            return self._post(url, headers, body, deadline)
        except OSError:
            self.close()
            raise
        except (http.client.HTTPException, ValueError) as error:
            self.close()
            raise ConnectionError(f"{type(error).__name__}: {error}") from error

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _post(self, url: str, headers: Mapping[str, str], body: bytes, deadline: float) -> Answer:
        if self._connection is None:
            self._connection = self._connect(url, deadline)
        connection = self._connection
        connection.sock.settimeout(max(0.001, deadline - time.monotonic()))
        target = url if self._proxy_headers.get("") else urllib.parse.urlsplit(url).path or "/"
        connection.putrequest("POST", target, skip_accept_encoding=True)
        sent = {**self.endpoint.headers, **self._proxy_headers, **headers, "Content-Length": str(len(body))}
        for name, value in sent.items():
            if name:
                connection.putheader(name, value)
        connection.endheaders(body)

        def reply(sock: socket.socket, *args: Any, **kwargs: Any) -> http.client.HTTPResponse:
            response = http.client.HTTPResponse(sock, *args, **kwargs)
            response.fp = io.BufferedReader(_Deadlined(response.fp.detach(), sock, deadline))
            return response

        connection.response_class = reply  # pyright: ignore[reportAttributeAccessIssue]  (a factory serves as well as the class)
        response = connection.getresponse()
        content = response.read(_ANSWER_LIMIT)
        if not response.isclosed() or response.will_close:
            response.close()
            self.close()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, content)

    def _connect(self, url: str, deadline: float) -> http.client.HTTPConnection:
        parts = urllib.parse.urlsplit(url)
        host, port = parts.hostname or "", parts.port
        timeout = max(0.001, min(_CONNECT_TIMEOUT, deadline - time.monotonic()))
        proxy = _proxy(parts.scheme, host)
        self._proxy_headers = {}
        if parts.scheme == "https":
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                proxy.hostname or "" if proxy else host, proxy.port if proxy else port, timeout=timeout, context=self._tls()
            )
            if proxy:
                connection.set_tunnel(host, port or 443, _credentials(proxy))
        elif proxy:
            connection = http.client.HTTPConnection(proxy.hostname or "", proxy.port, timeout=timeout)
            self._proxy_headers = {"": "absolute", **_credentials(proxy)}
        else:
            connection = http.client.HTTPConnection(host, port, timeout=timeout)
        connection.connect()
        return connection

    def _tls(self) -> ssl.SSLContext:
        endpoint = self.endpoint
        context = ssl.create_default_context(cafile=endpoint.certificate)
        if endpoint.client_certificate is not None:
            context.load_cert_chain(endpoint.client_certificate, endpoint.client_key)
        return context


def _proxy(scheme: str, host: str) -> urllib.parse.SplitResult | None:
    """The proxy the environment names for this host (`http_proxy`, `https_proxy`, `no_proxy`); never for the local machine."""
    if host in THIS_MACHINE or proxy_bypass(host):
        return None
    found = getproxies().get(scheme)
    return urllib.parse.urlsplit(found) if found else None


def _credentials(proxy: urllib.parse.SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    pair = f"{urllib.parse.unquote(proxy.username)}:{urllib.parse.unquote(proxy.password or '')}"
    return {"Proxy-Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
