"""The bot in a terminal.

    python -m demo_rag_bot ask "How do I decorate a retriever?" --docs docs --json
    python -m demo_rag_bot chat | serve | slack | seed | evaluate | index

Every option has an environment variable `RIGHTPASSAGE_<OPTION>`; the model endpoint is `OPENAI_BASE_URL` and `OPENAI_API_KEY`.
"""

from __future__ import annotations

import inspect
import io
import json
import signal
import socket
import sys
import uuid
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeAlias, get_type_hints

import httpx
import openai
import typer
from opentelemetry.sdk.trace.export import SpanExporter
from tqdm import tqdm

import tracer
from collector.client import CollectorClient
from demo_rag_bot.answer import Answer
from demo_rag_bot.bot import Bot, Options
from demo_rag_bot.conversation import Conversations, answer_body
from demo_rag_bot.evaluate import Figures, ask_all, by_tag, check, load
from demo_rag_bot.faults import broken, labelled
from demo_rag_bot.index import Index, Manifest
from demo_rag_bot.settings import HOST, PORT, BotSettings, Library, default_threads
from demo_rag_bot.snapshots import snapshots
from demo_rag_bot.threads import ThreadStore

cli = typer.Typer(
    name="demo_rag_bot",
    help="Answers questions about a folder of documentation, with citations, and traces every step.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


# ---- Options ----


def _option(*names: str, help: str, **more: Any) -> Any:
    """An option with its environment variable."""
    long = next(name for name in names if name.startswith("--"))
    return typer.Option(*names, help=help, envvar="RIGHTPASSAGE_" + long[2:].replace("-", "_").upper(), **more)


def _number(name: str, least: int, most: int, *, help: str) -> Any:
    """An option that takes a whole number; the refusal names the value and what is valid."""

    def read(text: str) -> int:
        with suppress(ValueError):
            if least <= (number := int(text)) <= most:
                return number
        _refuse(f"{name} {text!r} is not a whole number from {least} to {most}")

    return _option(name, help=help, parser=read, metavar=name[2:].upper())


@dataclass(frozen=True, kw_only=True)
class Place:
    """The documentation and its index."""

    docs: Annotated[Path | None, _option("--docs", help="Folder of documentation. Default: this project's own.", metavar="DIR")] = None
    index: Annotated[Path | None, _option("--index", help="Folder for index snapshots. Default: the user's cache.", metavar="DIR")] = None

    @property
    def settings(self) -> BotSettings:
        return BotSettings.of(self.docs, self.index)

    @contextmanager
    def opened(self, *, quiet: bool = False) -> Generator[tuple[Library, Index]]:
        """The library and its index, with a progress bar while it is built; what cannot be opened ends the program with a line."""
        try:
            library = Library.open(self.settings)
        except NotADirectoryError as error:
            _refuse(str(error))
        bar = tqdm(unit=" passages", leave=False, disable=quiet or None, file=sys.stderr)

        def progress(what: str, done: int, total: int) -> None:
            bar.set_description(what)
            bar.total = total
            bar.update(done - bar.n)

        try:
            index = library.index(progress=progress)
            bar.close()
            for source, reason in library.corpus.skipped:
                print(f"skipped {source}: {reason}", file=sys.stderr)
            yield library, index
        except (openai.OpenAIError, ValueError) as error:
            _refuse(str(error))
        finally:
            bar.close()
            library.close()


@dataclass(frozen=True, kw_only=True)
class Traced(Place):
    """Where the traces go, and where links to them point."""

    collector: Annotated[
        str | None, _option("--collector", help="Where traces and feedback go. Default: OTEL_* or localhost.", metavar="URL")
    ] = None
    token: Annotated[str | None, _option("--token", help="The collector's token.", metavar="TOKEN")] = None
    viewer: Annotated[str | None, _option("--viewer", help="The viewer that trace links point at.", metavar="URL")] = None

    def trace(self, exporter: SpanExporter | None = None) -> None:
        tracer.configure(service="docs-bot", endpoint=self.collector, token=self.token, viewer=self.viewer, exporter=exporter)


@dataclass(frozen=True, kw_only=True)
class Asked(Traced):
    """How questions are answered."""

    k: Annotated[int, _number("--k", 1, 50, help="Passages that go on to the prompt.")] = Options.k
    fault: Annotated[list[str] | None, _option("--fault", help="A fault to practise on; repeatable.", metavar="NAME")] = None


@dataclass(frozen=True, kw_only=True)
class Threaded(Traced):
    """Where conversations are kept."""

    threads: Annotated[
        Path | None, _option("--threads", help="SQLite file of the threads. Default: the user's data folder.", metavar="FILE")
    ] = None

    @contextmanager
    def conversations(self, k: int = Options.k, faults: Sequence[str] | None = None) -> Generator[Conversations]:
        with self.opened() as (library, index):
            store = ThreadStore(self.threads or default_threads())
            client = CollectorClient(self.collector, self.token, timeout_s=5) if self.collector else None
            try:
                yield Conversations(library, index, store, options=Options(k=k), faults=faults or (), collector=client)
            finally:
                store.close()
                if client:
                    client.close()


@dataclass(frozen=True, kw_only=True)
class Talked(Threaded, Asked):
    """A bot that holds conversations."""

    @contextmanager
    def talk(self) -> Generator[Conversations]:
        self.trace()
        with self.conversations(self.k, self.fault) as talk:
            yield talk


def command(function: Callable[..., None]) -> Callable[..., None]:
    """A command whose first parameter is one of the classes above: each field of it becomes an option, after the command's own."""
    name, kind = next(iter(get_type_hints(function).items()))
    hints = get_type_hints(kind, include_extras=True)
    own = [one for one in inspect.signature(function, eval_str=True).parameters.values() if one.name != name]
    shared = [
        inspect.Parameter(one.name, inspect.Parameter.KEYWORD_ONLY, default=one.default, annotation=hints[one.name]) for one in fields(kind)
    ]

    def call(**values: Any) -> None:
        function(kind(**{one.name: values.pop(one.name) for one in shared}), **values)

    call.__doc__ = function.__doc__
    call.__annotations__ = {one.name: one.annotation for one in (*own, *shared)}
    vars(call)["__signature__"] = inspect.Signature([*own, *shared])
    cli.command(function.__name__.removesuffix("_command"))(call)
    return function


Port: TypeAlias = Annotated[int, _number("--port", 0, 65_535, help="Port; 0 takes a free one.")]
Host: TypeAlias = Annotated[str, _option("--host", help="Address to bind.", metavar="HOST")]
AsJson: TypeAlias = Annotated[bool, _option("--json", help="Print JSON.")]


# ---- ask ----


@command
def ask(
    given: Asked,
    question: Annotated[str | None, typer.Argument(help="The question.", show_default=False)] = None,
    questions: Annotated[
        Path | None, _option("--questions", help="A file of questions, one JSON object a line: {id, question, history?}.", metavar="FILE")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Answer one question, or every question of a file, in order."""
    if bool(question) == bool(questions):
        _refuse("say either a question or --questions FILE")
    batch = list(_read_questions(questions)) if questions else [{"question": _readable(question or "")}]
    given.trace()
    with given.opened(quiet=as_json) as (library, searched), labelled(given.fault or ()):
        bot = Bot.on(searched, library.endpoint, Options(k=given.k))
        for one in batch:
            answer = broken(bot, library, given.fault or (), one["question"]).ask(one["question"], one.get("history") or ())
            numbered = {"id": one["id"]} if questions else {}
            _print_json({**numbered, **answer_json(answer)}) if as_json else _print_answer(answer)


def _read_questions(path: Path) -> Iterator[dict[str, Any]]:
    if not path.is_file():
        _refuse(f"no such file: {path}")
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            one = json.loads(line)
            yield {
                "id": one.get("id", number),
                "question": str(one["question"]),
                "history": [str(earlier) for earlier in one.get("history") or ()],
            }
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            _refuse(f'{path}:{number}: not a question ({error}); a line is {{"id": …, "question": "…"}}')


def answer_json(answer: Answer) -> dict[str, Any]:
    """What `ask --json` prints: the form of contracts, and more."""
    body = answer_body(answer)
    documents = [{**one, "heading": one["heading"] or one["title"]} for one in body.pop("documents")]
    return {"answer": body.pop("text"), "documents": documents, "question": answer.question, **body, "sources": list(answer.sources)}


def _print_answer(answer: Answer) -> None:
    print(answer.text)
    if not answer.abstained and not answer.failed:
        print("\nSources:")
        for citation in answer.citations:
            if citation.valid:
                print(f"  {citation.marker} {citation.link}")
        if not answer.citations:
            print("".join(f"  {link}\n" for link in answer.sources), end="")
    if answer.offline:
        print("\n(offline extractive model: quotations, not a language model; set OPENAI_BASE_URL or OPENAI_API_KEY for one)")
    if answer.trace_url:
        print(f"trace: {answer.trace_url}")


# ---- serve ----


@command
def serve(
    given: Talked,
    port: Port = PORT,
    host: Host = HOST,
    allow_host: Annotated[
        list[str] | None, _option("--allow-host", help="Another name this bot is asked for by; repeatable.", metavar="NAME")
    ] = None,
) -> None:
    """The bot over HTTP: what the viewer's Ask page talks to."""
    from demo_rag_bot.serve import LOOPBACK, app

    listener = _listen(host, port)
    with given.talk() as talk:
        bound_host, bound_port = listener.getsockname()[:2]
        application = app(talk, allowed_hosts=(*LOOPBACK, bound_host, *(allow_host or ())), collector=given.collector, viewer=given.viewer)
        print(f"ready http://{bound_host}:{bound_port}", flush=True)
        _run(application, listener)


def _run(application: Any, listener: socket.socket) -> None:
    """Serve until Ctrl-C or SIGTERM; both end with exit code 0."""
    import uvicorn

    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))  # uvicorn raises the signal again once it has drained
    with suppress(KeyboardInterrupt):
        uvicorn.Server(uvicorn.Config(application, log_level="warning", server_header=False)).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)  # who connects before the first answer waits, and is not refused
    except OSError as error:
        _refuse(f"cannot listen on {host} port {port}: {error.strerror}; choose another with --port")
    return listener


