# What can be done here; `make` alone lists it. Everything lives in .venv, nothing is installed into the system's Python.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# The engine: for `make run` its address, for `make ftest` elasticsearch or opensearch. Empty means the embedded one.
ENGINE ?=
# The fixture that `make ftest` runs, the seed of its data, and how many rounds `make torture` makes.
NAME ?=
SEED ?= 1
ROUNDS ?= 200
FIRST_SEED ?= 0
# Which of the torture tests, as pytest's -k takes it; empty means all.
ONLY ?=

.DEFAULT_GOAL := help
.PHONY: help install lint format typecheck test ftest ftest-all torture bench run docs lock docker clean

help: ## List the targets.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

install: $(VENV)/.ready ## Make .venv with everything for development, and the `connectors` command in it.

run: $(VENV)/.core ## Run a daemon that syncs docs/, on the embedded engine (ENGINE=http://... uses that engine instead).
	CONNECTORS__ALLOWED_PATHS=$(CURDIR)/docs $(if $(ENGINE),CONNECTORS__ENGINE__HOST=$(ENGINE)) $(BIN)/python -m connectors tour

test: $(VENV)/.ready ## Run every test that needs no server, on all cores, with coverage; too little of a source fails.
	$(BIN)/python -m pytest -n auto --dist loadfile --cov --cov-report=term
	$(BIN)/python tests/coverage_floor.py

lint: $(VENV)/.ready ## Check style, and that what is generated is current.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python docs/generate.py --check

format: $(VENV)/.ready ## Format the code and mend what can be mended.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

typecheck: $(VENV)/.ready ## Check the types.
	$(BIN)/mypy connectors tests benchmarks docs fixtures .ci

ftest: $(VENV)/.ready ## Test against real servers: NAME=<a source> (ENGINE=<an engine>), or NAME=<an engine>.
	@test -n "$(NAME)" -a -n "$(filter $(NAME),$(SOURCES) $(ENGINES))" || { \
		echo "Say which: make ftest NAME=<one of: $(SOURCES) $(ENGINES)>"; exit 2; }
	$(if $(filter $(NAME),$(SOURCES)),\
		$(BIN)/python -m tests.functional $(NAME) --engine $(or $(ENGINE),embedded) --seed $(SEED),\
		$(BIN)/python -m pytest -m real_engine --engine=$(NAME) --maxfail=20 tests)

SOURCES = $(notdir $(patsubst %/fixture.py,%,$(wildcard fixtures/*/fixture.py)))
ENGINES = $(notdir $(patsubst %/start.sh,%,$(wildcard fixtures/*/start.sh)))
# What has no server but in a container is left out where there is no Docker Compose.
CONTAINED = mssql oracle
ftest-all: $(addprefix ftest-,$(filter-out $(if $(shell docker compose version 2>/dev/null),,$(CONTAINED)),$(SOURCES) $(ENGINES))) ## Run them all, one after the other.
# One of them, for `make -j2`: ftest-mysql, or with an engine ftest-mysql@elasticsearch.
ftest-%:
	$(MAKE) --no-print-directory ftest NAME=$(firstword $(subst @, ,$*)) ENGINE=$(or $(word 2,$(subst @, ,$*)),$(ENGINE))

torture: $(VENV)/.ready ## Try to break it: ROUNDS random rounds of each torture test; writes docs/torture-report.md.
	$(BIN)/python -m pytest -m long_round --rounds=$(ROUNDS) --first-seed=$(FIRST_SEED) --timeout=3600 $(if $(ONLY),-k "$(ONLY)") tests/torture

bench: $(VENV)/.ready ## Measure, as ratios taken in one run; prints the tables of docs/performance.md.
	$(BIN)/python -m benchmarks

docs: $(VENV)/.ready ## Write what is generated: config.yml and docs/settings.md.
	$(BIN)/python docs/generate.py

lock: $(VENV)/.ready ## Pin every dependency again, with hashes.
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-annotate --no-strip-extras --custom-compile-command "make lock" \
		pyproject.toml -o requirements.txt
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-annotate --no-strip-extras --custom-compile-command "make lock" \
		pyproject.toml --group dev -o requirements-dev.txt

docker: ## Build the container image.
	docker build -t connectors .

clean: ## Remove .venv and everything else that was made here.
	rm -rf $(VENV) .cache .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "This needs Python 3.11 or newer: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing (Debian: apt install python3-venv)."; exit 1; }
	@touch $@

$(VENV)/.core: $(VENV)/.made requirements.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

$(VENV)/.ready: $(VENV)/.made requirements-dev.txt pyproject.toml
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps -e .
	@touch $@ $(VENV)/.core
