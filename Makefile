# The one task runner. `make` sets up; every target sets up what it needs first.
PYTHON ?= python3
UV_VERSION := 0.13.9
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
WORKERS ?= 2
PROTOS := $(wildcard protos/sitewarden_protos/v1/*.proto)
ASSETS := collector/hatch_build.py collector/package.json collector/package-lock.json $(wildcard collector/assets/* collector/assets/*/*)

.DEFAULT_GOAL := setup
.PHONY: setup demo test check fix torture fuzz compat bench protos lock clean help

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/'

setup: $(READY) ## .venv with everything in it, from the committed lock

$(BIN)/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Sitewarden needs Python 3.11 or newer; $(PYTHON) is older. Try: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "This Python cannot make virtual environments. On Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

# Installed anew each time, as uv would take an editable wheel from its cache without building the console's assets.
$(READY): $(BIN)/uv pyproject.toml uv.lock $(ASSETS)
	$(BIN)/uv sync --frozen --all-extras --all-groups --inexact --quiet --reinstall-package sitewarden
	@touch $@

demo: $(READY) ## the main job on this machine; ONCE=1 exits when it has been shown
	$(BIN)/sitewarden demo $(if $(ONCE),--once)

test: check ## everything that must hold, in at most 20 minutes
	$(BIN)/pytest -n $(WORKERS) --dist loadgroup tests

check: $(READY) ## format, lint, types, who may import whom
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: $(READY) ## format and repair what can be repaired
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

torture: $(READY) ## the full count of kills, cuts and full disks
	$(BIN)/python -m tests.torture --kills 500
	$(BIN)/python -m tests.torture.trio --kills 200
	$(BIN)/python -m tests.torture.day --hours 24 --days 2
	$(BIN)/python -m tests.faults_oncall --runs 500 --alerts 100000

fuzz: $(READY) ## the full count of random input at every door
	$(BIN)/python -m tests.fuzz --seconds 30

compat: $(READY) ## the agent under the lowest and the highest Python, and with the release before
	$(BIN)/python -m tests.compat

bench: $(READY) ## figures, with peers beside ours where they are installed
	$(BIN)/python -m tests.bench

protos: $(READY) ## regenerate the committed code from the .proto files
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m grpc_tools.protoc -Iprotos --python_out=protos --grpc_python_out=protos \
	  --mypy_out=protos --mypy_grpc_out=protos $(PROTOS)

lock: $(BIN)/uv ## renew uv.lock after a change of dependencies
	$(BIN)/uv lock

clean: ## everything that make made
	rm -rf $(VENV) build dist collector/sitewarden_collector/console/static .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
