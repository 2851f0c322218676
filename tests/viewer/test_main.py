"""The command `python -m viewer`: what it says to those who mistype it or lack its packages."""

from __future__ import annotations

import os
import subprocess
import sys


def _run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], env=os.environ | environment, capture_output=True, text=True, check=False)


def test_a_port_that_is_no_number_is_named() -> None:
    ended = _run("-m", "viewer", RIGHTPASSAGE_PORT="zz")
    assert ended.returncode == 2
    assert "--port: invalid int value: 'zz'" in ended.stderr


def test_without_its_packages_it_names_the_extra() -> None:
    missing = "import runpy, sys; sys.modules['uvicorn'] = None; runpy.run_module('viewer', run_name='__main__')"
    ended = _run("-c", missing)
    assert ended.returncode == 1
    assert ended.stderr == "viewer: needs the package 'uvicorn': pip install \"rightpassage[server]\"\n"
