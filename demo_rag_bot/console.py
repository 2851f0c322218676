"""The bot in a terminal.

    python -m demo_rag_bot ask "How do I decorate a retriever?" --docs docs --json
    python -m demo_rag_bot chat | serve | slack | seed | evaluate | index

Every option has an environment variable `RIGHTPASSAGE_<OPTION>`; the model endpoint is `OPENAI_BASE_URL` and `OPENAI_API_KEY`.
"""

from __future__ import annotations

import json
import signal
import socket
import sys
import uuid
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeAlias

import httpx
import openai
import typer
from tqdm import tqdm

import tracer
from collector.client import CollectorClient
from demo_rag_bot.answer import Answer
from demo_rag_bot.bot import Bot, Options
from demo_rag_bot.conversation import Conversations, answer_body
from demo_rag_bot.evaluate import Figures, ask_all, by_tag, check, load
from demo_rag_bot.faults import broken
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


def _option(*names: str, help: str, **more: Any) -> Any:
    long = next(name for name in names if name.startswith("--"))
    return typer.Option(*names, help=help, envvar="RIGHTPASSAGE_" + long[2:].replace("-", "_").upper(), **more)


Docs: TypeAlias = Annotated[Path | None, _option("--docs", help="Folder of documentation. Default: this project's own.", metavar="DIR")]
IndexFolder: TypeAlias = Annotated[
    Path | None, _option("--index", help="Folder for index snapshots. Default: the user's cache.", metavar="DIR")
]
K: TypeAlias = Annotated[int, _option("--k", help="Passages that go on to the prompt.", min=1, max=50)]
Faults: TypeAlias = Annotated[list[str] | None, _option("--fault", help="A fault to practise on; repeatable.", metavar="NAME")]
Collector: TypeAlias = Annotated[
    str | None, _option("--collector", help="Where traces and feedback go. Default: OTEL_* or localhost.", metavar="URL")
]
Token: TypeAlias = Annotated[str | None, _option("--token", help="The collector's token.", metavar="TOKEN")]
Viewer: TypeAlias = Annotated[str | None, _option("--viewer", help="The viewer that trace links point at.", metavar="URL")]
Threads: TypeAlias = Annotated[
    Path | None, _option("--threads", help="SQLite file of the threads. Default: the user's data folder.", metavar="FILE")
]
AsJson: TypeAlias = Annotated[bool, _option("--json", help="Print JSON.")]


# ---- ask ----


@cli.command()
def ask(
    question: Annotated[str | None, typer.Argument(help="The question.", show_default=False)] = None,
    docs: Docs = None,
    questions: Annotated[
        Path | None, _option("--questions", help="A file of questions, one JSON object a line: {id, question, history?}.", metavar="FILE")
    ] = None,
    as_json: AsJson = False,
    k: K = Options.k,
    fault: Faults = None,
    index: IndexFolder = None,
    collector: Collector = None,
    token: Token = None,
    viewer: Viewer = None,
) -> None:
    """Answer one question, or every question of a file, in order."""
    batch = list(_read_questions(questions)) if questions else []
    if bool(question) == bool(questions):
        _refuse("say either a question or --questions FILE")
    configure(collector, token, viewer)
    with opened(BotSettings.of(docs, index), quiet=as_json) as (library, searched):
        bot = Bot.on(searched, library.endpoint, Options(k=k))
        if not batch:
            assert question is not None
            answer = broken(bot, library, fault or (), question).ask(question)
            _print_json(answer_json(answer)) if as_json else _print_answer(answer)
        for one in batch:
            answer = broken(bot, library, fault or (), one["question"]).ask(one["question"], one.get("history") or ())
            _print_json({"id": one["id"], **answer_json(answer)}) if as_json else _print_answer(answer)


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


