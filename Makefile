# `make` lists what there is to do. Each target sets up what it needs; PYTHON=... names another Python.
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test search chaos kills soak cover lint types bench docs lock clean
export PYTHON

bin := .venv/bin

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-6s  %s\n", $$1, $$2}' Makefile

demo: .venv/.demo ## review this repository with a real swarm: no key, no Docker
	@$(bin)/picoclaw run "Review this repository"

test: .venv/.dev ## all tests, with the reason of each skip
	@$(bin)/pytest -n auto --dist loadgroup

chaos: .venv/.dev ## kills, cuts, floods and lies at full length, with the figures that they show
	@FIGURES_OF_TESTS=$${FIGURES_OF_TESTS:-$$(mktemp)} \
		$(bin)/pytest -vv -n auto --dist loadgroup -m "(chaos or long) and not soak" tests

kills: .venv/.dev ## kill -9 at every step of an agent and of a coordinator that thinks, as a table
	@FIGURES_OF_TESTS=$${FIGURES_OF_TESTS:-$$(mktemp)} $(bin)/pytest -n auto --dist loadgroup -m chaos \
		tests/chaos/test_kill_agent.py tests/chaos/test_kill_purse.py tests/chaos/test_kill_thinking.py

soak: .venv/.dev ## ten minutes of mixed load with kills; what was used must come back
	@$(bin)/pytest -m soak -s tests/chaos

search: .venv/.dev ## the property tests with examples that nobody has seen yet
	@$(bin)/pytest -n auto --hypothesis-profile=search -m "unit or integration" -k "$$(\
		grep -rlE '^@given' tests/unit tests/integration | sed 's,.*/,,; s,\.py$$,,' | paste -sd'|' | sed 's/|/ or /g')"

cover: .venv/.dev ## coverage that counts child processes too: slow, and a few limits may be missed
	@$(bin)/pytest --cov --cov-config=.ci/coverage.toml --cov-report=term

lint: .venv/.dev ## ruff, formatting, the import floors, pure decisions
	@$(bin)/ruff check .
	@$(bin)/ruff format --check .
	@$(bin)/lint-imports --no-logo

types: .venv/.dev ## mypy, strict, over the package, its tests and the bench
	@$(bin)/mypy

bench: .venv/.dev ## our figures beside those of bare nats-py on the same server
	@$(bin)/python -m bench

docs: .venv/.dev ## write the references that are made from the code: docs/CONFIG.md, docs/cli.md
	@$(bin)/python -m docs._generate

lock: .venv/.dev ## write requirements.lock anew from pyproject.toml: make lock [UPGRADE=1]
	@$(bin)/uv pip compile --quiet --universal --generate-hashes --all-extras --group dev \
		--no-annotate --no-emit-index-url --custom-compile-command 'make lock' \
		$(if $(UPGRADE),--upgrade) --output-file requirements.lock pyproject.toml

clean: ## remove .venv and everything else that was made here
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage* build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps stand inside .venv, so a warm run costs one look at three files.
.venv/.demo: pyproject.toml requirements.lock
	@echo 'Setting up .venv with the core and the review tools ...'
	@.ci/setup demo

.venv/.dev: pyproject.toml requirements.lock
	@echo 'Setting up .venv with everything, tests included ...'
	@.ci/setup dev
