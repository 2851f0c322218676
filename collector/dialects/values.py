"""Reading attribute values as they really come: JSON inside strings, several levels deep, sometimes a Python repr, sometimes cut short.

Nothing here fails: what cannot be read as what it should be is None, or stays the text it was. Readers are small functions from an
attribute value to one type, named after that type, so that the tables of the dialects can name them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from collector.model import Json

DEPTH_MAX = 100
MENDED_CHARACTERS_MAX = 200_000
REPR_CHARACTERS_MAX = 20_000  # ast.literal_eval takes about 1 ms for that much
SCRUBBED = "[Scrubbed due to"  # what Logfire leaves of a value it took for a secret


def opened(value: Any) -> Any:
    """The JSON value inside a string where there is one; anything else as it is. A string must start like an object or a list."""
    if isinstance(value, str):
        start = value[:1]
        if start == "{" or start == "[":
            return _loaded(value)
        if start.isspace() and value.lstrip()[:1] in ("{", "["):
            return opened(value.lstrip())
        return value
    if isinstance(value, bytes):
        return f"({len(value)} bytes)"
    return value


def _loaded(text: str) -> Any:
    """The JSON value of a text, or the text. What is nested deeper than any program means stays text: nobody downstream has to fear it."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    if len(text) > 2 * DEPTH_MAX and text.count("[") + text.count("{") > DEPTH_MAX and _is_deep(value):
        return text
    return value


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(DEPTH_MAX):
        level = [
            child
            for item in level
            if isinstance(item, list | dict | tuple)
            for child in (item.values() if isinstance(item, dict) else item)
            if isinstance(child, list | dict | tuple)
        ]
        if not level:
            return False
    return True


_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*(?P<quote>")?|[{}\[\],:]', re.DOTALL)
_CLOSING = {"{": "}", "[": "]"}
_CUT_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{0,3})?$")


def mended(value: Any) -> Any:
    """Like `opened`, and JSON that an attribute limit cut short is read as far as it goes: the strings, lists and objects that were open at
    the cut are closed there. What is no JSON at all stays text."""
    if type(value) is dict or type(value) is list:
        return value
    found = opened(value)
    if type(found) is not str or found[:1] not in ("{", "[") or len(found) > MENDED_CHARACTERS_MAX:
        return found
    open_, is_value = "", False
    whole, whole_open = 0, ""  # up to where it reads when everything that was open there is closed
    for token in _TOKEN.finditer(found):
        mark = token[0][0]
        if mark == '"':
            is_value = is_value or open_[-1:] == "["
            if not token["quote"]:  # the cut is inside this string; a key without a value is left out
                if is_value:
                    found = found[:-6] + _CUT_ESCAPE.sub("", found[-6:]) + '"'
                    whole, whole_open = len(found), open_
                break
        elif mark in _CLOSING:
            open_ += mark
            if len(open_) > DEPTH_MAX:
                return value
            is_value = False
            continue  # of which nothing is known is left out
        elif mark in "}]":
            if not open_ or _CLOSING[open_[-1]] != mark:
                return value
            open_ = open_[:-1]
            if not open_:
                return value  # whole, and still no JSON
        if mark == ",":
            whole, whole_open, is_value = token.start(), open_, False
        elif mark == ":":
            is_value = True
        elif mark != '"' or is_value:
            whole, whole_open, is_value = token.end(), open_, False
    read = _loaded(found[:whole] + "".join(_CLOSING[mark] for mark in reversed(whole_open)))
    return value if isinstance(read, str) or not read else read


def decoded(value: Any) -> Any:
    """Like `opened`, for dialects that encode strings and numbers as JSON too (`"\\"CHAIN\\""`, `"0.2"`)."""
    return _loaded(value) if isinstance(value, str) and value else opened(value)


def unquoted(value: Any) -> Any:
    """Like `opened`, and a string in quotes loses them: `"\\"Paris\\""`; bare numbers stay text."""
    if isinstance(value, str) and value[:1] == '"':
        return decoded(value)
    return opened(value)


def evaluated(value: Any) -> Any:
    """Like `opened`, and Python reprs (`{'a': None}`) are read as well."""
    found = opened(value)
    if isinstance(found, str) and found[:1] in ("{", "[", "(") and len(found) <= REPR_CHARACTERS_MAX:
        try:
            evaluated_repr = ast.literal_eval(found)
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            return found
        return found if _is_deep(evaluated_repr) else evaluated_repr
    return found


def text(value: Any) -> str | None:
    """A non-empty string; numbers as digits."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, bool) or value is None:
        return None
    return str(value) if isinstance(value, int | float) else None


def plain_text(value: Any) -> str | None:
    """A non-empty string that no scrubber has replaced; JSON quotes taken off."""
    if type(value) is str and (start := value[:1]).isalnum() and start != "n":
        return value  # nine of ten: nothing to take off, and nothing that a scrubber or JSON's null begin with
    found = text(unquoted(value))
    return None if found is None or found.startswith(SCRUBBED) or found == "null" else found


def integer(value: Any) -> int | None:
    if type(value) is int:
        return value
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            number_found = number(value)
            return int(number_found) if number_found is not None and number_found.is_integer() else None
    return None


def number(value: Any) -> float | None:
    """A finite number."""
    if type(value) is float:
        return value if value - value == 0 else None
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float | str):
        try:
            found = float(value)
        except (ValueError, OverflowError):
            return None
        return found if found - found == 0 else None  # neither infinite nor NaN
    return None


def known_cost(value: Any) -> float | None:
    """A cost that is not 0, which some SDKs write for a model they have no price of."""
    return number(value) or None


def mapping(value: Any) -> Mapping[str, Any] | None:
    found = opened(value)
    return found if isinstance(found, dict) and found else None


def mapping_of_any_kind(value: Any) -> Mapping[str, Any] | None:
    found = evaluated(value)
    return found if isinstance(found, dict) and found else None


def sequence(value: Any) -> Sequence[Any] | None:
    found = opened(value)
    return found if isinstance(found, list) and found else None


_NO_VALUE = re.compile(r"<[\w.]+(?: [^<>]{1,200})? at 0x[0-9a-fA-F]+>")


def payload(value: Any) -> Any:
    """Text or JSON; None when there is nothing, or only the address of a Python object (`<groq.Stream object at 0x7f9c…>`)."""
    found = opened(value)
    if type(found) is str and (not found or (found[0] == "<" and found[-1] == ">" and _NO_VALUE.fullmatch(found))):
        return None
    return found


def structure(value: Any) -> Any:
    """A payload that is read for what is in it (messages, documents, tools) rather than shown as it is: JSON that was cut is mended."""
    return payload(mended(value))


def unquoted_payload(value: Any) -> Any:
    found = unquoted(value)
    return None if found == "" or found == "null" else found


def strings(value: Any) -> Sequence[str] | None:
    """A list of strings, from an array, a JSON array in a string, or words between commas."""
    found = opened(value)
    if isinstance(found, str):
        found = [word.strip() for word in found.split(",")]
    if not isinstance(found, list):
        return None
    return [word for item in found if (word := text(item))] or None


def words(value: Any) -> Sequence[str] | None:
    """A list of strings, or one string."""
    found = opened(value)
    return [word for item in (found if isinstance(found, list) else [found]) if (word := text(item))] or None


def seconds(value: Any) -> int | None:
    """Seconds as nanoseconds."""
    found = number(value)
    return None if found is None or found < 0 else round(found * 1e9)


def milliseconds(value: Any) -> int | None:
    """Milliseconds as nanoseconds."""
    found = number(value)
    return None if found is None or found < 0 else round(found * 1e6)


def as_list(value: Any) -> list[Any]:
    """The items of a list, or of a mapping by position as unflattening makes it (gaps allowed, sorted by number)."""
    if isinstance(value, list):
        return value
    if isinstance(value, dict) and value and all(isinstance(key, int) for key in value):
        return [value[key] for key in sorted(value)]
    if isinstance(value, tuple):
        return list(value)
    return []


def left_out(value: Any) -> bool:
    """Whether a value is OpenAI's placeholder for an argument that was not given, as a repr."""
    return isinstance(value, str) and value.startswith(("<openai.Omit object", "<openai.NotGiven object", "NOT_GIVEN"))


def first(holder: Mapping[str, Any], keys: Sequence[str]) -> Any:
    """The first value under these keys that is neither missing nor None nor left out."""
    for key in keys:
        value = holder.get(key)
        if value is not None and not left_out(value):
            return value
    return None


def as_text(value: Any) -> str | None:
    """Any value as one would read it: text as it is, JSON otherwise."""
    if value is None or isinstance(value, str):
        return value
    try:
        return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS, default=str).decode()
    except TypeError:  # deeper than orjson goes, or an integer over 64 bits
        return str(value)


def unwrapped(value: Any) -> Any:
    """A decorated call's only argument, a wrapped result."""
    if isinstance(value, dict):
        if len(value) == 2 and isinstance(value.get("args"), list) and isinstance(value.get("kwargs"), dict):
            arguments, keywords = value["args"], value["kwargs"]
            if len(arguments) == 1 and not keywords:
                return opened(arguments[0])
            return keywords if not arguments else value
        if len(value) == 1 and "output" in value:
            return value["output"]
        if value.get("type") == "tool" and "content" in value and "tool_call_id" in value:
            return value["content"]  # LangChain's ToolMessage, in the three ways it is serialised
        if value.get("type") == "tool" and isinstance(data := value.get("data"), dict):
            return data.get("content", value)
        if isinstance(kwargs := value.get("kwargs"), dict) and value.get("id", [""])[-1:] == ["ToolMessage"]:
            return kwargs.get("content", value)
    return value


def as_json(value: Any) -> Json:
    return f"({len(value)} bytes)" if isinstance(value, bytes) else value
