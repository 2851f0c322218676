"""`python -m demo_rag_bot`: the bot's command line, or one line saying which extra brings it."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line; without the `demo` extra say how to get it."""
    try:
        from demo_rag_bot.console import run
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] in {"collector", "tracer", "demo_rag_bot"}:
            raise
        print(f'demo_rag_bot: needs the package {missing.name!r}: pip install "rightpassage[demo]"', file=sys.stderr)
        return 1
    return run()


if __name__ == "__main__":
    sys.exit(main())
