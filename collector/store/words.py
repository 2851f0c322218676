"""Words of a text, the same way for the index, the query and the proof: folded case, width and accents; bigrams where words have no spaces.

Chinese, Japanese, Korean, Thai and their neighbours are cut into pairs of characters, so that any part of a sentence is found; a single
character is found as the beginning of a pair. What the index finds for more than one word is proved on the text (`pattern`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache

LONGEST = 64  # characters of a word that the index keeps; a longer one is a key, a digest or an image
STEP = 1_024  # characters between two looks for a word too long
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3040-\u30ff\u3130-\u318f\u31f0-\u31ff"  # radicals, kana, jamo
    "\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"  # ideographs, Hangul
    "\U00020000-\U0003ffff"
)
_RUN = re.compile(f"[{_UNSPACED}]+|[^\\W_{_UNSPACED}]+")
_IS_UNSPACED = re.compile(f"[{_UNSPACED}]")
_ASCII = str.maketrans({chr(code): " " for code in range(128) if not chr(code).isalnum()})


def fold(text: str) -> str:
    """Lower case, plain width, no accents."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", text.casefold())
    for accent in filter(
        unicodedata.combining, set(plain)
    ):  # of its hundred different characters: asking for each place took twice as long
        plain = plain.replace(accent, "")
    return unicodedata.normalize("NFC", plain)


def indexed(texts: Iterable[str]) -> str:
    """A document as the index takes it. The index cuts and lowers plain ASCII itself (1 µs a kB; in Python it is 5), so such texts go as
    they are; of others the words."""
    plain: list[str] = []
    words: set[str] = set()
    for text in texts:
        if not text.isascii():
            _add_words(text, plain, words)
        elif len(text) > LONGEST and _has_long_word(text):
            words.update(word[:LONGEST] for word in text.translate(_ASCII).split())
        else:
            plain.append(text)
    return "\n".join((*plain, *words))


def _has_long_word(text: str) -> bool:
    """Whether a look here and there meets a stretch without spaces: an image in base64, a key, JSON without spaces."""
    return " " not in text[:LONGEST] or any(" " not in text[at : at + LONGEST] for at in range(STEP, len(text) - LONGEST, STEP))


def _add_words(text: str, plain: list[str], words: set[str]) -> None:
    """The words of any text: most of them are plain also where it has typographic quotes, dashes or some accents."""
    for word in set(text.split()):
        if word.isascii() and len(word) <= LONGEST:
            plain.append(word)
            continue
        for run in _RUN.findall(fold(word)):
            if _IS_UNSPACED.match(run):
                words.update(_pairs(run))
            else:
                words.add(run[:LONGEST])


def _pairs(run: str) -> list[str]:
    """Each character with the next one, and the last alone: every character begins an entry."""
    return [run[at : at + 2] for at in range(len(run))]


@lru_cache(maxsize=256)
def query(phrase: str) -> str | None:
    """The index's query for a phrase; None where the phrase has no word. A trailing `*` asks for beginnings."""
    runs = _RUN.findall(fold(phrase))
    if not runs:
        return None
    terms: list[str] = []
    for number, run in enumerate(runs):
        beginning = number == len(runs) - 1 and phrase.rstrip().endswith("*")
        if not _IS_UNSPACED.match(run):
            terms.append(f'"{run[:LONGEST]}"{"*" if beginning or len(run) > LONGEST else ""}')
        elif len(run) == 1:
            terms.append(f'"{run}"*')
        else:
            terms.extend(f'"{pair}"' for pair in _pairs(run)[:-1])
    return " AND ".join(dict.fromkeys(terms))


def asks_beginning(match: str) -> bool:
    """Whether a query of the index asks for beginnings of words, not for whole ones only."""
    return match.endswith("*") or "* AND " in match


@lru_cache(maxsize=256)
def is_plain(phrase: str) -> bool:
    """Whether the index alone proves the phrase: one word, or the beginning of one."""
    runs = _RUN.findall(fold(phrase))
    return len(runs) == 1 and (len(runs[0]) <= 2 if _IS_UNSPACED.match(runs[0]) else len(runs[0]) <= LONGEST)


@lru_cache(maxsize=256)
def pattern(phrase: str) -> re.Pattern[str]:
    """What folded text must show: the words one after the other, whole, with anything but words between them."""
    runs = _RUN.findall(fold(phrase))
    if not runs:
        return re.compile(re.escape(fold(phrase.strip())))
    first, *others = map(re.escape, runs)
    # What begins the word is looked at after it: a pattern that begins with plain letters is looked for ten times as fast.
    whole = "" if _IS_UNSPACED.match(runs[0]) else rf"(?<![^\W_]{first})"
    end = "" if _IS_UNSPACED.match(runs[-1]) or phrase.rstrip().endswith("*") else r"(?![^\W_])"
    return re.compile(first + whole + "".join(rf"[\W_]*{run}" for run in others) + end)


@lru_cache(maxsize=256)
def _bytes_of(phrase: str) -> Sequence[bytes]:
    return [run.encode() for run in _RUN.findall(fold(phrase))]


def may_say(phrase: str, raw: bytes, name: str) -> bool:
    """Whether a span with these bytes of JSON and this name can have the phrase: 1 µs a kB, where reading the texts takes 20."""
    if not raw.isascii() or not name.isascii():
        return True
    text = raw.lower() + b"\n" + name.lower().encode()
    return all(run in text for run in _bytes_of(phrase))


def says(phrase: str, texts: Iterable[str]) -> bool:
    """Whether one of the texts has the phrase."""
    wanted = pattern(phrase)
    return any(wanted.search(fold(text)) for text in texts)
