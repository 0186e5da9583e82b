# Every target does its own set-up: a machine needs Python 3.11 or newer and make.
# uv is used where it is on the path; pip does the same work elsewhere.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
UV := $(shell command -v uv 2>/dev/null)
EXTRAS := dev,cyclers,hdf5,archives,cloud,sftp,postgresql,mysql,sqlite,sql,report,notify,metrics,otel,speed,dask

.PHONY: help demo test check lint mutants bench clean
.DEFAULT_GOAL := help

help: ## Show the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-8s %s\n", $$1, $$2}'

demo: $(READY) ## Make a sample archive and upload it into a local Studio
	$(BIN)/python -m bulkload demo

test: $(READY) ## Run all tests
	$(BIN)/python -m pytest -n 4 --dist loadgroup

check: lint ## Format, lint, type check, fast tests
	$(BIN)/python -m pytest -n 2 -m fast

lint: $(READY) ## Format, lint, type check, generated tables
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python scripts/manual_tables.py --check

mutants: $(READY) ## Change decisions one by one: do the tests notice? (MUTANTS=core MINUTES=60)
	nice -n 15 $(BIN)/python scripts/mutants.py $(MUTANTS) --minutes $(or $(MINUTES),60)

bench: $(READY) ## Measure: tables of ratios, each within one run
	$(BIN)/python scripts/bench.py
	$(BIN)/python scripts/bench_validation.py

clean: ## Remove the virtual environment and the caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build

$(READY): pyproject.toml
ifdef UV
	test -x $(BIN)/python || $(UV) venv --python $(PYTHON) $(VENV)
	$(UV) pip install --quiet --python $(BIN)/python -e '.[$(EXTRAS)]'
else
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[$(EXTRAS)]'
endif
	touch $@
