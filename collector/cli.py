"""The command line: thin. Each command reads its options, asks a collector or a file, and prints; the work is done elsewhere.

Commands that ask take `--collector URL` (a running one, the default) or `--db PATH` (a file that no collector holds: it is served on a free
loopback port for as long as the command runs, so both ways are one). Every option has an environment variable `RIGHTPASSAGE_<OPTION>`.
Imports are inside the commands: `rightpassage --help` must not pay for a web server.
"""

from __future__ import annotations

import io
import os
import re
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from collector.errors import CollectorUnreachable, FilterError, InvalidValue, RightPassageError, TraceNotFound
from collector.settings import DEFAULT_COLLECTOR, DEFAULT_GRPC, DEFAULT_HTTP, human_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import Console

    from collector.client import CollectorClient
    from collector.model import RetentionPolicy, TraceSummary
    from collector.settings import ServeSettings

cli = typer.Typer(
    name="rightpassage",
    help="See whether your RAG app retrieved the right passages, and when an answer is wrong, at which step it went wrong.\n\n"
    "Every option can also be set in the environment as RIGHTPASSAGE_<OPTION>.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
RUN, LOOK, KEEP = "Run", "Look", "Keep"  # panels of the help

GRPC_OFF = "off"
MOST_TRACES = 10**12


# ---- Options ----


def _option(*names: str, help: str, metavar: str = "", **more: Any) -> Any:
    """An option with its environment variable; without a metavar it is a flag."""
    long = next(name for name in names if name.startswith("--"))
    variable = "RIGHTPASSAGE_" + long[2:].replace("-", "_").upper()
    return typer.Option(*names, help=help, metavar=metavar, envvar=variable, show_envvar=False, **more)


def _number(option: str, least: int, most: int) -> Callable[[str], int]:
    """Reads a whole number within bounds; the refusal names option and value, which the framework's own does not."""

    def read(text: str) -> int:
        with suppress(ValueError):
            if least <= (number := int(text)) <= most:
                return number
        raise InvalidValue(f"{option} {text!r} is not a whole number from {least} to {most}")

    return read


def _counted(*names: str, least: int, most: int, **more: Any) -> Any:
    """An option that takes a whole number."""
    return _option(*names, parser=_number(names[0], least, most), **more)


Db: TypeAlias = Annotated[
    str | None, _option("--db", help="Database: a path or a URL (sqlite:///…). Default: the user's data folder.", metavar="PATH")
]
Http: TypeAlias = Annotated[str, _option("--http", help="Address of OTLP/HTTP and the API; port 0 takes a free one.", metavar="HOST:PORT")]
Grpc: TypeAlias = Annotated[str, _option("--grpc", help="Address of OTLP/gRPC, or 'off'.", metavar="HOST:PORT")]
Token: TypeAlias = Annotated[
    str | None, _option("--token", help="Demand this token of every request; needed beyond loopback.", metavar="TOKEN")
]
AllowHost: TypeAlias = Annotated[
    list[str] | None, _option("--allow-host", help="Another name this collector is asked for by; repeatable, * for any.", metavar="NAME")
]
Port: TypeAlias = Annotated[int, _counted("--port", help="Port of the viewer; 0 takes a free one.", metavar="PORT", least=0, most=65_535)]
NoBrowser: TypeAlias = Annotated[bool, _option("--no-browser", help="Do not open a browser.")]

Collector: TypeAlias = Annotated[str, _option("--collector", help="A running collector.", metavar="URL")]
AskedDb: TypeAlias = Annotated[
    str | None, _option("--db", help="A database that no collector holds, instead of --collector.", metavar="PATH")
]
AskedToken: TypeAlias = Annotated[str | None, _option("--token", help="The collector's token.", metavar="TOKEN")]
AsJson: TypeAlias = Annotated[bool, _option("--json", help="Print JSON, in the form of the API.")]
FilterWords: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(metavar="FILTER", help="Which traces, in the filter language: status:error since:24h.", show_default=False),
]


def _joined(words: Sequence[str] | None) -> str:
    """A filter need not be quoted unless it holds what the shell would take for itself."""
    return " ".join(words or ())


# ---- Asking a collector ----


