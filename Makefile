# liqsim: everything a clone needs. Python 3.11 or newer and make are enough.
#
#   make run                      first cascade (installs into .venv the first time)
#   make run SCENARIO=my.yaml     another scenario
#   make test PYTHON=/usr/bin/python3.12
#   make bench BENCH="b1 --quick"  with arguments of python -m benchmarks

SHELL := /bin/sh
.NOTPARALLEL:
.DEFAULT_GOAL := help

SCENARIO ?= scenarios/october-2025.yaml
PYTHON ?=
BENCH ?=

BIN := .venv/bin
RUNTIME := .venv/.installed-runtime
DEV := .venv/.installed-dev

# Settings of the caller's shell that would install elsewhere than into .venv, or import from
# elsewhere than from here.
unexport PYTHONHOME PYTHONPATH PIP_USER PIP_TARGET PIP_PREFIX

# Runs on the pythons a machine may have, in this order, the first that really runs (a pyenv
# shim may exist and fail), is new enough and can make an environment with pip in it.
define find_python
found=; for candidate in $(if $(PYTHON),"$(PYTHON)",python3.13 python3.12 python3.11 python3 python); do \
  if "$$candidate" -c "import sys, venv, ensurepip; assert sys.version_info >= (3, 11)" \
    </dev/null >/dev/null 2>&1; then found="$$candidate"; break; fi; \
done; \
if [ -z "$$found" ]; then \
  echo "liqsim: no usable $(if $(PYTHON),$(PYTHON),Python) found: install Python 3.11 or newer with venv and pip, or say make PYTHON=/path/to/python" >&2; \
  exit 1; \
fi
endef

# An environment knows its folder by name: one that was moved or copied runs the old place's code.
made_here := grep -F "$(CURDIR)/.venv" $(BIN)/activate

# Keeps a .venv that works, makes it anew otherwise (moved, half made, its Python gone).
define ensure_venv
if ! $(made_here) >/dev/null 2>&1 || ! $(BIN)/python -c \
    "import sys, pip; assert sys.version_info >= (3, 11)" </dev/null >/dev/null 2>&1; then \
  $(find_python); \
  echo "liqsim: making .venv with $$found" >&2; \
  rm -rf .venv && "$$found" -m venv .venv; \
fi
endef

PIP_INSTALL := $(BIN)/python -m pip --disable-pip-version-check install -qq --no-input -c constraints.txt

.PHONY: help install run test slow lint bench clean which-python FORCE

help:  ## say what can be made
	@echo "liqsim: agent-based simulator of systemic liquidation. Targets:"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' Makefile | awk -F'|' '{printf "%-14s %s\n", $$1, $$2}'

install: $(RUNTIME)  ## make .venv with the pinned versions and the command liqsim

run: $(RUNTIME)  ## run scenarios/october-2025.yaml (SCENARIO=... for another)
	@$(BIN)/liqsim run "$(SCENARIO)"

test: $(DEV)  ## all tests but the slow ones
	@$(BIN)/python -m pytest

slow: $(DEV)  ## the slow tests only
	@$(BIN)/python -m pytest -m slow

lint: $(DEV)  ## ruff, format, mypy and the layers of the packages
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

bench: $(DEV)  ## measure speed and memory against targets (docs/performance.md)
	@$(BIN)/python -m benchmarks $(BENCH)

clean:  ## remove .venv, caches and builds; results stay
	@rm -rf .venv build dist ./*.egg-info .pytest_cache .ruff_cache .mypy_cache \
	  .hypothesis .import_linter_cache .benchmarks
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

which-python:  ## say which Python would make .venv
	@$(find_python); echo "$$found"

# The stamps: installed once, and again when pyproject.toml or constraints.txt changes.
ifeq ($(shell $(made_here) 2>/dev/null),)
$(RUNTIME) $(DEV): FORCE
endif

$(RUNTIME): pyproject.toml constraints.txt
	@$(ensure_venv)
	@echo "liqsim: installing into .venv (a minute the first time)" >&2
	@$(PIP_INSTALL) -e .
	@touch $@

$(DEV): pyproject.toml constraints.txt
	@$(ensure_venv)
	@echo "liqsim: installing into .venv, with the tools for tests (a minute the first time)" >&2
	@$(PIP_INSTALL) -e ".[dev]"
	@touch $(RUNTIME) $@

FORCE:
