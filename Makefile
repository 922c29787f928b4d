# `make demo` installs kcsearch into .venv and searches data/; `make test` runs the tests there.
# Both need only python3 (3.10 or newer) with venv, and make.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
DEMO   := $(VENV)/demo

.PHONY: demo test torture lint check docs wheel extras clean

demo: $(VENV)/.installed
	@echo
	rm -rf $(DEMO)
	$(BIN)/kcsearch index data/everyday.jsonl --collection $(DEMO)
	@echo
	$(BIN)/kcsearch query "안녕하세요" "돈을 언제 돌려받나요" "강아지가 초콜릿을 먹었어요" --top-k 3 --collection $(DEMO)
	@echo
	@echo "Search for something else:    $(BIN)/kcsearch query '…' -c $(DEMO)"
	@echo "Index a file of your own:     $(BIN)/kcsearch index FILE   (then query, in the same folder)"
	@echo "Install it for good:          pipx install .   or   pip install -c constraints.txt ."

test: $(VENV)/.installed-for-tests
	$(BIN)/python -m pytest

# What may happen to a collection, at length: torture/README.md. It takes an hour.
torture: $(VENV)/.installed-for-tests
	$(BIN)/python -m torture

lint: $(VENV)/.installed-for-tests
	$(PIP) ruff mypy
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

check: lint test

# Writes the command reference and the outputs of the examples into README.md.
docs: $(VENV)/.installed-for-tests
	$(BIN)/python -m tools.readme --write

# The demo and the tests on a wheel, installed away from this folder.
wheel:
	PYTHON=$(PYTHON) tools/check_wheel.sh

# Each extra by itself, in a fresh environment.
extras:
	PYTHON=$(PYTHON) tools/check_extras.sh

clean:
	rm -rf $(VENV) build dist *.egg-info .kcsearch

$(VENV)/.created:
	$(PYTHON) -m venv $(VENV)
	touch $@

# torch comes first and alone: a later line of the same install must not pick another build of it.
$(VENV)/.installed: $(VENV)/.created pyproject.toml constraints.txt
	@echo "Installing into $(VENV). torch may be gigabytes of download (README.md has a smaller way) ..."
	$(PIP) torch
	$(PIP) --editable .
	touch $@

$(VENV)/.installed-for-tests: $(VENV)/.installed
	$(PIP) --editable '.[test,test-edges,training]'
	touch $@
