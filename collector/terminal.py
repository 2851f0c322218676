"""Traces in a terminal: one trace as a tree with its waterfall and passages, many as a table or as lines while they arrive.

Everything is laid out by hand to the width at hand (80 and 200 columns both read well) and in cells, so that Chinese lines up. What a span
carries is hostile text here too: control characters, escape sequences and direction marks are shown, never sent to the terminal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.table import Table
from rich.text import Text

from collector.jsonform import encode
from collector.model import Document, Span, SpanKind, StatusCode, Trace, TraceSummary

KIND_STYLES: Mapping[SpanKind, tuple[str, str]] = {  # a letter-wide sign and its colour
    SpanKind.AGENT: ("◆", "magenta"),
    SpanKind.CHAIN: ("○", "bright_black"),
    SpanKind.EMBEDDING: ("▤", "cyan"),
    SpanKind.EVALUATOR: ("✓", "yellow"),
    SpanKind.GUARDRAIL: ("▲", "yellow"),
    SpanKind.LLM: ("●", "blue"),
    SpanKind.PROMPT: ("¶", "bright_blue"),
    SpanKind.RERANKER: ("⇅", "green"),
    SpanKind.RETRIEVER: ("◎", "green"),
    SpanKind.TOOL: ("◇", "bright_magenta"),
    SpanKind.UNKNOWN: ("·", "bright_black"),
}
STATUS_STYLES: Mapping[StatusCode, tuple[str, str]] = {
    StatusCode.OK: ("ok", "green"),
    StatusCode.ERROR: ("error", "red"),
    StatusCode.UNSET: ("unset", "bright_black"),
}
TITLE_LINES = 3
MOST_PASSAGES = 5  # per retriever, unless everything is asked for

_CONTROLS: Mapping[int, int] = {
    **{code: 0x2400 + code for code in range(32)},  # ESC is shown as ␛
    0x7F: 0x2421,
    **dict.fromkeys((*range(0x80, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C), 0xFFFD),
}


# ---- Words and amounts ----


def clean(text: str) -> str:
    """One line of harmless text: blanks folded, control characters and direction marks made visible."""
    return " ".join(text.split()).translate(_CONTROLS)


def duration(nanoseconds: int) -> str:
    """`840 µs`, `12 ms`, `1.24 s`, `3 m 05 s`."""
    if nanoseconds < 1_000_000:
        return f"{nanoseconds / 1e3:.0f} µs"
    if nanoseconds < 1_000_000_000:
        return f"{nanoseconds / 1e6:.0f} ms"
    seconds = nanoseconds / 1e9
    if seconds < 60:
        return f"{seconds:.2f} s"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} m" if hours else f"{minutes} m {seconds:02} s"


def count(number: int) -> str:
    """`999`, `1.2k`, `34k`, `1.2M`."""
    for unit, size in (("M", 1_000_000), ("k", 1_000)):
        if number >= size:
            return f"{number / size:.1f}{unit}" if number < 10 * size else f"{number // size}{unit}"
    return str(number)


def several(number: int, noun: str) -> str:
    """`1 span`, `8 spans`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def money(usd: float) -> str:
    return f"${usd:.2f}" if usd >= 0.1 else f"${usd:.4f}" if usd >= 0.0001 else f"${usd:.6f}" if usd else "$0"


def when(unix_nano: int) -> str:
    """Local time: today's as `14:03:22`, else `11-23 14:03`."""
    try:
        moment = datetime.fromtimestamp(unix_nano / 1e9)
    except (OverflowError, OSError, ValueError):
        return "?"
    return f"{moment:%H:%M:%S}" if moment.date() == datetime.now().date() else f"{moment:%m-%d %H:%M}"


def tokens(input_tokens: int | None, output_tokens: int | None) -> str:
    """`1.2k→85`; nothing where nothing was said."""
    if input_tokens is None and output_tokens is None:
        return ""
    return f"{'?' if input_tokens is None else count(input_tokens)}→{'?' if output_tokens is None else count(output_tokens)}"


