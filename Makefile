# calamari: everything a checkout needs, in one place. `make help` lists the targets.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO_STAMP := $(VENV)/.installed-demo
DEV_STAMP := $(VENV)/.installed-dev
# Twice a small machine's cores: many tests wait for a process or a time limit.
WORKERS ?= 4
# Each worker compiles all tests anew where compiled files are not written: 7 s each.
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help demo tools test test-pure soak lint format bench clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(DEMO_STAMP) ## install into .venv and run a step against the embedded AWS
	@$(BIN)/calamari run step-templates/demo.yaml --sandbox

tools: $(DEV_STAMP) ## fetch helm and kubectl for the tests, where the machine has not both
	@$(BIN)/python tests/kube/fetch_tools.py

test: tools ## install into .venv and run every test
	@$(PYTEST) -q -n $(WORKERS) --dist worksteal

test-pure: $(DEV_STAMP) ## run the quick tests: no process, no socket, no sandbox
	@$(PYTEST) -q -n 2 --dist worksteal -m "not process and not sandbox and not socket and not slow"

soak: $(DEV_STAMP) ## kill -9 a run at 100 points; ten times the cases where tests make up their own
	@CALAMARI_SOAK_ROUNDS=100 $(PYTEST) -q -n $(WORKERS) tests/integration/test_killed.py \
		tests/integration/test_helm.py tests/masking tests/manifest tests/output tests/test_*.py

lint: $(DEV_STAMP) ## check types, rules and formatting
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(DEV_STAMP) ## rewrite the formatting
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(DEV_STAMP) ## measure start-up, masking and a whole run, side by side in one run
	@$(BIN)/python benchmarks/startup.py
	@$(BIN)/python benchmarks/eks_token.py
	@$(BIN)/python benchmarks/import_time.py
	@$(BIN)/python benchmarks/masking.py
	@$(BIN)/python benchmarks/run_output.py

clean: ## remove what the other targets made
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "calamari needs Python 3.11 or newer; name it: make PYTHON=python3.12 …" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(DEMO_STAMP): pyproject.toml | $(VENV)/bin/python
	@echo "installing calamari into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[sandbox]'
	@touch $@

$(DEV_STAMP): pyproject.toml | $(VENV)/bin/python
	@echo "installing calamari and its development tools into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ $(DEMO_STAMP)
