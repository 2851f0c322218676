"""Python reprs of dataclasses, as some instrumentations record messages and tools: `ChatMessage(role=<MessageRole.USER: 'user'>, …)`; and
what pydantic prints of a model, which is the same without name and commas: `source='user' content='Hello'`.

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


_PRINTED = re.compile(r"[a-z_]\w*=['\"\[{\dNTF]")
_TOKEN = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|[(\[{]|[)\]}]|(?P<gap> )(?=[a-z_]\w*=)", re.DOTALL)


def rebuilt(text: str) -> Any:
    """The mapping behind a dataclass's repr or a printed model; the text itself where it is none."""
    if len(text) > REPR_CHARACTERS_MAX:
        return text
    if _PRINTED.match(text):
        readable = f"Printed({_with_commas(text)})"
    elif START.match(text):
        readable = text
    else:
        return text
    readable = _ENUM.sub(r"\1", readable)
    for candidate in (readable, _OPAQUE.sub("None", readable)):
        try:
            return _value(ast.parse(candidate, mode="eval").body)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
    return text


def _with_commas(text: str) -> str:
    """A comma before every field of a printed model that is not inside quotes or brackets."""
    parts, begun, depth = list[str](), 0, 0
    for token in _TOKEN.finditer(text):
        if token["gap"]:
            if depth == 0:
                parts.append(text[begun : token.start()])
                begun = token.end()
        else:
            depth += 1 if token[0] in "([{" else -1 if token[0] in ")]}" else 0
    return ", ".join([*parts, text[begun:]])


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
