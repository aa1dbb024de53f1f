# The commands a person types first; each is a line or two, the work is in tools/ and in ccis.
.DEFAULT_GOAL := help
SHELL := /bin/bash
BIN := .venv/bin
SCRIPTS := tools/setup tools/demo tools/package tools/conformance .ci/run \
	$(wildcard builder/*/*.sh tests/*/*/*.sh)
FAST := "not integration and not full"
# Percent of lines and branches; docs/style.md has what was measured.
FLOOR := 80
# Tests of one file, which may share an image or a machine, run on one worker.
PYTEST := $(BIN)/python -m pytest --numprocesses auto --dist loadfile

.PHONY: help setup demo test test-fast test-full coverage lint bench clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

setup: ## install what is missing: system packages, and a venv in .venv
	@tools/setup

demo: setup ## the whole way once: rehearse, build, validate, boot, publish, verify
	@tools/demo

test: setup lint ## everything that CI runs
	$(PYTEST)

test-full: setup lint ## everything, with the boots that CI has no time for
	$(PYTEST) -m "full or not full"

test-fast: setup ## the tests that build and boot nothing
	$(PYTEST) -m $(FAST)

coverage: setup ## which lines and branches the fast tests run, and no less than the floor
	$(PYTEST) -m $(FAST) --cov --cov-report=term --cov-fail-under=$(FLOOR)

lint: setup ## ruff, mypy --strict (the benchmarks, too), codespell, shellcheck
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy benchmarks/*.py
	$(BIN)/codespell
	@command -v shellcheck > /dev/null || echo "shellcheck is not here: no look at scripts"
	! command -v shellcheck > /dev/null || shellcheck $(SCRIPTS)

bench: setup ## builds, formats and all targets beside their floors, as ratios
	$(BIN)/python benchmarks/build.py
	$(BIN)/python benchmarks/formats.py
	$(BIN)/python benchmarks/targets.py

clean: ## remove what the demo and the tools made here (not the store, not the venv)
	rm -rf build public .coverage .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
