# The commands of this project; each makes what it needs by itself. CONTRIBUTING.md says more.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

# the Python that the environment is made from: 3.11 or newer
PYTHON ?= python3
# make units ARGS="-k waiter": more arguments for the program of one check
ARGS ?=
# make test KEEP_GOING=1: do not stop at the first failure
KEEP_GOING ?=

CHECK := .venv/bin/python tools/check.py $(if $(KEEP_GOING),--keep-going)
CHECKS := ruff shellcheck mypy changelog ansible-lint docs-lint sanity artifact units integration molecule releases demo bench docs

.PHONY: help test test-all lint format importer requirements clean venv $(CHECKS)

help:
	@echo "make demo        roll two versions out to a simulated fleet on a real hawkBit"
	@echo "make test        every check"
	@echo "make test-all    every check, and the tests on every supported hawkBit and ansible-core"
	@echo "make lint        the checks that start no server and take seconds"
	@echo "make bench       the benchmarks"
	@echo "make docs        the documentation's site, in docs/build"
	@echo
	@echo "make CHECK       one check: ruff shellcheck mypy changelog ansible-lint docs-lint sanity artifact units integration molecule releases"
	@echo "make format      bring the Python code into shape"
	@echo "make venv        only make the environment, in .venv"
	@echo "make clean       remove all that these commands have made"
	@echo
	@echo 'ARGS="…" adds arguments to the program of one check, KEEP_GOING=1 runs on after a failure,'
	@echo "PYTHON=… names the Python to use, CORE=2.18.19 one of tools/cores.py (sanity, units, integration)"

test test-all lint: venv
	@$(CHECK) $@

$(CHECKS): venv
	@$(CHECK) $@$(if $(CORE),@$(CORE)) $(if $(ARGS),-- $(ARGS))

importer: artifact

format: venv
	@.venv/bin/ruff check --no-cache --fix-only --quiet .
	@.venv/bin/ruff format --no-cache .

# a phony target: it is the script that finds out whether the environment is the one that is wanted
venv:
	@tools/venv $(if $(filter file,$(origin PYTHON)),--any) "$(PYTHON)" .venv requirements-dev.txt

# the locked requirements, one list for all supported Pythons
requirements:
	@tools/venv "$(PYTHON)" .cache/uv tools/requirements-uv.txt
	@for name in dev test; do \
	  UV_CUSTOM_COMPILE_COMMAND="make requirements" .cache/uv/bin/uv pip compile --quiet --universal --no-annotate \
	    --no-emit-find-links --no-emit-index-url --python-version 3.11 $$([ $$name = dev ] || echo -c requirements-dev.txt) \
	    $(ARGS) requirements-$$name.in -o requirements-$$name.txt; done

clean:
	rm -rf .venv .venv.lock .cache .ansible .coverage* .mypy_cache .pytest_cache .ruff_cache docs/build tests/output
	find . -name __pycache__ -prune -exec rm -rf {} +