def _cut(text: str, width: int) -> str:
    """At most `width` cells, with an ellipsis where something is missing."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, max(0, width - 1)).rstrip() + "…" if width > 0 else ""


def _padded(text: str, width: int) -> str:
    return set_cell_size(_cut(text, width), width)


# ---- One trace ----


def print_trace(console: Console, trace: Trace, *, everything: bool = False) -> None:
    """A trace as header, tree with waterfall and passages, answer and health."""
    _print_header(console, trace.summary)
    for line in _tree_lines(trace, console.width, everything):
        console.print(line, no_wrap=True, overflow="crop", crop=True)
    if answer := trace.summary.output_preview:
        console.print()
        console.print(Text("Answer  ", style="bold").append(clean(answer), style="default not bold"))
    for finding in trace.health.findings:
        console.print(Text("! ", style="yellow").append(clean(finding.message), style="default"))


def _print_header(console: Console, summary: TraceSummary) -> None:
    title = clean(summary.input_preview or summary.root_name or "(no root span yet)")
    console.print(Text(_cut(title, TITLE_LINES * console.width), style="bold"))
    facts = Text()
    word, style = STATUS_STYLES[summary.status]
    facts.append(word if summary.state == "ended" else "running", style=style if summary.state == "ended" else "yellow")
    for text in (
        duration(summary.duration_ns),
        several(summary.span_count, "span"),
        several(summary.error_count, "error") if summary.error_count else "",
        f"{tokens(summary.usage.input_tokens, summary.usage.output_tokens)} tokens" if summary.usage.input_tokens is not None else "",
        ("≥ " if summary.unpriced else "") + money(summary.cost_usd) if summary.cost_usd is not None else "",
        ", ".join(clean(name) for name in summary.services),
        f"session {clean(summary.session_id)}" if summary.session_id else "",
        when(summary.start_unix_nano),
    ):
        if text:
            facts.append(" · ", style="bright_black").append(text)
    console.print(facts)
    console.print(Text(summary.trace_id, style="bright_black"))
    for score in summary.scores:
        said = " ".join(part for part in (f"{score.value:g}" if score.value is not None else "", clean(score.label or "")) if part)
        console.print(Text("★ ", style="yellow").append(f"{clean(score.name)}: {said}", style="default"))
    console.print()


def _tree_lines(trace: Trace, width: int, everything: bool) -> Iterator[Text]:
    """One line per span (guides, sign, name, bar, duration, tokens, cost), under it its error and its passages."""
    token_width, cost_width = (12, 9) if width >= 120 else (10, 0)
    elastic = max(30, width - 10 - token_width - cost_width - 1)  # names and bars share it
    most_for_names = max(18, elastic * 3 // 5)
    lines = list(_preorder(trace.spans, deepest=max(2, (most_for_names - 16) // 2)))
    longest = max((cell_len(guides) + cell_len(_label(span)) + 3 for span, guides, _ in lines), default=0)
    name_width = min(most_for_names, longest)
    bar_width = min(elastic - name_width, 80)
    begin, end = _extent(trace.spans)
    for span, guides, below in lines:
        known = span.normalised
        sign, colour = KIND_STYLES[known.kind if known else SpanKind.UNKNOWN]
        failed = (known.status if known else span.status) is StatusCode.ERROR
        line = Text(guides, style="bright_black").append(f"{sign} ", style=colour)
        name = clean(span.name)
        line.append(label := _cut(_label(span), name_width - line.cell_len - 1), style="bright_black")
        line.stylize("red" if failed else "default", len(line) - len(label), min(len(line), len(line) - len(label) + len(name)))
        line.append(" " * max(1, name_width - line.cell_len))
        line.append(_bar(span, begin, end, bar_width), style="red" if failed else colour)
        line.append(f"{duration(span.duration_ns) if span.end_unix_nano else 'running':>10}")
        usage, cost = (known.usage, known.cost_usd) if known else (None, None)
        line.append(f"{tokens(usage.input_tokens, usage.output_tokens) if usage else '':>{token_width}}", style="bright_black")
        line.append(f"{money(cost) if cost is not None and cost_width else '':>{cost_width}}", style="bright_black")
        line.rstrip()
        yield line
        yield from _details(span, below, width, everything)


def _label(span: Span) -> str:
    model = span.normalised.model if span.normalised else None
    return clean(span.name) + (f"  {clean(model)}" if model else "")


def _details(span: Span, guides: str, width: int, everything: bool) -> Iterator[Text]:
    known = span.normalised
    if known is None:
        return
    if known.error:
        said = clean(": ".join(part for part in (known.error.type, known.error.message) if part) or "error")
        yield Text(guides, style="bright_black").append("  " + _cut(said, width - cell_len(guides) - 2), style="red")
    shown = known.documents if everything else known.documents[:MOST_PASSAGES]
    for place, document in enumerate(shown, 1):
        yield _passage(document, place, guides, width)
    if len(known.documents) > len(shown):
        rest = f"  … {len(known.documents) - len(shown)} more (--all shows them)"
        yield Text(guides, style="bright_black").append(rest, style="bright_black")
    if everything:
        for label, value in (("in", known.input), ("out", known.output)):
            if value is not None:
                text = clean(value if isinstance(value, str) else encode(value).decode())
                line = Text(guides, style="bright_black").append(f"  {label:<4}", style="bright_black")
                yield line.append(_cut(text, width - cell_len(guides) - 6))


def _passage(document: Document, place: int, guides: str, width: int) -> Text:
    """`  1  0.83  guide.md  text of the passage…`"""
    line = Text(guides, style="bright_black")
    line.append(f"  {document.rank if document.rank is not None else place:>2} ", style="green")
    line.append(f"{document.score:>7.3f}" if document.score is not None else f"{'–':>7}", style="bright_black")
    source = document.metadata.get("source") or document.id or ""
    source_width = 32 if width >= 120 else 18
    line.append("  " + _padded(clean(str(source)), source_width), style="cyan")
    text = document.content or document.metadata.get("heading") or document.metadata.get("title") or ""
    return line.append("  " + _cut(clean(str(text)), width - line.cell_len - 2))


def _bar(span: Span, begin: int, end: int, width: int) -> str:
    """Where the span lies between the trace's begin and end, in eighths of a cell; at least a sliver."""
    extent = max(1, end - begin)
    start = min(max(0.0, (span.start_unix_nano - begin) / extent), 1.0) * width
    stop = min(max(0.0, ((span.end_unix_nano or end) - begin) / extent), 1.0) * width
    left = min(int(start), width - 1)
    cells = int(stop) - left
    if cells < 1:
        return " " * left + "▏" + " " * (width - left - 1)
    rest = " ▏▎▍▌▋▊▉"[int((stop - int(stop)) * 8)] if int(stop) < width else ""
    return (" " * left + "█" * cells + rest).ljust(width)[:width]


