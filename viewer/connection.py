"""The one client of this process, and what a page shows when the collector is away."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from collector.client import CollectorClient
from collector.errors import CollectorRefused, CollectorUnreachable, InvalidValue, NotFound, Overloaded, Unauthorised
from viewer.settings import load
from viewer.sheet import Node, h, icon, link, show

TIMEOUT_S = 20


@cache
def _client(url: str, token: str) -> CollectorClient:
    return CollectorClient(url, token or None, timeout_s=TIMEOUT_S)


def client() -> CollectorClient:
    """Shared by all sessions; it keeps its connections open."""
    settings = load()
    return _client(settings.collector, settings.token)


def page(key: str, build: Callable[[CollectorClient], list[Node]]) -> None:
    """Show what `build` makes of the collector's answers, or why it could not; a collector that is away is asked again by itself."""
    try:
        nodes = build(client())
    except CollectorUnreachable:
        nodes = [away(load().collector)]
    except Overloaded as busy:
        nodes = [away(load().collector, str(busy))]
    except NotFound as missing:
        nodes = [remark("search", "Not here", str(missing))]
    except (CollectorRefused, InvalidValue, Unauthorised) as refused:
        nodes = [remark("error", "The collector refused", str(refused))]
    show(key, nodes)


def away(url: str, why: str = "") -> Node:
    """Says so, and tries again."""
    text = h(
        "span", "grow", h("b", "", "The collector does not answer"), f" at {url}. {why} Trying again every few seconds; start one with "
    )
    return h("div", "banner", icon("warning"), text, h("code", "", "rightpassage serve"), h("retry", milliseconds=3000), role="alert")


def remark(sign: str, title: str, text: str, *more: Node) -> Node:
    """A page that has only one thing to say."""
    back = link("/traces", "button", "All traces")
    return h("div", "empty", h("div", "mark", icon(sign)), h("h2", "", title), h("p", "muted", text), *(more or (back,)))
