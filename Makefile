# Everything a developer runs here. Tools are built once, at the version pinned in .ci/tools, into .cache/tools.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Checkouts owned by another user make `git` refuse, and with it a stamped build.
export GOFLAGS ?= -buildvcs=false
export GOLANGCI_LINT_CACHE := $(CURDIR)/.cache/golangci-lint
export BUF_CACHE_DIR := $(CURDIR)/.cache/buf
export PATH := $(CURDIR)/.cache/tools:$(PATH)

TOOLS := .cache/tools
GENERATORS := $(addprefix $(TOOLS)/,buf protoc-gen-go protoc-gen-go-grpc protoc-gen-grpc-gateway protoc-gen-openapiv3)
# The other directories under proto/ are copies of others' contracts.
OWN_PROTO := --path proto/zijlicht
OPENAPI := gateway/openapi/openapi.json
SPECTRAL := .cache/spectral/node_modules/.bin/spectral

# Where goroutines share state: the gate and its batches, the order of a call, the outbox, the log, the gateway's caches.
RACE_PACKAGES := $(addsuffix /...,$(addprefix ./services/platform/,authz members outbox serve) ./services/audit ./gateway)

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

.PHONY: build
build: ## build the one binary, bin/zijlicht
	CGO_ENABLED=0 go build -trimpath -o bin/zijlicht ./services/cmd/zijlicht

.PHONY: demo
demo: build ## start the anchor and two nodes with demo content; Ctrl-C stops them, data stays
	@exec bin/zijlicht demo

.PHONY: demo-reset
demo-reset: build ## clear the demo's data
	@exec bin/zijlicht demo --reset

.PHONY: test
test: lint test-eval test-race test-go ## check and test everything

.PHONY: test-eval
test-eval: ## print how the de-identification engine does on the sample stories; gates nothing
	go run ./services/cmd/zijlicht deid eval services/deid/samples/cases.jsonl

.PHONY: test-go
test-go: ## run the Go tests, each with a real Postgres
	go test -timeout 20m ./...

.PHONY: test-race
test-race: ## run the tests of the concurrent parts with the race detector
	@.ci/ensure cc
	CGO_ENABLED=1 go test -race -timeout 20m $(RACE_PACKAGES)

.PHONY: bench
bench: ## measure reads, memory and start time beside a floor in the same run; BENCH=--quick only tries it
	go run ./services/bench $(BENCH)

.PHONY: lint
lint: lint-go lint-proto lint-policy lint-generated lint-api ## check code, contracts, policy, generated files and the API document

.PHONY: lint-go
lint-go: $(TOOLS)/golangci-lint
	golangci-lint run ./...

.PHONY: lint-proto
lint-proto: $(TOOLS)/buf
	buf lint
	buf format --diff --exit-code $(OWN_PROTO)
	.ci/buf-breaking

.PHONY: lint-policy
lint-policy: $(TOOLS)/opa
	.ci/lint-policy

.PHONY: lint-generated
lint-generated: $(GENERATORS)
	.ci/generate --check

.PHONY: lint-api
lint-api: $(SPECTRAL)
	$(SPECTRAL) lint --ruleset .ci/spectral/ruleset.yaml --fail-severity hint $(OPENAPI)

.PHONY: generate
generate: $(GENERATORS) ## generate Go and the OpenAPI document from proto/
	.ci/generate

.PHONY: fmt
fmt: $(TOOLS)/buf $(TOOLS)/opa ## format Go, proto and Rego
	gofmt -w services gateway policies
	buf format -w $(OWN_PROTO)
	opa fmt -w policies

.PHONY: clean
clean: ## remove what was built; tools, caches and the demo's data stay
	rm -rf bin

$(TOOLS)/golangci-lint: .ci/tools/golangci-lint/go.mod
	@.ci/tool golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint .ci/tools/golangci-lint
$(TOOLS)/buf: .ci/tools/go.mod
	@.ci/tool buf github.com/bufbuild/buf/cmd/buf .ci/tools
$(TOOLS)/opa: .ci/tools/go.mod
	@.ci/tool opa github.com/open-policy-agent/opa .ci/tools
$(TOOLS)/protoc-gen-go: .ci/tools/go.mod
	@.ci/tool protoc-gen-go google.golang.org/protobuf/cmd/protoc-gen-go .ci/tools
$(TOOLS)/protoc-gen-go-grpc: .ci/tools/go.mod
	@.ci/tool protoc-gen-go-grpc google.golang.org/grpc/cmd/protoc-gen-go-grpc .ci/tools
$(TOOLS)/protoc-gen-grpc-gateway: .ci/tools/go.mod
	@.ci/tool protoc-gen-grpc-gateway github.com/grpc-ecosystem/grpc-gateway/v2/protoc-gen-grpc-gateway .ci/tools
$(TOOLS)/protoc-gen-openapiv3: .ci/tools/go.mod
	@.ci/tool protoc-gen-openapiv3 github.com/grpc-ecosystem/grpc-gateway/v2/protoc-gen-openapiv3 .ci/tools

$(SPECTRAL): .ci/spectral/package-lock.json
	@.ci/ensure node
	@echo "installing Spectral, once"
	@mkdir -p .cache/spectral
	@cp .ci/spectral/package.json .ci/spectral/package-lock.json .ci/spectral/.npmrc .cache/spectral/
	@cd .cache/spectral && npm ci --loglevel=error --ignore-scripts </dev/null
	@touch $@
