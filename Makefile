# The one entrance for people and CI. `make help` lists what there is.
GO      ?= go
BIN     := $(CURDIR)/bin
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
export PATH := $(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help build demo test test-quick lint vuln bench soak conformance fuzz tools clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'
	@echo
	@echo '  SOHOA_TEST_REQUIRE=all make test   nothing may be skipped (as in CI)'
	@echo '  DEMO_EXIT=1 make demo              stop at the end; the exit code tells the truth'

build: ## build ./bin/sohoa (needs Go and nothing else)
	@mkdir -p $(BIN)
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-X main.release=$(VERSION)' -o $(BIN)/sohoa ./cmd/sohoa

demo: build ## the main job on a sample province: serve, load, submit, report
	@$(BIN)/sohoa demo --data ./demo-data

tools: ## get what the tests use: S3 servers into ./bin, Debian packages where this is root on Debian
	@scripts/tools.sh

test: tools ## run everything; prints what was skipped and how to get it
	@scripts/test.sh

test-quick: ## the tests without fetching tools first
	$(GO) test ./...

lint: ## gofmt, go vet, staticcheck
	@scripts/lint.sh

vuln: ## known vulnerabilities, where the database can be reached
	@scripts/vuln.sh

bench: build tools ## print the figures of docs/benchmarks.md
	@scripts/bench.sh

conformance: build tools ## judge and normaliser against foreign files, copies against veraPDF
	@scripts/conformance.sh

soak: build ## long runs: kill loop, faults
	@scripts/soak.sh

fuzz: ## every fuzz target for FUZZTIME (default 30s) each
	@scripts/fuzz.sh

clean: ## remove what was built and the demo's data
	rm -rf $(BIN)/sohoa ./demo-data
