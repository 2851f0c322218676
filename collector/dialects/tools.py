"""Tools: the one a span ran with its arguments and result, and those a model was offered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from collector.dialects.reading import Fields, Reading
from collector.dialects.reprs import rebuilt
from collector.dialects.values import as_list, first, opened, text, unwrapped
from collector.model import (
    Json,
    SpanKind,
)


def fill_tool(reading: Reading, kind: SpanKind, fields: Fields) -> None:
    fields["tool_name"] = _tool_name(reading, kind)
    fields["arguments"], fields["output"] = _tool_io(reading, kind, reading.given, reading.returned)


def fill_offered(reading: Reading, kind: SpanKind, fields: Fields) -> None:
    fields["tools_offered"] = _tools(reading, reading.given)


def _tool_name(reading: Reading, kind: SpanKind) -> str | None:
    found = reading.take("tool_name")
    if found is None and kind is SpanKind.TOOL:
        found = reading.span.name.removeprefix("execute_tool ").removeprefix("running tool: ").removesuffix(".tool") or None
    return found


def _tool_io(reading: Reading, kind: SpanKind, given: Any, returned: Any) -> tuple[Json, Json]:
    """Arguments and output of a tool; of any other span its output alone."""
    arguments, result = reading.take("arguments"), reading.take("result", "output")
    if kind is not SpanKind.TOOL:
        return arguments, returned if returned is not None else result
    if arguments is None and given is not None:
        arguments = given
        if isinstance(given, dict) and "args" in given and isinstance(given.get("kwargs"), dict):
            arguments = given["kwargs"] or given["args"]
        elif isinstance(given, dict) and len(given) == 1 and isinstance(given.get("kwargs"), dict):
            arguments = given["kwargs"]  # LlamaIndex
        elif isinstance(given, dict) and isinstance(given.get("args"), dict) and "name" in given:
            arguments = given["args"]  # LangChain's tool call
        reading.sources.setdefault("arguments", reading.sources.get("input", "input"))
    return arguments, unwrapped(result) if result is not None else returned


def _tools(reading: Reading, given: Any) -> Sequence[Mapping[str, Json]]:
    for key, value in reading.every("tools"):
        found = [tool for item in as_list(opened(value)) for tool in _tool(item)]
        if found:
            reading.sources.setdefault("tools_offered", key)
            return found
    for key, items in reading.listed("tools"):
        found = [tool for item in as_list(items) for tool in _tool(item)]
        if found:
            reading.sources.setdefault("tools_offered", f"{key}.*")
            return found
    if reading.kind is SpanKind.LLM:
        config = given.get("config") if isinstance(given, dict) else None
        for holder in (given, config, *(parameters for _, parameters in reading.parameters)):
            if isinstance(holder, dict) and (offered := first(holder, ("tools", "functions"))) is not None:
                found = [tool for item in as_list(opened(offered)) for tool in _tool(item)]
                if found:
                    reading.sources.setdefault("tools_offered", reading.sources.get("input", "input"))
                    return found
    return ()


def _tool(item: Any) -> list[Mapping[str, Json]]:
    """A tool definition as name, description, parameters; several where Gemini or Bedrock group them."""
    item = opened(item)
    if isinstance(item, str):
        item = rebuilt(item)
    if isinstance(item, str):
        return [{"name": item}] if item else []
    if not isinstance(item, dict):
        return []
    if "json_schema" in item:
        return _tool(item["json_schema"])
    for group in ("functionDeclarations", "function_declarations"):
        if isinstance(grouped := item.get(group), list):
            return [tool for inner in grouped for tool in _tool(inner)]
    for wrapper in ("function", "toolSpec", "tool", "data"):  # "data": Haystack's serialised tools
        if isinstance(inner := item.get(wrapper), dict):
            return _tool(inner)
    name = text(item.get("name")) or text(item.get("type"))
    if not name:
        return []
    tool: dict[str, Json] = {"name": name}
    if description := text(item.get("description")):
        tool["description"] = description
    schema = opened(first(item, ("parameters", "input_schema", "inputSchema", "parameters_json_schema", "schema")))
    if schema is not None:
        tool["parameters"] = schema
    return [tool]
