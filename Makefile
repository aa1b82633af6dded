# Martlet's commands. `make help` lists them. There is one build for tests and everyday use
# (docs/decisions/0002-one-build.md); `make release` is for benchmarks and packages.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run test test-clients check format bench bench-smoke release golden docs deps clean fuzz-sql fuzz-bytes metamorphic \
	coverage simulate chaos dashboard test-dashboard screenshots reliability load

MARTLET := .build/debug/martlet

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: deps ## build, make a small data set, answer three queries, open the shell
	@scripts/first-run

test: deps ## run all tests of the default tier
	@scripts/install-dependencies --test-tools
	@scripts/build --build-tests
	@swift test --skip-build --disable-xctest --no-parallel --skip 'SQLScriptTests|ClusterTests|PerformanceTests|ShellTests'
	@swift test --skip-build --disable-xctest --filter SQLScriptTests
	@swift test --skip-build --disable-xctest --filter '^ShellTests'
	@swift test --skip-build --disable-xctest --filter '^ClusterTests'

CLIENTS_PYTHON ?= python3
test-clients: deps ## drivers and tools of PostgreSQL against a server and a cluster; CLIENTS_PYTHON has them
	@test -x $(MARTLET) || scripts/build --product martlet
	@CLIENTS_PYTHON="$(CLIENTS_PYTHON)" Tests/Clients/run.py --martlet $(MARTLET)

check: ## everything a change must pass: format, layering, build, documents, tests
	@scripts/check

format: ## format all Swift sources
	@swift format --in-place --parallel --recursive Sources Plugins Tests Package.swift

N ?= 2000
SEED ?= $(shell date +%s)
SECONDS_EACH := $(or $(SECONDS),60)

SEEDS ?= 1000
simulate: deps ## SEEDS runs of a whole cluster under virtual time, each with other faults
	@scripts/build --build-tests
	@MARTLET_TEST_SEEDS=$(SEEDS) MARTLET_TEST_SCALE=1 swift test --skip-build --disable-xctest --filter ClusterSimulationTests

MINUTES ?= 5
reliability: release ## figures: how soon the loss of a worker is noticed, what it costs, how many queries outlive it (OPTIONS=--full)
	@scripts/reliability --martlet .build/release/martlet $(OPTIONS)

load: release ## 64 clients with small and large queries for MINUTES; limits, waits and memory are checked
	@scripts/load --martlet .build/release/martlet --minutes $(MINUTES)

chaos: release ## TPC-H for MINUTES while a random worker of three is killed and started again every 10 seconds
	@scripts/chaos --martlet .build/release/martlet --minutes $(MINUTES)

fuzz-sql: deps ## N random queries with SEED, compared with PostgreSQL 15 (pip install psycopg; see scripts/fuzz)
	@test -x $(MARTLET) || scripts/build --product martlet
	@scripts/fuzz/fuzz_sql.py --martlet $(MARTLET) --count $(N) --seed $(SEED) $(FUZZ_OPTIONS)

fuzz-bytes: deps ## random bytes for parser, files and wire, SECONDS for each, under the address sanitizer
	@MARTLET_ENGINE_ONLY=1 MARTLET_FUZZ=1 scripts/build --scratch-path .build-fuzz --sanitize=address --product ByteFuzzers
	@for target in parser csv json parquet frames plans; do \
	  LSAN_OPTIONS=suppressions=scripts/fuzz/leaks.supp .build-fuzz/debug/ByteFuzzers $$target --seconds $(SECONDS_EACH) --seed $(SEED); done

metamorphic: deps ## every SQL script with other batch sizes, encodings, workers, joins and rules
	@scripts/build --build-tests
	@METAMORPHIC=all swift test --skip-build --disable-xctest --filter MetamorphicTests

coverage: deps ## lines of parser, planner, functions and operators that the tests reach
	@scripts/coverage

dashboard: ## bundle the dashboard with esbuild, TypeScript and React from Debian's packages
	@scripts/install-dependencies --dashboard
	@scripts/dashboard

test-dashboard: ## the dashboard in a browser, beside a cluster of two workers (pip install playwright)
	@scripts/dashboard --if-possible
	@test -x $(MARTLET) || scripts/build --product martlet
	@Tests/DashboardTests/dashboard_test.py --martlet $(MARTLET)

screenshots: ## the same, and the pictures of docs/guides are made anew of its pages
	@scripts/dashboard --if-possible
	@test -x $(MARTLET) || scripts/build --product martlet
	@Tests/DashboardTests/dashboard_test.py --martlet $(MARTLET) --required --documents

bench: release ## TPC-H side by side with DuckDB, Polars, DataFusion, ClickHouse (see bench/README.md)
	@bench/compare --martlet .build/release/martlet

bench-smoke: deps ## hot paths within generous bounds on their time: has a kernel lost its specialisation?
	@scripts/build --build-tests
	@swift test --skip-build --disable-xctest --filter PerformanceTests

release: deps ## optimised build: .build/release/martlet
	@scripts/build -c release --product martlet

golden: deps ## write plan and wire goldens anew; review them as a diff
	@scripts/build --build-tests
	@MARTLET_UPDATE_GOLDEN=1 swift test --skip-build --disable-xctest --filter 'PhysicalPlannerTests|WireCodecTests'
	@git status --short Fixtures

docs: deps ## write generated pages of docs/reference anew
	@scripts/build --product martlet
	@scripts/configuration-reference $(MARTLET) > docs/reference/configuration.md
	@scripts/function-reference $(MARTLET) > docs/reference/functions.md

deps: ## install the system libraries that are missing
	@scripts/install-dependencies

clean: ## remove everything that was built or generated
	@rm -rf .build data
