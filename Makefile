# Everything that is done with a checkout. 'make' alone lists it.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# The newest Python that ansible-core supports, or the one you name: make setup PYTHON=python3.13
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Tests and benchmarks end, with all that they have started, when this make is killed.
ifndef RUNBOOK_RUN_PID
export RUNBOOK_RUN_PID := $(shell echo $$PPID)
endif
# A test run starts Python thousands of times; it must not compile the collection each time.
unexport PYTHONDONTWRITEBYTECODE
# A module that is piped to Python would be read byte by byte.
unexport PYTHONUNBUFFERED
# An inventory of your own: make daily INVENTORY=inventories/production
INVENTORY ?= inventories/demo
# More for ansible-playbook: make daily ARGS='--limit db1 -e runbook_fail_on=warning'
ARGS ?=
# Twice as many as there are processors: a test of real services waits more than it computes.
TEST_WORKERS ?= $(shell echo $$(($$(nproc) * 2)))
# How often a test that fails is run once more.
RERUNS ?= 0
PYTEST := pytest -n $(TEST_WORKERS) --dist loadscope --reruns $(RERUNS)
# What 'make versions' runs: the unit tests, and playbooks once each.
TESTS ?= -m versions tests
SCENARIOS := $(patsubst molecule/%/molecule.yml,%,$(wildcard molecule/*/molecule.yml))
space := $(subst ,, )

.PHONY: help
help: ## List every command
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

.PHONY: setup
setup: $(VENV)/.ready-to-run ## Make the environment in .venv (the other commands do it when needed)

$(VENV)/.ready-to-run: $(addprefix requirements/,controller.txt probes.txt demo.txt)
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 with venv is needed; name one: make setup PYTHON=/path/to/python3.12" >&2; exit 1; }
	@echo "Setting up $(VENV) with $$($(PYTHON) --version) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet -r requirements/controller.txt -r requirements/demo.txt
	@touch $@

$(VENV)/.ready-to-test: $(VENV)/.ready-to-run requirements/test.txt requirements/dev.txt
	@echo "Adding the tools for tests to $(VENV) ..."
	@$(BIN)/python -m pip install --quiet -r requirements/controller.txt -r requirements/demo.txt -r requirements/dev.txt
	@touch $@

.PHONY: daily
daily: setup ## Run the daily checklist, on the demo stack unless INVENTORY says otherwise
	@# A demo of which something runs is left as it is: what is broken in it is there to be found.
	@test "$(INVENTORY)" != inventories/demo || python -m demo.stack status | grep -q '"running": true' || $(MAKE) demo-up
	@ansible-playbook -i $(INVENTORY) playbooks/daily_checklist.yml $(ARGS)

.PHONY: demo-up
demo-up: setup ## Start the demo stack: PostgreSQL, Valkey, nginx and an app under PM2
	@python -m demo.stack up

.PHONY: demo-down
demo-down: setup ## Stop the demo stack
	@python -m demo.stack down

.PHONY: demo-status
demo-status: setup ## Print the demo stack's processes as one JSON object
	@python -m demo.stack status

.PHONY: lint
lint: $(VENV)/.ready-to-test ## Check the code: ruff, mypy, yamllint, ansible-lint, prose, changelog, secrets
	ruff check .
	ruff format --check .
	mypy plugins demo
	yamllint --strict .
	@# The demo's inventory is one only once the demo has been started; Molecule has groups of its own.
	ANSIBLE_INVENTORY=inventories/staging ANSIBLE_HOST_PATTERN_MISMATCH=ignore ansible-lint
	@# Spelling, and plain English.
	git ls-files -z | xargs -0 codespell
	python -m tests.tools.prose
	antsibull-changelog lint
	@# Keys and tokens of any kind; not passwords in URLs, words and random-looking strings, which texts and tests are full of.
	git ls-files -z | xargs -0 detect-secrets-hook $(addprefix --disable-plugin ,BasicAuthDetector KeywordDetector Base64HighEntropyString HexHighEntropyString)

.PHONY: sanity
sanity: $(VENV)/.ready-to-test ## Look at the built collection: ansible-test sanity and galaxy-importer
	@tests/tools/sanity.sh

.PHONY: unit
unit: $(VENV)/.ready-to-test ## Run the tests that need no service
	$(PYTEST) tests/unit

.PHONY: integration
integration: $(VENV)/.ready-to-test ## Run the tests against real services, in demo stacks of their own
	$(PYTEST) tests/integration

.PHONY: test
test: $(VENV)/.ready-to-test ## Run every check and test that needs no container
	@# Neither uses more than one processor for long.
	$(MAKE) -j 2 --output-sync=target lint sanity
	$(MAKE) tests

.PHONY: tests
tests: $(VENV)/.ready-to-test ## Run every test that needs no container, without the checks of 'make test'
	@echo "Not run here without an engine: releases under Docker Compose. 'make docker' runs them."
	@echo "Skipped here without logrotate: tests of log rotation. 'make rotation' fetches it for them."
	@echo "Not run here: the Molecule scenarios $(subst $(space), and ,$(SCENARIOS)). 'make molecule' runs them, where there is Docker or root may install it."
	$(PYTEST) tests

.PHONY: versions
versions: $(VENV)/.ready-to-test ## Run the tests that depend on it on every other ansible-core that is supported and has a Python here
	@# The one in .venv is what 'make test' ran on. tox says at its end what it tested, and what it skipped for want of a Python.
	PATH="$$PATH:$$(printf '%s:' $${PYENV_ROOT:-$$HOME/.pyenv}/versions/*/bin)" \
	tox run-parallel --parallel-no-spinner \
	  --skip-env "$$(python -c 'from ansible.release import __version__ as v; print("core" + v.rpartition(".")[0])')" \
	  -- -n $$((($(TEST_WORKERS) + 1) / 2)) --dist loadscope --reruns $(RERUNS) $(TESTS)

.PHONY: databases
databases: $(VENV)/.ready-to-test ## Run PostgreSQL's tests on the other versions of it that are supported
	@programs="$$(python -m tests.tools.postgres_versions)" || { code=$$?; test $$code == 77 && exit 0; exit $$code; }; \
	POSTGRES_PROGRAMS="$$programs" $(PYTEST) -k native tests/integration/postgres

.PHONY: truth
truth: $(VENV)/.ready-to-test ## Print every situation that is tested on the real services, with its verdicts
	$(PYTEST) -q -p tests.tools.truth tests/integration/truth

.PHONY: molecule
molecule: $(VENV)/.ready-to-test ## Run the Molecule scenarios on hosts with systemd, in Docker
	@molecule/run.sh test --all || { code=$$?; test $$code == 77 || exit $$code; }

.PHONY: rotation
rotation: $(VENV)/.ready-to-test ## Run the tests of log rotation, with Debian's logrotate where none is installed
	@program="$$(tests/tools/logrotate.sh)" || { code=$$?; test $$code == 77 && exit 0; exit $$code; }; \
	LOGROTATE_UNDER_TEST="$$program" $(PYTEST) tests/integration/rotation tests/integration/playbooks/test_log_rotation.py

.PHONY: docker
docker: $(VENV)/.ready-to-test ## Run the tests of releases under Docker Compose, on an engine and a registry
	@tests/tools/docker.sh $(PYTEST) tests/integration/release/compose || { code=$$?; test $$code == 77 || exit $$code; }

.PHONY: bench
bench: setup .venv-bench/.ready ## Measure against other ways to do the same, as ratios in one run
	@tests/tools/docker.sh --or-without python -m benchmarks --peers .venv-bench/bin $(ARGS)

.venv-bench/.ready: requirements/bench.txt requirements/probes.txt
	@echo "Setting up .venv-bench with the peers' collections ..."
	@test -x .venv-bench/bin/python || $(PYTHON) -m venv .venv-bench
	@.venv-bench/bin/python -m pip install --quiet -r requirements/bench.txt -r requirements/probes.txt
	@touch $@

.PHONY: docs
docs: $(VENV)/.ready-to-test ## Write docs/checks.md and the tables in the roles' READMEs
	python docs/generate.py

.PHONY: build
build: setup ## Build the collection's artifact into build/
	@rm -rf build/artifact && mkdir -p build/artifact
	@ansible-galaxy collection build --output-path build/artifact

.PHONY: clean
clean: ## Remove what was built, downloaded and started here; reports stay
	@if test -x $(BIN)/python && test -d .demo; then python -m demo.stack down --purge; fi
	@rm -rf .venv .venv-* .cache .demo .ansible .hypothesis .mypy_cache .pytest_cache .ruff_cache build
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