@contextmanager
def _asked(
    context: typer.Context, collector: str, db: str | None, token: str | None, *, create: bool = False
) -> Generator[CollectorClient, None, None]:
    """The collector that was named, or a private one over the file that was named; the command line beats the environment."""
    by_collector, by_db = (getattr(context.get_parameter_source(name), "name", "") for name in ("collector", "db"))
    if by_collector == by_db == "COMMANDLINE":
        raise InvalidValue("give one of --collector and --db, not both")
    if db and (by_db == "COMMANDLINE" or by_collector == "DEFAULT"):
        from collector.app import private_collector

        with private_collector(db, create=create) as client:
            yield client
        return
    from collector.client import CollectorClient

    with CollectorClient(collector, token) as client:
        yield client


def _console(**options: Any) -> Console:
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False, **options)


def _print_json(value: object) -> None:
    from collector.jsonform import encode

    sys.stdout.buffer.write(encode(value) + b"\n")
    sys.stdout.flush()


def _whole_id(client: CollectorClient, trace_id: str) -> str:
    """A trace id from its beginning, as `find` prints it; `latest` is the newest trace."""
    if trace_id == "latest":
        page = client.traces(limit=1)
        if not page.items:
            raise InvalidValue("there is no trace yet")
        return page.items[0].trace_id
    if len(trace_id) >= 32:
        return trace_id
    if len(trace_id) < 4 or not set(trace_id.lower()) <= set("0123456789abcdef"):
        raise InvalidValue(f"{trace_id!r} is not a trace id: 32 hex digits, or at least the first 4 of them, or 'latest'")
    found = client.traces(f"trace_id:{trace_id.lower()}*", limit=2).items
    if not found:
        raise TraceNotFound(trace_id)
    if len(found) > 1:
        raise InvalidValue(f"several traces begin with {trace_id!r}; give more of its digits")
    return found[0].trace_id


# ---- Run ----

RetainAge: TypeAlias = Annotated[str | None, _option("--retain-age", help="Prune traces older than this, as in 30d.", metavar="DURATION")]
RetainSize: TypeAlias = Annotated[
    str | None, _option("--retain-size", help="Prune the oldest above this size, as in 10GB.", metavar="SIZE")
]
RetainTraces: TypeAlias = Annotated[
    int | None, _counted("--retain-traces", help="Prune the oldest above this many traces.", metavar="N", least=1, most=MOST_TRACES)
]
RetainScored: TypeAlias = Annotated[bool, _option("--retain-scored", help="Spare traces that carry a score.")]
Prices: TypeAlias = Annotated[
    str | None,
    _option("--prices", help="Your own prices in CSV (model,from,input,output,…), asked before the shipped ones.", metavar="FILE"),
]
MaxBody: TypeAlias = Annotated[str, _option("--max-body", help="Largest request body, compressed or not.", metavar="SIZE")]


@cli.command(rich_help_panel=RUN)
def serve(
    db: Db = None,
    http: Http = DEFAULT_HTTP,
    grpc: Grpc = DEFAULT_GRPC,
    token: Token = None,
    allow_host: AllowHost = None,
    retain_age: RetainAge = None,
    retain_size: RetainSize = None,
    retain_traces: RetainTraces = None,
    retain_scored: RetainScored = False,
    max_body: MaxBody = "64MiB",
    prices: Prices = None,
) -> None:
    """The collector alone: takes OTLP over HTTP and gRPC, keeps it in one file, answers the API.

    Prints one line `ready http://… grpc://…` once it accepts. SIGTERM and Ctrl-C finish what is running, and exit 0."""
    from collector.settings import parse_bytes

    policy = _policy(retain_age, retain_size, retain_traces, retain_scored, options=("--retain-age", "--retain-size"))
    settings = _serve_settings(db, http, grpc, token, allow_host, policy)
    from dataclasses import replace

    from collector.app import serve

    settings = replace(settings, max_body_bytes=parse_bytes(max_body, "--max-body"), prices=prices)
    raise typer.Exit(serve(settings, announce=_say))


def _say(line: str) -> None:
    print(line, flush=True)


def _serve_settings(
    db: str | None,
    http: str,
    grpc: str,
    token: str | None,
    hosts: Sequence[str] | None = None,
    retention: RetentionPolicy | None = None,
) -> ServeSettings:
    from collector.model import RetentionPolicy
    from collector.settings import Address, ServeSettings, default_database

    settings = ServeSettings(
        db=db or default_database(),
        http=Address.parse(http, "--http"),
        grpc=None if grpc.strip().lower() == GRPC_OFF else Address.parse(grpc, "--grpc"),
        token=token or None,
        allowed_hosts=tuple(hosts or ()),
        retention=retention or RetentionPolicy(),
    )
    settings.check()
    return settings


