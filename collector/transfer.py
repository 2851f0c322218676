"""Traces to and from files, for the command line: streams with progress, in pieces a collector takes, safe to repeat.

An export is written beside its target and moved there when whole. An import cuts files at the edges of requests (lines of JSON, frames
of the OpenTelemetry Collector's file exporter) and posts piece by piece; a span is stored once, so after a failure the same import goes on.
"""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import zlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from collector.client import CollectorClient
from collector.errors import InvalidValue, MalformedRequest
from collector.model import Written

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

PIECE_BYTES = 4 * 2**20  # one request: large enough to be quick, small enough for a progress bar to move
HTML_TRACES = 50  # on one page
BOM = b"\xef\xbb\xbf"  # what Windows editors put before UTF-8
JSON, LINES, PROTOBUF = "application/json", "application/x-ndjson", "application/x-protobuf"


# ---- Out ----


def export_to(client: CollectorClient, filter: str, format: str, output: str, console: Console) -> None:
    """Stream matching traces to a file, or to standard output for `-`."""
    with _target(output) as out, _progress(console, "exporting") as progress:
        task = progress.add_task("exporting", total=None)
        for part in client.export(filter, format=format):
            out.write(part)
            progress.update(task, advance=len(part))


def export_html(client: CollectorClient, filter: str, output: str) -> None:
    """One self-contained page, drawn by the viewer's own trace component."""
    page = client.traces(filter, limit=HTML_TRACES)
    if not page.items:
        raise InvalidValue("no trace matches: nothing to export")
    if page.next_cursor:
        raise InvalidValue(
            f"more than {HTML_TRACES} traces match: a page of so many cannot be read; narrow the filter, or export otlp-jsonl"
        )
    command = [sys.executable, "-m", "viewer", "html", "--collector", client.url, *(summary.trace_id for summary in page.items)]
    environment = {**os.environ, **({"RIGHTPASSAGE_TOKEN": client.token} if client.token else {})}
    with _target(output) as out:
        if subprocess.run(command, env=environment, stdout=out, check=False).returncode:
            raise InvalidValue("the viewer could not draw the page")


@contextmanager
def _target(output: str) -> Generator[IO[bytes], None, None]:
    if output == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    target = Path(output).resolve()  # a link stays one
    part = target.with_name(f"{target.name}.part")
    try:
        if target.exists() and not target.is_file():  # /dev/null, a pipe: written to, never replaced
            with target.open("wb") as out:
                yield out
            return
        with part.open("wb") as out:
            yield out
        part.replace(target)
    except OSError as problem:
        raise InvalidValue(f"cannot write {output!r}: {problem.strerror}") from problem
    finally:
        part.unlink(missing_ok=True)


# ---- In ----


def import_files(client: CollectorClient, files: Sequence[Path], console: Console) -> Written:
    """Post every file; the sum of what was stored and what was there already."""
    written = Written()
    with _progress(console, "importing") as progress:
        for file in files:
            task = progress.add_task(file.name, total=file.stat().st_size if file.suffix != ".gz" else None)
            try:
                for body, content_type in pieces(file):
                    written += client.import_bytes(body, content_type=content_type)
                    progress.update(task, advance=len(body))
            except (InvalidValue, OSError) as problem:
                raise InvalidValue(f"{file}: {problem}") from problem
            except (EOFError, zlib.error) as problem:
                raise InvalidValue(f"{file}: the gzip file is damaged or cut short") from problem
    return written


def pieces(path: Path) -> Iterator[tuple[bytes, str]]:
    """A file as bodies to post, each with its content type: what it is, is seen from how it begins, not from its name."""
    with _opened(path) as file:
        if file.read(3) != BOM:
            file.seek(0)
        begin = file.tell()
        first = file.read(4)
        file.seek(begin)
        if first[:1] == b"<":
            raise InvalidValue("an HTML page is made to be read; `export --format otlp-jsonl` makes a file that can be imported")
        if first[:1] in (b"{", b"[", b" ", b"\r"):
            yield from _json_pieces(file)
        elif len(first) == 4 and first[0] != 0x0A:  # a protobuf request begins with its first field's tag, 0x0A
            yield from _framed_pieces(file)
        elif first:
            yield file.read(), PROTOBUF


def _opened(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    return gzip.open(path) if zipped else path.open("rb")  # type: ignore[return-value]  # a GzipFile reads like a file


def _json_pieces(file: IO[bytes]) -> Iterator[tuple[bytes, str]]:
    """JSON lines in groups; a document that spreads over lines, whole."""
    import orjson

    first = file.readline()
    try:
        orjson.loads(first)
    except ValueError:
        yield first + file.read(), JSON
        return
    group, size = [first], len(first)
    for line in file:
        if size + len(line) > PIECE_BYTES:
            yield b"".join(group), LINES
            group, size = [], 0
        group.append(line)
        size += len(line)
    yield b"".join(group), LINES


def _framed_pieces(file: IO[bytes]) -> Iterator[tuple[bytes, str]]:
    """Protobuf requests, each after its length in four bytes (the OpenTelemetry Collector's file exporter)."""
    while head := file.read(4):
        length = int.from_bytes(head, "big")
        frame = file.read(length)
        if len(head) < 4 or len(frame) < length:
            raise MalformedRequest("neither OTLP JSON nor OTLP protobuf, or cut short")
        yield frame, PROTOBUF


@contextmanager
def _progress(console: Console, verb: str) -> Generator[Progress, None, None]:
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn(f"{verb} {{task.description}}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield progress