@cli.command()
def serve(
    docs: Docs = None,
    port: Annotated[int, _option("--port", help="Port; 0 takes a free one.", min=0, max=65_535)] = PORT,
    host: Annotated[str, _option("--host", help="Address to bind.")] = HOST,
    allow_host: Annotated[
        list[str] | None, _option("--allow-host", help="Another name this bot is asked for by; repeatable.", metavar="NAME")
    ] = None,
    k: K = Options.k,
    fault: Faults = None,
    index: IndexFolder = None,
    threads: Threads = None,
    collector: Collector = None,
    token: Token = None,
    viewer: Viewer = None,
) -> None:
    """The bot over HTTP: what the viewer's Ask page talks to."""
    from demo_rag_bot.serve import LOOPBACK, app

    listener = _listen(host, port)
    configure(collector, token, viewer)
    with (
        opened(BotSettings.of(docs, index)) as (library, searched),
        conversations(library, searched, threads, k, fault, collector, token) as talk,
    ):
        bound_host, bound_port = listener.getsockname()[:2]
        application = app(talk, allowed_hosts=(*LOOPBACK, bound_host, *(allow_host or ())), collector=collector, viewer=viewer)
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


@cli.command()
def chat(
    docs: Docs = None,
    k: K = Options.k,
    fault: Faults = None,
    index: IndexFolder = None,
    threads: Threads = None,
    collector: Collector = None,
    token: Token = None,
    viewer: Viewer = None,
) -> None:
    """A conversation in the terminal; `/help` lists the commands, an empty line ends it."""
    configure(collector, token, viewer)
    with (
        opened(BotSettings.of(docs, index)) as (library, searched),
        conversations(library, searched, threads, k, fault, collector, token) as talk,
    ):
        thread_id = f"terminal-{uuid.uuid4().hex[:12]}"
        while text := _ask_user():
            reply = talk.say(thread_id, text, user="you", channel="terminal", on_text=lambda piece: print(piece, end="", flush=True))
            print(
                "".join(f"\n  {source['link']}" for source in reply.get("sources", ()))
                + (f"\n  {reply['trace_url']}" if reply.get("trace_url") else "")
            )


def _ask_user() -> str:
    try:
        return input("\n> ").strip()
    except (EOFError, KeyboardInterrupt):
        return ""


# ---- slack ----


@cli.command()
def slack(
    port: Annotated[
        int | None, _option("--port", help="Take events over HTTP on this port instead of Socket Mode.", min=0, max=65_535)
    ] = None,
    host: Annotated[str, _option("--host", help="Address to bind.")] = HOST,
    docs: Docs = None,
    k: K = Options.k,
    fault: Faults = None,
    index: IndexFolder = None,
    threads: Threads = None,
    collector: Collector = None,
    token: Token = None,
    viewer: Viewer = None,
) -> None:
    """The bot in Slack. Needs SLACK_BOT_TOKEN, and SLACK_APP_TOKEN (Socket Mode) or SLACK_SIGNING_SECRET (HTTP, with --port)."""
    from slack_sdk.errors import SlackApiError

    from demo_rag_bot.slack import PATH, Adapter, SlackRefused, SlackSettings, http_app, socket_mode

    listener = _listen(host, port) if port is not None else None
    configure(collector, token, viewer)
    with (
        opened(BotSettings.of(docs, index)) as (library, searched),
        conversations(library, searched, threads, k, fault, collector, token) as talk,
    ):
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


@cli.command()
def seed(
    collector: Annotated[str, _option("--collector", help="The collector to fill.", metavar="URL")],
    docs: Docs = None,
    index: IndexFolder = None,
    threads: Threads = None,
    token: Token = None,
    viewer: Viewer = None,
) -> None:
    """Fill a collector, and the chat, with a week of made-up conversations; those of an earlier seeding go."""
    from demo_rag_bot.seed import Backdated
    from demo_rag_bot.seed import seed as fill

    exporter = Backdated()
    tracer.configure(service="docs-bot", exporter=exporter, viewer=viewer)
    settings = BotSettings.of(docs, index)
    with opened(settings) as (library, searched), conversations(library, searched, threads, Options.k, (), collector, token) as talk:
        try:
            count = fill(talk, exporter, collector, token)
        except httpx.HTTPError as error:
            _refuse(f"the collector at {collector} took no traces: {error}")
    print(f"asked {count} questions; the traces are in {collector}")


