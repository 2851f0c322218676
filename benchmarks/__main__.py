"""Run the benchmarks one after the other, each printing one table: `python -m benchmarks [--soak] [--phoenix VENV] [NAME…]`.

A benchmark is a module of this folder with a docstring (its first line is the title) and a `main(argv)`.
Those with `SOAK = True` run only with --soak.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import sys
from pathlib import Path

from benchmarks.phoenix import VARIABLE

HERE = Path(__file__).parent


def names() -> list[str]:
    """The benchmarks of this folder."""
    return sorted(
        path.stem for path in HERE.glob("*.py") if not path.stem.startswith("_") and "def main(" in path.read_text(encoding="utf-8")
    )


def main() -> int:
    """Run those asked for, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one or more of: {', '.join(names())} (default: all)")
    parser.add_argument("--soak", action="store_true", help="the long ones instead")
    parser.add_argument("--phoenix", metavar="VENV", help="an environment that has arize-phoenix, to measure it beside us")
    chosen = parser.parse_args()
    if chosen.phoenix:
        os.environ[VARIABLE] = chosen.phoenix
    if unknown := set(chosen.names) - set(names()):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are: {', '.join(names())}")
    print(f"machine: {platform.machine()}, {platform.system()} {platform.release()}, Python {platform.python_version()}")
    failed: list[str] = []
    for name in chosen.names or names():
        module = importlib.import_module(f"benchmarks.{name}")
        if not chosen.names and getattr(module, "SOAK", False) is not chosen.soak:
            continue
        print(f"\n== {name}: {(module.__doc__ or '').strip().splitlines()[0]}", flush=True)
        if module.main([]):
            failed.append(name)
    if failed:
        print(f"failed: {', '.join(failed)}")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