def _policy(
    age: str | None, size: str | None, traces: int | None, keep_scored: bool, service: str | None = None, *, options: tuple[str, str]
) -> RetentionPolicy:
    """What the options say; `options` names those of age and size, for a refusal."""
    from collector.model import RetentionPolicy
    from collector.settings import parse_bytes, parse_duration_ns

    return RetentionPolicy(
        max_age_ns=parse_duration_ns(age, options[0]) if age else None,
        max_bytes=parse_bytes(size, options[1]) if size else None,
        max_traces=traces,
        keep_scored=keep_scored,
        service=service,
    )


@cli.command(rich_help_panel=RUN)
def up(
    db: Db = None,
    http: Http = DEFAULT_HTTP,
    grpc: Grpc = DEFAULT_GRPC,
    port: Port = 8501,
    token: Token = None,
    no_browser: NoBrowser = False,
) -> None:
    """Collector and viewer together; Ctrl-C stops both."""
    from collector.siblings import Family, up

    settings = _serve_settings(db, http, grpc, token)
    up(Family(settings, port, browser=not no_browser), announce=_say)


@cli.command(rich_help_panel=RUN)
def view(
    collector: Collector = DEFAULT_COLLECTOR,
    port: Port = 8501,
    host: Annotated[str, _option("--host", help="Address the viewer listens on.", metavar="HOST")] = "127.0.0.1",
    bot: Annotated[str | None, _option("--bot", help="The docs bot behind the Ask page.", metavar="URL")] = None,
    token: Annotated[str | None, _option("--token", help="The collector's token; the viewer then demands it too.", metavar="TOKEN")] = None,
) -> None:
    """The viewer alone, over a running collector."""
    from collector.siblings import view

    raise typer.Exit(view(collector, port=port, host=host, bot=bot, token=token))


@cli.command(rich_help_panel=RUN)
def demo(
    docs: Annotated[
        Path | None, _option("--docs", help="Folder of documentation to ask about. Default: this project's own.", metavar="DIR")
    ] = None,
    http: Http = DEFAULT_HTTP,
    grpc: Grpc = DEFAULT_GRPC,
    port: Port = 8501,
    bot_port: Annotated[
        int, _counted("--bot-port", help="Port of the docs bot; 0 takes a free one.", metavar="PORT", least=0, most=65_535)
    ] = 8600,
    demo_db: Annotated[
        str | None, _option("--demo-db", help="Database of the demo. Default: its own file in the data folder.", metavar="PATH")
    ] = None,
    fresh: Annotated[bool, _option("--fresh", help="Forget the history of earlier demos first.")] = False,
    no_browser: NoBrowser = False,
) -> None:
    """Collector, viewer and the docs bot with a seeded history; needs no key and no network. Ctrl-C stops all.

    Where a default port is taken, the demo takes a free one and says so."""
    from collector.settings import demo_database
    from collector.siblings import Family, demo

    if docs is not None and not docs.is_dir():
        raise InvalidValue(f"--docs {str(docs)!r} is not a folder")
    settings = _serve_settings(demo_db or demo_database(), http, grpc, None)
    family = Family(settings, port, browser=not no_browser, bot_port=bot_port, docs=docs, fresh=fresh)
    demo(family, console=_console(stderr=True), announce=_say)


# ---- Look ----


@cli.command(rich_help_panel=LOOK)
def find(
    context: typer.Context,
    filter: FilterWords = None,
    limit: Annotated[int, _counted("--limit", "-n", help="How many at most, 1 to 1000.", metavar="N", least=1, most=1000)] = 20,
    order: Annotated[
        str, _option("--order", help="start_time, duration, cost, tokens, span_count or error_count; with - descending.", metavar="ORDER")
    ] = "-start_time",
    as_json: AsJson = False,
    collector: Collector = DEFAULT_COLLECTOR,
    db: AskedDb = None,
    token: AskedToken = None,
) -> None:
    """List traces that match a filter, the newest first."""
    from collector.jsonform import page_json
    from collector.terminal import traces_table

    with _asked(context, collector, db, token) as client:
        page = client.traces(_joined(filter), limit=limit, order=order)
    if as_json:
        _print_json(page_json("traces", page))
        return
    console = _console()
    if page.items:
        console.print(traces_table(page.items, console.width))
    else:
        _console(stderr=True).print("no trace matches" if filter else "no trace yet", style="bright_black")
    if not page.complete:
        from collector.terminal import when

        back = when(page.searched_back_to_unix_nano or 0)
        _console(stderr=True).print(f"the search took too long and went back to {back} only; narrow it, as in since:1h", style="yellow")


