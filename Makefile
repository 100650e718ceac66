# What a contributor types. `make` alone lists the words.

VENV   ?= .venv
PYTHON ?= $(call first-python,python3 python3.14 python3.13 python3.12 python3.11)
ARGS   ?=

BIN  := $(VENV)/bin
PIP  := $(BIN)/python -m pip install -qq --disable-pip-version-check
VERSION := $(BIN)/python -c 'import daphne_like; print(daphne_like.__version__)'

# Debian's packages, where one may install them.
ROOT := $(filter 0,$(shell id -u))
APT  := DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0

# The programs the tests talk to, each with the Debian package that has it.
TOOLS := cc:build-essential chromium:chromium curl:curl firefox-esr:firefox-esr h2load:nghttp2-client haproxy:haproxy \
	nginx:nginx-light node:nodejs npm:npm openssl:openssl python3-config:python3-dev redis-server:redis-server systemd-analyze:systemd \
	systemd-socket-activate:systemd

# What Node needs beside itself, in a place that nobody commits.
NODE := build/node/node_modules/.package-lock.json

# Daphne: its tests in daphne-sdist, and itself in daphne, where nobody finds it who does not look for it.
DAPHNE := build/daphne/.ready

# The public WebSocket conformance suite, and the only Python it runs on.
SUITE   := build/conformance/suite
PYTHON2_FROM := pyenv install 2.7.18
PYTHON2 ?= $(shell for p in python2.7 $(wildcard $(HOME)/.pyenv/versions/2.7.*/bin/python); do \
	"$$p" -c 'import sys; sys.exit(sys.version_info[:2] != (2, 7))' 2>/dev/null && echo "$$p" && break; done)

# Django's releases beside the one in the environment; the newest needs a newer Python than we do.
DJANGO := build/django
NEWER_PYTHON ?= $(call first-since,12,python3.14 python3.13 python3.12 \
	$(wildcard $(addprefix $(HOME)/.pyenv/versions/3.,$(addsuffix .*/bin/python,14 13 12))))

# The compiled server, installed, and what its tests need beside it; no module of ours lies in tree.
COMPILED := build/compiled
COMPILED_TREE  := benchmarks deploy docs examples pyproject.toml setup.cfg setup.py tests
COMPILED_TESTS := unit wire differential packaging/test_compiled_installation.py $(addprefix live/test_,$(addsuffix .py,\
	extensions http2 http2_leaks leaks stopping tls websocket_clients websocket_faults websocket_leaks \
	websocket_stopping workers))

# The first of some interpreters that runs and is new enough: for us, or since Python 3.$(1).
first-python = $(call first-since,11,$(1))
first-since = $(shell for p in $(2); do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, $(1)))' 2>/dev/null && echo "$$p" && break; done)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help serve test test-all benchmark fuzz conformance lint types imports docs news unit compiled coverage format tools clean $(VENV)

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

serve: $(VENV)/.serves ## Serve the demonstration on http://127.0.0.1:8000 and https://localhost:8443
	@$(BIN)/daphne-like --demo -e tcp:8000:interface=127.0.0.1 -b localhost -p 8443 --ssl-dev $(ARGS)

test: tools lint types imports docs news unit ## Run every check; nothing lands that fails one
	@if [ "$(CI)" = true ] || command -v cc >/dev/null; then $(MAKE) -s compiled; \
	else echo "the compiled server is left out; it needs a C compiler"; fi

test-all: tools ## Run the tests on every Python from 3.11 on that is here
	@failed=; $(foreach v,3.11 3.12 3.13 3.14,$(call unit-on,$(v),$(call first-python,\
		python$(v) $(wildcard $(HOME)/.pyenv/versions/$(v).*/bin/python)))) \
	test -z "$$failed" || { echo "failed on Python$$failed"; false; }

unit-on = $(if $(2),echo "Python $(1)"; $(MAKE) -s unit VENV=.venv-$(1) PYTHON=$(2) || failed="$$failed $(1)";)

benchmark: $(VENV)/.tests ## Measure this server beside others
	@$(BIN)/python -m benchmarks $(ARGS)

