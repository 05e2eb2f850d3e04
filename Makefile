# make run serves on port 8000 (PORT= changes it); make test runs the tests. Both set everything up themselves.
PYTHON ?= python3
PORT ?= 8000
MINUTES ?= 10
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test lint format bench check torture clean help

help:
	@echo "make run     set up and serve on port $(PORT)"
	@echo "make test    set up and run the tests"
	@echo "make lint    ruff and mypy"
	@echo "make torture MINUTES=10   kill processes and the database at random under load, and print the ledger"
	@echo "make bench   the benchmarks, beside the limits they are compared with"
	@echo "make clean   remove .venv and caches; data/ stays"

$(VENV)/.made: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "Tocsin needs Python 3.11 or newer; set PYTHON=python3.x to name one"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "This Python has no venv module; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/.made-test: $(VENV)/.made
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test]'
	@touch $@

$(VENV)/.made-bench: $(VENV)/.made-test
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test,bench]'
	@touch $@

run: $(VENV)/.made
	@$(BIN)/tocsin check --quiet
	@PORT=$(PORT) exec $(BIN)/uvicorn engine.main:app --port $(PORT) --no-access-log \
	  --http engine.connections:PatientProtocol --timeout-graceful-shutdown 6

test: $(VENV)/.made-test
	$(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist loadgroup $(ARGS)

lint: $(VENV)/.made-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.made-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

torture: $(VENV)/.made-test
	MINUTES=$(MINUTES) $(BIN)/pytest tests/crash -s $(ARGS)

bench: $(VENV)/.made-bench
	@failed=; for each in ingest latency matching reload check stateful throttles backtest; do \
	  echo "benchmarks/$$each.py"; $(BIN)/python benchmarks/$$each.py || failed="$$failed $$each"; \
	done; test -z "$$failed" || { echo "limits missed:$$failed"; exit 1; }

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache *.egg-info
