# The two commands of the README are `make demo` and `make test`. Each makes .venv on first use; a second call
# finds it ready.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# Tests against PyTorch skip where it is missing. CI runs them all.
TORCH ?= $(if $(CI),torch==2.13.0)

SOURCES := src tests benchmarks examples
PROJECT := pyproject.toml src/genus/_version.py
DEMO_READY := $(VENV)/.ready
TEST_READY := $(VENV)/.ready-test$(if $(TORCH),-torch)

.PHONY: help demo test lint format bench clean

help:
	@echo "make demo    train, evaluate and predict on handwritten digits; then the built-in model on photographs"
	@echo "make test    linter, type checker, import rules and the whole test suite"
	@echo "make lint    the first three of these"
	@echo "make format  let ruff put the code in shape"
	@echo "make bench   speed on this machine, side by side with its hardware limit (a few minutes)"
	@echo "make clean   remove .venv, demo/ and everything else that was made"

demo: $(DEMO_READY)
	@$(BIN)/python examples/demo.py

test: lint
	$(BIN)/python -m pytest -n auto --dist worksteal $(PYTEST_ARGS)

lint: $(TEST_READY)
	$(BIN)/ruff check --no-cache $(SOURCES)
	$(BIN)/ruff format --no-cache --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo --no-cache

format: $(TEST_READY)
	$(BIN)/ruff check --no-cache --fix $(SOURCES)
	$(BIN)/ruff format --no-cache $(SOURCES)

bench: $(TEST_READY)
	$(BIN)/python benchmarks/speed.py

clean:
	rm -rf $(VENV) demo dist build benchmarks/out .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find src tests benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Genus needs Python 3.11 or newer; name one with: make PYTHON=/path/to/python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(DEMO_READY): $(PROJECT) | $(BIN)/python
	@echo "Installing Genus into $(VENV) (once) ..."
	$(PIP) install -e .
	@touch $@

$(TEST_READY): $(PROJECT) | $(BIN)/python
	@echo "Installing Genus and what its tests need into $(VENV) (once) ..."
	$(PIP) install -e ".[dev]" $(TORCH)
	@touch $@ $(DEMO_READY)
