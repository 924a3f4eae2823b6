# Every verb of the project; `make` alone lists them. Each sets up what it needs, once.
# Pass options on with ARGS: make demo ARGS=--exit, make test ARGS='-k approval'.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
ARGS ?=
BIN := .venv/bin
PROGRAMS := . handover
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes

.PHONY: help
help: ## List the verbs
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

# --- set-up -----------------------------------------------------------------------------------------------------------

.venv/made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or later is needed; name one with: make PYTHON=/path/to/python3"; exit 1; }
	@echo "Making .venv …"
	@$(PYTHON) -m venv .venv || { echo "python3 can't make a venv; on Debian install python3-venv."; exit 1; }
	@$(PIP) -r requirements/setup.txt
	@touch $@

# The sets hold the same versions, so a smaller one after a larger one changes nothing.
# pip is slower, and knows the settings of its own that lead to some other index.
.venv/has-%: requirements/%.txt .venv/made
	@echo "Installing requirements/$*.txt into .venv, with hashes …"
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r $< \
	  || { echo "uv could not; trying pip …"; $(PIP) -r $<; }
	@touch $@

.PHONY: setup
setup: .venv/has-dev ## Make .venv with everything a developer needs

# --- run --------------------------------------------------------------------------------------------------------------

.PHONY: demo
demo: .venv/has-demo ## Run every part and perform the stories; ARGS=--exit leaves after the table
	@$(BIN)/python -m tools.demo demo $(ARGS)

.PHONY: up
up: .venv/has-demo ## Run every part with fresh demo data; ARGS=--no-stations without charge points
	@$(BIN)/python -m tools.demo up $(ARGS)

.PHONY: migrate
migrate: .venv/has-demo ## Bring database and Temporal up to date
	@./handover migrate $(ARGS)

# --- look after -------------------------------------------------------------------------------------------------------

.PHONY: test
test: .venv/has-dev ## Run the tests; ARGS go to pytest
	@$(BIN)/python -m pytest $(ARGS)

# What says soonest whether another Python will do: rules, tables, API, workflows, and histories that 3.11 wrote.
QUICK := tests/domain tests/api tests/persistence tests/replay tests/workflows/test_decisions.py tests/workflows/test_new_key.py

.PHONY: test-python
test-python: .venv/has-dev ## Run the quick tests on another Python, on SQLite: make test-python PYTHON=/path/to/python3.13
	@venv=.handover/venv-$$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	  $(PYTHON) -m venv $$venv; \
	  $(BIN)/uv pip install --quiet --python $$venv/bin/python --require-hashes -r requirements/dev.txt; \
	  $$venv/bin/python -m pytest -k 'not postgresql' $(or $(ARGS),$(QUICK))

.PHONY: test-attacks
test-attacks: .venv/has-dev ## Attack transfers as a former owner who knows the first password; ARGS=--every-attack
	@$(BIN)/python -m pytest tests/troubles/test_attacks.py tests/troubles/test_many_enrolments.py $(ARGS)

.PHONY: test-compose
test-compose: .venv/has-dev ## Bring docker-compose.yml up from a clone of HEAD, on pulled images or stand-ins, and try it
	@$(BIN)/python -m pytest -s tests/containers/test_compose.py $(ARGS)

.PHONY: mutants
mutants: .venv/has-dev ## Put slips into the code that guards, one at a time, and look whether a test sees each; ARGS=--help
	@$(BIN)/python -m tools.mutants $(ARGS)

.PHONY: check
check: .venv/has-dev ## Run linter, formatter, types, dead code, import contracts, and compare tables with migrations
	@$(BIN)/ruff check $(PROGRAMS)
	@$(BIN)/ruff format --check $(PROGRAMS)
	@$(BIN)/mypy $(PROGRAMS)
	@$(BIN)/vulture
	@$(BIN)/lint-imports
	@scratch=$$(mktemp -d); trap 'rm -rf "$$scratch"' EXIT; \
	  export HANDOVER_DATABASE_URL="sqlite+aiosqlite:///$$scratch/check.db"; \
	  $(BIN)/alembic upgrade head && $(BIN)/alembic check

