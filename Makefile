# Two commands do everything: `make demo` and `make test`. Both set up .venv first, which
# `make setup` does alone.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo setup test lint lock clean

setup: .venv/installed

demo: .venv/installed
	$(BIN)/snakemake --quiet rules reason host
	@echo
	@echo "Look at results/simulated_bone_marrow/young_vs_old/figures and tables;"
	@echo "README.md explains each file."

test: lint
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow/rules
	$(BIN)/snakemake --lint

# Pins again what pyproject.toml asks for, and the conda environments with them.
lock: .venv/installed
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python envs/lock.py

# The environment, caches and the demo; results of your own data stay.
clean:
	rm -rf .venv .pytest_cache .ruff_cache .hypothesis results/simulated_bone_marrow

.venv/installed: envs/requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; choose one with: make PYTHON=/path/to/python"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r envs/requirements-dev.txt
	@touch $@
