"""What all tests share: the browser, and a loud word at the end if there was none.

`RIGHTPASSAGE_REQUIRE_BROWSER=1` (CI) turns browser tests that cannot run into failures.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chromium import find_browser, launch_arguments

ROOT = Path(__file__).parent.parent
NOT_RUN: pytest.StashKey[list[str]] = pytest.StashKey()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[NOT_RUN] = []


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    browser_tests = [item for item in items if item.get_closest_marker("browser")]
    items.sort(
        key=lambda item: item.get_closest_marker("browser") is not None
    )  # last: playwright keeps an event loop in this thread, where others run their own
    if os.environ.get("CI"):  # a busy machine may starve a browser for a while; the summary counts second tries
        for item in browser_tests:
            item.add_marker(pytest.mark.flaky(reruns=1))
    if not browser_tests or find_browser():
        return
    if os.environ.get("RIGHTPASSAGE_REQUIRE_BROWSER"):
        raise pytest.UsageError(f"{len(browser_tests)} browser tests cannot run: no Chrome, Chromium or Edge found")
    config.stash[NOT_RUN] = [item.nodeid for item in browser_tests]
    for item in browser_tests:
        item.add_marker(pytest.mark.skip(reason="no Chrome, Chromium or Edge on this machine"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if missed := config.stash[NOT_RUN]:
        terminalreporter.section("browser tests", sep="!", red=True, bold=True)
        terminalreporter.write_line(
            f"{len(missed)} browser tests NOT run: install Chrome, Chromium or Edge (Debian: apt install chromium; elsewhere: "
            "python -m playwright install chromium), or set RIGHTPASSAGE_BROWSER to its path, and run `make test` again",
            red=True,
            bold=True,
        )


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    """One headless browser for the session (a playwright `Browser`)."""
    from playwright.sync_api import sync_playwright

    path = find_browser()
    assert path, "collection skips browser tests where there is no browser"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=launch_arguments())
        yield browser
        browser.close()