@cli.command(rich_help_panel=LOOK)
def show(
    context: typer.Context,
    trace_id: Annotated[str, typer.Argument(help="Id of a trace, or its first digits, or 'latest'.", metavar="TRACE_ID")],
    everything: Annotated[bool, _option("--all", "-a", help="Every passage, and each span's input and output.")] = False,
    as_json: AsJson = False,
    collector: Collector = DEFAULT_COLLECTOR,
    db: AskedDb = None,
    token: AskedToken = None,
) -> None:
    """One trace as a tree: what each step took, the passages it returned, the answer."""
    from collector.jsonform import trace_json
    from collector.terminal import print_trace

    with _asked(context, collector, db, token) as client:
        trace = client.trace(_whole_id(client, trace_id))
    if as_json:
        _print_json(trace_json(trace))
    else:
        print_trace(_console(), trace, everything=everything)


@cli.command(rich_help_panel=LOOK)
def tail(
    context: typer.Context,
    filter: FilterWords = None,
    last: Annotated[
        int, _counted("--last", "-n", help="Begin with this many that are there already, at most 1000.", metavar="N", least=0, most=1000)
    ] = 10,
    as_json: AsJson = False,
    collector: Collector = DEFAULT_COLLECTOR,
    token: AskedToken = None,
) -> None:
    """Follow traces as they arrive; Ctrl-C ends."""
    from collector.client import CollectorClient
    from collector.jsonform import summary_json
    from collector.terminal import tail_line

    console = _console()

    def tell(summary: TraceSummary) -> None:
        if as_json:
            _print_json(summary_json(summary))
        else:
            console.print(tail_line(summary, console.width), no_wrap=True, overflow="crop", crop=True)
            sys.stdout.flush()

    with CollectorClient(collector, token) as client:
        newest = client.traces(_joined(filter), limit=last).items if last else ()
        for summary in reversed(newest):
            tell(summary)
        with suppress(KeyboardInterrupt):
            for summary in _followed(client, _joined(filter)):
                tell(summary)


def _followed(client: CollectorClient, filter: str) -> Generator[TraceSummary, None, None]:
    """The live stream, taken up again after the collector was away."""
    while True:
        try:
            yield from client.live(filter)
        except CollectorUnreachable:
            _console(stderr=True).print("the collector is away; waiting …", style="yellow")
        time.sleep(2)


@cli.command(rich_help_panel=LOOK)
def doctor(
    context: typer.Context,
    collector: Annotated[
        str, _option("--collector", "--endpoint", help="The collector that SDKs should reach.", metavar="URL")
    ] = DEFAULT_COLLECTOR,
    grpc: Annotated[str, _option("--grpc", help="Its gRPC address, or 'off'. Default: what the collector says.", metavar="HOST:PORT")] = "",
    token: AskedToken = None,
    as_json: AsJson = False,
) -> None:
    """Why do spans not arrive, or arrive blank? Tries every way in and says what is wrong.

    Sends a probe over each transport and removes it again; reads the variables that point SDKs somewhere; looks at what came lately.
    Exits 1 when something is broken."""
    from collector.doctor import diagnose, failed
    from collector.terminal import print_check

    checks = []
    styles = {"ok": "green", "failed": "red", "warning": "yellow"}
    console = _console()
    for check in diagnose(collector, grpc_target=_grpc_of(collector, grpc, token), token=token, environment=os.environ):
        checks.append(check)
        if not as_json:
            print_check(console, check.line(), styles[check.outcome])
    if as_json:
        _print_json({"checks": [{"name": c.name, "outcome": c.outcome, "seen": c.seen, "advice": c.advice} for c in checks]})
    raise typer.Exit(1 if failed(checks) else 0)


def _grpc_of(collector: str, given: str, token: str | None) -> str | None:
    """The gRPC address that was given, or the one the collector tells, or the usual one where it tells nothing."""
    from collector.client import CollectorClient

    if given:
        return None if given.strip().lower() == GRPC_OFF else given
    with CollectorClient(collector, token, timeout_s=5) as client, suppress(RightPassageError):
        told = client.health().get("grpc", DEFAULT_GRPC)
        return told if isinstance(told, str) else None
    return DEFAULT_GRPC


