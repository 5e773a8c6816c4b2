# `make` lists what there is.

GOLANGCI_LINT_VERSION := v2.15.0
FUZZ_TIME             ?= 10s
BENCH_TIME            ?= 1s

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -X main.version=$(VERSION)
# The version is in the name, so that a new one is installed when the line above changes.
GOLANGCI_LINT := .tools/bin/golangci-lint-$(GOLANGCI_LINT_VERSION)

.DEFAULT_GOAL := help
.PHONY: help build demo run test lint fmt fuzz bench cover up down clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## Build bin/roomcast
	CGO_ENABLED=0 go build -trimpath -ldflags "$(LDFLAGS)" -o bin/roomcast ./cmd/roomcast

demo: ## Three instances in one process, no Redis needed; says what to try
	go run ./cmd/roomcast demo

run: ## One instance, configured by the environment and .env
	go run -ldflags "$(LDFLAGS)" ./cmd/roomcast serve

test: ## Vet, all tests under the race detector, with real clients, Redis, HAProxy and Chromium
	test/prepare.sh
	go vet ./...
	go test -race -count=1 -timeout 10m ./...

lint: $(GOLANGCI_LINT) ## The rules of .golangci.yml
	$(GOLANGCI_LINT) run ./...

fmt: ## Format all Go code
	gofmt -w cmd internal test

fuzz: ## Fuzz each decoder for FUZZ_TIME (10s)
	test/fuzz.sh $(FUZZ_TIME)

bench: ## Run the benchmarks for BENCH_TIME (1s) each
	go test -run '^$$' -bench . -benchmem -benchtime $(BENCH_TIME) ./internal/...

cover: ## Unit tests with coverage, written to cover.out
	go test -coverpkg ./internal/... -coverprofile cover.out ./internal/... ./cmd/...
	go tool cover -func cover.out | tail -n 1

up: ## Redis, three instances and a balancer in Docker, on http://localhost:8080
	VERSION=$(VERSION) docker compose up --build --detach --wait

down: ## Stop them
	docker compose down

clean: ## Remove what was built and installed here
	rm -rf bin .tools cover.out test/tmp test/clients/node_modules

$(GOLANGCI_LINT):
	GOBIN=$(CURDIR)/.tools/bin go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)
	mv .tools/bin/golangci-lint $@
