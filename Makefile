# make setup | demo | reproduce | test | test-slurm | test-long | lint | bench | docs | clean. Everything runs from .venv; nothing needs to be activated.
# Another Python:  make setup PYTHON=/path/to/python3.12
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/installed

SHELL := /bin/bash
# Rules may call programs of the environment by name.
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: setup demo reproduce test test-slurm test-long lint bench docs clean

setup: $(STAMP)

$(STAMP): requirements.txt constraints.txt
	@if ! [ -x $(BIN)/pip ]; then \
	    command -v "$(PYTHON)" >/dev/null || { \
	        echo "There is no '$(PYTHON)'; install Python 3.11 or later, or name one: make setup PYTHON=python3.11" >&2; exit 1; }; \
	    "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	        echo "neuro2voc needs Python 3.11 or later, but '$(PYTHON)' is older; name a newer one: make setup PYTHON=python3.11" >&2; exit 1; }; \
	    "$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
	        echo "'$(PYTHON)' cannot make virtual environments; install its venv package (Debian and Ubuntu: apt install python3-venv) and try again." >&2; exit 1; }; \
	    "$(PYTHON)" -m venv .venv; \
	fi
	@echo "Installing into .venv (some minutes the first time) ..."
	@set -o pipefail; $(BIN)/python -m pip install --disable-pip-version-check --no-input --progress-bar off \
	    -r requirements.txt -c constraints.txt | awk '/^(Collecting|Installing)/ {print substr($$0, 1, 100); fflush()}'
	@touch $@

demo: setup
	$(BIN)/snakemake --cores all
	$(BIN)/snakemake --report results/report.html
	@echo "Done. Open results/report.html in a browser; the figures themselves lie under results/."

# The demo twice, on all cores and on one, and through Slurm where one answers; compares every file and
# fails where anything differs. In two minutes:  make reproduce CONFIGFILE=tests/tiny.yaml
RUN = $(BIN)/snakemake $(addprefix --configfile ,$(CONFIGFILE)) --quiet all \
    --config 'training={device: cpu}' --directory reproduce
SAME = $(BIN)/python -m neuro2voc.identity reproduce/first reproduce

reproduce: setup
	rm -rf reproduce
	$(RUN)/first --cores all -- all
	$(RUN)/second --cores 1 -- all
	$(SAME)/second
	@if sinfo >/dev/null 2>&1; then \
	    set -x; $(RUN)/slurm --profile slurm -- all && $(SAME)/slurm; \
	else echo "No Slurm answers here; results were compared between local runs."; fi

# On all cores, eight at most; each file's tests in one process, which makes what they share once.
test: setup
	$(BIN)/python -m pytest --numprocesses logical --maxprocesses 8 --dist loadfile

# A Slurm of its own on this machine, the whole workflow through it, and what goes wrong on clusters; a
# quarter of an hour. Needs the Debian packages slurm-wlm and munge; without them it says so.
test-slurm: setup
	$(BIN)/python -m pytest -m slurm tests/slurm

# Calibration over hundreds of birds, tens of thousands of fuzzed inputs; prints the rows of
# docs/validation.md. More than an hour on one core, half of it for networks.
test-long: setup
	$(BIN)/python -m pytest -m long -s

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/snakemake --lint

# Peers live in an environment of their own that sees .venv and cannot change it.
BENCH := benchmarks/.venv
$(BENCH)/installed: $(STAMP) benchmarks/requirements.txt
	@$(BIN)/python -m venv $(BENCH)
	@$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
	    > "$$($(BENCH)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/project.pth"
	@$(BENCH)/bin/python -m pip install --disable-pip-version-check --no-input --quiet \
	    -r benchmarks/requirements.txt -c constraints.txt
	@touch $@

# Ratios to peers at the thesis' scale (windows, files, interactions, tokens), to transformers' Mamba-2,
# CEBRA's own training, and to a bare workflow of as many jobs; perhaps half an hour (not timed as a whole), most of it XGBoost's own interactions.
# Fails where results disagree.
bench: $(BENCH)/installed
	@$(BENCH)/bin/python -W ignore::UserWarning -m benchmarks.windows
	@$(BENCH)/bin/python -W ignore::UserWarning -m benchmarks.files
	@$(BENCH)/bin/python -W ignore::UserWarning -m benchmarks.interactions
	@$(BENCH)/bin/python -m benchmarks.tokens
	@$(BENCH)/bin/python -W ignore::UserWarning -m benchmarks.mamba2
	@$(BENCH)/bin/python -W ignore -m benchmarks.embedding
	@$(BENCH)/bin/python -m benchmarks.plan

# Pages that are written from tables.
docs: setup
	$(BIN)/python docs/thesis_figures.py

# All that the workflow made. The environment, recordings and downloads (data/) stay.
clean:
	rm -rf results reproduce checkpoints logs slurm_logs .snakemake .pytest_cache .ruff_cache .hypothesis
