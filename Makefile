# What a person and CI run. Everything happens in .venv; `make help` lists the targets.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# and what the tests and checks need besides: a database, a stand-in for S3, a browser's driver
DEVELOPED := $(VENV)/.developed
# what Ray's dashboard and jobs need; apart, as tests of a search run with the Ray of `make install`
JOBS := $(VENV)/jobs

# make search [IMAGES=DIR] [NAME=first]
IMAGES ?=
RUNS ?= runs
# Asked once: the clock goes on between the commands that use the name.
ifndef NAME
NAME := first-$(shell date +%Y%m%d-%H%M%S)
endif
RUN := $(RUNS)/$(NAME)
SEARCH := --image-size 64 --trials 8 --max-epochs 6

.PHONY: help install develop search test test-slow lint types docs check clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

install: $(INSTALLED) ## make .venv and install chromatune into it

develop: $(DEVELOPED) ## the same with what the tests and checks need

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dashboard,demo]'
	touch $@

$(DEVELOPED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $(INSTALLED) $@

search: $(INSTALLED) ## a small, whole search: leaderboard, report, bundle, one photo in colour
	$(BIN)/chromatune search $(if $(IMAGES),--images '$(IMAGES)') $(SEARCH) \
		--name '$(NAME)' --runs-dir '$(RUNS)'
	$(BIN)/chromatune leaderboard '$(RUN)'
	$(BIN)/chromatune report '$(RUN)' --out '$(RUN)/report.html'
	$(BIN)/chromatune export '$(RUN)' --out '$(RUN)/bundle'
	$(BIN)/chromatune data sample '$(or $(IMAGES),synthetic:1)' --out '$(RUN)/sample.png'
	$(BIN)/chromatune colorize '$(RUN)/bundle' '$(RUN)/sample.png' --compare --out '$(RUN)/colour'
	@echo "look at $(RUN)/report.html and $(RUN)/colour/sample.png"

test: $(DEVELOPED) browser ## all tests but the slow ones
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile --no-loadscope-reorder

test-slow: $(DEVELOPED) browser machines ## the tests that take minutes
	$(BIN)/python -m pytest -m slow

.PHONY: browser
browser: # headless Chromium for the tests of the report
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null \
	  || { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; } >/dev/null \
	  || echo "no Chromium: the browser tests will be skipped"

$(JOBS): $(DEVELOPED)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --prefix $@ 'ray[default,tune]'
	mkdir -p $@ && touch $@

.PHONY: machines
machines: $(JOBS) # what the test of cluster.yaml makes two machines with, and hands a job in with
	@command -v sshd >/dev/null && command -v rsync >/dev/null && command -v ip >/dev/null \
	  || { apt-get update -qq && apt-get install -y -qq --no-install-recommends \
	    openssh-client openssh-server rsync iproute2 procps; } >/dev/null \
	  || echo "no ssh server: the test of cluster.yaml will be skipped"

lint: $(DEVELOPED) ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DEVELOPED) ## mypy --strict
	$(BIN)/mypy

docs: $(DEVELOPED) ## API pages in build/docs; a warning is an error
	$(BIN)/python -m sphinx --builder html --fresh-env --fail-on-warning --keep-going --quiet \
		docs/api build/docs

check: lint types docs test ## what CI runs first

clean: ## remove .venv and caches of the tools
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info build
