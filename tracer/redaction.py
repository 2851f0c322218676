"""Secrets do not travel: a table of (name, words, pattern, action) applied to every text of a span before it leaves the process.

It runs on the encoder's thread, on UTF-8 bytes, before anything reaches the network or the disk. A pattern is only compiled and tried on
a text that holds what it cannot do without: one of the rule's words, a long run of letters and digits, a telling name before a `:` or
`=`. Those are plain searches: a text without secrets takes 3 µs a kilobyte, one seen before less. JSON stays JSON. A function of the
program may add to the table; when it raises, the value is dropped, not the span.
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
    pattern: bytes
    action: Action = MARK

    def applied(self, text: bytes) -> bytes:
        return _compiled(self.pattern).sub(self.action, text)


def _rule(name: str, words: str, pattern: bytes, action: Action = MARK) -> Rule:
    return Rule(name, tuple(word.encode() for word in words.split()), pattern, action)


_compiled = functools.cache(re.compile)  # at the first use: all of them take 3 ms, and most programs need none


def _card(match: re.Match[bytes]) -> bytes:
    digits = [byte - 48 for byte in match[0] if 48 <= byte <= 57]
    if not 13 <= len(digits) <= 19:
        return match[0]
    doubled = [digit * 2 - 9 if digit > 4 else digit * 2 for digit in digits[-2::-2]]
    return MARK if (sum(digits[::-2]) + sum(doubled)) % 10 == 0 else match[0]


TOKENS: tuple[Rule, ...] = (
    _rule(
        "private key",
        "privat",
        rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----(?s:[^\"]*?-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|[^\"]*)",
    ),
    _rule("OpenAI, Anthropic", "sk-", rb"(?<![A-Za-z0-9])sk-[A-Za-z0-9_-]{16,}"),
    _rule("Stripe", "k_live_ k_test_ whsec_", rb"\b(?:[spr]k_(?:live|test)_|whsec_)[A-Za-z0-9]{10,}"),
    _rule("AWS", "akia asia aroa aida", rb"\b(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{16}\b"),
    _rule("GitHub", "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_", rb"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})"),
    _rule("GitLab", "glpat- gldt- glrt-", rb"\bgl(?:pat|dt|rt)-[A-Za-z0-9_-]{16,}"),
    _rule("Slack", "xox xapp-", rb"\b(?:xox[a-z]-|xapp-)[A-Za-z0-9-]{10,}"),
    _rule("Slack hook", "hooks.slack.com", rb"hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9/_-]+", b"hooks.slack.com/" + MARK),
    _rule("JSON web token", "eyj", rb"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"),
    _rule("Google", "aiza ya29. gocspx-", rb"\b(?:AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_-]{20,}|GOCSPX-[A-Za-z0-9_-]{20,})"),
    _rule("Hugging Face, npm, PyPI", "hf_ npm_ pypi-", rb"\b(?:hf_[A-Za-z0-9]{20,}|npm_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_-]{30,})"),
    _rule(
        "SendGrid, Twilio, DigitalOcean",
        "sg. dop_v1_ shpat_",
        rb"\b(?:SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|(?:dop_v1_|shpat_)[a-f0-9]{32,})",
    ),
    _rule("bearer", "bearer", rb"(?i:\b(bearer\s+))(?=[^\s\"'\\]*[0-9])[A-Za-z0-9._~+/=-]{8,}", rb"\1" + MARK),
)
"""What is looked for in texts that hold a long run of letters and digits, in this order. At work: `tests/tracer/test_redaction.py`."""

_URL_PASSWORD = Rule("password in a URL", (b"://",), rb"(://[^\s:/@\"'\\]{1,100}:)[^\s@/\"'\\]{1,200}(?=@)", rb"\1" + MARK)
_AUTHORIZATION = Rule(
    "Authorization header",
    (b"authorization",),
    rb"(?i:(authorization\\?[\"']?\s*[:=]\s*\\?[\"']?(?:(?:basic|bearer|token|digest|apikey)\s+)?))[^\s\"'\\,;]{4,}",
    rb"\1" + MARK,
)
_CARD = Rule(
    "card number",
    (),
    rb"[3-6](?<![0-9A-Za-z.][3-6])(?:[0-9]{12,18}|[0-9]{3}(?:[ -][0-9]{4}){3}(?:[ -][0-9]{3})?|[0-9]{3}[ -][0-9]{6}[ -][0-9]{4,5})"
    rb"(?![0-9A-Za-z])",
    _card,
)

_DIGITS = bytes(48 if 48 <= byte <= 57 else 45 if byte in b" -" else 120 for byte in range(256))
_GROUPED = b"0000-0000"
_RUN = b"0" * 13


def _might_hold_a_card(text: bytes) -> bool:
    """Whether digits stand in groups, or thirteen in a row that could start a card number: those of `0.8123456835746765` could not."""
    shape = text.translate(_DIGITS)
    at = shape.find(_RUN)
    while at >= 0:
        if text[at] in b"3456" and (at == 0 or text[at - 1] != 46):
            return True
        end = at + len(_RUN)
        while shape.startswith(b"0", end):
            end += 1
        at = shape.find(_RUN, end)
    return _GROUPED in shape


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
    if _might_hold_a_token(text):
        lower = text.lower()
        for rule in TOKENS:
            if any(word in lower for word in rule.words):
                text = rule.applied(text)
    if b"@" in text and b"://" in text:
        text = _URL_PASSWORD.applied(text)
    text = _without_named_values(text)
    return _CARD.applied(text) if _might_hold_a_card(text) else text


# ---- Values that are secret by their name: `password = …`, `"api_key": "…"` ----

_NAMED_WORDS = (b"pass", b"pwd", b"secret", b"key", b"token", b"cred", b"cookie", b"auth")
_SHARED = (b"ke", b"cre", b"coo", b"pass", b"auth", b"pwd")  # one of these is in each of them: key, token; secret, cred
_NAMED_VALUE = (
    rb"(?P<name>(?:passw|passp|passc|pwd|secret|key|token|auth|cred|cookie)[a-z_-]{0,14})"
    rb"(?P<closed>\\?[\"'])?(?P<told>\s*(?:=>|[:=])\s*)"
    rb"(?:(?P<quote>\\?[\"'])(?P<value>(?:(?!(?P=quote))(?:\\.|[^\\]))+)(?P=quote)|(?P<bare>(?!\[redacted)[^\s\"'\\,;&{}\[\]()<>]{4,}))"
)
_NAME_LENGTH = 40  # bytes before a `:` or `=` in which a telling word may stand: the longest, what may follow it, and a quote
_SHORT = 1000  # bytes; of a short text everything is looked at
_NAME_BEFORE = re.compile(rb"[A-Za-z0-9_.-]*\Z")


def _names(text: bytes) -> bytes:
    """What stands before each `:` and `=`, in lower case; a short text whole."""
    if len(text) < _SHORT:
        return text.lower()
    pieces = text.replace(b"=", b":").split(b":")
    del pieces[-1]
    return b"\n".join([piece.rstrip()[-_NAME_LENGTH:] for piece in pieces]).lower()


def _without_named_values(text: bytes) -> bytes:
    told = _names(text)
    for shared in _SHARED:
        if shared in told:
            break
    else:
        return text
    if b"authorization" in told:
        text = _AUTHORIZATION.applied(text)
    return _without_values_told(text) if any(word in told for word in _NAMED_WORDS) else text


def _without_values_told(text: bytes) -> bytes:
    """The pattern starts at the telling word and runs on the lower-case text; the whole name before it is looked at only then."""
    kept: list[bytes] = []
    at = 0
    for match in _compiled(_NAMED_VALUE).finditer(text.lower()):
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

_PASSAGE = re.compile(rb'"(?<!\\")([^"]{200,8000})(?<!\\)"')
"""A long string, whole: what follows an escaped quote may belong to what stands before it."""

_PASSAGES = 20_000  # of those are known to be clean, by their hash
_clean: dict[int, None] = {}


def json_scrubbed(text: bytes) -> bytes:
    """The JSON without secrets; long strings known to be clean are taken out for the search, which leaves little to look at."""
    if len(text) < _SHORT or b"\x02" in text:
        return scrub(text) if len(text) >= _SHORTEST else text
    taken: list[bytes] = []

    def without(match: re.Match[bytes]) -> bytes:
        passage = match[1]
        if hash(passage) in _clean or _is_clean(passage):
            taken.append(passage)
            return b'"\x02"'
        return match[0]

    rest = _PASSAGE.sub(without, text)
    if not taken:
        return scrub(text)
    pieces = scrub(rest).split(b"\x02")
    if len(pieces) != len(taken) + 1:  # one of them went with a secret
        return scrub(text)
    return b"".join([part for pair in zip(pieces, taken, strict=False) for part in pair]) + pieces[-1]


def _is_clean(passage: bytes) -> bool:
    if scrub(passage) != passage:
        return False
    if len(_clean) >= _PASSAGES:
        with contextlib.suppress(KeyError, RuntimeError, StopIteration):  # another thread may be at it
            del _clean[next(iter(_clean))]
    _clean[hash(passage)] = None
    return True


_remembered = functools.lru_cache(maxsize=64)(_scrubbed)
"""A prompt is the output of one step and the input of the next: the same string, looked at once."""


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        return clean(text).encode()
