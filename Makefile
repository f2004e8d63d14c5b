# Everything happens in .venv and in this folder; each target first sets up what it needs.
STUDY ?= laptop
ARGS ?=
PYTHON ?= python3
# What is installed where no torch from 2.4 is there yet. Another build: make setup TORCH="torch==2.8.0 --index-url URL"
TORCH ?= -c constraints-cpu.txt torch

PIP := .venv/bin/python -m pip install -qq --disable-pip-version-check
STRATA := .venv/bin/strata
TORCH_FITS := import torch; version = tuple(map(int, torch.__version__.split(".")[:2])); \
	raise SystemExit(not (2, 4) <= version < (3, 0))

.DEFAULT_GOAL := help
.PHONY: help setup sweep plan status runs report ui optuna-dashboard size smoke clean test proofs \
	test-browser test-cluster test-triton scale speed lint format ci

help: ## print the targets
	@echo "make TARGET [STUDY=$(STUDY)] [ARGS=\"...\"]: STUDY is a name in configs/ or a file, ARGS go to strata as they are"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.ok ## make .venv with everything in it; keeps a torch that Python already has
	@echo "ready: $(STRATA) --help"

sweep: .venv/.ok ## run the study, or go on with it
	@$(STRATA) sweep $(STUDY) $(ARGS)

plan: .venv/.ok ## what the study would run, and for how long
	@$(STRATA) plan $(STUDY) $(ARGS)

status: .venv/.ok ## where the study stands
	@$(STRATA) status $(STUDY) $(ARGS)

runs: .venv/.ok ## the study's trainings; ARGS=--failed for tracebacks
	@$(STRATA) runs $(STUDY) $(ARGS)

report: .venv/.ok ## rebuild the study's report from its evidence alone
	@$(STRATA) report $(STUDY) $(ARGS)

ui: .venv/.ok ## start MLflow and print the links to open
	@$(STRATA) ui $(ARGS)

optuna-dashboard: .venv/.ok ## start Optuna's own dashboard: how every arm was tuned
	@$(STRATA) optuna-dashboard $(ARGS)

size: .venv/.ok ## widths of equal size for each depth; ARGS="--inputs 8 --outputs 1 --budget 64000"
	@$(STRATA) size $(or $(ARGS),--inputs 8 --outputs 1 --budget 64000 --depths 1,2,3,4,6,8)

smoke: .venv/.ok ## the smallest study, under a minute, for tests: no claims
	@$(STRATA) sweep smoke $(ARGS)

clean: .venv/.ok ## remove the study from every store, after asking
	@$(STRATA) clean $(STUDY) $(ARGS)

test: .venv/.ok ## all tests but the long ones
	@OMP_NUM_THREADS=1 .venv/bin/pytest -n 2 $(ARGS)

proofs: .venv/.ok ## the long tests: a tiny study of every family of tasks, and whole runs that are killed
	@OMP_NUM_THREADS=1 .venv/bin/pytest -n 2 -m proof $(ARGS)

# Beside the environment and not in it, where torch would find it and change what it does.
test-triton: .venv/.ok ## kernels for a GPU, in Triton's interpreter: a CPU will do
	@test -d .venv/triton || $(PIP) --no-deps --target .venv/triton 'triton==3.9.0'
	@PYTHONPATH=.venv/triton TRITON_INTERPRET=1 OMP_NUM_THREADS=1 .venv/bin/pytest -m triton tests/test_at_once.py $(ARGS)

test-cluster: .venv/.ok ## real SLURM, PostgreSQL and MLflow on loopback; installs Debian's packages where it may
	@tests/cluster/packages.sh
	@OMP_NUM_THREADS=1 .venv/bin/pytest -n 2 --dist loadfile -m cluster tests/cluster $(ARGS)

scale: .venv/.ok ## how a study grows: made-up trainings in the real stores; ARGS="--runs 1000 10000"
	@OMP_NUM_THREADS=1 .venv/bin/python -m tests.scale $(ARGS)

speed: .venv/.ok ## trainings an hour: as most people write them, as a bare loop, and here; ARGS="--repeats 3"
	@$(STRATA) speed $(ARGS)

# Playwright drives the system's Chromium: it brings none of its own, and none is downloaded.
test-browser: .venv/.ok ## the dashboards and the report in a real browser; pictures in artifacts/screenshots
	@$(PIP) -c constraints.txt 'playwright>=1.50'
	@tests/browser/chromium.sh
	@OMP_NUM_THREADS=1 .venv/bin/pytest -m browser $(ARGS)

lint: .venv/.ok ## linter, formatter's check, types
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check
	@.venv/bin/mypy

format: .venv/.ok ## rewrite the code the way lint wants it
	@.venv/bin/ruff check --fix
	@.venv/bin/ruff format

ci: ## what has to pass before a change is accepted: lint and every test
	@.ci/run

# The torch that is there is written down as a constraint of its own, so that nothing below can replace it.
.venv/.ok: pyproject.toml constraints.txt constraints-cpu.txt $(wildcard benchmark/native/*)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "strata: $(PYTHON) is not Python 3.11 or newer: name one that is, as in make setup PYTHON=python3.12" >&2; exit 2; }
	@echo "setting up .venv (the first time takes a minute or two)"
	@test -x .venv/bin/pip || \
		$(PYTHON) -m venv $$($(PYTHON) -c 'import torch' 2>/dev/null && echo --system-site-packages) .venv
	@.venv/bin/python -c '$(TORCH_FITS)' 2>/dev/null || $(PIP) $(TORCH)
	@.venv/bin/python -c 'from importlib.metadata import version; print("torch==" + version("torch"))' > .venv/torch.txt
	@$(PIP) -c .venv/torch.txt -c constraints.txt -e '.[dev]'
	@touch $@