# ---- chat ----


@command
def chat(given: Talked) -> None:
    """A conversation in the terminal; `/help` lists the commands, an empty line ends it."""
    with given.talk() as talk:
        thread_id = f"terminal-{uuid.uuid4().hex[:12]}"
        while text := _ask_user():
            reply = talk.say(thread_id, text, user="you", channel="terminal", on_text=lambda piece: print(piece, end="", flush=True))
            print(
                "".join(f"\n  {source['link']}" for source in reply.get("sources", ()))
                + (f"\n  {reply['trace_url']}" if reply.get("trace_url") else "")
            )


def _ask_user() -> str:
    try:
        return _readable(input("\n> ")).strip()
    except (EOFError, KeyboardInterrupt):
        return ""


# ---- slack ----


@command
def slack(
    given: Talked,
    port: Annotated[int | None, _number("--port", 0, 65_535, help="Take events over HTTP on this port instead of Socket Mode.")] = None,
    host: Host = HOST,
) -> None:
    """The bot in Slack. Needs SLACK_BOT_TOKEN, and SLACK_APP_TOKEN (Socket Mode) or SLACK_SIGNING_SECRET (HTTP, with --port)."""
    from slack_sdk.errors import SlackApiError

    from demo_rag_bot.slack import PATH, Adapter, SlackRefused, SlackSettings, http_app, socket_mode

    listener = _listen(host, port) if port is not None else None
    with given.talk() as talk:
        try:
            adapter = Adapter(talk, SlackSettings.from_environment())
            if listener:
                application = http_app(adapter)
                print(f"ready http://{host}:{listener.getsockname()[1]}{PATH}", flush=True)
                _run(application, listener)
            else:
                handler = socket_mode(adapter)
                print("ready over Socket Mode", flush=True)
                with suppress(KeyboardInterrupt):
                    handler.start()
        except (SlackRefused, SlackApiError) as error:
            _refuse(f"Slack: {error}")


# ---- seed ----


@command
def seed(given: Threaded) -> None:
    """Fill a collector (say which: --collector) and the chat with a week of made-up conversations; those of an earlier seeding go."""
    from demo_rag_bot.seed import Backdated
    from demo_rag_bot.seed import seed as fill

    if not given.collector:
        _refuse("say which collector to fill: --collector URL")
    exporter = Backdated()
    given.trace(exporter)
    with given.conversations() as talk:
        try:
            count = fill(talk, exporter, given.collector, given.token)
        except httpx.HTTPError as error:
            _refuse(f"the collector at {given.collector} took no traces: {error}")
    print(f"asked {count} questions; the traces are in {given.collector}")


# ---- evaluate ----


@command
def evaluate(
    given: Asked,
    questions: Annotated[
        Path | None, _option("--questions", help="Questions with gold. Default: the set about this project.", metavar="FILE")
    ] = None,
    rows: Annotated[bool, _option("--rows", help="A line for each question.")] = False,
    as_json: AsJson = False,
) -> None:
    """Ask the evaluation set and print hit@k, MRR, nDCG, abstention, citations and latency."""
    given.trace() if given.collector else tracer.disable()
    with given.opened(quiet=as_json) as (library, searched), labelled(given.fault or ()):
        asked = load(questions)
        if wrong := check(asked, searched.passages):
            _refuse("the question set does not fit these docs:\n  " + "\n  ".join(wrong))
        healthy = Bot.on(searched, library.endpoint, Options(k=given.k))
        results = [
            result
            for one in tqdm(asked, unit=" questions", leave=False, disable=as_json or None)
            for result in ask_all(broken(healthy, library, given.fault or (), one.question), [one])
        ]
    if as_json:
        for result in results:
            _print_json({"id": result.question.id, "rank": result.rank, "ndcg": result.ndcg, **answer_json(result.answer)})
        _print_json({"figures": {tag: asdict(one) for tag, one in by_tag(results).items()}})
        return
    if rows:
        for result in results:
            mark = "declined" if result.answer.abstained else f"rank {result.rank or '-'}"
            tags = ",".join(result.question.tags)
            print(f"{result.question.id}  {mark:9} {result.seconds * 1000:5.0f} ms  {tags:12} {result.question.question}")
        print()
    _print_figures(by_tag(results))


