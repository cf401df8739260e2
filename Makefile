# Set-up, demo and tests from a fresh clone. Prerequisites: Python 3.11, a Java 17 JDK, Maven, make.
# Each step of the set-up leaves a stamp, so that what is up to date is not done again.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= $(shell for name in python3.11 python3 python; do \
	if $$name -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then echo $$name; break; fi; done)
# Hundreds of processes import the same modules: bytecode is kept, also where the environment says otherwise.
export PYTHONDONTWRITEBYTECODE :=
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := $(VENV)/.packages
PROJECTS := $(VENV)/.projects
EXTRAS_VENV := .venv-extras
EXTRAS := $(EXTRAS_VENV)/.packages
JARS := build/jars/.built
CLASSES := build/classes/.built

DEMO_ARGS ?=
PYTEST_ARGS ?=
# Processes that share the tests out (tests/conftest.py). One more than cores, since most of them wait for brokers and jobs.
WORKERS ?= 3

.PHONY: help setup demo unit test soak interop extras test-extras check lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(PROJECTS) $(JARS) $(CLASSES) ## Virtual environment, broker and connector jars; at once when nothing changed

demo: setup ## Run a whole federation on this machine (DEMO_ARGS="--task heart" for the smaller one)
	@$(BIN)/fluvial demo $(DEMO_ARGS)

unit: setup ## Unit tests and laws: a minute on two cores
	@$(BIN)/python -m pytest -n auto tests/unit tests/laws $(PYTEST_ARGS)

test: check ## Static checks, then all tests; pytest's closing line comes last
	@echo "== tests"
	@$(BIN)/python -m pytest -n $(WORKERS) $(PYTEST_ARGS)

soak: setup ## What is too long for each run: thousands of examples for each law, ten kills, every long unit test
	@$(BIN)/python -m pytest tests/laws tests/unit -m "not interop" --hypothesis-profile soak --timeout 3600
	@FLUVIAL_KILLS=10 $(BIN)/python -m pytest tests/system/test_kills.py
	@FLUVIAL_LOSS_SEED=11 $(BIN)/python -m pytest tests/system/test_recovery.py --timeout 3600
	@$(BIN)/python -m pytest tests/integration tests/system -m soak --timeout 3600

interop: setup ## Build and run consumers of the audit log in Go, Java and JavaScript, where their tools are there
	@$(BIN)/python -m pytest tests/system/test_interop.py -m interop

extras: $(EXTRAS) ## What optional parts need (lightning, transformers, peft, mlflow), beside the environment of the set-up

test-extras: extras ## Tests of those: callbacks, adapters, a real MLflow server
	@$(EXTRAS_VENV)/bin/python -m pytest tests/extras -o filterwarnings=default $(PYTEST_ARGS)

check: setup ## Lint, types, layers, generated files
	@echo "== ruff"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@echo "== mypy"
	@$(BIN)/mypy
	@echo "== import-linter"
	@$(BIN)/lint-imports
	@echo "== generated files are current"
	@$(BIN)/python -m schemas.generate --check
	@$(BIN)/python -m docs.generate --check

lock: $(PACKAGES) ## Compile requirements/requirements.in into the lock, with the newest versions that fit
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --upgrade --no-annotate --no-emit-index-url \
		--no-emit-find-links --custom-compile-command "make lock" \
		--output-file requirements/requirements.txt requirements/requirements.in
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --upgrade --no-annotate --no-header --no-emit-index-url \
		--no-emit-find-links --constraint requirements/requirements.txt requirements/extras.in \
		| grep -vxFf requirements/requirements.txt > requirements/extras.txt

clean: ## Remove what the set-up and the checks made
	@rm -rf $(VENV) $(EXTRAS_VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@if [ -z "$(PYTHON)" ]; then echo "Python 3.11 is needed; name it if it is not on the path: make PYTHON=/path/to/python3.11" >&2; exit 1; fi
	@echo "== virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

# The lock is complete, so pip resolves nothing. Of pip's output one line a package is shown; errors come through.
$(PACKAGES): requirements/requirements.txt | $(VENV)/bin/python
	@echo "== $$(grep -c == $<) Python packages (some 4 GB on disk: minutes the first time, once)"
	@$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off --no-deps -r $< \
		| sed -u -n -e 's/^Collecting \([^ ]*\).*/  \1/p' -e 's/^Installing collected.*/  installing/p'
	@$(BIN)/python -c 'import find_libpython, sys; sys.exit(not find_libpython.find_libpython())' || { \
		echo "this Python has no shared library, and the jobs' interpreter lives inside Java: install" >&2; \
		echo "libpython3.11 (Debian, Ubuntu), or make PYTHON=... with one built with --enable-shared" >&2; exit 1; }
	@touch $@

# Of its own are the packages that only optional parts need; all others, torch first, it reads from the set-up's environment.
$(EXTRAS): requirements/extras.txt | $(PROJECTS)
	@echo "== $$(grep -c == $<) packages of optional parts in $(EXTRAS_VENV) (some 210 MB)"
	@rm -rf $(EXTRAS_VENV)
	@$(BIN)/python -m venv --without-pip $(EXTRAS_VENV)
	@$(BIN)/python -m pip --python $(EXTRAS_VENV)/bin/python install --disable-pip-version-check --quiet --no-compile --no-deps -r $<
	@$(BIN)/python -c 'import sysconfig; print("import site; site.addsitedir(%r)" % sysconfig.get_path("purelib"))' \
		> $$($(EXTRAS_VENV)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/of-the-setup.pth
	@touch $@

$(PROJECTS): pyproject.toml deploy/pyproject.toml $(PACKAGES)
	@echo "== fluvial and its cluster commands, editable"
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation -e . -e deploy
	@touch $@

$(JARS): deploy/pom.xml $(shell find deploy/java -name '*.java')
	@command -v mvn >/dev/null || { echo "Maven is needed: mvn is not on the path" >&2; exit 1; }
	@if [ -n "$${JAVA_HOME:-}" ]; then javac="$$JAVA_HOME/bin/javac"; else javac=javac; fi; \
		version=$$("$$javac" -version 2>&1) || { echo "a Java 17 JDK is needed: $$javac does not run" >&2; exit 1; }; \
		major=$${version#javac }; major=$${major%%.*}; \
		if [ "$$major" -lt 17 ]; then echo "Java 17 or newer is needed; this is $$version" >&2; exit 1; fi
	@echo "== broker, connector and adapter jars, through Maven"
	@rm -rf build/jars.new
	@mvn --batch-mode --no-transfer-progress --quiet --file deploy/pom.xml -Djars="$(CURDIR)/build/jars.new" package
	@rm -rf build/jars && mv build/jars.new build/jars
	@touch $@

# Without the archives everything runs, and starts more slowly.
$(CLASSES): $(PACKAGES) $(JARS) deploy/local/write_class_archives.py | $(PROJECTS)
	@echo "== archives of Java classes, from a broker and a job that are started once (a minute; 350 MB on disk)"
	@$(BIN)/python -W ignore -m deploy.local.write_class_archives || \
		echo "no archives could be written: Java starts without; rm -r build/classes and make setup try again" >&2
	@mkdir -p $(dir $@) && touch $@
