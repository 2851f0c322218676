"""A page as plain nodes that the browser draws as text: `h("div", "card", h("b", "", title), text)`.

Python lays pages out with these and mounts them with `show`; `components/sheet` admits a fixed list of tags and attributes and turns every
string into a text node. So a page may put trace content anywhere without asking whether it is safe, and a test can read the nodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias
from urllib.parse import urlencode

from collector.model import Json
from viewer.component import declare

Node: TypeAlias = "str | list[Json]"
Child: TypeAlias = "Node | int | float | None | Iterable[Child]"

SHEET = declare("sheet")


def h(tag: str, css: str = "", *children: Child, **attributes: Json) -> Node:
    """One element. None is left out, iterables are spread, numbers become text; `aria_label=` is `aria-label`."""
    named: dict[str, Json] = {"class": css} if css else {}
    named |= {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items() if value is not None}
    return [tag, named, *flat(children)]


def flat(children: Iterable[Child]) -> list[Node]:
    """Children as nodes. A list that starts with a text is a node of ours, any other iterable is spread."""
    nodes: list[Node] = []
    for child in children:
        if child is None:
            continue
        if isinstance(child, str):
            nodes.append(child)
        elif isinstance(child, (int, float)):
            nodes.append(str(child))
        elif is_node(child):
            nodes.append(child)  # pyright: ignore[reportArgumentType]  # is_node cannot narrow a recursive alias
        else:
            nodes.extend(flat(child))
    return nodes


def is_node(child: object) -> bool:
    return isinstance(child, list) and len(child) >= 2 and isinstance(child[0], str) and isinstance(child[1], dict)


def icon(name: str, css: str = "") -> Node:
    return h("icon", css, name=name)


def link(path: str, css: str = "", *children: Child, query: Mapping[str, str | int | None] | None = None, **attributes: Json) -> Node:
    """A link to a page of the viewer; entries of `query` without a value are left out."""
    return h("a", css, *children, href=address(path, query or {}), **attributes)


def address(path: str, query: Mapping[str, str | int | None]) -> str:
    """A path with its query."""
    given = {name: str(value) for name, value in query.items() if value not in (None, "")}
    return f"{path}?{urlencode(given)}" if given else path


def show(key: str, nodes: Sequence[Child]) -> None:
    """Mount the page; `key` names it."""
    SHEET(key=key, data={"nodes": flat(nodes)})
