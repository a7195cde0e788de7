# make demo        install and run agent-burst against our own simulator
# make demo-ready  a GO of the simulator, then a NO-GO of it broken, both as HTML and PDF
# make test        every test that is quick, or those of one room: make test ROOM=speak
# make test-long   the other tests
# make laws        the tests of laws with a thousand new examples each, some 20 minutes: before a release
# make check       formatting, lint, types, layers, house rules, coverage floors
# make bench       our hot path beside its peers;  make calibrate  the generator held against the truth
# make pictures    the pictures of the docs;  make clean  remove what make has built (never results/)

SHELL := /bin/sh
.DEFAULT_GOAL := demo

# Tests start hundreds of processes: where nothing compiled is kept, each compiles all of loadtest again (0.5 s).
unexport PYTHONDONTWRITEBYTECODE

# The first Python that really runs and is new enough: a pyenv shim may exist and fail.
WANTED := import sys, venv; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3 python; do \
	"$$python" -c "$(WANTED)" >/dev/null 2>&1 && echo "$$python" && break; done)

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq --retries 5
# A download that breaks off is tried again.
AGAIN = again() { "$$@" || { echo "again in 5 s: $$*" >&2; sleep 5; "$$@"; } || { sleep 20; "$$@"; }; }; again
ROOMS_COVERED := plan speak measure judge
# Tests wait as much as they compute: more of them at a time than there are cores.
AT_ONCE ?= 4
LONG_AT_ONCE ?= 3
TESTS = tests$(if $(ROOM),/$(ROOM))
# What judges how long something takes has the machine for itself.
TIMED = $(shell grep -rl --include='test_*.py' 'mark\.timed' $(TESTS))

.PHONY: demo demo-ready test test-long laws check cover bench calibrate pictures clean

demo: .venv/.installed
	$(BIN)/loadtest run agent-burst --label demo

demo-ready: .venv/.installed
	$(BIN)/python tools/demo_ready.py

test: .venv/.tests
	$(BIN)/python -m pytest -q -n $(AT_ONCE) --dist loadfile --no-loadscope-reorder -m "not long and not timed" $(TESTS)
	$(if $(TIMED),$(BIN)/python -m pytest -q -m "timed and not long" $(TIMED))

test-long: .venv/.tests
	$(BIN)/python -m pytest -q -n $(LONG_AT_ONCE) --dist loadfile --no-loadscope-reorder -m "long and not timed" $(TESTS)
	$(if $(TIMED),$(BIN)/python -m pytest -q -m "timed and long" $(TIMED))

laws: .venv/.tests
	$(BIN)/python -m pytest -q -n $(AT_ONCE) --hypothesis-profile=laws -m hypothesis $(TESTS)

check: .venv/.tests .venv/.checks
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/house.py
	$(MAKE) --no-print-directory cover

# Each of these rooms is covered by its own tests alone, every branch; two rooms at a time, so nothing is timed here.
# They know no greenlet, and asking which one runs at each call takes half of the time (32 CPU-s against 19).
cover: .venv/.tests
	@$(MAKE) --no-print-directory -j 2 $(addprefix cover-,judge $(filter-out judge,$(ROOMS_COVERED)))

cover-%: .venv/.tests
	@echo "coverage of loadtest/$* by tests/$*"
	@export COVERAGE_FILE=.coverage.$*; \
	$(BIN)/python -m coverage run --concurrency=thread --branch --source=loadtest/$* -m pytest -q -m "not long and not timed" tests/$* \
		&& $(BIN)/python -m coverage report --skip-covered --show-missing --fail-under=100

bench: .venv/.tests
	@test -f benchmarks/bench.py || { echo "benchmarks/bench.py is not there yet" >&2; exit 1; }
	$(BIN)/python -m benchmarks.bench

calibrate: .venv/.tests
	@test -f benchmarks/calibrate.py || { echo "benchmarks/calibrate.py is not there yet" >&2; exit 1; }
	$(BIN)/python -m benchmarks.calibrate

pictures: .venv/.tests
	$(BIN)/loadtest run agent-burst --label pictures --quiet
	$(BIN)/python docs/make_pictures.py "$$(ls -d results/*-agent-burst-pictures* | tail -n 1)"

clean:
	rm -rf .venv build dist .coverage .coverage.* .hypothesis .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Where ensurepip is missing (Debian without python3-venv), the pip outside installs one inside.
.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "no Python 3.11 or newer was found; name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "building .venv with $(PYTHON)"
	@rm -rf .venv
	@"$(PYTHON)" -m venv .venv >/dev/null 2>&1 \
		|| { rm -rf .venv && "$(PYTHON)" -m venv --without-pip .venv \
			&& "$(PYTHON)" -m pip --python .venv/bin/python --quiet install pip; } \
		|| { rm -rf .venv; echo "$(PYTHON) cannot build a virtual environment with pip in it" >&2; exit 1; }

.venv/.installed: pyproject.toml | .venv/bin/python
	@echo "installing loadtest"
	@$(AGAIN) $(PIP) install --upgrade "pip>=25.1"
	@$(AGAIN) $(PIP) install --prefer-binary --editable '.[compare]'
	@touch $@

.venv/.tests: .venv/.installed
	@echo "installing what the tests need"
	@$(AGAIN) $(PIP) install --prefer-binary --group test
	@touch $@

.venv/.checks: .venv/.installed
	@echo "installing what the checks need"
	@$(AGAIN) $(PIP) install --prefer-binary --group check
	@touch $@
