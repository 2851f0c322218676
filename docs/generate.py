"""Generated parts of the documentation: `python docs/generate.py` writes them, `--check` says which are stale (CI runs that).

A page is written by hand; between `<!-- begin generated NAME -->` and `<!-- end generated NAME -->` stands what the code says. To generate
another part, add a function to SECTIONS and its markers to a page.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent


# ---- Commands ----


def commands() -> Iterator[str]:
    """Every command of `rightpassage` with its arguments and options."""
    from typer.main import get_command

    from collector.cli import cli

    group: Any = get_command(cli)
    for name, command in group.commands.items():
        arguments = [p for p in command.params if p.param_type_name == "argument"]
        options = [p for p in command.params if p.param_type_name == "option" and p.name != "help"]
        shown = " ".join((argument.metavar or argument.name.upper()) for argument in arguments)
        yield f"## rightpassage {name}"
        yield f"`rightpassage {name}{' ' + shown if shown else ''}{' [OPTIONS]' if options else ''}`"
        yield ""
        yield from (command.help or "").strip().splitlines()
        yield ""
        for argument in arguments:
            yield f"- `{argument.metavar or argument.name.upper()}`: {argument.help}"
        if arguments:
            yield ""
        if options:
            yield "| option | default | environment | |"
            yield "|---|---|---|---|"
            yield from (_option_row(option) for option in options)
            yield ""


def _option_row(option: Any) -> str:
    names = ", ".join(f"`{name}`" for name in option.opts)
    value = f" `{option.metavar}`" if option.metavar else ""
    default = "" if option.is_flag or option.default in (None, ()) else f"`{getattr(option.default, 'value', option.default)}`"
    return f"| {names}{value} | {default} | `{option.envvar}` | {_cell(option.help)} |"


def _cell(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")


# ---- HTTP API ----


def endpoints() -> Iterator[str]:
    """Every route of the collector, from its OpenAPI description."""
    from collector.app import create_api

    described = create_api().openapi()
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            yield f"### {method.upper()} {path}"
            yield from operation.get("description", "").strip().splitlines()
            yield ""
            parameters = [p for p in operation.get("parameters", []) if p["in"] != "path"]
            if parameters:
                yield "| parameter | type | default | |"
                yield "|---|---|---|---|"
                for parameter in parameters:
                    schema = parameter["schema"]
                    default = schema.get("default")
                    shown = f"`{default}`" if default not in (None, "") else "required" if parameter.get("required") else ""
                    yield f"| `{parameter['name']}` | {_schema_type(schema)} | {shown} | {_cell(parameter.get('description'))} |"
                yield ""
            yield from _body(operation, described["components"]["schemas"])


def _body(operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> Iterator[str]:
    reference = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {}).get("$ref", "")
    if body := schemas.get(reference.rpartition("/")[2]):
        yield "| field of the body | type | |"
        yield "|---|---|---|"
        for name, schema in body["properties"].items():
            needed = "required; " if name in body.get("required", ()) else ""
            about = schemas.get(schema.get("$ref", "").rpartition("/")[2], {}).get("description", "")
            yield f"| `{name}` | {_schema_type(schema)} | {_cell(needed + (schema.get('description') or about))} |"
        yield ""


def _schema_type(schema: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_schema_type(part) for part in schema["anyOf"] if part.get("type") != "null")
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2].removesuffix("Body").lower()
    bounds = f" {schema['minimum']}–{schema['maximum']}" if "minimum" in schema and "maximum" in schema else ""
    return f"{schema.get('type', 'any')}{bounds}"


def problems() -> Iterator[str]:
    """The names of problems and their HTTP status."""
    from collector.routes.problems import PROBLEMS

    yield "| type | status | title |"
    yield "|---|---|---|"
    for status, name, title in PROBLEMS.values():
        yield f"| `urn:rightpassage:{name}` | {status} | {title} |"


# ---- Dialects ----


def dialects() -> Iterator[str]:
    """Every dialect in the order it is asked, with the names that show it, that decide the kind and that fill fields."""
    from collector.dialects import DIALECTS

    yield "| | dialect | is recognised by | kind from | fills |"
    yield "|---|---|---|---|---|"
    for number, dialect in enumerate(DIALECTS, 1):
        signs = [f"`{key}*`" if key.endswith(".") else f"`{key}`" for key in dialect.evidence]
        signs += [f"scope `{scope}`" for scope in dialect.scopes]
        kind = f"`{dialect.kind_key}`" if dialect.kind_key else ""
        targets = [*dialect.keys.values(), *dialect.own.values(), *dialect.lists.values(), *dialect.maps.values()]
        slots = sorted({target if isinstance(target, str) else target[0] for target in targets})
        yield f"| {number} | {dialect.title} | {', '.join(signs)} | {kind} | {', '.join(slots)} |"


SHOWN_SLOTS = {
    "input": "input",
    "output": "output",
    "input_messages": "input messages",
    "output_messages": "output messages",
    "query": "query",
    "documents": "documents",
    "input_documents": "documents before reranking",
    "tool_name": "tool name",
    "arguments": "tool arguments",
    "result": "tool result",
    "tools": "tools offered",
    "response_model": "model",
    "request_model": "model asked for",
    "provider": "provider",
    "input_tokens": "input tokens",
    "output_tokens": "output tokens",
    "cached_input_tokens": "cached input tokens",
    "reasoning_tokens": "reasoning tokens",
    "usage": "usage objects",
    "cost": "cost",
    "first_token": "time to first token",
    "template": "prompt template",
    "session": "session",
    "user": "user",
    "tags": "tags",
}


def names() -> Iterator[str]:
    """Every attribute key that is searched for a field, in the order it is asked."""
    from collector.dialects import searched

    yield "| field | keys, in the order they are asked |"
    yield "|---|---|"
    for slot, title in SHOWN_SLOTS.items():
        yield f"| {title} | {', '.join(f'`{key}`' for key in searched(slot))} |"


# ---- Putting them into their pages ----

# ---- Filters ----


def filter_fields() -> Iterator[str]:
    """Every field of the filter language."""
    from collector.filters import FIELDS

    yield "| field | of | type | what it is |"
    yield "|---|---|---|---|"
    sides = {"both": "trace or span", "trace": "trace", "span": "span"}
    for entry in FIELDS.values():
        names = ", ".join(f"`{name}{'[…]' if entry.keyed else ''}`" for name in (entry.name, *entry.aliases))
        said = entry.description.replace("|", "\\|")
        choices = f": {', '.join(f'`{choice}`' for choice in entry.choices)}" if entry.choices else ""
        yield f"| {names} | {sides[entry.scope]} | {entry.type} | {said}{choices} |"


SECTIONS: Mapping[tuple[str, str], Callable[[], Iterator[str]]] = {
    ("cli.md", "commands"): commands,
    ("api.md", "endpoints"): endpoints,
    ("api.md", "problems"): problems,
    ("dialects.md", "dialects"): dialects,
    ("dialects.md", "names"): names,
    ("filters.md", "filter-fields"): filter_fields,
}


def rendered(page: str, text: str) -> str:
    """A page with its generated parts made anew."""
    for (where, name), lines in SECTIONS.items():
        if where == page:
            begin, end = f"<!-- begin generated {name} -->", f"<!-- end generated {name} -->"
            if begin not in text or end not in text:
                raise SystemExit(f"docs/{page} has no place for the generated part {name!r}: add the lines {begin} and {end}")
            body = re.sub(r"\n{3,}", "\n\n", "\n".join(lines()).strip())
            text = text.partition(begin)[0] + f"{begin}\n{body}\n{end}" + text.partition(end)[2]
    return text


def main(arguments: list[str]) -> int:
    stale: list[str] = []
    for page in sorted({where for where, _ in SECTIONS}):
        path = DOCS / page
        before = path.read_text(encoding="utf-8")
        after = rendered(page, before)
        if after != before:
            stale.append(page)
            if "--check" not in arguments:
                path.write_text(after, encoding="utf-8")
    if stale:
        print("stale, run `make docs`:" if "--check" in arguments else "written:", *(f"docs/{page}" for page in stale))
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
