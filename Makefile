# Every target sets up what it needs in .venv and relies on nothing that was installed by hand.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help demo test lint bench soak clean

help:  ## show the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

# torch is pinned to the release that has a build for CPU alone; the package itself states a range.
$(READY): pyproject.toml Makefile
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[glue,report,ray,tune]' \
		'pytest>=8' 'pytest-xdist>=3.5' 'hypothesis>=6.100' 'ruff>=0.9' 'pyright[nodejs]>=1.1.390' 'import-linter>=2.1' 'hatchling>=1.25' editables
	touch $(READY)

demo: $(READY)  ## train digits with several policies and show where the budget went
	$(BIN)/apportion demo --out demo

test: $(READY)  ## run the tests, those in docstrings and documents too
	$(BIN)/python -m pytest -n auto

lint: $(READY)  ## ruff, pyright strict, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

bench: $(READY)  ## run the benchmarks: one line of JSON for each figure
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps torchdata==0.11.0
	@for work in core training policies "estimators speed" "planner speed" "sim speed"; do \
		set -- $$work; $(BIN)/python benchmarks/bench_$$1.py $$2 || exit 1; done

soak: $(READY)  ## a million updates of every policy at constant, zero, huge and tiny rewards (long)
	$(BIN)/python benchmarks/soak_policies.py

clean:  ## remove what the targets made
	rm -rf $(VENV) demo .pytest_cache .ruff_cache .hypothesis