lint: $(VENV)/.tests ## Check the style (ruff)
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet || { echo "make format mends the layout of:"; $(BIN)/ruff format --check; }

format: $(VENV)/.tests ## Mend what ruff can mend
	@$(BIN)/ruff check --fix --quiet; $(BIN)/ruff format --quiet

types: $(VENV)/.tests ## Check the types (mypy, strict)
	@$(BIN)/mypy --no-error-summary

imports: $(VENV)/.tests ## Check that imports go down the floors of the house
	@report=$$($(BIN)/lint-imports --no-cache --no-logo) || { echo "$$report"; false; }

docs: $(VENV)/.tests ## Build the documentation in docs/_build
	@$(BIN)/sphinx-build -W --keep-going -q docs docs/_build

news: $(VENV)/.tests ## Check that the change is told to users, in newsfragments/
	@draft=$$($(BIN)/towncrier build --draft 2>&1) || { echo "$$draft"; false; }
	@ls newsfragments/*.*.md >/dev/null 2>&1 || grep -qs "^## $$($(VERSION)) " CHANGELOG.md \
		|| { echo "no news fragment: see newsfragments/README.md"; false; }

unit: $(VENV)/.tests ## Run the tests (pytest); ARGS="-k name" chooses
	@$(BIN)/pytest -n 2 --dist loadscope $(ARGS)

compiled: $(COMPILED)/.ready ## Compile the server, and run the tests of what is compiled
	@rm -rf $(COMPILED)/tree && mkdir $(COMPILED)/tree
	@cp -R $(COMPILED_TREE) $(COMPILED)/tree && ln -s ../.. $(COMPILED)/tree/build
	@cd $(COMPILED)/tree && ../venv/bin/python -m pytest -n 2 --dist loadscope $(addprefix tests/,$(COMPILED_TESTS)) $(ARGS)

# As users do: from the source archive, apart from everything that is installed here.
$(COMPILED)/.ready: setup.py setup.cfg pyproject.toml $(shell find daphne_like twisted -name '*.py') | $(VENV)/.tests
	@rm -rf $(COMPILED) && mkdir -p $(COMPILED)
	@$(BIN)/python -m build --no-isolation --sdist --outdir $(COMPILED)/dist >$(COMPILED)/log 2>&1 \
		|| { cat $(COMPILED)/log; false; }
	@DAPHNE_LIKE_COMPILE=1 $(BIN)/python -m pip wheel -qq --disable-pip-version-check --no-deps \
		--wheel-dir $(COMPILED)/dist $(COMPILED)/dist/*.tar.gz
	@$(BIN)/python -m venv --without-pip $(COMPILED)/venv
	@$(BIN)/python -m pip --python $(COMPILED)/venv/bin/python install -qq --disable-pip-version-check \
		--no-index --no-deps $(COMPILED)/dist/*.whl
	@$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
		>$$(echo $(COMPILED)/venv/lib/python*/site-packages)/libraries.pth
	@touch $@

coverage: $(VENV)/.tests ## Run the tests and list the lines they miss
	@$(BIN)/pytest -n 2 --dist loadscope --cov=daphne_like $(ARGS)

fuzz: $(VENV)/.tests ## Let atheris attack HTTP/1 and HTTP/2 for SECONDS each (60)
	@$(PIP) atheris
	@set -e; for target in $(or $(TARGET),http1 http2); do \
		mkdir -p build/fuzz/$$target; \
		$(BIN)/python -m tests.fuzz $$target -max_total_time=$(or $(SECONDS),60) -max_len=1000 \
			-artifact_prefix=build/fuzz/ build/fuzz/$$target tests/fuzz/corpus/$$target; \
	done

conformance: $(VENV)/.tests $(SUITE)/.ready ## Hold WebSockets against the whole Autobahn testsuite
	@$(BIN)/python -m tests.conformance $(ARGS)

$(SUITE)/.ready: tests/conformance/requirements.txt | $(BIN)/python
	@test -n "$(PYTHON2)" || { echo "the Autobahn testsuite needs Python 2.7: $(PYTHON2_FROM)"; false; }
	@$(PIP) --upgrade --target build/conformance/virtualenv 'virtualenv < 20.22'
	@PYTHONPATH=build/conformance/virtualenv $(BIN)/python -m virtualenv --quiet --clear --python "$(PYTHON2)" $(SUITE)
	@$(SUITE)/bin/pip install -qq --no-python-version-warning --disable-pip-version-check --requirement $<
	@touch $@

# These start serving when they are installed; the tests start their own.
tools: ## Install the programs the tests talk to, or name them
	@lacking=; for tool in $(TOOLS); do \
		PATH="$$PATH:/usr/sbin" command -v "$${tool%:*}" >/dev/null || lacking="$$lacking $${tool#*:}"; done; \
	if [ -z "$$lacking" ]; then :; \
	elif [ -n "$(ROOT)" ] && command -v apt-get >/dev/null; then \
		$(APT) update && $(APT) install --no-install-recommends $$lacking >/dev/null && \
		for service in haproxy nginx redis-server; do \
			case $$lacking in *$$service*) service $$service stop >/dev/null 2>&1 || true;; esac; done; \
	else echo "tests that need them are left out; to run them: apt install$$lacking"; fi
	@$(if $(PYTHON2),$(MAKE) -s $(SUITE)/.ready,echo "the WebSocket suite is left out; to run it: $(PYTHON2_FROM)")
	@if command -v npm >/dev/null; then $(MAKE) -s $(NODE); fi
	@$(MAKE) -s $(DJANGO)/4.2/.ready
	@$(if $(NEWER_PYTHON),$(MAKE) -s $(DJANGO)/newest/.ready,echo "the newest Django is left out; it needs Python 3.12")
	@$(MAKE) -s $(DAPHNE)

$(DJANGO)/4.2/.ready: | $(BIN)/python
	@$(PIP) --upgrade --target $(@D) 'django >= 4.2, < 4.3'
	@touch $@

$(DJANGO)/newest/.ready: setup.cfg
	@"$(NEWER_PYTHON)" -m venv --clear $(@D)
	@$(@D)/bin/python -m pip install -qq --disable-pip-version-check --editable '.[http2]' channels django whitenoise
	@touch $@

$(DAPHNE): tests/compat/requirements.txt | $(BIN)/python
	@rm -rf build/daphne build/daphne-sdist && mkdir -p build/daphne-sdist
	@$(BIN)/python -m pip download -qq --disable-pip-version-check --no-deps --dest build/daphne-sdist --requirement $<
	@tar -xzf build/daphne-sdist/*.tar.gz -C build/daphne-sdist --strip-components 1
	@$(PIP) --no-deps --target build/daphne --requirement $<
	@touch $@

$(NODE): tests/live/clients/package.json tests/live/clients/package-lock.json
	@mkdir -p build/node && cp $^ build/node
	@npm ci --prefix build/node --silent --no-audit --no-fund
	@touch $@

clean: ## Remove everything that was made
	@rm -rf .venv .venv-* benchmarks/.venv build dist docs/_build *.egg-info .coverage* .hypothesis \
		.import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -prune -exec rm -rf {} +

# The environment. It is made once, and brought up to date when what it holds changes.
$(VENV): $(VENV)/.tests

$(VENV)/.serves: setup.cfg pyproject.toml | $(BIN)/python
	@$(PIP) --editable '.[http2]'
	@touch $@

$(VENV)/.tests: setup.cfg pyproject.toml | $(BIN)/python
	@$(PIP) --editable '.[test]'
	@touch $@ $(VENV)/.serves

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: apt install python3"; false; }
	@"$(PYTHON)" -c 'import ensurepip' 2>/dev/null \
		|| if [ -n "$(ROOT)" ]; then $(APT) update && $(APT) install $(notdir $(PYTHON))-venv >/dev/null; \
		else echo "Python's venv is needed: apt install $(notdir $(PYTHON))-venv"; false; fi
	@"$(PYTHON)" -m venv --clear $(VENV)
