# Two commands do everything: `make demo` and `make test`. Both set up .venv first, which
# `make setup` does alone.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: test-fast audit benchmark calibration demo docs evidence-real gallery keys kompot profiles scaling setup test lint lock notice clean

setup: .venv/installed

demo: .venv/installed
	$(BIN)/snakemake all report
	@echo
	@echo "Open results/simulated_bone_marrow/report.html in a browser, or explore.html, figures and"
	@echo "tables in results/simulated_bone_marrow/young_vs_old; docs/outputs.md explains each file."

# Links the profile into the folder of Snakemake's profiles: `--profile slurm` then works anywhere.
PROFILES = $(or $(XDG_CONFIG_HOME),$(HOME)/.config)/snakemake

profiles:
	@mkdir -p "$(PROFILES)"
	@if [ -e "$(PROFILES)/slurm" ] && ! [ "$(PROFILES)/slurm" -ef profiles/slurm ]; then \
	  echo "$(PROFILES)/slurm: found another profile, expected none, or a link to this one; rename"; \
	  echo "it, or use this one by its path: --profile $(CURDIR)/profiles/slurm"; exit 1; fi
	ln -sfn "$(CURDIR)/profiles/slurm" "$(PROFILES)/slurm"

test: lint
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

# Style and unit tests: a few minutes.
test-fast: lint
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile tests/unit

# The documentation as a site; any warning, such as of a broken link, is an error.
docs: .venv/installed
	$(BIN)/sphinx-build -W --keep-going --quiet -c docs . docs/_build
	@echo "Open docs/_build/index.html in a browser."

# Draws the pictures of docs/figures.md and of the first page.
gallery: .venv/installed
	$(BIN)/snakemake figures --quiet all --configfile config/config.yaml docs/gallery.yaml
	$(BIN)/snakemake figures --quiet all --configfile config/config.yaml docs/gallery_kompot.yaml
	$(BIN)/python docs/gallery.py

# Every test of the workflow, and others, on simulations with known truth: docs/calibration.md.
# Results in results/calibration; an interrupted run resumes.
calibration: .venv/calibration/installed
	PATH="$(CURDIR)/.venv/calibration/bin:$$PATH" snakemake --quiet rules reason host \
	  --snakefile tests/benchmarks/calibration/Snakefile --cores $(or $(CORES),2)

# The workflow and other methods on real data: docs/real-data.md, with the targets that are met.
# Results in results/evidence-real; an interrupted run resumes. Needs the data sets in
# ../shared/data/real, or in the folder that STATEDIFF_SHARED names.
evidence-real: .venv/calibration/installed
	PYTHONPATH=tests/benchmarks:workflow .venv/calibration/bin/python -W ignore -m real

# An environment with kompot 0.8.0 (1.3 GB); without it, tests that open results with kompot skip.
kompot: .venv/kompot/installed

# Time and memory compared with kompot 0.8.0, which has its own environment: docs/benchmark.md.
benchmark: .venv/kompot/installed
	PYTHONPATH=tests/benchmarks:workflow $(BIN)/python -m speed .venv/kompot/bin/python

# Growth of time and memory from 10,000 to a million cells: docs/scaling.md.
scaling: .venv/installed
	PYTHONPATH=tests/benchmarks:workflow $(BIN)/python -m speed.scaling

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow docs tests/benchmarks
	$(BIN)/snakemake --lint

# The tables of config/README.md, from the schema of the configuration.
keys: .venv/installed
	$(BIN)/python docs/keys.py

# Pins the dependencies in pyproject.toml again, and the conda environments with them.
lock: .venv/installed
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python envs/lock.py

# The licences of the packages in the environment, in NOTICE.md.
notice: .venv/installed
	$(BIN)/python envs/notice.py

# Known vulnerabilities of the pinned packages, for information: needs a network.
audit: .venv/installed
	-$(BIN)/uv tool run pip-audit --disable-pip --require-hashes -r envs/requirements.txt

# Removes the environment, caches and the demo; results of your own data are kept.
clean:
	rm -rf .venv .pytest_cache .ruff_cache .hypothesis docs/_build docs/api \
	  results/simulated_bone_marrow

.venv/installed: envs/requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; choose one with: make PYTHON=/path/to/python"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes \
	  -r envs/requirements-dev.txt
	@touch $@

# The packages of the benchmark, in a separate environment on top of the same pins.
.venv/calibration/installed: .venv/installed tests/benchmarks/calibration/requirements.txt
	$(PYTHON) -m venv .venv/calibration
	.venv/calibration/bin/python -m pip install --quiet --disable-pip-version-check \
	  --require-hashes -r envs/requirements-dev.txt
	.venv/calibration/bin/python -m pip install --quiet --disable-pip-version-check \
	  -r tests/benchmarks/calibration/requirements.txt
	@touch $@

.venv/kompot/installed: .venv/installed tests/benchmarks/speed/requirements.txt
	$(PYTHON) -m venv .venv/kompot
	.venv/kompot/bin/python -m pip install --quiet --disable-pip-version-check \
	  -r tests/benchmarks/speed/requirements.txt
	@touch $@
