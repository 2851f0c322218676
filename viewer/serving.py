"""The command `python -m viewer`: parse the options, take the port, say where the viewer is, serve until told to stop."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import sys
from collections.abc import Sequence

import uvicorn

from viewer.guard import LOOPBACK
from viewer.settings import Settings, load


def parser(defaults: Settings) -> argparse.ArgumentParser:
    """Every option also has its environment variable `RIGHTPASSAGE_<OPTION>`."""
    options = argparse.ArgumentParser(
        prog="python -m viewer", description="The viewer: reads a collector, shows its traces in the browser."
    )
    options.add_argument("--collector", default=defaults.collector, metavar="URL", help="the collector to read (default: %(default)s)")
    options.add_argument("--bot", default=defaults.bot, metavar="URL", help="the docs bot behind the Ask page (default: none)")
    options.add_argument("--host", default=os.environ.get("RIGHTPASSAGE_HOST", "127.0.0.1"), help="address to bind (default: %(default)s)")
    port = os.environ.get("RIGHTPASSAGE_PORT", "8501")  # a text: argparse reads it like an argument, and names one that is no number
    options.add_argument("--port", type=int, default=port, help="port to bind, 0 picks a free one (default: %(default)s)")
    options.add_argument("--token", default=defaults.token, help="demand this token, and show it to the collector")
    options.add_argument(
        "--allow-host", action="append", default=list(defaults.allowed_hosts), metavar="NAME", help="also answer under this host name"
    )
    return options


def bind(host: str, port: int) -> socket.socket:
    """A listening socket, or an exit with one clear line."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(512)  # only listen() finds a port that another process already serves
    except OSError as error:
        listener.close()
        sys.exit(f"viewer: cannot listen on {host}:{port}: {error.strerror or error}; choose another port with --port (0 picks a free one)")
    return listener


class Server(uvicorn.Server):
    """Ends live tails first: they never end by themselves, and a server that stops waits for its answers."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        hang_up = getattr(self.config.app, "state", {}).get("hang_up")
        if hang_up:
            await hang_up()
        await super().shutdown(sockets)


async def serve(settings: Settings, listener: socket.socket) -> None:
    """Serve until SIGINT or SIGTERM; one line `ready URL` once pages are answered."""
    from viewer.asgi import create_app

    host, port = listener.getsockname()[:2]
    config = uvicorn.Config(
        create_app(settings, host),
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=2,
        ws_max_size=2**27,
    )
    server = Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not (server.started or serving.done()):
        await asyncio.sleep(0.02)
    if server.started:
        shown = "127.0.0.1" if host in {"0.0.0.0", "::"} else f"[{host}]" if ":" in host else host
        print(f"ready http://{shown}:{port}", flush=True)
    await serving


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of `python -m viewer`; `python -m viewer html TRACE_ID…` writes traces as a file instead of serving."""
    given = sys.argv[1:] if arguments is None else arguments
    if given[:1] == ["html"]:
        from viewer import html

        html.main(given[1:])
        return
    chosen = parser(load()).parse_args(given)
    if not chosen.token and chosen.host not in LOOPBACK:
        sys.exit(f"viewer: {chosen.host} can be reached from other machines: give it a --token, or bind 127.0.0.1")
    settings = Settings(chosen.collector.rstrip("/"), chosen.bot.rstrip("/"), chosen.token, tuple(chosen.allow_host))
    os.environ.update(settings.environment())
    for number in (signal.SIGINT, signal.SIGTERM):  # uvicorn stops at them and raises them again: a stop that was asked for is no failure
        signal.signal(number, lambda number, frame: None)
    asyncio.run(serve(settings, bind(chosen.host, chosen.port)))
