# `make test`, `make demo` and `make lab` set everything up by themselves; `make help` lists the targets.

PYTHON ?= python3
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin

# Tools that the package.json scripts and the build hook call by name: jlpm, jupyter-builder.
export PATH := $(BIN):$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1
# jlpm is yarn: it must neither phone home nor change yarn.lock.
export YARN_ENABLE_TELEMETRY := 0
export YARN_ENABLE_IMMUTABLE_INSTALLS := 1

CHROMIUM ?= chromium
export PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD := 1

INSTALLED := $(VENV)/.installed
PACKAGES := node_modules/.yarn-state.yml
LABEXTENSION := rapidfire_lab/labextension/package.json
FRONT_END := $(shell find src schema style -type f -not -path '*/__tests__/*') tsconfig.json

.DELETE_ON_ERROR:
.PHONY: help setup demo lab test soak ui-test screenshots chromium lint format clean check-tools

help:
	@echo 'make demo    train the digits example in this terminal'
	@echo 'make lab     open the digits tutorial in JupyterLab'
	@echo 'make test    lint, front-end tests, journeys in a browser, Python tests'
	@echo 'make soak    kill whatever there is at random for SOAK_MINUTES=15, and check everything'
	@echo 'make ui-test journeys through JupyterLab in Chromium'
	@echo 'make screenshots  take the pictures of the README anew'
	@echo 'make lint    all linters, nothing is changed'
	@echo 'make format  let the formatters and linters mend what they can'
	@echo 'make setup   $(VENV) with all dependencies, and the built JupyterLab extension'
	@echo 'make clean   remove what was built, and all caches; $(VENV) and node_modules stay'

demo: setup
	$(BIN)/python examples/digits/demo.py

lab: setup
	$(BIN)/jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) examples/digits/tutorial.ipynb

test: setup
	$(MAKE) lint
	jlpm test
	$(MAKE) ui-test
	$(BIN)/python -m pytest

soak: setup
	$(BIN)/python -m pytest tests/faults/soak.py

ui-test: setup chromium
	@if command -v '$(CHROMIUM)' >/dev/null; then \
	  cd ui-tests && jlpm install && CHROMIUM=$$(command -v '$(CHROMIUM)') jlpm test; \
	elif test -n "$$CI"; then \
	  echo 'The UI tests need Chromium, and there is none.' >&2; exit 1; \
	else \
	  echo 'SKIPPED: the UI tests need Chromium. Install it, or set CHROMIUM to its path.'; \
	fi

screenshots: setup chromium
	cd ui-tests && jlpm install && \
	  SCREENSHOTS='$(CURDIR)/docs/images' CHROMIUM=$$(command -v '$(CHROMIUM)') jlpm test screenshots
	$(BIN)/python ui-tests/shrink.py docs/images

# Debian's own browser, where it is missing and we may install it. Playwright never downloads one.
chromium:
	@command -v '$(CHROMIUM)' >/dev/null || test "$$(id -u)" != 0 || ! command -v apt-get >/dev/null \
	  || { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes chromium; }

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	jlpm lint:check

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	jlpm lint

clean:
	rm -rf lib build dist coverage rapidfire_lab/labextension rapidfire_lab/_version.py
	rm -rf tsconfig.tsbuildinfo .eslintcache .stylelintcache
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find $(wildcard rapidfire_lab tests examples benchmarks) -type d -name __pycache__ -prune -exec rm -rf {} +
	rm -f $(INSTALLED)

# --- set-up --------------------------------------------------------------------------------------

setup: $(INSTALLED) $(PACKAGES) $(LABEXTENSION)

check-tools:
	@command -v $(PYTHON) >/dev/null \
	  || { echo 'rapidfire-lab needs Python 3.10 or newer; there is no $(PYTHON).' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
	  || { echo "rapidfire-lab needs Python 3.10 or newer; $(PYTHON) is $$($(PYTHON) -V)." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	  || { echo 'Python cannot make virtual environments; on Debian, install python3-venv.' >&2; exit 1; }
	@command -v node >/dev/null \
	  || { echo 'rapidfire-lab needs Node.js 20 or newer to build its front end; there is no node.' >&2; exit 1; }
	@node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' \
	  || { echo "rapidfire-lab needs Node.js 20 or newer; node is $$(node --version)." >&2; exit 1; }

# The editable install builds the front end too, through the hook in pyproject.toml. pip installs a copy of
# it, `develop` puts a link in its place, so that a rebuild is shown.
$(INSTALLED): pyproject.toml constraints.txt package.json yarn.lock | check-tools
	test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --progress-bar off --constraint constraints.txt --editable '.[dev,test,demo]'
	$(BIN)/jupyter-builder develop . --overwrite
	touch $@

$(PACKAGES): package.json yarn.lock | $(INSTALLED)
	jlpm install
	touch $@

$(LABEXTENSION): $(FRONT_END) | $(INSTALLED) $(PACKAGES)
	jlpm build
	touch $@