def _extent(spans: Sequence[Span]) -> tuple[int, int]:
    begin = min((span.start_unix_nano for span in spans), default=0)
    return begin, max((span.end_unix_nano or span.start_unix_nano for span in spans), default=begin)


def _preorder(spans: Sequence[Span], deepest: int) -> Iterator[tuple[Span, str, str]]:
    """(span, guides of its line, guides of the lines below it), without recursion; a cycle is entered at its earliest span.

    Beyond `deepest` levels a span is drawn at that depth with its own as a number."""
    ids = {span.span_id for span in spans}
    children: dict[str, list[Span]] = {}
    for span in sorted(spans, key=lambda span: span.start_unix_nano):
        parent = span.parent_span_id if span.parent_span_id in ids and span.parent_span_id != span.span_id else ""
        children.setdefault(parent, []).append(span)
    seen: set[str] = set()
    tops = children.get("", [])
    for top in (*tops, *sorted(spans, key=lambda span: span.start_unix_nano)):
        stack = [(top, "", "", 0)]
        while stack:
            span, own, inherited, depth = stack.pop()
            if span.span_id in seen:
                continue
            seen.add(span.span_id)
            below = children.get(span.span_id, [])
            yield span, own, inherited + ("│ " if below else "  ")
            for place in range(len(below) - 1, -1, -1):
                last = place == len(below) - 1
                if depth < deepest:
                    stack.append((below[place], inherited + ("└ " if last else "├ "), inherited + ("  " if last else "│ "), depth + 1))
                else:
                    stack.append((below[place], f"{inherited}{depth + 1} ", inherited, depth + 1))


