# Two commands matter: `make demo` shows the product, `make test` proves it. Both work on a fresh machine with Python 3.11 or newer.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt
DEMO ?=
PYTEST ?=

.DEFAULT_GOAL := help
.PHONY: help demo test check format docs bench soak wheel wheel-test clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Right Passage needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1). Choose one: make PYTHON=python3.12 …"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing Right Passage into $(VENV) (a few minutes the first time) …"
	$(PIP) -e '.[demo]'
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing Right Passage and its test tools into $(VENV) (a few minutes the first time) …"
	$(PIP) -e '.[dev]'
	@touch $@ $(VENV)/.demo

demo: $(VENV)/.demo ## collector, viewer and docs bot with a seeded history; Ctrl-C stops all (DEMO="--no-browser …" passes options)
	$(BIN)/rightpassage demo $(DEMO)

test: $(VENV)/.dev ## every test, browser included (PYTEST="-k name" passes options)
	@$(BIN)/python -m tests.chromium
	$(BIN)/python -m pytest $(PYTEST)

check: $(VENV)/.dev ## format, lint, types, import rules, freshness of generated docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/python docs/generate.py --check

format: $(VENV)/.dev ## format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(VENV)/.dev ## regenerate the reference pages (commands, API, settings, dialects, filters)
	$(BIN)/python docs/generate.py

bench: $(VENV)/.dev ## the benchmarks, one table each
	$(BIN)/python -m benchmarks

soak: $(VENV)/.dev ## the long ones: kill -9 rounds, five million spans
	$(BIN)/python -m benchmarks --soak

wheel: $(VENV)/.dev ## build the wheel into dist/
	rm -rf dist && $(BIN)/python -m build --outdir dist .

wheel-test: wheel ## the tests against the installed wheel, away from the checkout
	bash tests/wheel.sh $(VENV)

clean: ## remove what the targets above made
	rm -rf $(VENV) .venv-wheel dist build .pytest_cache .ruff_cache .hypothesis
