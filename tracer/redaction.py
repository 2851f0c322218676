"""Secrets do not travel: a table of (name, words, pattern, action) applied to every text of a span before it leaves the process.

It runs on the encoder's thread, on UTF-8 bytes, before anything reaches the network or the disk. A pattern is only tried on a text that
holds one of the rule's words (a plain substring search), which keeps a text without secrets under 10 µs a kilobyte. JSON stays JSON.
A function of the program may add to the table; when it raises, the value is dropped, not the span.
"""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from tracer import conventions as names
from tracer.capture import clean
from tracer.safety import attempt
from tracer.secret_names import names_a_secret

Attributes = dict[str, Any]
Hook = Callable[[str, str], "str | None"]

MARK = b"[redacted]"
_SHORTEST = 6  # characters: nothing shorter is looked at
_REMEMBERED = 32_768  # characters: longer texts are not remembered
_PLAIN_KEYS = frozenset(
    {names.SPAN_KIND, names.OPERATION, names.INPUT_MIME_TYPE, names.OUTPUT_MIME_TYPE, names.STAGE, names.REQUEST_MODEL, names.PROVIDER}
)

Action = bytes | Callable[[re.Match[bytes]], bytes]


@dataclass(frozen=True, slots=True)
class Rule:
    """`words` are lower case; the pattern is tried on texts that hold one of them, whatever its case."""

    name: str
    words: Sequence[bytes]
    pattern: re.Pattern[bytes]
    action: Action = MARK
    long: bool = False  # only in texts that might hold a token


def _rule(name: str, words: str, pattern: bytes, action: Action = MARK, *, long: bool = False) -> Rule:
    return Rule(name, tuple(word.encode() for word in words.split()), re.compile(pattern), action, long)


def _card(match: re.Match[bytes]) -> bytes:
    digits = [byte - 48 for byte in match[0] if 48 <= byte <= 57]
    if not 13 <= len(digits) <= 19:
        return match[0]
    doubled = [digit * 2 - 9 if digit > 4 else digit * 2 for digit in digits[-2::-2]]
    return MARK if (sum(digits[::-2]) + sum(doubled)) % 10 == 0 else match[0]


