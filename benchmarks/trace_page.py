"""The trace page in headless Chromium: time to the visible tree, click to detail, keys, DOM and memory, by the size of the trace

A real collector and a real viewer on this machine; spans sent over OTLP. "page" is a full load of `/trace?trace_id=…` with a warm cache,
from navigation start to rows in the DOM; "data" the part from the component's question to the rows; "click" from the pointer event to the
clicked span's detail in the DOM, its body fetched; "cached" the same for a span that was read before. Medians (click: also p95) of the
rounds. Frames are websocket frames during 40 steps with j and k. Software rendering; a busy machine shows in every number.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.chromium import find_browser, launch_arguments
from tests.processes import running_collector
from tests.viewer import trace_samples as samples
from tests.viewer.conftest import running_viewer
from tests.viewer.sending import send
from viewer.pages.trace import payload

TRACES: Mapping[str, Callable[[], Mapping[str, Any]]] = {
    "12, a story": lambda: samples.story("bench story"),
    "997, folded": lambda: samples.big(1_000, "bench"),
    "9,997, folded": lambda: samples.big(10_000, "bench"),
    "32,000, deep": lambda: samples.varied(32_000, "bench"),
}
HELP = """
  const host = [...document.querySelectorAll('*')].find((each) => each.shadowRoot?.querySelector('.rp'));
  const root = host.shadowRoot;
  const frame = () => new Promise((done) => requestAnimationFrame(done));
"""
CLICK = (
    "async (position) => {"
    + HELP
    + """
  const row = root.querySelectorAll('.row[data-span]')[position];
  const detail = root.querySelector('.detail');
  if (!row || row.dataset.span === detail.dataset.span) return null;
  const begin = performance.now();
  row.querySelector('.label').dispatchEvent(new MouseEvent('click', { bubbles: true, composed: true }));
  while (detail.dataset.span !== row.dataset.span || detail.querySelector('.skeleton')) await frame();
  return performance.now() - begin;
}"""
)
COUNT = """() => {
  const all = (root) => [...root.querySelectorAll('*')].reduce((sum, each) => sum + 1 + (each.shadowRoot ? all(each.shadowRoot) : 0), 0);
  return all(document);
}"""
MARKS = """() => ['trace:asked', 'trace:visible'].map((name) => performance.getEntriesByName(name).at(-1).startTime)"""
SCROLL = (
    "async () => {"
    + HELP
    + """
  const scroller = root.querySelector('.scroller');
  const times = [];
  for (let i = 1; i <= 30; i++) {
    scroller.scrollTop = (scroller.scrollHeight * i) / 31;
    const begin = performance.now();
    await frame(); await frame();
    times.push(performance.now() - begin);
  }
  return times;
}"""
)


def p95(times: list[float]) -> float:
    return sorted(times)[min(len(times) - 1, int(0.95 * len(times)))]


def measure(page: Any, viewer: str, trace_id: str, label: str, rounds: int) -> dict[str, Any]:
    """One row of the table."""
    loads: list[tuple[float, float]] = []
    for _ in range(rounds + 1):
        page.goto(f"{viewer}/trace?trace_id={trace_id}")
        page.wait_for_selector(f".rp[data-ready='{trace_id}']", timeout=60_000)
        asked, visible = page.evaluate(MARKS)
        loads.append((visible, visible - asked))
    page.wait_for_selector(".detail[data-span]", timeout=60_000)
    if page.locator(".row").count() < 5:  # folded: the rest is measured on the open tree
        page.get_by_role("button", name="Expand all").click()
    page.wait_for_timeout(600)
    rows = page.locator(".row[data-span]").count()
    first = [time for n in range(rows) if (time := page.evaluate(CLICK, n)) is not None]
    again = [time for n in (*range(rows), *range(rows)) if (time := page.evaluate(CLICK, n)) is not None]
    frames = [0]
    page.frames_seen = frames
    for step in range(40):
        page.keyboard.press("j" if step % 4 else "k")
    page.wait_for_timeout(300)
    scroll = page.evaluate(SCROLL)
    page.wait_for_timeout(300)
    return {
        "spans": label,
        "page ms": statistics.median(load for load, _ in loads[1:]),
        "data ms": statistics.median(part for _, part in loads[1:]),
        "click ms": statistics.median(first),
        "click p95": p95(first),
        "cached ms": statistics.median(again),
        "frames": page.frames_seen[0],
        "scroll p95": p95(scroll),
        "DOM nodes": page.evaluate(COUNT),
        "heap MB": page.evaluate("performance.memory.usedJSHeapSize / 1e6"),
    }


def main(argv: list[str]) -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=5, help="page loads per trace")
    chosen = options.parse_args(argv)
    browser_path = find_browser()
    if not browser_path:
        print("no Chromium found")
        return 1
    from playwright.sync_api import sync_playwright

    table: list[dict[str, Any]] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        running_collector(Path(folder) / "traces.db") as collector,
        running_viewer(collector.http) as viewer,
        sync_playwright() as playwright,
    ):
        ids = {label: send(collector, make()) for label, make in TRACES.items()}
        browser = playwright.chromium.launch(executable_path=browser_path, args=[*launch_arguments(), "--enable-precise-memory-info"])
        context = browser.new_context(viewport={"width": 1600, "height": 1000})
        for label, trace_id in ids.items():
            page = context.new_page()
            page.frames_seen = [0]

            def count(_: Any, page: Any = page) -> None:
                page.frames_seen[0] += 1

            page.on("websocket", lambda socket, count=count: (socket.on("framesent", count), socket.on("framereceived", count)))
            table.append(measure(page, viewer, trace_id, label, chosen.rounds))
            print_rows(table[-1:], heading=len(table) == 1)
            page.close()
        browser.close()
    size = len(json.dumps(payload({"trace_id": "a" * 32, "span_id": "b" * 16, "filter": "status:error since:24h"})))
    print(f"component payload: {size} bytes")
    return int(size > 2_000 or any(row["DOM nodes"] >= 3_000 or row["frames"] for row in table))


def print_rows(rows: list[dict[str, Any]], *, heading: bool) -> None:
    widths = {name: max(len(name), 9) if name != "spans" else 16 for name in rows[0]}
    if heading:
        print("  ".join(name.rjust(width) for name, width in widths.items()))
    for row in rows:
        print(
            "  ".join((value if isinstance(value, str) else f"{value:,.0f}").rjust(widths[name]) for name, value in row.items()), flush=True
        )


if __name__ == "__main__":
    raise SystemExit(main([]))