# ---- evaluate ----


@cli.command()
def evaluate(
    questions: Annotated[
        Path | None, _option("--questions", help="Questions with gold. Default: the set about this project.", metavar="FILE")
    ] = None,
    docs: Docs = None,
    k: K = Options.k,
    fault: Faults = None,
    index: IndexFolder = None,
    rows: Annotated[bool, _option("--rows", help="A line for each question.")] = False,
    as_json: AsJson = False,
    collector: Collector = None,
    token: Token = None,
    viewer: Viewer = None,
) -> None:
    """Ask the evaluation set and print hit@k, MRR, nDCG, abstention, citations and latency."""
    if collector:
        configure(collector, token, viewer)
    else:
        tracer.disable()
    with opened(BotSettings.of(docs, index), quiet=as_json) as (library, searched):
        asked = load(questions)
        if wrong := check(asked, searched.passages):
            _refuse("the question set does not fit these docs:\n  " + "\n  ".join(wrong))
        healthy = Bot.on(searched, library.endpoint, Options(k=k))
        results = [
            result
            for one in tqdm(asked, unit=" questions", leave=False, disable=as_json or None)
            for result in ask_all(broken(healthy, library, fault or (), one.question), [one])
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


@cli.command("index")
def index_command(docs: Docs = None, index: IndexFolder = None, as_json: AsJson = False) -> None:
    """Build the index of a docs folder, or say what is in it; earlier snapshots are listed below the current one."""
    settings = BotSettings.of(docs, index)
    with opened(settings, quiet=as_json) as (_, searched):
        earlier = [manifest for manifest in snapshots(settings.snapshots) if manifest.version != searched.manifest.version]
        if as_json:
            _print_json({"current": _manifest_json(searched.manifest), "earlier": [_manifest_json(manifest) for manifest in earlier]})
            return
        for manifest in (searched.manifest, *earlier):
            counts = f"{manifest.page_count} pages, {manifest.passage_count} passages"
            print(f"{manifest.version}  {counts}, {manifest.embedding_model}, {manifest.cutting}")


def _manifest_json(manifest: Manifest) -> Mapping[str, Any]:
    return {name: getattr(manifest, name) for name in Manifest.__slots__}


# ---- What the commands share ----


def configure(collector: str | None, token: str | None, viewer: str | None) -> None:
    tracer.configure(service="docs-bot", endpoint=collector, token=token, viewer=viewer)


def _library(settings: BotSettings) -> Library:
    try:
        return Library.open(settings)
    except NotADirectoryError as error:
        _refuse(str(error))


@contextmanager
def opened(settings: BotSettings, *, quiet: bool = False) -> Generator[tuple[Library, Index]]:
    """The library and its index, with a progress bar while it is built; what cannot be opened ends the program with a line."""
    library = _library(settings)
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


@contextmanager
def conversations(
    library: Library, index: Index, threads: Path | None, k: int, fault: Sequence[str] | None, collector: str | None, token: str | None
) -> Generator[Conversations]:
    store = ThreadStore(threads or default_threads())
    client = CollectorClient(collector, token, timeout_s=5) if collector else None
    try:
        yield Conversations(library, index, store, options=Options(k=k), faults=fault or (), collector=client)
    finally:
        store.close()
        if client:
            client.close()


def _print_json(value: Mapping[str, Any]) -> None:
    print(json.dumps(value, ensure_ascii=False), flush=True)


def _refuse(reason: str) -> NoReturn:
    print(f"demo_rag_bot: {reason}", file=sys.stderr)
    raise SystemExit(2)


def run() -> int:
    cli()
    return 0
