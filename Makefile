# Two commands for a newcomer: `make demo` and `make test`. Everything else stands in CONTRIBUTING.md.
PYTHON ?= python3
VENV   ?= .venv
ARGS   ?=
# Tests wait for servers and brokers as much as they compute: two processes for each core.
PROCESSES ?= $(shell $(PYTHON) -c "import os; print(os.cpu_count() * 2)")

BIN     := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
LOCK    := $(BIN)/uv pip compile pyproject.toml --group build --universal --python-version 3.11 \
           --generate-hashes --custom-compile-command "make lock" --quiet

.PHONY: demo test check lint lock upgrade docs bench clean
.DEFAULT_GOAL := check

demo: $(VENV)/.demo
	$(BIN)/servicetrail demo $(ARGS)

test: $(VENV)/.development
	$(BIN)/python -m pytest --numprocesses $(PROCESSES) $(ARGS)

lint: $(VENV)/.development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test

# Writes the lock files again; versions move only as far as pyproject.toml demands.
lock: $(VENV)/.development
	$(LOCK) --output-file requirements.lock
	$(LOCK) --group demo --constraints requirements.lock --output-file requirements-demo.lock
	$(LOCK) --group development --constraints requirements.lock --output-file requirements-dev.lock

# The same, with the newest versions that pyproject.toml allows.
upgrade: $(VENV)/.development
	$(MAKE) lock LOCK='$(LOCK) --upgrade'

# Writes the generated pages of docs/reference again.
docs: $(VENV)/.runtime
	$(BIN)/python -m servicetrail.document

bench: $(VENV)/.development
	$(BIN)/python -m benchmarks $(ARGS)

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.lock pyproject.toml | $(BIN)/python
	$(INSTALL) --require-hashes --requirement requirements.lock
	$(INSTALL) --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/.demo: requirements-demo.lock $(VENV)/.runtime
	$(INSTALL) --require-hashes --requirement requirements-demo.lock
	touch $@

$(VENV)/.development: requirements-dev.lock $(VENV)/.runtime
	$(INSTALL) --require-hashes --requirement requirements-dev.lock
	touch $@
