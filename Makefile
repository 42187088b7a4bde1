# Podwire. Everything runs on the Node.js that package.json pins; the machine's own Node.js only starts npm.

HOST := $(patsubst x86_64,x64,$(patsubst aarch64,arm64,$(shell uname -m)))
ARCH ?= $(HOST)
OUTPUT := dist/$(if $(filter $(HOST),$(ARCH)),,$(ARCH)/)podwire
# The launcher is made for this machine only: that takes no C compiler for another.
LAUNCHER := $(if $(filter $(HOST),$(ARCH)),dist/podwire-launch)
C_FLAGS := -std=c11 -Os -static -s -Wl,-z,noseparate-code -fstack-protector-strong -Wall -Wextra -Wpedantic -Wconversion -Werror
OWN_PATH := $(PATH)
export PATH := $(CURDIR)/node_modules/node-linux-$(HOST)/bin:$(CURDIR)/node_modules/.bin:$(PATH):/usr/sbin:/sbin

NODE_MODULES := node_modules/.installed
SOURCES = $(shell find cni ipam daemon -name '*.ts' -not -name '*.test.ts' 2>/dev/null)
# Runs test files ($1: tap's options and the files), keeps all they say for test/tap/summary.ts and prints the gist.
run = tap --reporter=tap $(1) | tee dist/tests/$@.tap | node test/tap/report.ts
# Which addresses kind's clusters have: ipv4, ipv6 or dual.
FAMILY ?= ipv4
KIND_CONFIG = deploy/kind$(addprefix -,$(filter-out ipv4,$(FAMILY))).yaml
tests = $(wildcard $(addsuffix /*.test.ts,$(1)))

SHELL := /bin/bash -o pipefail
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help build demo test format types lint unit netns fast conformance image cluster-there test-cluster bench bench-nodes bench-policy
.PHONY: golden kind-there kind-up kind-down e2e fmt clean

help: ## Print this help
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

build: $(OUTPUT) $(LAUNCHER) ## Make dist/podwire, all programs in one file, and its launcher; ARCH=arm64 makes the file for others

demo: build ## Wire three pods on this machine, look at what was made, take it all away
	@deploy/prerequisites demo
	@test/isolated node test/demo/demo.ts

test: format types lint unit netns fast conformance ## Check everything: form, types, lint, and all tests

format: $(NODE_MODULES) ## Check that prettier would change nothing
	prettier --check .

types: $(NODE_MODULES) ## Check the types
	tsc

lint: $(NODE_MODULES) ## Check the rules of the house
	oxlint --type-aware --deny-warnings

unit: $(NODE_MODULES) ## Test the pure code, with coverage, and what needs no kernel
	@mkdir -p dist/tests
	$(call run)

netns: build ## Test the built program on this machine's kernel, in namespaces of their own
	@deploy/prerequisites test
	test/isolated $(call run,--disable-coverage --timeout=300 $(call tests,test/netns test/ipam test/daemon test/launch test/fuzz))

fast: build ## Test the same by the launcher and a daemon, as pods are wired in a cluster
	@deploy/prerequisites test
	PODWIRE_FAST=1 test/isolated $(call run,--disable-coverage --timeout=300 $(call tests,test/netns))

conformance: build ## Test with container runtimes that others wrote
	@deploy/prerequisites test
	test/isolated $(call run,--disable-coverage --timeout=600 --jobs=1 $(call tests,test/conformance))

bench: build ## Measure Podwire beside the reference plugins; ROUNDS=100, PARTS="latency throughput traffic growth"
	@deploy/prerequisites bench
	@node test/bench/bench.ts $(ROUNDS) $(PARTS)

bench-nodes: build ## Time the daemon in a cluster of 5,000 Nodes
	@test/isolated node test/bench/nodes.ts $(NODES)

bench-policy: build ## Measure 200 NetworkPolicies with 1,000 pods; ROUNDS=40, PARTS="load change traffic daemon"
	@deploy/prerequisites bench
	@node test/bench/policy.ts $(ROUNDS) $(PARTS)

image: dist/podwire-image.tar ## Make the image localhost/podwire:dev, as an archive in dist/

dist/podwire-image.tar: $(OUTPUT) $(LAUNCHER) deploy/image
	@deploy/prerequisites image
	deploy/image

cluster-there: $(NODE_MODULES)
	@node test/cluster/can.ts

test-cluster: cluster-there image ## Test on a real Kubernetes: kind, or else the script that KUBE_CLUSTER names
	@mkdir -p dist/tests
	$(call run,--disable-coverage --timeout=3000 --jobs=1 $(call tests,test/cluster))

kind-there:
	@{ docker info && kind version && kubectl version --client; } >/dev/null 2>&1 || { \
	  echo 'Cannot make a cluster: there is no kind with a Docker engine; install Docker, kind and kubectl' >&2; exit 1; }

kind-up: kind-there image ## Make a kind cluster with Podwire for its network; FAMILY=ipv6 or dual for other addresses
	kind create cluster --name=podwire --config=$(KIND_CONFIG)
	kind load image-archive dist/podwire-image.tar --name=podwire
	kubectl --context=kind-podwire apply -k deploy/overlays/kind
	kubectl --context=kind-podwire wait --for=condition=Ready --timeout=120s node --all

kind-down: ## Delete that cluster
	kind delete cluster --name=podwire

e2e: kind-there image $(NODE_MODULES) ## Test on a kind cluster of its own; FAMILY=ipv6 or dual for other addresses
	@mkdir -p dist/tests
	$(call run,--disable-coverage --timeout=3000 --jobs=1 test/cluster/$(FAMILY).test.ts)

golden: $(NODE_MODULES) ## Write the expected texts in test/golden anew and show what changed
	@deploy/prerequisites test
	@for file in cni/core/plan/plan.test.ts daemon/core/masquerade.test.ts daemon/core/policy/readme.test.ts test/netns/rules.test.ts test/daemon/masquerade.test.ts; do \
	  UPDATE_GOLDEN=1 test/isolated node $$file >/dev/null || echo "$$file fails even so; run it alone"; done
	@prettier --write --log-level=warn test/golden
	@git --no-pager diff -- test/golden

fmt: $(NODE_MODULES) ## Let prettier format everything
	prettier --write --log-level=warn .

clean: ## Remove what was built and installed
	rm -rf dist .tap node_modules

$(OUTPUT): $(NODE_MODULES) $(SOURCES) $(wildcard deploy/*.ts deploy/*.cjs) package.json
	node deploy/build.ts $(ARCH)

# With musl the file has 17 KB, with glibc 700.
dist/podwire-launch: $(wildcard cni/launch/*)
	@deploy/prerequisites build
	@mkdir -p dist
	$$(command -v musl-gcc || echo cc) $(C_FLAGS) -o $@ $(filter %.c,$^)

$(NODE_MODULES): package-lock.json
	@test -e node_modules/.bin/tap || deploy/prerequisites build
	@PATH='$(OWN_PATH)' npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@