@cli.command(rich_help_panel=LOOK)
def stats(
    context: typer.Context, as_json: AsJson = False, collector: Collector = DEFAULT_COLLECTOR, db: AskedDb = None, token: AskedToken = None
) -> None:
    """How much is stored."""
    from collector.jsonform import stats_json

    with _asked(context, collector, db, token) as client:
        found = client.stats()
    if as_json:
        _print_json(stats_json(found))
        return
    console = _console()
    for name in ("traces", "spans", "sessions", "scores"):
        console.print(f"{name:<10}{getattr(found, name):>14,}")
    console.print(f"{'on disk':<10}{human_bytes(found.bytes):>14}")


# ---- Keep ----


class ExportFormat(StrEnum):
    otlp_jsonl = "otlp-jsonl"
    jsonl = "jsonl"
    html = "html"


@cli.command(rich_help_panel=KEEP)
def export(
    context: typer.Context,
    filter: FilterWords = None,
    format: Annotated[
        ExportFormat,
        _option("--format", help="otlp-jsonl: lossless, can be imported; jsonl: our own form; html: one page.", metavar="FORMAT"),
    ] = ExportFormat.otlp_jsonl,
    output: Annotated[str, _option("--output", "-o", help="File to write; - is standard output.", metavar="FILE")] = "-",
    collector: Collector = DEFAULT_COLLECTOR,
    db: AskedDb = None,
    token: AskedToken = None,
) -> None:
    """Write matching traces to a file, the oldest first."""
    from collector.transfer import export_html, export_to

    with _asked(context, collector, db, token) as client:
        if format is ExportFormat.html:
            export_html(client, _joined(filter), output)
        else:
            export_to(client, _joined(filter), format.value, output, _console(stderr=True))


@cli.command("import", rich_help_panel=KEEP)
def import_(
    context: typer.Context,
    files: Annotated[
        list[Path], typer.Argument(help="OTLP JSON, JSON lines or protobuf, also gzipped; what `export` wrote.", metavar="FILE…")
    ],
    collector: Collector = DEFAULT_COLLECTOR,
    db: AskedDb = None,
    token: AskedToken = None,
) -> None:
    """Store traces from files; a span that is there already is left alone, so importing again is harmless."""
    from collector.transfer import import_files

    for file in files:
        if not file.is_file():
            raise InvalidValue(f"{str(file)!r} is not a file")
    with _asked(context, collector, db, token, create=True) as client:
        written = import_files(client, files, _console(stderr=True))
    rejected = f", {written.rejected:,} refused (no valid id)" if written.rejected else ""
    _say(f"{written.spans:,} spans stored, {written.duplicates:,} were there already{rejected}")


@cli.command(rich_help_panel=KEEP)
def prune(
    context: typer.Context,
    older_than: Annotated[str | None, _option("--older-than", help="Traces older than this, as in 30d.", metavar="DURATION")] = None,
    max_size: Annotated[str | None, _option("--max-size", help="The oldest above this size, as in 2GB.", metavar="SIZE")] = None,
    max_traces: Annotated[
        int | None, _counted("--max-traces", help="The oldest above this many traces.", metavar="N", least=0, most=MOST_TRACES)
    ] = None,
    keep_scored: Annotated[bool, _option("--keep-scored", help="Spare traces that carry a score.")] = False,
    service: Annotated[str | None, _option("--service", help="Only traces of this service.", metavar="NAME")] = None,
    dry_run: Annotated[bool, _option("--dry-run", help="Say what would go, and remove nothing.")] = False,
    collector: Collector = DEFAULT_COLLECTOR,
    db: AskedDb = None,
    token: AskedToken = None,
) -> None:
    """Remove old traces, the oldest first, and give the space back."""
    if older_than is None and max_size is None and max_traces is None:
        raise InvalidValue("say what to prune by: --older-than 30d, --max-size 2GB or --max-traces 10000")
    policy = _policy(older_than, max_size, max_traces, keep_scored, service, options=("--older-than", "--max-size"))
    with _asked(context, collector, db, token) as client:
        pruned = client.prune(policy, dry_run=dry_run)
    verb = "would go" if pruned.dry_run else "removed"
    freed = f"{human_bytes(pruned.bytes_freed)} {'would be freed' if pruned.dry_run else 'freed'}"
    _say(f"{pruned.traces:,} traces, {pruned.spans:,} spans {verb}; {freed}")


@cli.command(rich_help_panel=KEEP)
def renormalise(context: typer.Context, collector: Collector = DEFAULT_COLLECTOR, db: AskedDb = None, token: AskedToken = None) -> None:
    """Understand stored spans again, with the dialects of this version and your rules."""
    with _asked(context, collector, db, token) as client:
        changed = client.renormalise()
    _say(f"{changed:,} spans changed")


