#!/usr/bin/env bash
# Run the tests against the built wheel, in a clean environment and away from the checkout, so that nothing is found by accident.
# Usage: tests/wheel.sh VENV  (VENV's Python makes the clean ones)
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
python=$root/$1/bin/python
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
wheel=$(ls "$root"/dist/rightpassage-*.whl)

echo "== the bare wheel: the tracer alone"
"$python" -m venv "$work/bare"
"$work/bare/bin/python" -m pip install -q --disable-pip-version-check -c "$root/constraints.txt" "$wheel"
cd "$work"
bare/bin/python - <<'PY'
import sys

import tracer

@tracer.retriever
def search(query):
    return [{"id": "a", "content": "text", "score": 0.5}]

assert search("question") == [{"id": "a", "content": "text", "score": 0.5}], "a decorated function must run untouched"
ours = {name.partition(".")[0] for name in sys.modules}
extra = ours & {"fastapi", "streamlit", "sqlite_utils", "httpx", "openai", "faiss", "numpy", "pandas", "typer"}
assert not extra, f"the bare tracer imported {extra}"
print("bare install: decorated function ran untouched without a collector")
PY
if bare/bin/rightpassage 2>"$work/said"; then echo "a bare install's command must say which extra it needs"; exit 1; fi
grep -q 'rightpassage\[server\]' "$work/said"

echo "== the wheel with [dev]: the suite from elsewhere, and in the browser the newcomer's way and the chat"
"$python" -m venv "$work/full"
"$work/full/bin/python" -m pip install -q --disable-pip-version-check -c "$root/constraints.txt" "$wheel[dev]"
mkdir "$work/elsewhere"
cp -r "$root/tests" "$root/pyproject.toml" "$root/README.md" "$work/elsewhere/"
cd "$work/elsewhere"
export PATH="$work/full/bin:$PATH"
"$work/full/bin/python" - <<'PY'
import pathlib

import collector, demo_rag_bot, tracer, viewer

for package in (tracer, collector, viewer, demo_rag_bot):
    assert "site-packages" in package.__file__, package.__file__
print("imports come from the wheel")
PY
"$work/full/bin/python" -m pytest -q -m "not checkout and not browser" ${PYTEST:-}
"$work/full/bin/python" -m pytest -q tests/test_first_light.py tests/viewer/test_ask_page.py
