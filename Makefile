# Every target makes what it needs from nothing but Python 3.11 or newer: a virtual environment in .venv, and in it
# the extras of pyproject.toml that the target uses. A stamp per extra makes the second run start at once.

PYTHON ?= python3
VENV ?= .venv
# Processes that pytest runs in, and further arguments for pytest, the demo or the benches.
WORKERS ?= 2
ARGS ?=
BENCHES ?=

BIN := $(VENV)/bin
STAMPS := $(VENV)/.stamps
PYTEST := $(BIN)/python -m pytest -n $(WORKERS)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help demo test test-all lint format bench compare clean
.PRECIOUS: $(STAMPS)/%

help:
	@echo 'make demo      train a small network on handwritten digits and show what the compiler does'
	@echo 'make test      the tests, without the slow ones and the comparisons with PyTorch and JAX'
	@echo 'make test-all  every test; installs PyTorch, JAX, the data and weights of the zoo and the compiler for TPUs'
	@echo 'make lint      ruff and pyright'
	@echo 'make format    let ruff format the code and repair what it safely can'
	@echo 'make bench     every work beside the peers, as a table, JSON and a picture in build/; ARGS="rows training" for some;'
	@echo '               BENCHES="benches/call.py" runs single files instead; installs the libraries they compare with'
	@echo 'make compare   what became slower since a commit: ARGS=<commit>, or since the last one'
	@echo 'make clean     remove the virtual environment, caches and build output'
	@echo
	@echo 'Variables: PYTHON=$(PYTHON) VENV=$(VENV) WORKERS=$(WORKERS) ARGS=<further arguments>'

demo: $(STAMPS)/demo
	@$(BIN)/python examples/digits.py $(ARGS)

test: $(STAMPS)/test
	@$(PYTEST) $(ARGS)

test-all: $(STAMPS)/test $(STAMPS)/peers $(STAMPS)/zoo $(STAMPS)/tpu
	@$(PYTEST) -m '' --timeout 1200 $(ARGS)

lint: $(STAMPS)/test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/pyright --pythonpath $(BIN)/python

format: $(STAMPS)/test
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(STAMPS)/bench
	@set -e; if [ -z "$(BENCHES)" ]; then $(BIN)/python benches/performance.py --plot build/performance.png $(ARGS); fi; \
	for bench in $(BENCHES); do echo "== $$bench"; $(BIN)/python $$bench $(ARGS); done

compare: $(STAMPS)/bench
	@$(BIN)/python benches/compare.py $(ARGS)

clean:
	rm -rf $(VENV) build dist demo-output .pytest_cache .ruff_cache .hypothesis .benchmarks
	find rosin tests benches examples -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

$(STAMPS)/venv:
	@command -v $(PYTHON) >/dev/null || { \
	  echo 'Rosin needs Python 3.11 or newer, and there is no $(PYTHON) here: try make PYTHON=<path>' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Rosin needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) -V 2>&1): try make PYTHON=<path>" >&2; exit 1; }
	@echo 'Making a virtual environment in $(VENV)'
	@$(PYTHON) -m venv $(VENV) || { \
	  echo '$(PYTHON) could not make a virtual environment; on Debian and Ubuntu install python3-venv' >&2; exit 1; }
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/%: pyproject.toml $(STAMPS)/venv
	@echo "Installing rosin[$*] into $(VENV)"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-input -e '.[$*]' || { \
	  echo "Could not install rosin[$*]: pip says why above" >&2; exit 1; }
	@touch $@
