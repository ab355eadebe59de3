# `make demo` and `make test` are all that a newcomer needs; `make check` and `make test-long` have to be clean.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PORT   ?= 8000
DATA   ?= .demo
SECONDS ?= 60
PROFILE_SECONDS ?= 8
SEED    ?= 1
WORKERS ?= $(shell n=$$(getconf _NPROCESSORS_ONLN); [ $$n -gt 4 ] && echo 4 || echo $$n)

.PHONY: setup demo demo-reset test test-long test-repeat privacy mutants shots drills bench bench-pages bench-wall bench-mail bench-writes bench-nightly bench-logbook bench-scale bench-shapes profile check lint types coverage schema messages requirements clean
.DELETE_ON_ERROR:

# Tests start many processes. If Python can't keep what it has compiled, each compiles everything again.
export PYTHONDONTWRITEBYTECODE :=

setup: $(VENV)/installed web/static/graphiql/installed

$(VENV)/installed: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=...") if sys.version_info < (3, 11) else 0'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

demo: setup
	$(BIN)/logbook demo --port $(PORT) --data $(DATA)

demo-reset: setup
	$(BIN)/logbook demo --port $(PORT) --data $(DATA) --reset

# Everything but browsers, drills and large amounts of random input, in about six minutes on two cores.
QUICK  := -n $(WORKERS) --dist worksteal -q -m "not browser and not drill"
test: setup tests/npm/node_modules/installed
	$(BIN)/pytest $(QUICK)

# What `make test` leaves out.
test-long: setup tests/npm/node_modules/installed
	LONG=1 $(BIN)/pytest -n $(WORKERS) --dist worksteal -q -m "browser or drill or long"

# `make test` over and over, in a different order each time; during the last BUSY runs, the machine has other work, too.
RUNS   ?= 20
BUSY   ?= 10
test-repeat: setup tests/npm/node_modules/installed
	$(BIN)/python -m tests.repeat $(RUNS) $(BUSY) $(QUICK)

# Pictures of every page, at the width of a phone and of a desk, in tests/browser/shots; SHOTS=--docs takes those in
# docs/images instead. Needs Chromium.
shots: setup
	$(BIN)/python -m tests.browser.shots $(SHOTS)

# What a page costs, compared with its own document over HTTP.
bench-pages: setup
	$(BIN)/python -m tests.bench.pages

# Random operations by everybody on a world of markers, for as long as you like: `make privacy SECONDS=600 SEED=2`.
privacy: setup
	PRIVACY_SECONDS=$(SECONDS) PRIVACY_SEED=$(SEED) PRIVACY_OPERATIONS=2000 \
		$(BIN)/pytest -q -s -n 0 tests/privacy/test_canaries.py -k random

# One change at a time to the table and the scopes of permissions/: each must turn a test red.
mutants: setup
	$(BIN)/python -m tests.privacy.mutants

# The hub against PostGraphile and against a bare handler, in about three minutes; then its pages against their documents.
bench: setup
	$(BIN)/python -m tests.bench.compare
	$(BIN)/python -m tests.bench.pages

# What the database's own rules cost.
bench-wall: setup
	$(BIN)/python -m tests.bench.row_security

# 10,000 queued mails, two workers, a mail server that only counts.
bench-mail: setup
	$(BIN)/python -m tests.bench.mail

# Entries, feedback and sign-ins a second; what people who sign in cost the others.
bench-writes: setup
	$(BIN)/python -m tests.bench.writes

# How long tables are locked at night, at 100,000 pieces of feedback.
bench-nightly: setup
	$(BIN)/python -m tests.bench.nightly

# What 6,000 sessions cost in a logbook of 2,000 cases.
bench-logbook: setup
	$(BIN)/python -m tests.bench.long_logbook

# What 5,000 shapes of one list leave in memory, here and in PostgreSQL, and how others wait meanwhile.
bench-shapes: setup
	$(BIN)/python -m tests.bench.shapes

# Where a request's time goes, as a table; STACKS=folder keeps the stacks for a flame graph.
profile: setup
	SECONDS=$(PROFILE_SECONDS) $(BIN)/python -m tests.bench.profile

# What grows with the number of mediators, 2,000 to a million, in about five minutes and 5 GB; SIZES=2000,50000 runs fewer.
bench-scale: setup
	$(BIN)/python -m tests.bench.scale

# Failing machines, tried on the service's real processes; a line for each drill, and a status. DRILLS names some of them,
# or is --write, which runs them all and writes the table in docs/reliability.md.
LOAD_SECONDS ?= 90
drills: setup
	LOAD_SECONDS=$(LOAD_SECONDS) $(BIN)/python -m tests.faults $(DRILLS)

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

types: setup
	$(BIN)/mypy
	$(BIN)/mypy examples

coverage: setup tests/npm/node_modules/installed
	$(BIN)/coverage erase
	$(BIN)/pytest $(QUICK) --cov --cov-report=term

check: lint types coverage

# Everything that's written from the source: the SDL with each field's visibility, and tables in docs/.
schema: setup
	$(BIN)/logbook schema > $(VENV)/schema.graphql
	mv $(VENV)/schema.graphql schema/schema.graphql
	$(BIN)/python -m tools.readme

# The catalogue's template: each text that people see, in English. Without lines and times, so that it only changes with them.
messages: setup
	$(BIN)/pybabel -q extract -F pyproject.toml -k lazy_gettext --omit-header --sort-output --add-location=file -o i18n/locale/messages.pot jobs models permissions resolvers schema web

# Pins every dependency, for every platform, with hashes and without a registry's name; and once more for production alone.
# With extras, because pip doesn't see that a pin of `x` is also one of `x[extra]`.
requirements:
	uv pip compile --universal --python-version 3.11 --generate-hashes --all-extras --no-strip-extras --no-emit-index-url --no-header --quiet --upgrade pyproject.toml -o requirements.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-emit-index-url --no-header --no-annotate --quiet -c requirements.txt pyproject.toml -o deploy/requirements.txt

clean:
	rm -rf $(VENV) web/static/graphiql tests/npm/node_modules tests/browser/shots tests/bench/npm/node tests/bench/npm/node_modules build *.egg-info .coverage* .mypy_cache .ruff_cache .pytest_cache

# GraphiQL, bundled from npm's packages. Without a network, the set-up goes on, and /graphiql says what to run.
web/static/graphiql/installed: $(wildcard web/npm/*) web/npm/.npmrc tools/graphiql_assets.py | $(VENV)/installed
	$(BIN)/python -m tools.graphiql_assets

# What the tests use from npm. Without a network, the tests go on, and those that miss something say so.
tests/npm/node_modules/installed: $(wildcard tests/npm/*.json) tests/npm/.npmrc tests/npm/install.py web/npm/requirements-node.txt | $(VENV)/installed
	$(BIN)/python -m tests.npm.install
