"""Trace content is hostile text: the ways it could become markup or a request are closed by rule, and the rule is checked here."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import viewer
from viewer import sheet

PACKAGE = Path(viewer.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
SCRIPTS = sorted((PACKAGE / "components").rglob("*.js"))

# Everything of Streamlit that our pages use. Text goes through components (text nodes only); whoever adds st.markdown, st.write, a label or
# a caption has to argue with this list. `html` is for the constant style of chrome.py.
ALLOWED = {"Page", "html", "logo", "navigation", "query_params", "set_page_config", "text", "code", "json", "dataframe"}
MARKUP = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|createContextualFragment|DOMParser|document\.write|srcdoc|setHTML"
    r"|\beval\(|new Function|javascript:"
)


def streamlit_names(tree: ast.Module) -> set[str]:
    """The attributes of `st` that a module touches."""
    attributes = (node for node in ast.walk(tree) if isinstance(node, ast.Attribute))
    return {node.attr for node in attributes if isinstance(node.value, ast.Name) and node.value.id == "st"}


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_pages_use_only_the_streamlit_that_cannot_make_markup(module: Path) -> None:
    tree = ast.parse(module.read_text())
    assert streamlit_names(tree) <= ALLOWED
    imported = [
        alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module == "streamlit" for alias in node.names
    ]
    assert set(imported) <= {"App"}, "use st.…, so that this test sees it"
    keywords = {word.arg for node in ast.walk(tree) if isinstance(node, ast.Call) for word in node.keywords}
    assert not {word for word in keywords if word and word.startswith("unsafe_allow")}


def test_the_only_html_is_a_constant() -> None:
    calls = [
        (module.name, node.args[0])
        for module in MODULES
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and ast.unparse(node.func) == "st.html"
    ]
    assert [(name, ast.unparse(argument)) for name, argument in calls] == [("chrome.py", "STYLE")]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_scripts_draw_with_text_nodes_only(script: Path) -> None:
    assert not MARKUP.findall(script.read_text())


def test_a_sheet_keeps_text_as_text() -> None:
    node = sheet.h("div", "", "<script>alert(1)</script>", sheet.link("/trace", "", "x", query={"trace_id": "a&b=c"}))
    assert node[2] == "<script>alert(1)</script>"
    assert node[3][1]["href"] == "/trace?trace_id=a%26b%3Dc"
