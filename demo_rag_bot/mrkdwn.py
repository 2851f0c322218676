"""Markdown ⇄ Slack's mrkdwn: what the bot may say in a channel, and what a user said there.

An answer quotes documents, and documents are not ours: `&`, `<` and `>` are escaped, so that no quoted text can ping a channel or a person
or hide an address behind a link. Code keeps its text as it stands.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

MAX_MESSAGE = 2900  # characters; a section block takes 3,000
_CODE = re.compile(r"(```.*?```|`[^`\n]+`)", re.DOTALL)


def to_mrkdwn(markdown: str) -> str:
    """Markdown → mrkdwn, safe to post."""
    parts = _CODE.split(markdown)
    return "".join(_code(part) if place % 2 else _prose(part) for place, part in enumerate(parts))


def _code(code: str) -> str:
    return escape(re.sub(r"^```[^\n`]*\n", "```\n", code))


def _prose(text: str) -> str:
    text = re.sub(r"<[!@#][^>\s]*>", "", text)  # <!channel>, <@U123>: documents must not ping anybody
    text = re.sub(r"!\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"(?<!\])\[([^\]]+)\]\(([^)\s]*)(?:\s[^)]*)?\)", _link, escape(text))
    text = re.sub(r"^#{1,6} +(.*?) *#*$", r"*\1*", text, flags=re.MULTILINE)
    text = re.sub(
        r"(?<![\w*])\*\*(?=\S)(.+?)(?<=\S)\*\*(?![\w*])|(?<![\w_])__(?=\S)(.+?)(?<=\S)__(?![\w_])", lambda m: f"*{m[1] or m[2]}*", text
    )
    text = re.sub(r"~~(.+?)~~", r"~\1~", text)
    return re.sub(r"^(\s*)[-*+] +", r"\1• ", text, flags=re.MULTILINE)


def _link(found: re.Match[str]) -> str:
    """Web links become Slack links; what is relative to the docs keeps its words."""
    return f"<{found[2]}|{found[1]}>" if found[2].startswith(("http://", "https://")) and "|" not in found[2] else found[1]


def escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def from_slack(text: str) -> str:
    """What a user wrote: mentions gone, links as their words, escapes undone."""
    text = re.sub(r"<[@!#][^>]*>", "", text)
    text = re.sub(r"<([^|>]+)\|([^>]+)>", r"\2", text)
    text = re.sub(r"<([^>]+)>", r"\1", text)
    return html.unescape(text).strip()


def split(text: str, limit: int = MAX_MESSAGE) -> Iterator[str]:
    """A long text in pieces of at most `limit` characters, cut between lines where possible; a cut code block is closed and reopened."""
    rest, opened = text, False
    while rest:
        room = limit - (4 if opened else 0) - 4
        piece = rest if len(rest) <= room else rest[: _cut(rest, room)]
        rest = rest[len(piece) :].lstrip("\n")
        shown = ("```\n" if opened else "") + piece.rstrip()
        opened = shown.count("```") % 2 == 1
        yield shown + ("\n```" if opened else "")


def _cut(text: str, room: int) -> int:
    """Where to cut: after the last paragraph, line or word that fits."""
    for mark in ("\n\n", "\n", " "):
        place = text.rfind(mark, room // 2, room)
        if place > 0:
            return place
    return room
