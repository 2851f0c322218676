"""Every file of ours that a browser may load, read once and named by digest.

Fonts, icons, style sheets and ES modules are served under `/assets/<digest>/…`, where the digest covers the whole set: relative imports
between modules keep working, everything is cached for good, and a new version is a new URL. A style sheet `x.css` is also there as the
module `x.css.js`, whose default export is a `CSSStyleSheet`: a component that imports it is drawn without a wait for another answer.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

PACKAGE: Final = Path(__file__).parent
FOLDERS: Final = ("static", "components")
MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}


def load() -> dict[str, bytes]:
    """The files by their path under the package: "static/fonts/….woff2", "components/base/shell.js"."""
    found = (path for folder in FOLDERS for path in sorted((PACKAGE / folder).rglob("*")) if path.suffix in MEDIA_TYPES)
    files = {path.relative_to(PACKAGE).as_posix(): path.read_bytes() for path in found}
    return files | {f"{name}.js": sheet_module(data.decode()) for name, data in files.items() if name.endswith(".css")}


def sheet_module(css: str) -> bytes:
    """JavaScript that makes the style sheet. (Importing the sheet itself, `with { type: "css" }`, is not in all browsers yet.)"""
    return f"const sheet = new CSSStyleSheet();\nsheet.replaceSync({json.dumps(css)});\nexport default sheet;\n".encode()


def digest(files: Mapping[str, bytes]) -> str:
    """A name for this very set of files."""
    return hashlib.sha256(b"".join(name.encode() + b"\0" + data for name, data in sorted(files.items()))).hexdigest()[:12]


FILES: Final = load()
PREFIX: Final = f"/assets/{digest(FILES)}"


def url(name: str) -> str:
    """The path a browser loads a file from."""
    return f"{PREFIX}/{name}"
