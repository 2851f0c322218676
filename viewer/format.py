"""Values → text for people; the Python twin of the component's `format.js`. Pure."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime

NBSP = "\u00a0"
NOTHING = "–"
# What stands at the beginning of a line and is not its text: fences, comments and rules of tables wholly, signs of headings and items.
SIGNS = re.compile(r"^[ \t]*(?:(?:```|~~~|<!--|[|:-][| \t:-]*$).*|#{1,6}[ \t]+|[-*•+][ \t]+|\d{1,4}[.)][ \t]+)", re.MULTILINE)
ROW = re.compile(r"\s*\|\s*")
PAIRED = re.compile(r"!?\[([^]\n]*)\]\([^()\s]*\)|`([^`\n]+)`|\*\*([^*\n]+)\*\*|(?<![\w*])\*([^*\s](?:[^*\n]*[^*\s])?)\*(?![\w*])")


def three(value: float) -> str:
    """Three significant digits, no exponent; a zero at the end is one of them, and keeps columns in line."""
    return f"{value:.0f}" if value >= 99.95 else f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"


def duration(ns: int | None) -> str:
    """2.4 ms, 6.02 s, 3 min 12 s."""
    if ns is None:
        return NOTHING
    if ns < 1_000:
        return f"{ns}{NBSP}ns"
    if ns < 999_500:
        return f"{three(ns / 1e3)}{NBSP}µs"
    if ns < 999.5e6:
        return f"{three(ns / 1e6)}{NBSP}ms"
    if ns < 59.995e9:
        return f"{ns / 1e9:.{2 if ns < 9.995e9 else 1}f}{NBSP}s"
    seconds = round(ns / 1e9)
    if seconds < 3600:
        return f"{seconds // 60}{NBSP}min{NBSP}{seconds % 60}{NBSP}s"
    return f"{seconds // 3600}{NBSP}h{NBSP}{seconds % 3600 // 60}{NBSP}min"


def compact(count: int | None) -> str:
    """312, 2.6k, 1.2M."""
    if count is None:
        return NOTHING
    if count < 1_000:
        return str(count)
    scaled, unit = (count / 1e3, "k") if count < 999_500 else (count / 1e6, "M")
    return f"{scaled:.{0 if scaled >= 99.95 else 1}f}{unit}"


def cost(usd: float | None) -> str:
    """$0.0118, $12.40: at least two significant digits."""
    if usd is None:
        return NOTHING
    if usd == 0:
        return "$0"
    if usd >= 1:
        return f"${usd:.2f}"
    places = min(9, 2 - math.floor(math.log10(usd)))
    return "$" + f"{usd:.{places}f}".rstrip("0").rstrip(".")


def score(value: float | None) -> str:
    if value is None:
        return NOTHING
    size = abs(value)
    return f"{value:.1e}" if 0 < size < 0.001 else f"{value:.3f}" if 0 < size < 0.1 else f"{value:.2f}" if size < 10 else f"{value:.1f}"


def counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def ago(ns: int, now_ns: int) -> str:
    """5 s ago, 12 min ago, 3 h ago, 4 d ago; a date beyond a month."""
    seconds = max(0, (now_ns - ns) // 10**9)
    for limit, size, unit in ((90, 1, "s"), (5_400, 60, "min"), (129_600, 3_600, "h"), (2_592_000, 86_400, "d")):
        if seconds < limit:
            return f"{seconds // size}{NBSP}{unit} ago"
    return datetime.fromtimestamp(ns / 1e9, UTC).strftime("%Y-%m-%d")


def one_line(text: str | None, length: int = 160) -> str:
    """Blanks folded, cut with an ellipsis."""
    line = " ".join((text or "")[: length * 4].split())
    return line if len(line) <= length else f"{line[: length - 1]}…"


def gist(text: str | None, length: int = 160) -> str:
    """One line of a text without the signs of its markup: cells become "a · b", links their words; rules, fences and comments go."""
    lines = SIGNS.sub("", (text or "")[: length * 4]).split("\n")
    rows = (ROW.sub(" · ", line.strip("| \t")) if line.lstrip().startswith("|") else line for line in lines)
    return one_line(PAIRED.sub(lambda match: next(filter(None, match.groups()), ""), "\n".join(rows)), length)
