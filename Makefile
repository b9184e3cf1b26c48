# `make demo` runs the main job, `make test` the whole suite; both set up what they need.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help install demo test soak bench bench-peers check format lock image services clean

help: ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

$(VENV)/ready: requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Nenghao needs Python 3.11 or newer: make PYTHON=/path/to/python3.x"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null \
		|| { echo "Python lacks its venv module: apt-get install python3-venv"; exit 1; }
	@echo "installing the locked dependencies into $(VENV) …"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

install: $(VENV)/ready ## install the locked dependencies, anew where they changed

demo: $(VENV)/ready ## set up everything and run the main job on real input (DEMO_SECONDS=90: end by itself)
	@$(BIN)/nenghao demo

test: $(VENV)/ready ## set up everything and run the whole test suite
	@$(BIN)/python tests/run.py

soak: $(VENV)/ready ## the nightly tests (SOAK_MINUTES=30: mixed faults so long; HUNG_MINUTES=1: hung links; CONTRACT_MINUTES=20)
	@$(BIN)/pytest -m soak -s --durations=0 tests/faults tests/contract

bench: $(VENV)/ready ## measure ratios against COPY, a bare client, a user's script (BENCH="ingest_1": some)
	@$(BIN)/python -m bench $(BENCH)

bench-peers: $(VENV)/ready ## install what `make bench` needs besides (Node-RED by npm; collectd, wrk by apt-get)
	@$(BIN)/python -m bench.peers.collectd
	@$(BIN)/python -m bench.peers.wrk
	@$(BIN)/python -m bench.peers.nodered

check: $(VENV)/ready ## format, lint, types, architecture
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/pytest -q tests/test_architecture.py

format: $(VENV)/ready ## put the code in order
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lock: $(VENV)/ready ## choose versions anew and lock them with hashes
	@$(BIN)/uv pip compile -q --universal --generate-hashes --no-header --upgrade pyproject.toml -o requirements.lock
	@$(BIN)/uv pip compile -q --universal --generate-hashes --no-header --upgrade pyproject.toml --group dev -o requirements-dev.lock

services: $(VENV)/ready ## start the local database and broker
	@$(BIN)/nenghao services up

image: ## build the container image (docker, or buildah where no engine answers)
	@deploy/build_image

clean: ## remove what was generated, the local services' data included
	@test ! -x $(BIN)/nenghao || $(BIN)/nenghao services remove
	rm -rf $(VENV) var .mypy_cache .pytest_cache .ruff_cache .hypothesis