@cli.command(rich_help_panel=KEEP)
def rules(
    context: typer.Context,
    key: Annotated[str | None, typer.Argument(metavar="KEY", help="An attribute key of your own.", show_default=False)] = None,
    field: Annotated[
        str | None, typer.Argument(metavar="FIELD", help="What it is: input, output, documents, …", show_default=False)
    ] = None,
    remove: Annotated[bool, _option("--remove", help="Forget the rule of KEY.")] = False,
    collector: Collector = DEFAULT_COLLECTOR,
    db: AskedDb = None,
    token: AskedToken = None,
) -> None:
    """Your own attribute names: `rules acme.question input` makes that key the input; alone it lists the rules.

    New spans follow at once, stored ones after `rightpassage renormalise`."""
    with _asked(context, collector, db, token) as client:
        saved: Any = client.rules()
        fields: dict[str, str] = dict(saved["fields"])
        if key is not None:
            if (field is None) != remove:
                raise InvalidValue("give KEY and FIELD to add a rule, or KEY and --remove to forget it")
            if remove and key not in fields:
                raise InvalidValue(f"there is no rule for {key!r}")
            fields.pop(key, None)
            saved = client.save_rules({**saved, "fields": {**fields, **({key: field} if field else {})}})
    for name, target in saved["fields"].items():
        _say(f"{name} → {target}")
    for name, table in saved["kinds"].items():
        _say(f"{name}: {', '.join(f'{value} → {kind}' for value, kind in table.items())}")
    if not saved["fields"] and not saved["kinds"]:
        _console(stderr=True).print("no rules", style="bright_black")


@cli.command(rich_help_panel=KEEP)
def backup(
    context: typer.Context,
    output: Annotated[Path, typer.Argument(help="File to write; it must not exist.", metavar="FILE")],
    collector: Collector = DEFAULT_COLLECTOR,
    db: AskedDb = None,
    token: AskedToken = None,
) -> None:
    """Write a consistent copy of the database, also while a collector writes to it."""
    if output.exists():
        raise InvalidValue(f"{str(output)!r} is there already; nothing is overwritten")
    if not output.absolute().parent.is_dir():
        raise InvalidValue(f"the folder of {str(output)!r} is not there")
    with _asked(context, collector, db, token) as client:
        size = client.backup(output)
    _say(f"{output}: {human_bytes(size)}")


# ---- The frame ----

_NEGATED = re.compile(r"-([\"(]|[A-Za-z][\w.]{2,}:)")  # of a filter: `-status:ok`, which is no option


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        _say(f"rightpassage {version('rightpassage')}")
        raise typer.Exit


@cli.callback()
def _main(
    version: Annotated[bool, typer.Option("--version", help="Print the version.", metavar="", callback=_version, is_eager=True)] = False,
) -> None:
    pass


class _Output(io.FileIO):
    """Standard output whose reader may go away (`| head`): then the command has done its work. Said here and not by an exception, which
    each library that prints would answer in its own way (rich and click exit 1)."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as problem:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())  # what is left in the buffer, or the interpreter complains at exit
            os.close(nowhere)
            if isinstance(problem, BrokenPipeError):
                raise SystemExit(0) from None
            raise


def _output() -> io.TextIOWrapper:
    told = sys.stdout
    buffer = io.BufferedWriter(_Output(told.fileno(), "wb", closefd=False))
    return io.TextIOWrapper(buffer, told.encoding, line_buffering=told.isatty())


def run() -> int:
    """The `rightpassage` command: our own errors, and the system's about files, become one line on stderr and exit status 1."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout is sys.__stdout__:  # nobody else has put something in its place
        sys.stdout = _output()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # what the terminal's encoding lacks is a question mark, not a traceback
    try:
        try:
            cli([f" {word}" if _NEGATED.match(word) else word for word in sys.argv[1:]])
        finally:
            sys.stdout.flush()
    except RightPassageError as error:
        print(f"rightpassage: {error}", file=sys.stderr)
        if isinstance(error, FilterError) and error.text:
            print(f"  {error.text}\n  {' ' * error.position}^ {_meant(error.suggestions)}".rstrip(), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # of the standard error stream
        return 0
    except OSError as problem:
        print(f"rightpassage: {problem.filename or 'the output'}: {problem.strerror or problem}", file=sys.stderr)
        return 1
    return 0


def _meant(suggestions: Sequence[str]) -> str:
    return f"did you mean {' or '.join(suggestions)}?" if suggestions else ""
