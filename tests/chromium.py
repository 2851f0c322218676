"""Find a Chromium-like browser, or try to get one: `python -m tests.chromium` prints its path and installs one if it can.

Looked for in this order: RIGHTPASSAGE_BROWSER, the usual names on PATH, the usual places of macOS and Windows, playwright's own download.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "microsoft-edge",
    "microsoft-edge-stable",
    "msedge",
)
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
    "C:/Program Files (x86)/Microsoft/Edge/Application/msedge.exe",
)


def find_browser() -> str | None:
    """The path of a browser that playwright can drive, or None."""
    if chosen := os.environ.get("RIGHTPASSAGE_BROWSER"):
        return chosen
    on_path = next((found for name in NAMES if (found := shutil.which(name))), None)
    return on_path or next((place for place in PLACES if Path(place).exists()), None) or downloaded()


def downloaded() -> str | None:
    """Playwright's own Chromium, if it was downloaded before."""
    caches = (
        Path.home() / ".cache/ms-playwright",
        Path.home() / "Library/Caches/ms-playwright",
        Path.home() / "AppData/Local/ms-playwright",
    )
    patterns = ("chromium-*/chrome-linux*/chrome", "chromium-*/chrome-mac*/*.app/Contents/MacOS/*", "chromium-*/chrome-win*/chrome.exe")
    return next((str(path) for cache in caches for pattern in patterns for path in sorted(cache.glob(pattern), reverse=True)), None)


def launch_arguments() -> list[str]:
    """Headless, silent towards the network; no sandbox only where root makes it impossible."""
    quiet = [
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ]
    return [*quiet, "--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else quiet


def install() -> None:
    """Try Debian's package (as root), then playwright's own download; either may fail without harm."""
    if shutil.which("apt-get") and hasattr(os, "geteuid") and os.geteuid() == 0:
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], env=quiet, check=False, timeout=300)
        subprocess.run(["apt-get", "install", "-y", "-qq", "chromium"], env=quiet, check=False, timeout=600, stdout=subprocess.DEVNULL)
    if not find_browser():
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False, timeout=600)


if __name__ == "__main__":
    if not find_browser():
        print("no Chrome, Chromium or Edge here: trying to install one", flush=True)
        try:
            install()
        except (OSError, subprocess.TimeoutExpired) as failure:
            print(f"that did not work: {failure}", flush=True)
    print(f"browser: {find_browser() or 'none, the browser tests will be skipped'}")