# ---- The doctor ----


def print_check(console: Console, line: str, style: str) -> None:
    """`✓ what was tried: what was seen`, its advice below; what a terminal folds stays behind the mark."""
    if not console.is_terminal:
        console.print(line, soft_wrap=True)
        return
    mark, _, rest = line.partition(" ")
    grid = Table.grid(padding=(0, 1))
    grid.add_row(Text(mark, style=style), "\n".join(part.strip() for part in rest.split("\n")))
    console.print(grid)


# ---- Many traces ----


def traces_table(traces: Sequence[TraceSummary], width: int) -> Table:
    """Trace summaries as rows; the wider, the more columns."""
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold", expand=True, pad_edge=False)
    table.add_column("when", no_wrap=True)
    table.add_column("", no_wrap=True, width=1)
    table.add_column("question", ratio=3, no_wrap=True, overflow="ellipsis")
    if width >= 110:
        table.add_column("answer", ratio=4, no_wrap=True, overflow="ellipsis", style="bright_black")
    if width >= 150:
        table.add_column("service", no_wrap=True, overflow="ellipsis", max_width=20, style="cyan")
    table.add_column("spans", justify="right", no_wrap=True)
    table.add_column("took", justify="right", no_wrap=True)
    if width >= 100:
        table.add_column("tokens", justify="right", no_wrap=True)
        table.add_column("cost", justify="right", no_wrap=True)
    table.add_column("trace", no_wrap=True, style="bright_black")
    for summary in traces:
        table.add_row(*_row(summary, width))
    return table


def _row(summary: TraceSummary, width: int) -> Iterator[Text]:
    yield Text(when(summary.start_unix_nano), style="bright_black")
    yield _dot(summary)
    yield Text(clean(summary.input_preview or summary.root_name or "(no root span yet)"))
    if width >= 110:
        yield Text(clean(summary.output_preview or ""))
    if width >= 150:
        yield Text(clean(", ".join(summary.services)))
    yield Text(str(summary.span_count))
    yield Text(duration(summary.duration_ns))
    if width >= 100:
        yield Text(tokens(summary.usage.input_tokens, summary.usage.output_tokens))
        yield Text(money(summary.cost_usd) if summary.cost_usd is not None else "")
    yield Text(summary.trace_id if width >= 150 else summary.trace_id[:12])


def _dot(summary: TraceSummary) -> Text:
    if summary.state == "running":
        return Text("◌", style="yellow")
    return Text("✗", style="red") if summary.status is StatusCode.ERROR or summary.error_count else Text("●", style="green")


def tail_line(summary: TraceSummary, width: int) -> Text:
    """One line for a trace that arrived or changed."""
    line = Text(when(summary.start_unix_nano).rjust(11) + " ", style="bright_black").append_text(_dot(summary))
    trace_id = summary.trace_id if width >= 150 else summary.trace_id[:12]
    figures = f"{several(summary.span_count, 'span'):>9} {duration(summary.duration_ns):>9}  {trace_id}"
    room = max(10, width - line.cell_len - cell_len(figures) - 2)
    question_width = room if width < 110 else room * 2 // 5
    line.append(" " + _padded(clean(summary.input_preview or summary.root_name or "(no root span yet)"), question_width), style="default")
    if question_width < room:
        line.append(" " + _padded(clean(summary.output_preview or ""), room - question_width - 1), style="bright_black")
    return line.append(" " + figures, style="bright_black")