def _print_figures(table: Mapping[str, Figures]) -> None:
    columns = (
        "n",
        "hit@1",
        "hit@3",
        "hit@5",
        "MRR",
        "nDCG",
        "declined right",
        "of unansw.",
        "of answ.",
        "citations",
        "median ms",
        "p95 ms",
    )
    print(f"{'':13}" + "".join(f"{name:>15}" for name in columns))
    for tag, one in table.items():
        shares = (
            *one.hit.values(),
            one.mrr,
            one.ndcg,
            one.abstention_precision,
            one.abstention_recall,
            one.wrongly_declined,
            one.citations_right,
        )
        times = (one.median_ms, one.p95_ms)
        cells = [
            str(one.questions),
            *("-" if share is None else f"{share:.3f}" for share in shares),
            *("-" if ms is None else f"{ms:.0f}" for ms in times),
        ]
        print(f"{tag:13}" + "".join(f"{cell:>15}" for cell in cells))


# ---- index ----


@command
def index_command(given: Place, as_json: AsJson = False) -> None:
    """Build the index of a docs folder, or say what is in it; earlier snapshots are listed below the current one."""
    with given.opened(quiet=as_json) as (_, searched):
        earlier = [manifest for manifest in snapshots(given.settings.snapshots) if manifest.version != searched.manifest.version]
        if as_json:
            _print_json({"current": _manifest_json(searched.manifest), "earlier": [_manifest_json(manifest) for manifest in earlier]})
            return
        for manifest in (searched.manifest, *earlier):
            counts = f"{manifest.page_count} pages, {manifest.passage_count} passages"
            print(f"{manifest.version}  {counts}, {manifest.embedding_model}, {manifest.cutting}")


def _manifest_json(manifest: Manifest) -> Mapping[str, Any]:
    return {name: getattr(manifest, name) for name in Manifest.__slots__}


# ---- In and out ----


def _readable(text: str) -> str:
    """Text as typed, also where Python took the terminal's UTF-8 for ASCII."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _print_json(value: Mapping[str, Any]) -> None:
    escaped = sys.stdout.encoding.lower().replace("-", "") != "utf8"  # such JSON can be printed anywhere, and nothing is lost
    print(json.dumps(value, ensure_ascii=escaped), flush=True)


def _refuse(reason: str) -> NoReturn:
    print(f"demo_rag_bot: {reason}", file=sys.stderr)
    raise SystemExit(2)


def run() -> int:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # what the terminal's encoding lacks is a question mark, not a traceback
    cli()
    return 0
