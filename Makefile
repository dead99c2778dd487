# The commands of this project. `make` lists them.

CARGO ?= cargo
DATA ?= ./tagstone-data
BENCH_ARGS ?=
HISTORY_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run test check bench bench-history conformance

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Build the release and serve on 127.0.0.1:5000, data in ./tagstone-data
	$(CARGO) build --release --locked --package tagstone --package tagstone-replay
	exec $${CARGO_TARGET_DIR:-target}/release/tagstone serve --data $(DATA)

test: ## Install what the tests need if it is missing, then check and test everything (what CI runs)
	tests/setup/install
	$(MAKE) --no-print-directory check
	$(CARGO) test --locked --workspace

check: ## Formatting and lints
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

bench: ## Measure beside Debian's docker-registry and nginx (BENCH_ARGS are handed on), then as bench-history
	$(CARGO) build --release --locked --workspace
	$${CARGO_TARGET_DIR:-target}/release/tagstone-compare --tagstone $${CARGO_TARGET_DIR:-target}/release/tagstone $(BENCH_ARGS)
	$(MAKE) --no-print-directory bench-history

bench-history: ## Measure what a history of 10,000,000 events costs; HISTORY_ARGS are handed on
	$(CARGO) build --release --locked --workspace
	$${CARGO_TARGET_DIR:-target}/release/tagstone-history --programs $${CARGO_TARGET_DIR:-target}/release $(HISTORY_ARGS)

conformance: ## Run the conformance program of distribution-spec: make conformance SUITE=<path>
	@test -n "$(SUITE)" || { echo "usage: make conformance SUITE=<path to the built conformance program>" >&2; exit 2; }
	tests/conformance/run "$(SUITE)"
