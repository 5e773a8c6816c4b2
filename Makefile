# `make` lists what there is.

GOLANGCI_LINT_VERSION := v2.15.0
GOVULNCHECK_VERSION   := v1.9.0
FUZZ_TIME             ?= 10s
BENCH_TIME            ?= 1s
SOAK_TIME             ?= 30m
SOAK_SCHEDULES        ?= 5000

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
REVISION := $(shell git rev-parse HEAD 2>/dev/null)
LDFLAGS := -X main.version=$(VERSION) -X main.revision=$(REVISION)
# The version is in the name, so that a new one is installed when the line above changes.
GOLANGCI_LINT := .tools/bin/golangci-lint-$(GOLANGCI_LINT_VERSION)
GOVULNCHECK := .tools/bin/govulncheck-$(GOVULNCHECK_VERSION)

.DEFAULT_GOAL := help
.PHONY: help build build-aloud demo run test soak floods lint vuln fmt fuzz corpus gobench bench cover up down clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## Build bin/roomcast
	CGO_ENABLED=0 go build -trimpath -ldflags "$(LDFLAGS)" -o bin/roomcast ./cmd/roomcast

# Says so first: the first build downloads the modules and takes its time.
build-aloud:
	@echo 'building…'
	@$(MAKE) --no-print-directory --silent build

# The binary itself and not "go run", which reports Ctrl-C as a failure. `exec`, so that no
# shell stands between that Ctrl-C and the binary.
demo: build-aloud ## Three instances in one process, no Redis needed; PORT=9000 for other ports
	@exec ./bin/roomcast demo $(if $(PORT),-port '$(PORT)')

# No balancer has to notice that it goes down, unless a notice is asked for.
run: build-aloud ## One instance, configured by the environment and .env; needs ROOMCAST_AUTH=none
	@grep -Eqs '^(export )?ROOMCAST_DRAIN_NOTICE=' .env || \
	export ROOMCAST_DRAIN_NOTICE="$${ROOMCAST_DRAIN_NOTICE-0s}"; exec ./bin/roomcast serve

test: ## Vet, all tests under the race detector, with real clients, Redis, HAProxy and Chromium
	test/prepare.sh
	go vet ./...
	go test -race -count=1 -timeout 10m ./...
	# Sockets are read and written in another way under the race detector (internal/nonblock).
	go test -count=1 ./internal/nonblock ./internal/engineio

soak: ## SOAK_SCHEDULES (5000) of the hub, then the fault suite at full size, with new seeds, for SOAK_TIME (30m)
	test/prepare.sh
	go test -count=1 -timeout 0 ./internal/hub -run TestRandomSchedules -schedules $(SOAK_SCHEDULES)
	go test -v -count=1 -timeout 0 ./test/faults -soak $(SOAK_TIME)

floods: ## Floods at full size beside a good client, whose waiting is judged
	test/prepare.sh
	go test -v -count=1 -timeout 10m ./test -run TestFloods -floods

vuln: $(GOVULNCHECK) ## Known vulnerabilities of what is built, by govulncheck
	test/vulncheck.sh $(GOVULNCHECK)

lint: $(GOLANGCI_LINT) ## The rules of .golangci.yml
	$(GOLANGCI_LINT) run ./...

fmt: ## Format all Go code
	gofmt -w bench cmd internal test

fuzz: ## Fuzz each decoder for FUZZ_TIME (10s)
	test/fuzz.sh $(FUZZ_TIME)

corpus: ## Keep some of what fuzzing has found interesting with the tests
	test/corpus.sh

gobench: ## Run the Go benchmarks for BENCH_TIME (1s) each
	go test -run '^$$' -bench . -benchmem -benchtime $(BENCH_TIME) ./internal/...

bench: ## Measure beside other servers, in turn; BENCH=-help lists what can be chosen
	cd bench && go run . $(BENCH)

cover: ## Unit tests with coverage, written to cover.out
	go test -coverpkg ./internal/... -coverprofile cover.out ./internal/... ./cmd/...
	go tool cover -func cover.out | tail -n 1

up: ## Redis, three instances and a balancer in Docker, on http://localhost:8080
	VERSION=$(VERSION) REVISION=$(REVISION) docker compose up --build --detach --wait

down: ## Stop them
	docker compose down

clean: ## Remove what was built and installed here
	rm -rf bin .tools cover.out test/tmp test/clients/node_modules bench/peers/node/node_modules

$(GOLANGCI_LINT):
	GOBIN=$(CURDIR)/.tools/bin go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)
	mv .tools/bin/golangci-lint $@

$(GOVULNCHECK):
	GOBIN=$(CURDIR)/.tools/bin go install golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION)
	mv .tools/bin/govulncheck $@
