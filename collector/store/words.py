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
EDGE = LONGEST  # characters at both ends of a text within another that are read all the same
WORTH_SEARCHING = 1_000  # characters of a text that may hold others
HOLDERS = 16  # such texts of a trace that the others are looked for in; a trace of 10,000 spans has thousands
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
    return unicodedata.normalize("NFC", "".join(char for char in plain if not unicodedata.combining(char)))


def add_words(text: str, words: set[str]) -> None:
    """Put the words of a text into a set."""
    if text.isascii():
        words.update(text.lower().translate(_ASCII).split())  # 6 µs per kB; the general way takes 40
        return
    for run in _RUN.findall(fold(text)):
        if _IS_UNSPACED.match(run):
            words.update(_pairs(run))
        else:
            words.add(run)


def add_all(texts: Iterable[str], words: set[str]) -> None:
    """The words of several texts of one trace. A passage that stands whole in a prompt has been said already: only its edges, which may
    cut a word of the prompt, are added. That halves the work, a prompt being mostly passages."""
    whole: list[str] = []
    plain: list[str] = []  # ASCII texts, cut into words in one go
    for text in sorted(texts, key=len, reverse=True):
        pieces = (text,)
        if len(text) > 2 * EDGE and any(text in longer for longer in whole):
            pieces = (text[:EDGE], text[-EDGE:])
        elif len(text) > WORTH_SEARCHING and len(whole) < HOLDERS:
            whole.append(text)
        if text.isascii():
            plain.extend(pieces)
        else:
            for piece in pieces:
                add_words(piece, words)
    add_words("\n".join(plain), words)


def _pairs(run: str) -> list[str]:
    """Each character with the next one, and the last alone: every character begins an entry."""
    return [run[at : at + 2] for at in range(len(run))]


def indexed(words: set[str]) -> str:
    """The words of a document as the index takes them."""
    if max(map(len, words), default=0) > LONGEST:
        words = {word[:LONGEST] for word in words}
    return " ".join(words)


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
    begin = "" if _IS_UNSPACED.match(runs[0]) else r"(?<![^\W_])"
    end = "" if _IS_UNSPACED.match(runs[-1]) or phrase.rstrip().endswith("*") else r"(?![^\W_])"
    return re.compile(begin + r"[\W_]*".join(map(re.escape, runs)) + end)


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
