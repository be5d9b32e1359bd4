# make book   set up, make the phantom cohort, run every notebook, build the book
# make test   set up, run every test
# make publish TO=gh-pages    the book, checked, into a branch; TO=./site into a folder
# make env | lint | lab | bench | clean
#
# make book PROFILE=paper                     full-size networks (a GPU is advised)
# make book MANIFEST=my/data_manifest.csv     your own cohort, a book of its own
# make book SET='epochs=50 seeds=[0,1]'       other values for parameters of the profile

PYTHON   ?= python3
VENV     ?= .venv
PROFILE  ?= quick
MANIFEST ?= data_manifest.csv
CORES    ?= $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
SET      ?=
TESTS    ?=
TO       ?=
BIN       = $(VENV)/bin
STAMP     = $(VENV)/.installed

export MPLBACKEND = agg
# Through the environment, names reach the shell whole, whatever is in them.
export PROFILE MANIFEST TO
# Modules are compiled when they are first imported, and kept: of all that is installed few are.
export PYTHONDONTWRITEBYTECODE =
INSTALL = -m pip install --quiet --no-compile --constraint constraints.txt

.PHONY: book publish test env lint lab bench clean
.DEFAULT_GOAL := book

env: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "paraspine needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1)."; \
	  echo "Name another one: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV) (a few minutes the first time)"
	@$(BIN)/python $(INSTALL) torch
	@$(BIN)/python $(INSTALL) --editable '.[dev]'
	@touch $@

# Snakemake's own lock would outlive a kill; the Snakefile has one that does not.
book: env
	@$(BIN)/snakemake --cores $(CORES) --quiet rules progress --rerun-incomplete --nolock \
	  --config profile="$$PROFILE" manifest="$$MANIFEST" $(SET)

# Nothing is pushed: the command says how.
publish: book
	@test -n "$$TO" || { echo "Say where: make publish TO=gh-pages (a branch) or TO=./site (a folder)"; exit 1; }
	@$(BIN)/paraspine publish --profile "$$PROFILE" --manifest "$$MANIFEST" -- "$$TO"

# A file's tests stay in one process, for what they share; the longest file begins first.
test: env lint
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses $(CORES) --maxprocesses 8 \
	  --dist loadfile --no-loadscope-reorder $(TESTS)

lint: env
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/lint-imports

lab: env
	@$(BIN)/jupyter lab notebooks/00_start.ipynb

bench: env
	@$(BIN)/python -m benchmarks

clean:
	rm -rf runs book/_build book/executed .snakemake
