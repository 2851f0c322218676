"""The trace page in headless Chromium: time to the visible tree, click to detail, keys, DOM and memory, by the size of the trace

A real collector and a real viewer on this machine; spans sent over OTLP. "page" is a full load of `/trace?trace_id=…` with a warm cache,
from navigation start to rows in the DOM; "data" the part from the component's question to the rows; "click" from the pointer event to the
clicked span's detail in the DOM, its body fetched; "cached" the same for a span that was read before. Medians (click: also p95) of the
rounds. Frames are websocket frames during 40 steps with j and k. Software rendering; a busy machine shows in every number.

Side by side with Phoenix (--phoenix VENV): both get the same spans as OTLP/HTTP protobuf; one browser, a warm cache and compiled scripts
for each (two loads before those that count); the loads take turns, and between them the pages are blank, so that nobody works beside the
one that is measured. The clock is the same for both: from navigation start until the frame is drawn in which the names of all seven stages
of a pipeline (embed_query to check_answer) stand inside the window. It looks only in frames before which something in the document
changed; "clock" is the time that this looking took, ours and theirs. It gives up after 90 s. "nodes" are the document's then.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from benchmarks.collectors import machine
from benchmarks.collectors import table as print_table
from benchmarks.load import RETRYABLE, bodies
from benchmarks.phoenix import VARIABLE, Installed, find, running_phoenix
from tests.chromium import find_browser, launch_arguments
from tests.processes import running_collector
from tests.viewer import trace_samples as samples
from tests.viewer.conftest import running_viewer
from tests.viewer.sending import send
from viewer.first import trace_data

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

SIDE_BY_SIDE = (8, 5_000)
STAGES = ("embed_query", "retrieve", "rerank", "build_prompt", "lookup_order", "chat", "check_answer")
PROTOBUF = {"content-type": "application/x-protobuf"}
LONGEST_MS = 90_000
SETTLES_MS = 500  # what a page does after its tree stands is over before the other one is measured
WARMING = 2  # Chromium keeps compiled scripts from the second load on
VISIBLE = """(names, longest) => {
  const clock = { spent: 0, roots: new WeakSet() };
  window.treeVisible = new Promise((done) => {
    let due = false;
    const observer = new MutationObserver(() => look());
    const watch = (root) => {
      if (clock.roots.has(root)) return;
      clock.roots.add(root);
      observer.observe(root, { childList: true, characterData: true, subtree: true });
    };
    const find = (root, missing) => {
      watch(root);
      const walker = document.createTreeWalker(root, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
      while (missing.size && walker.nextNode()) {
        const node = walker.currentNode;
        if (node.shadowRoot) find(node.shadowRoot, missing);
        else if (node.nodeType === Node.TEXT_NODE && missing.has(node.data.trim())) {
          const box = node.parentElement.getBoundingClientRect();
          if (box.width && box.height && box.top >= 0 && box.bottom <= innerHeight) missing.delete(node.data.trim());
        }
      }
      return missing.size === 0;
    };
    const end = () => {
      observer.disconnect();
      done({ at: performance.now(), clock: clock.spent });
    };
    const look = () => {
      if (due) return;
      due = true;
      requestAnimationFrame(() => {
        due = false;
        const begin = performance.now();
        const found = find(document, new Set(names));
        clock.spent += performance.now() - begin;
        if (found) setTimeout(end); // after this frame has been drawn
      });
    };
    const attach = Element.prototype.attachShadow;
    Element.prototype.attachShadow = function (options) {
      const root = attach.call(this, options);
      watch(root);
      look();
      return root;
    };
    watch(document);
    look();
    setTimeout(end, longest);
  });
}"""


def p95(times: list[float]) -> float:
    return sorted(times)[min(len(times) - 1, int(0.95 * len(times)))]


def measure(page: Any, frames: list[int], viewer: str, trace_id: str, label: str, rounds: int) -> dict[str, Any]:
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
    frames[0] = 0
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
        "frames": frames[0],
        "scroll p95": p95(scroll),
        "DOM nodes": page.evaluate(COUNT),
        "heap MB": page.evaluate("performance.memory.usedJSHeapSize / 1e6"),
    }


def send_pipelines(url: str, size: int) -> str:
    """One trace of pipelines of eight spans, the same for whoever gets it."""
    trace_id = ""
    for body, _ in bodies(size, 500, spans_per_trace=size, seed=size, compress=False):
        while (answer := httpx.post(f"{url}/v1/traces", content=body, headers=PROTOBUF, timeout=60)).status_code in RETRYABLE:
            time.sleep(float(answer.headers.get("retry-after", 1)))
        answer.raise_for_status()
        request = ExportTraceServiceRequest.FromString(body)
        trace_id = request.resource_spans[0].scope_spans[0].spans[0].trace_id.hex()
    return trace_id


def tree_visible(page: Any, address: str) -> tuple[float, float]:
    """Milliseconds from navigation start to the tree, and those that the clock itself took."""
    page.goto("about:blank")
    page.goto(address, wait_until="commit")
    seen = page.evaluate("window.treeVisible")
    page.wait_for_timeout(SETTLES_MS)
    return seen["at"], seen["clock"]


def beside(playwright: Any, browser_path: str, collector: Any, viewer: str, installed: Installed, rounds: int) -> None:
    """The same traces on our page and on Phoenix's, the loads taking turns."""
    rows: list[list[Any]] = []
    with running_phoenix(installed) as peer:
        browser = playwright.chromium.launch(executable_path=browser_path, args=launch_arguments())
        pages = [browser.new_context(viewport={"width": 1600, "height": 1000}).new_page() for _ in range(2)]
        for page in pages:
            page.set_default_timeout(LONGEST_MS)
            page.add_init_script(f"({VISIBLE})({json.dumps(STAGES)}, {LONGEST_MS})")
        project = httpx.get(f"{peer.server.url}/v1/projects").json()["data"][0]["id"]
        expected = 0
        for size in SIDE_BY_SIDE:
            trace_id = send_pipelines(collector.http, size)
            send_pipelines(peer.server.url, size)
            expected += size
            stored, _ = peer.wait_for(expected)
            addresses = (f"{viewer}/trace?trace_id={trace_id}", f"{peer.server.url}/projects/{project}/traces/{trace_id}")
            seen: list[list[tuple[float, float]]] = [[], []]
            nodes = [0, 0]
            for turn in range(WARMING + rounds):
                for side, (page, address) in enumerate(zip(pages, addresses, strict=True)):
                    load = tree_visible(page, address)
                    nodes[side] = page.evaluate(COUNT)
                    page.goto("about:blank")
                    if turn >= WARMING:
                        seen[side].append(load)
            (ours, our_clock), (theirs, their_clock) = ([statistics.median(parts) for parts in zip(*loads, strict=True)] for loads in seen)
            spread = " / ".join(f"{min(loads)[0]:,.0f}–{max(loads)[0]:,.0f}" for loads in seen)
            figures = [
                f"{size:,}",
                f"{ours:,.0f}",
                f"{theirs:,.0f}",
                f"{theirs / ours:.1f}",
                spread,
                f"{our_clock:.1f} / {their_clock:.1f}",
            ]
            rows.append(
                [*figures, f"{nodes[0]:,} / {nodes[1]:,}", "" if stored == expected else f"Phoenix stored {stored:,} of {expected:,}"]
            )
        browser.close()
    print(f"\nside by side, warm, medians of {rounds} loads; {machine()}")
    print_table(
        ["spans", "rightpassage ms", f"Phoenix {installed.version} ms", "ratio", "fastest–slowest", "clock ms", "nodes", "note"], rows
    )


def count_frames(page: Any) -> list[int]:
    """A number that grows with every frame over the page's websockets."""
    frames = [0]

    def count(_: object) -> None:
        frames[0] += 1

    def listen(socket: Any) -> None:
        socket.on("framesent", count)
        socket.on("framereceived", count)

    page.on("websocket", listen)
    return frames


def main(argv: list[str]) -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=5, help="page loads per trace")
    options.add_argument("--only-beside", action="store_true", help="only the comparison with Phoenix")
    options.add_argument("--phoenix", metavar="VENV", default=os.environ.get(VARIABLE), help="an environment that has arize-phoenix")
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
        ids = {label: send(collector, make()) for label, make in TRACES.items() if not chosen.only_beside}
        browser = playwright.chromium.launch(executable_path=browser_path, args=[*launch_arguments(), "--enable-precise-memory-info"])
        context = browser.new_context(viewport={"width": 1600, "height": 1000})
        for label, trace_id in ids.items():
            page = context.new_page()
            frames = count_frames(page)
            table.append(measure(page, frames, viewer, trace_id, label, chosen.rounds))
            print_rows(table[-1:], heading=len(table) == 1)
            page.close()
        browser.close()
        if installed := find(chosen.phoenix):
            beside(playwright, browser_path, collector, viewer, installed, chosen.rounds)
    size = len(json.dumps(trace_data({"trace_id": "a" * 32, "span_id": "b" * 16, "filter": "status:error since:24h"})))
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
    raise SystemExit(main(sys.argv[1:]))
