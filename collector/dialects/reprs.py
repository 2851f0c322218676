"""Python reprs of dataclasses, as some instrumentations record messages and tools: `ChatMessage(role=<MessageRole.USER: 'user'>, …)`.

Python's own parser reads them as syntax; nothing is ever evaluated. A call becomes a mapping of its keywords, an enum member its value,
an object without a literal form None. What does not parse stays the text it was.
"""

from __future__ import annotations

import ast
import re
from typing import Any

from collector.dialects.values import REPR_CHARACTERS_MAX

START = re.compile(r"[A-Z]\w*\(\w+=")
_ENUM = re.compile(r"<\w+(?:\.\w+)+: ('[^'\\]*'|\"[^\"\\]*\"|-?\d+)>")
_OPAQUE = re.compile(r"<[a-zA-Z][^<>']*>")
_WRAPPED = {"ToolCall": "tool_call", "ToolCallResult": "tool_call_result"}  # Haystack's parts, which its JSON names by a key


def rebuilt(text: str) -> Any:
    """The mapping behind a dataclass's repr; the text itself where it is none."""
    if len(text) > REPR_CHARACTERS_MAX or not START.match(text):
        return text
    readable = _ENUM.sub(r"\1", text)
    for candidate in (readable, _OPAQUE.sub("None", readable)):
        try:
            return _value(ast.parse(candidate, mode="eval").body)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
    return text


def _value(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=value):
            return value if isinstance(value, str | int | float | bool | None) else str(value)
        case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items):
            return [_part(item) for item in items]
        case ast.Dict(keys=keys, values=values):
            pairs = zip(keys, values, strict=True)
            return {str(_value(key)): _value(value) for key, value in pairs if key is not None}
        case ast.Call(keywords=keywords):
            return {keyword.arg: _value(keyword.value) for keyword in keywords if keyword.arg is not None}
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
        case _:
            return None


def _part(node: ast.expr) -> Any:
    """An item of a list; parts of a Haystack message get their key."""
    value = _value(node)
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in _WRAPPED
        and value.keys() & {"tool_name", "origin"}
    ):
        return {_WRAPPED[node.func.id]: value}
    return value
