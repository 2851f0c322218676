"""Text → terms: what lexical search counts.

A term is a stemmed word in lower case; irregular forms and British spellings count as their base (`irregular.txt`). Identifiers count
whole and in parts (`maxContentLength`, `max_content_length` and `max.content.length` all meet in "max content length"), Chinese, Japanese
and Korean text counts in pairs of characters, and words that carry no subject ("how", "the", "does") do not count at all.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from importlib.resources import files

import snowballstemmer

STOP_WORDS = frozenset(files("demo_rag_bot").joinpath("stopwords.txt").read_text("utf-8").split())
_BASE: dict[str, str] = {
    form: base
    for line in files("demo_rag_bot").joinpath("irregular.txt").read_text("utf-8").splitlines()
    for base, *forms in [line.split()]
    for form in forms
}
_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7af"
_TOKEN = re.compile(rf"[{_CJK}]+|[^\W_](?:[^\W{_CJK}]|[.\-'’](?=[^\W_]))*")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+|\d+")
_IS_CJK = re.compile(rf"[{_CJK}]")
_ONLY_GRAMMAR = re.compile(r"[\u3040-\u309f]+")  # hiragana alone: particles, endings and politeness
_stemmer = snowballstemmer.stemmer("english")


def terms(text: str) -> list[str]:
    """The terms of a text, in order, with repeats."""
    return [term for token in _TOKEN.findall(unicodedata.normalize("NFKC", text)) for term in _terms_of(token)]


def spelled(text: str) -> dict[str, str]:
    """The terms of a text, in order, each once, with the word it stands for as that is written."""
    return {term: word for token in _TOKEN.findall(unicodedata.normalize("NFKC", text)) for term, word in _words_of(token)}


@lru_cache(maxsize=200_000)
def _terms_of(token: str) -> tuple[str, ...]:
    return tuple(term for term, _ in _words_of(token))


def _words_of(token: str) -> Iterator[tuple[str, str]]:
    if not _IS_CJK.match(token):
        return _identifier_words(token)
    pairs = (token,) if len(token) == 1 else tuple(token[i : i + 2] for i in range(len(token) - 1))
    return ((pair, pair) for pair in pairs if not _ONLY_GRAMMAR.fullmatch(pair))


def _identifier_words(token: str) -> Iterator[tuple[str, str]]:
    token = re.sub(r"['’].*", "", token)
    parts = _PART.findall(token)
    for part in parts:
        lowered: str = part.lower()
        word = _BASE.get(lowered, lowered)
        if word not in STOP_WORDS and (len(word) > 1 or len(parts) == 1):  # the e of "e-mail" says nothing
            yield stem(word), word
    if len(parts) > 1:  # the whole identifier too, so that an exact name beats its parts
        whole = re.sub(r"[^\w]|_", "", token).lower()
        yield whole, whole


@lru_cache(maxsize=200_000)
def stem(word: str) -> str:
    return str(_stemmer.stemWord(_BASE.get(word, word)))