.PHONY: bench
bench: .venv/has-dev ## Measure transfers beside the same work by hand, on PostgreSQL and Temporal's own server; ARGS=--short
	@$(BIN)/python -m tools.bench $(ARGS)

.PHONY: bench-gateway
bench-gateway: .venv/has-dev ## Measure a gateway with 5,000 stations beside a bare WebSocket server; ARGS='--stations 500'
	@$(BIN)/python -m tools.bench.gateway $(ARGS)

.PHONY: bench-enumeration
bench-enumeration: .venv/has-dev ## Measure whether the time of an answer tells if an address has an account; ARGS=--short
	@$(BIN)/python -m tools.bench.enumeration $(ARGS)

.PHONY: chaos
chaos: .venv/has-dev ## Let parts, links and chargers fail for 10 minutes and judge the end; ARGS=--short for 3
	@$(BIN)/python -m tools.chaos $(ARGS)

.PHONY: restore-drill
restore-drill: .venv/has-dev ## Put the database back to a moment before transfers, and see through what follows
	@$(BIN)/python -m tools.restore $(ARGS)

.PHONY: two-machines
two-machines: .venv/has-dev ## Do what chaos does on two machines, as network namespaces, by a plan: parts die, packets are lost; needs root
	@$(BIN)/python -m tools.chaos --two-machines $(ARGS)

.PHONY: upgrade-drill
upgrade-drill: .venv/has-dev ## Upgrade by one release and go back while 50 transfers wait; what is committed; ARGS=--short with 23
	@$(BIN)/python -m tools.upgrade $(ARGS)

.PHONY: record
record: .venv/has-dev ## Record the histories that the replay tests read
	@$(BIN)/python -m pytest tests/workflows -m recorded --record-histories $(ARGS)

.PHONY: fmt
fmt: .venv/has-dev ## Format the code, and mend what the linter can
	@$(BIN)/ruff check --fix $(PROGRAMS)
	@$(BIN)/ruff format $(PROGRAMS)

.PHONY: revision
revision: .venv/has-dev ## Write a migration from the tables: make revision ARGS='-m "what changes"'
	@scratch=$$(mktemp -d); trap 'rm -rf "$$scratch"' EXIT; \
	  export HANDOVER_DATABASE_URL="sqlite+aiosqlite:///$$scratch/revision.db"; \
	  $(BIN)/alembic upgrade head && $(BIN)/alembic revision --autogenerate $(ARGS)

LOCK = $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
  --no-emit-index-url --no-emit-find-links --quiet $(ARGS)

.PHONY: lock
lock: .venv/has-dev ## Lock the dependencies, with hashes; ARGS=--upgrade takes newer ones
	@$(LOCK) --group setup --output-file requirements/setup.txt
	@$(LOCK) pyproject.toml --constraints requirements/setup.txt --output-file requirements/main.txt
	@$(LOCK) pyproject.toml --group demo --constraints requirements/main.txt --output-file requirements/demo.txt
	@$(LOCK) pyproject.toml --group dev --constraints requirements/demo.txt --output-file requirements/dev.txt
	@echo "requirements/ is locked. Now: make licences"

.PHONY: docs
docs: .venv/has-dev ## Write what stands in docs/ from the code: the tables of settings
	@$(BIN)/python -m tools.settings_page

.PHONY: sbom
sbom: .venv/has-dev ## Write the bill of materials, as CycloneDX, into dist/
	@$(BIN)/python -m tools.supply.materials $(ARGS)

.PHONY: licences
licences: .venv/has-dev ## Write docs/licences.md: what is here by others, and whether its licence is good for us
	@$(BIN)/python -m tools.supply.licences_page

.PHONY: audit
audit: .venv/has-dev ## Ask for known vulnerabilities of what is locked; ends with 3 where nobody could be asked
	@$(BIN)/python -m tools.supply.audit $(ARGS)

.PHONY: release
release: .venv/has-dev ## Release the version of pyproject.toml, from a clean clone of HEAD: make release ARGS=0.1.0
	@$(BIN)/python -m tools.release $(ARGS)

.PHONY: clean
clean: ## Remove .venv, the demo's data and every cache
	@rm -rf .venv dist .handover/venv-* .handover/demo .handover/logs .handover/demo.json .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
