# Everything there is to run. `make` alone lists it.
.DEFAULT_GOAL := help
.PHONY: help install run wheel test check soak bench faults format lock clean
MAKEFLAGS += --no-print-directory
bin := .venv/bin

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

install: ## install the server: .venv/bin/forehearth
	@scripts/install

run: ## install and start the server; PORT=8080 TLS_PORT=8443 ARGS='--config FILE' change it
	@scripts/install
	@exec $(bin)/forehearth serve $(if $(PORT),--port $(PORT)) $(if $(TLS_PORT),--tls-port $(TLS_PORT)) $(ARGS)

wheel: ## build a wheel in which the way of a call is compiled, into dist/; needs gcc and Python's headers
	@scripts/install --dev
	@$(bin)/python -m scripts.compiled_wheel

test: ## install and run the tests; ARGS='-k NAME' chooses among them
	@scripts/install --dev
	@PYTHONDONTWRITEBYTECODE= $(bin)/pytest $(ARGS)

check: ## everything that must pass: format, lint, types, layers, ceilings, docs, tests; needs gcc and Python's headers
	@scripts/install --dev
	@scripts/check
	@$(bin)/python -m scripts.check_compiled
	@$(MAKE) test

soak: ## the long tier of the tests; writes a dated report to docs/soak/; SOAK_MINUTES=10 takes about that long
	@scripts/install --soak
	@$(bin)/python -m scripts.soak $(ARGS)

bench: ## measure against other gateways; BENCH_PEERS='nginx envoy' chooses them; writes docs/benchmarks/
	@scripts/install --dev
	@$(bin)/python -m bench.identity_cost
	@$(bin)/python -m bench.limits_cost
	@$(bin)/python -m bench.ledger_cost
	@$(bin)/python -m bench.jobs_cost
	@$(bin)/python -m bench.responses_cost --out docs/benchmarks
	@$(bin)/python -m bench.conversations_cost --out docs/benchmarks
	@$(bin)/python -m bench.enrichment_peers --memory 100000 1000000 5000000 --out docs/benchmarks
	@$(bin)/python -m bench $(ARGS)

faults: ## load and faults on the running server; writes docs/reliability.md
	@scripts/install --dev
	@$(bin)/python -m bench.faults $(ARGS)

format: ## put the source into its form
	@scripts/install --dev
	@$(bin)/ruff format --quiet .
	@$(bin)/ruff check --quiet --fix .

lock: ## write the lock files anew; ARGS=--upgrade takes newer releases
	@scripts/install --dev
	@scripts/lock $(ARGS)

clean: ## remove what the commands above made; fetched models stay
	@rm -rf .venv dist build tests/node/node_modules tests/soak/low_code/node_modules bench/.work \
	    .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find src tests bench scripts -name __pycache__ -type d -prune -exec rm -rf {} + 2> /dev/null || true
