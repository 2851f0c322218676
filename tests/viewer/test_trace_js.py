"""The trace page's modules: the pure ones with node's own runner, all of them against the rules that keep content inert."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from viewer.html import ASSETS

FOLDER = Path(__file__).parent / "js"
MODULES = sorted([*ASSETS.glob("*.js"), *ASSETS.parent.glob("*.js")])
PARSES_MARKUP = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|srcdoc|\beval\(|new Function"
)


@pytest.mark.checkout  # node finds the modules by their place in the repository
@pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")
@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.test.mjs")), ids=lambda file: file.name)
def test_pure_functions(file: Path) -> None:
    done = subprocess.run(["node", "--test", str(file)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_no_module_parses_markup_or_leaves_type_checking(module: Path) -> None:
    source = module.read_text("utf-8")
    assert source.startswith("// @ts-check\n")
    assert not PARSES_MARKUP.search(source)
    assert "http://" not in source.replace("http://www.w3.org/2000/svg", "")
