# Almanac: `make run` starts it, `make test` proves it, `make check` is the gate, `make bench` measures it.
SHELL := /bin/sh
PYTHON := .venv/bin/python
.DEFAULT_GOAL := help
.PHONY: help run test check check-again lint types architecture bench kills main-job clocks lock install install-dev explore fuzz clean

help:
	@sed -n 's/^## //p' Makefile

## make run      start Almanac on 127.0.0.1:8000 (PORT, ALMANAC_HOME change it); nothing is asked, no service is needed
run: install
	@PORT=$${PORT:-8000} exec $(PYTHON) manage.py start

## make test     install what is missing and run every test
test: install-dev
	@$(PYTHON) -m tests.services
	@$(PYTHON) -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

## make check    formatting, lint, types, architecture, templates, dependencies, then the tests
check: install-dev lint types architecture
	@$(PYTHON) -m tests.services
	@$(PYTHON) -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

# What failed in the last `make check`, once more and one at a time: tells a broken test from a starved one.
check-again: lint types architecture
	@$(PYTHON) -m pytest --last-failed --last-failed-no-failures none $(ARGS)

lint:
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/djlint --quiet --check templates
	@.venv/bin/djlint --quiet --lint templates

types:
	@.venv/bin/mypy signing catalog mirrors deploy client/src/almanac

architecture:
	@PYTHONPATH=client/src .venv/bin/lint-imports --config pyproject.toml
	@.venv/bin/deptry . --config pyproject.toml
	@$(PYTHON) manage.py makemigrations --check --dry-run
	@PUBLIC_BASE_URL=https://almanac.example SECRET_KEY_FILE=tests/deploy/secret_key.txt $(PYTHON) manage.py check --deploy --fail-level WARNING

## make bench    the measured scenarios, as a table and as JSON (ARGS="delta client" runs some)
bench: install-dev
	@$(PYTHON) -m benchmarks $(ARGS)

## make explore  simulated publications under faults and interruptions, ever more of them (ARGS="--seconds 3600 --workers 2 --seed 7")
explore: install-dev
	@$(PYTHON) -m tests.simulation explore $(ARGS)

## make main-job every engine at once, each part killed over and over while a client polls (ARGS="--rounds 100 --seed 7")
main-job: install-dev
	@$(PYTHON) -m tests.engines.main_job $(ARGS)

## make kills    a publisher that edits and publishes, killed at random moments (ARGS="--kills 10000 --workers 2 --seed 7")
kills: install-dev
	@$(PYTHON) -m tests.mirrors.random_kills $(ARGS)

## make fuzz     spoilt real documents against every importer (ARGS="--seconds 3600 --seed 7")
fuzz: install-dev
	@PYTHONPATH=client/src $(PYTHON) -m tests.catalog.schemas.fuzzing $(ARGS)

## make clocks   the publisher's and the client's tests at other times: -400, +8, +60, +400 days, 2038; needs faketime
clocks: install-dev
	@for days in -400 8 60 400 4078; do echo "== $$days days"; \
		CLOCKS=all CLOCK_SHIFT_DAYS=$$days TZ=UTC faketime -m -f "$$(printf %+d $$days)d" \
		$(PYTHON) -m pytest -q -n auto --dist loadfile tests/mirrors tests/client tests/signing \
		-m "not browser and not service and not slow" $(ARGS) || failed=1; done; test -z "$$failed"

## make lock     write requirements/*.txt anew: hashed, without index addresses
lock: install-dev
	@$(PYTHON) -m pip install --quiet uv
	@for set in server dev; do .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-emit-find-links --no-header --output-file requirements/$$set.txt requirements/$$set.in; done

install: .venv/installed-server
install-dev: .venv/installed-dev

.venv/installed-server: requirements/server.txt client/pyproject.toml
	@sh deploy/install.sh server

.venv/installed-dev: requirements/dev.txt client/pyproject.toml
	@sh deploy/install.sh dev

clean:
	rm -rf .venv build client/build .mypy_cache .ruff_cache .pytest_cache
