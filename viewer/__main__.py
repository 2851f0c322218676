"""`python -m viewer`: the viewer's command, or one line saying which extra brings it."""

from __future__ import annotations

import sys


def main() -> None:
    """Serve, or write traces as a file; without the `server` extra say how to get it."""
    try:
        from viewer import serving
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] in {"collector", "tracer", "viewer"}:
            raise
        sys.exit(f'viewer: needs the package {missing.name!r}: pip install "rightpassage[server]"')
    serving.main()


if __name__ == "__main__":
    main()