RULES: tuple[Rule, ...] = (
    _rule(
        "private key",
        "privat",
        rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----(?s:[^\"]*?-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|[^\"]*)",
        long=True,
    ),
    _rule("OpenAI, Anthropic", "sk-", rb"(?<![A-Za-z0-9])sk-[A-Za-z0-9_-]{16,}", long=True),
    _rule("Stripe", "k_live_ k_test_ whsec_", rb"\b(?:[spr]k_(?:live|test)_|whsec_)[A-Za-z0-9]{10,}", long=True),
    _rule("AWS", "akia asia aroa aida", rb"\b(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{16}\b", long=True),
    _rule("GitHub", "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_", rb"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})", long=True),
    _rule("GitLab", "glpat- gldt- glrt-", rb"\bgl(?:pat|dt|rt)-[A-Za-z0-9_-]{16,}", long=True),
    _rule("Slack", "xox xapp-", rb"\b(?:xox[a-z]-|xapp-)[A-Za-z0-9-]{10,}", long=True),
    _rule(
        "Slack hook", "hooks.slack.com", rb"hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9/_-]+", b"hooks.slack.com/" + MARK, long=True
    ),
    _rule("JSON web token", "eyj", rb"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*", long=True),
    _rule("Google", "aiza ya29. gocspx-", rb"\b(?:AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_-]{20,}|GOCSPX-[A-Za-z0-9_-]{20,})", long=True),
    _rule(
        "Hugging Face, npm, PyPI", "hf_ npm_ pypi-", rb"\b(?:hf_[A-Za-z0-9]{20,}|npm_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_-]{30,})", long=True
    ),
    _rule(
        "SendGrid, Twilio, DigitalOcean",
        "sg. dop_v1_ shpat_",
        rb"\b(?:SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|(?:dop_v1_|shpat_)[a-f0-9]{32,})",
        long=True,
    ),
    _rule(
        "Authorization header",
        "authorization",
        rb"(?i:(authorization\\?[\"']?\s*[:=]\s*\\?[\"']?(?:(?:basic|bearer|token|digest|apikey)\s+)?))[^\s\"'\\,;]{4,}",
        rb"\1" + MARK,
    ),
    _rule("bearer", "bearer", rb"(?i:\b(bearer\s+))(?=[^\s\"'\\]*[0-9])[A-Za-z0-9._~+/=-]{8,}", rb"\1" + MARK, long=True),
    _rule("password in a URL", "://", rb"(://[^\s:/@\"'\\]{1,100}:)[^\s@/\"'\\]{1,200}(?=@)", rb"\1" + MARK),
)
"""What is looked for, in this order; card numbers come last. To see a rule at work: `tests/tracer/test_redaction.py`."""

_SHORT_RULES = tuple(rule for rule in RULES if not rule.long)
_CARD = re.compile(rb"[3-6](?<![0-9A-Za-z.][3-6])(?:[ -]?[0-9]){12,18}(?![0-9A-Za-z])")


_DIGITS_ONLY = bytes(48 if 48 <= byte <= 57 else 120 for byte in range(256))


def _might_hold_a_card(text: bytes) -> bool:
    return b"0" * 13 in text.translate(_DIGITS_ONLY, b" -")


def _might_hold_a_token(text: bytes) -> bool:
    """Whether sixteen letters and digits stand in a row that are neither a number nor a long word: most texts have none."""
    shape = text.translate(_WORDS_ONLY)
    at = shape.find(_LONG)
    while at >= 0:
        end = shape.find(b" ", at)
        run = text[at:end] if end >= 0 else text[at:]
        if not run.isdigit() and not (run.isalpha() and run.islower()):
            return True
        at = shape.find(_LONG, at + len(run))
    return False


_WORDS_ONLY = bytes(97 if chr(byte).isascii() and chr(byte).isalnum() else 32 for byte in range(256))
_LONG = b"a" * 16


def scrub(text: bytes) -> bytes:
    """The text without the secrets the table knows; the same object when there are none."""
    lower = text.lower()
    for rule in RULES if _might_hold_a_token(text) else _SHORT_RULES:
        for word in rule.words:
            if word in lower:
                text = rule.pattern.sub(rule.action, text)
                break
    if any(word in lower for word in _NAMED_WORDS):
        text = _without_named_values(text)
    return _CARD.sub(_card, text) if _might_hold_a_card(text) else text


# ---- Values that are secret by their name: `password = …`, `"api_key": "…"` ----

_NAMED_WORDS = (b"pass", b"pwd", b"secret", b"key", b"token", b"credential", b"cookie", b"authorization")
_NAMED_VALUE = re.compile(
    rb"(?P<name>(?:passw|passp|passc|pwd|secret|key|token|auth|cred|cookie)[a-z_-]{0,14})"
    rb"(?P<closed>\\?[\"'])?(?P<told>\s*(?:=>|[:=])\s*)"
    rb"(?:(?P<quote>\\?[\"'])(?P<value>(?:(?!(?P=quote))(?:\\.|[^\\]))+)(?P=quote)|(?P<bare>(?!\[redacted)[^\s\"'\\,;&{}\[\]()<>]{4,}))"
)
_NAME_BEFORE = re.compile(rb"[A-Za-z0-9_.-]*\Z")


def _without_named_values(text: bytes) -> bytes:
    """The pattern starts at the telling word and runs on the lower-case text; the whole name before it is looked at only then."""
    kept: list[bytes] = []
    at = 0
    for match in _NAMED_VALUE.finditer(text.lower()):
        start, end = match.span("value" if match["quote"] is not None else "bare")
        before = _NAME_BEFORE.search(text[max(0, match.start() - 40) : match.end("name")])
        if before is None or not names_a_secret(before[0].decode("ascii", "replace")):
            continue
        quoted_name = match["closed"] is not None
        if match["quote"] is None and b"=" not in match["told"] and not quoted_name and not re.search(rb"[0-9!@#$%^&*]", match["bare"]):
            continue  # "password: choose a long one" is prose
        kept += (text[at:start], b'"' + MARK + b'"' if match["quote"] is None and quoted_name else MARK)
        at = end
    return b"".join([*kept, text[at:]]) if kept else text


def redactor(rules: bool | Hook) -> Callable[[Attributes], Attributes] | None:
    """What removes the secrets from the attributes of a span or event: the table, or the table and a function; None for neither."""
    if rules is False:
        return None
    hook = rules if callable(rules) else None

    def redact(attributes: Attributes) -> Attributes:
        return {
            key: value if key in _PLAIN_KEYS else attempt(_redacted, key, value, hook, default=MARK) for key, value in attributes.items()
        }

    return redact


def _redacted(key: str, value: Any, hook: Hook | None) -> Any:
    kind = type(value)
    if kind is str or kind is bytes:
        if names_a_secret(key):
            return MARK if kind is bytes else MARK.decode()
        if kind is bytes:
            return _asked(key, json_scrubbed(value), hook)
        if len(value) < _SHORTEST:
            clean_text = value
        else:
            clean_text = _remembered(value) if len(value) < _REMEMBERED else _scrubbed(value)
        return clean_text if hook is None else _asked(key, _utf8(clean_text), hook).decode("utf-8", "replace")
    if kind is tuple or kind is list:
        return tuple(_redacted(key, item, hook) for item in cast("tuple[Any, ...]", value))
    if kind is dict:
        return {name: _redacted(name, item, hook) for name, item in cast("dict[str, Any]", value).items()}
    return value


def _asked(key: str, text: bytes, hook: Hook | None) -> bytes:
    if hook is None:
        return text
    answer = hook(key, text.decode("utf-8", "replace"))
    return MARK if answer is None else _utf8(answer)


def _scrubbed(text: str) -> str:
    given = _utf8(text)
    clean_text = scrub(given)
    return text if clean_text == given else clean_text.decode("utf-8", "replace")


# ---- JSON: the same passages come again and again, within a trace and between traces ----

_PASSAGE = range(200, 8_000)  # bytes of a string in JSON that is remembered when it is clean
_PASSAGES = 1_000  # of those
_PLACE = re.compile(rb"\x02(\d+)\x02")
_clean: dict[bytes, None] = {}


def json_scrubbed(text: bytes) -> bytes:
    """The JSON without secrets; long strings known to be clean are taken out for the search, which leaves little to look at."""
    if len(text) < _PASSAGE.start or b"\x02" in text:
        return scrub(text) if len(text) >= _SHORTEST else text
    pieces = text.split(b'"')
    known = [
        (at, piece)
        for at, piece in enumerate(pieces)
        if len(piece) in _PASSAGE and piece[-1] != 92 and not pieces[at - 1].endswith(b"\\") and _is_clean(piece)
    ]  # whole strings only: one that was split at an escaped quote may hold the name of what follows
    if not known:
        return scrub(text)
    for place, (at, _) in enumerate(known):
        pieces[at] = b"\x02%d\x02" % place
    rest = scrub(b'"'.join(pieces))
    return _PLACE.sub(lambda match: known[int(match[1])][1], rest)


def _is_clean(passage: bytes) -> bool:
    if passage in _clean:
        return True
    if scrub(passage) != passage:
        return False
    if len(_clean) >= _PASSAGES:
        with contextlib.suppress(KeyError, RuntimeError, StopIteration):  # another thread may be at it
            del _clean[next(iter(_clean))]
    _clean[passage] = None
    return True


_remembered = functools.lru_cache(maxsize=64)(_scrubbed)
"""A prompt is the output of one step and the input of the next: the same string, looked at once."""


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        return clean(text).encode()
