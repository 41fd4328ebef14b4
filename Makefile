# Everything a fresh clone needs: Python 3.11 or newer and make. The environment lands in .venv.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help install demo test test-slow lint format docs wheel clean fuzz sanitize

help:
	@echo "make install    the environment in .venv, with the kins command"
	@echo "make demo       the whole way, from pictures to a report"
	@echo "make test       lint and all tests but the slow ones"
	@echo "make test-slow  the tests that take minutes"
	@echo "make docs       the documentation as a site, in build/site"
	@echo "make wheel      what is handed out, in dist: a wheel that an index takes, and a source archive"
	@echo "make fuzz       damaged files through every reader, for hours"
	@echo "make sanitize   the compiled part under sanitizers"
	@echo "make lint       formatting, lint and types"

.venv/installed: pyproject.toml constraints.txt hatch_build.py src/kins/masks/spans.c src/kins/masks/json.h
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet uv -c constraints.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python -c constraints.txt -e ".[all,dev]"
	@touch $@

install: .venv/installed

demo: install
	$(BIN)/kins demo

test: lint
	$(BIN)/python -m pytest -n 2 -m "not slow"

test-slow: install
	$(BIN)/python -m pytest -m slow

# Damaged files through every reader: EXAMPLES of each kind, other ones each time.
EXAMPLES ?= 20000
fuzz: install
	KINS_FUZZ=$(EXAMPLES) $(BIN)/python -m pytest -n 2 tests/fuzz/test_readers.py tests/formats

# The compiled part under address and undefined-behaviour sanitizers; needs gcc.
CALLS ?= 1000000
sanitize: install
	$(BIN)/python -m tests.fuzz.sanitized --calls $(CALLS)

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	.ci/types

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: install
	$(BIN)/mkdocs build --strict

# The library in the wheel is linked to libc alone; auditwheel checks that and names the oldest Linux it runs on.
DIST ?= dist
wheel: install
	rm -rf build/wheel
	$(BIN)/uv build --quiet --python $(BIN)/python --out-dir build/wheel .
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/auditwheel repair --wheel-dir $(DIST) build/wheel/*.whl
	mv build/wheel/*.tar.gz $(DIST)
	$(BIN)/twine check --strict $(DIST)/*

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist
