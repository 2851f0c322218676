"""`up`, `view` and `demo`: the collector with its siblings, each started as `python -m …`, never imported.

Ports are tried before anything starts, so that a taken one is one clear line. The demo takes a free port instead and says so: it must show
something on a machine where a collector runs already. A token travels in the environment, where no list of processes shows it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from collector.children import ChildFailed, Children
from collector.client import CollectorClient
from collector.errors import InvalidValue
from collector.settings import Address, ServeSettings

if TYPE_CHECKING:
    from rich.console import Console

Announce = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Family:
    """What is to run together."""

    collector: ServeSettings
    viewer_port: int
    browser: bool = True
    bot_port: int | None = None
    docs: Path | None = None
    fresh: bool = False


def up(family: Family, announce: Announce) -> None:
    """Collector and viewer until told to stop."""
    for address, option in _addresses(family):
        address.bind(option).close()
    with suppress(KeyboardInterrupt), Children() as children:
        urls = _start(children, family)
        _tell(urls, family, announce)
        if family.browser:
            _open_browser(urls["viewer"])
        children.watch()


def demo(family: Family, console: Console, announce: Announce) -> None:
    """Collector, viewer, bot and a seeded history until told to stop."""
    family = _with_free_ports(family, console)
    for name in [name for name in os.environ if name.startswith("RIGHTPASSAGE_")]:
        del os.environ[name]  # they are about the user's own collector, which the demo leaves alone
    with suppress(KeyboardInterrupt), Children() as children:
        with console.status("starting collector, viewer and bot …"):
            urls = _start(children, family)
        _seed(family, urls, console)
        _tell(urls, family, announce)
        if family.browser:
            _open_browser(urls["viewer"])
        children.watch()


def view(collector: str, *, port: int, host: str, bot: str | None, token: str | None) -> int:
    """The viewer in place of this process."""
    arguments = ["viewer", "--collector", collector, "--port", str(port), "--host", host, *(("--bot", bot) if bot else ())]
    command, environment = [sys.executable, "-m", *arguments], {**os.environ, **_secret(token)}
    if os.name != "nt":
        os.execve(sys.executable, command, environment)
    return subprocess.call(command, env=environment)


# ---- Ports ----


def _addresses(family: Family) -> list[tuple[Address, str]]:
    wanted = [
        (family.collector.http, "--http"),
        (family.collector.grpc, "--grpc"),
        (Address("127.0.0.1", family.viewer_port), "--port"),
        (Address("127.0.0.1", family.bot_port) if family.bot_port is not None else None, "--bot-port"),
    ]
    return [(address, option) for address, option in wanted if address is not None]


def _with_free_ports(family: Family, console: Console) -> Family:
    """The family with a free port wherever the wanted one is taken."""
    free = {option: _free(address, option, console) for address, option in _addresses(family)}
    collector = replace(family.collector, http=free["--http"], grpc=free.get("--grpc"))
    bot_port = free["--bot-port"].port if "--bot-port" in free else None
    return replace(family, collector=collector, viewer_port=free["--port"].port, bot_port=bot_port)


def _free(address: Address, option: str, console: Console) -> Address:
    """The address, or one with a free port where its own is taken (said) or was left open by 0."""
    try:
        with address.bind(option) as listener:
            return Address(address.host, listener.getsockname()[1])
    except InvalidValue:
        with Address(address.host, 0).bind(option) as listener:
            free = Address(address.host, listener.getsockname()[1])
    shown = free.port if option in ("--port", "--bot-port") else free.netloc
    console.print(f"port {address.port} is taken; using {free.port} (choose with {option} {shown})", style="yellow")
    return free


# ---- Starting ----


def _start(children: Children, family: Family) -> dict[str, str]:
    """Start everyone; the URLs by name. The viewer waits for nobody: it shows a collector as soon as there is one."""
    settings, token = family.collector, _secret(family.collector.token)
    serve = ["collector", "serve", "--db", settings.db, "--http", settings.http.netloc]
    collector = children.start("collector", [*serve, "--grpc", settings.grpc.netloc if settings.grpc else "off"], token)
    said = collector.ready()
    urls = {"collector": said, "grpc": collector.ready_line.partition("grpc://")[2]}
    bot = None
    if family.bot_port is not None:
        viewer = f"http://127.0.0.1:{family.viewer_port}"
        options = ["--port", str(family.bot_port), "--collector", urls["collector"], "--viewer", viewer, *_bot_files(family)]
        bot = children.start("bot", ["demo_rag_bot", "serve", *options], token)
        urls["bot"] = f"http://127.0.0.1:{family.bot_port}"
    options = ["--collector", urls["collector"], "--port", str(family.viewer_port), *(("--bot", urls["bot"]) if bot else ())]
    urls["viewer"] = children.start("viewer", ["viewer", *options], token).ready()
    if bot:
        urls["bot"] = bot.ready(patience_s=180)
    return urls


def _bot_files(family: Family) -> list[str]:
    """The bot's documentation, and its conversations in a file of the demo's own beside the demo's database."""
    database = Path(family.collector.db.removeprefix("sqlite:///"))
    threads = database.with_name(f"{database.stem}-threads.db")
    return ["--threads", str(threads), *(("--docs", str(family.docs)) if family.docs else ())]


def _secret(token: str | None) -> dict[str, str]:
    return {"RIGHTPASSAGE_TOKEN": token} if token else {}


def _seed(family: Family, urls: dict[str, str], console: Console) -> None:
    """Ask the bot its seeded questions, unless an earlier demo did."""
    with CollectorClient(urls["collector"], family.collector.token) as client:
        if family.fresh:
            client.delete_all()
        elif client.stats().traces:
            console.print("the history of the last demo is still there (--fresh begins anew)", style="bright_black")
            return
    urls_said = ["--collector", urls["collector"], "--viewer", urls["viewer"]]
    command = [sys.executable, "-m", "demo_rag_bot", "seed", *urls_said, *_bot_files(family)]
    if code := subprocess.call(command, env={**os.environ, **_secret(family.collector.token)}):
        raise ChildFailed(f"the seeding of the history failed (exit status {code})")


# ---- Telling ----


def _tell(urls: dict[str, str], family: Family, announce: Announce) -> None:
    announce(f"viewer     {urls['viewer']}")
    announce(f"collector  {urls['collector']}  (OTLP/HTTP and API)" + (f", grpc://{urls['grpc']}" if urls["grpc"] else ""))
    if "bot" in urls:
        announce(f"bot        {urls['bot']}")
    announce(f"database   {family.collector.db}")
    announce("Ctrl-C stops " + ("everything" if "bot" in urls else "both"))


def _open_browser(url: str) -> None:
    """A graphical browser, where there is one: a text browser would take the terminal over."""
    graphical = sys.platform in ("darwin", "win32") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if graphical:
        with suppress(webbrowser.Error):
            webbrowser.open(url)
