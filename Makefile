# Martlet's commands. `make help` lists them. There is one build for tests and everyday use
# (docs/decisions/0002-one-build.md); `make release` is for benchmarks and packages.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run test check format bench release golden docs deps clean

MARTLET := .build/debug/martlet

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: deps ## build, make a small data set, answer three queries, open the shell
	@scripts/first-run

test: deps ## run all tests of the default tier
	@scripts/build --build-tests
	@swift test --skip-build --disable-xctest

check: ## everything a change must pass: format, layering, build, documents, tests
	@scripts/check

format: ## format all Swift sources
	@swift format --in-place --parallel --recursive Sources Plugins Tests Package.swift

bench: release ## TPC-H side by side with DuckDB (pip install duckdb tpchgen-cli)
	@bench/compare --martlet .build/release/martlet

release: deps ## optimised build: .build/release/martlet
	@scripts/build -c release --product martlet

golden: deps ## write plan and wire goldens anew; review them as a diff
	@scripts/build --build-tests
	@MARTLET_UPDATE_GOLDEN=1 swift test --skip-build --disable-xctest --filter 'PhysicalPlannerTests|WireCodecTests'
	@git status --short Fixtures

docs: deps ## write generated pages of docs/reference anew
	@scripts/build --product martlet
	@scripts/configuration-reference $(MARTLET) > docs/reference/configuration.md

deps: ## install the system libraries that are missing
	@scripts/install-dependencies

clean: ## remove everything that was built or generated
	@rm -rf .build data
