"""`rightpassage` and `python -m collector`: the command line, or one line saying which extra brings it."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line; without the `server` extra say how to get it."""
    try:
        from collector.cli import run
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] in {"collector", "tracer"}:
            raise
        print(
            f"rightpassage: the command line needs the package {missing.name!r}, which the bare install (the tracer alone) leaves out.\n"
            '  pip install "rightpassage[server]"   collector and viewer\n'
            '  pip install "rightpassage[demo]"     those and the docs bot',
            file=sys.stderr,
        )
        return 1
    return run()


if __name__ == "__main__":
    sys.exit(main())
