# Roadbed. `make demo` shows the main job, `make test` runs the tests of Go and of the portal; both do all set-up.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
GO ?= go
CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/roadbed
TOFU_VERSION := 1.12.6
GITEA_VERSION := 1.27.3
KUBERNETES_VERSION := 1.37.2
PULUMI_VERSION := 3.274.1
TIME_VERSION := 0.14.2
NULL_VERSION := 3.2.1
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
HELPER := internal/machinery/execute/process/builtinit
# PORTAL= builds, tests and lints without the portal, for machines without npm.
PORTAL ?= 1
CONTAINERS ?= podman
TAGS := $(if $(PORTAL),-tags portal)
# npm ci refuses a lock file when the registry at hand lacks an optional package of some other platform;
# npm install then takes the same versions and leaves the lock file alone.
NPM_FLAGS := --no-audit --no-fund --ignore-scripts
NPM_CI := { npm ci $(NPM_FLAGS) || npm install --no-save $(NPM_FLAGS); }
WEB_SOURCES := $(shell find web -type f -not -path 'web/node_modules/*' -not -path 'web/dist/*' 2>/dev/null)

.PHONY: help demo build helper image web test test-tfe test-install test-chart test-browser pictures test-race test-crash fuzz bench bench-git bench-catalog bench-stack lint generate check-generated tools gitea kubernetes provider pulumi clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 16

demo: build engine warm ## the main job: from a golden path to a running service, then the portal
	bin/roadbed demo

build: helper $(if $(PORTAL),web) ## bin/roadbed, with the portal embedded
	CGO_ENABLED=0 $(GO) build $(TAGS) -trimpath -ldflags '$(LDFLAGS)' -o bin/roadbed ./cmd/roadbed

image: build ## a container image around bin/roadbed, by Podman (or CONTAINERS=docker); see deploy/Containerfile
	$(CONTAINERS) build $(if $(findstring podman,$(CONTAINERS)),--format docker) -f deploy/Containerfile -t roadbed:$(VERSION) bin

helper: ## the small program that sets a step's sandbox up
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o $(HELPER)/init_linux_$$($(GO) env GOARCH) ./internal/machinery/execute/process/sandboxinit

web: web/dist/index.html ## the portal

web/node_modules/.package-lock.json: web/package.json web/package-lock.json
	cd web && $(NPM_CI)
	@touch $@

web/dist/index.html: web/node_modules/.package-lock.json $(WEB_SOURCES)
	cd web && npm run build

# The engine of stacks: what ROADBED_ENGINE names, what is on PATH, or OpenTofu that was downloaded or built before. Where
# there is none it is downloaded, and without a network built from its module.
ENGINE = $(or $(ROADBED_ENGINE),$(shell command -v tofu),$(shell command -v terraform),$(CACHE)/tofu-$(TOFU_VERSION)/tofu)
HAVE_ENGINE = [ -n "$(ROADBED_ENGINE)" ] || [ -x "$(ENGINE)" ]
.PHONY: engine
engine: $(if $(ROADBED_ENGINE)$(wildcard $(ENGINE)),,build)
	@$(HAVE_ENGINE) || bin/roadbed engine || echo "no download, so it is built"
	@$(HAVE_ENGINE) || $(MAKE) tools

# Go's standard library, compiled once for the caches of new spaces.
.PHONY: warm
warm: build
	@bin/roadbed warm

tools: $(CACHE)/tofu-$(TOFU_VERSION)/tofu ## OpenTofu, built from its module (about 9 CPU minutes, once)

$(CACHE)/tofu-$(TOFU_VERSION)/tofu:
	@echo "building OpenTofu $(TOFU_VERSION) from its module; this takes some minutes, once"
	mkdir -p $(@D)
	cd tools/tofu && CGO_ENABLED=0 $(GO) build -trimpath -ldflags='-s -w -X github.com/opentofu/opentofu/version.dev=no' -o $@.part github.com/opentofu/opentofu/cmd/tofu
	mv $@.part $@

provider: $(CACHE)/provider-time-$(TIME_VERSION)/terraform-provider-time $(CACHE)/provider-null-$(NULL_VERSION)/terraform-provider-null ## real providers for the tests, built from their modules (about two CPU minutes, once)

$(CACHE)/provider-time-$(TIME_VERSION)/terraform-provider-time:
	@echo "building terraform-provider-time $(TIME_VERSION) from its module, once"
	mkdir -p $(@D)
	cd tools/provider && CGO_ENABLED=0 $(GO) build -trimpath -ldflags='-s -w' -o $@.part github.com/hashicorp/terraform-provider-time
	mv $@.part $@

$(CACHE)/provider-null-$(NULL_VERSION)/terraform-provider-null: tools/provider/null/main.go
	@echo "building a provider of null_resource, once"
	mkdir -p $(@D)
	cd tools/provider && CGO_ENABLED=0 $(GO) build -trimpath -ldflags='-s -w' -o $@.part ./null
	mv $@.part $@

gitea: $(CACHE)/gitea-$(GITEA_VERSION)/gitea ## a real forge for the tests, built from its module (about 4 CPU minutes, once)

# Without its front end, whose sources the module does not hold; templates and options are read from beside it.
$(CACHE)/gitea-$(GITEA_VERSION)/gitea:
	@echo "building Gitea $(GITEA_VERSION) from its module; this takes some minutes, once"
	mkdir -p $(@D)/static
	cd tools/gitea && CGO_ENABLED=0 $(GO) build -trimpath -ldflags='-s -w -X main.Version=$(GITEA_VERSION)' -o $@.part gitea.dev
	cd tools/gitea && module=$$($(GO) list -m -f '{{.Dir}}' gitea.dev) && cp -R $$module/options $$module/templates $$module/public $(@D)/static
	chmod -R u+w $(@D)/static
	mv $@.part $@

kubernetes: $(addprefix $(CACHE)/kubernetes-$(KUBERNETES_VERSION)/,cluster kubectl) ## an API server of Kubernetes and kubectl for the tests, built from their modules (about 9 CPU minutes, once)

# What is compiled stays in Go's build cache: where the time did not suffice, the next attempt goes on.
KUBERNETES_FLAGS := -p 2 -trimpath -ldflags='-s -w $(foreach x,gitVersion=v$(KUBERNETES_VERSION) gitMajor=1 gitMinor=37 gitTreeState=clean,-X k8s.io/component-base/version.$(x))'
$(CACHE)/kubernetes-$(KUBERNETES_VERSION)/cluster: tools/kubernetes/main.go
	@echo "building Kubernetes $(KUBERNETES_VERSION) from its modules; this takes some minutes, once"
	mkdir -p $(@D)
	cd tools/kubernetes && CGO_ENABLED=0 $(GO) build $(KUBERNETES_FLAGS) -o $@.part .
	mv $@.part $@

$(CACHE)/kubernetes-$(KUBERNETES_VERSION)/kubectl:
	@echo "building kubectl $(KUBERNETES_VERSION) from its module, once"
	mkdir -p $(@D)
	cd tools/kubernetes && CGO_ENABLED=0 $(GO) build $(KUBERNETES_FLAGS) -o $@.part k8s.io/kubernetes/cmd/kubectl
	mv $@.part $@

pulumi: $(addprefix $(CACHE)/pulumi-$(PULUMI_VERSION)/,pulumi pulumi-language-yaml pulumi-resource-shelf) ## Pulumi, its language YAML and a provider for the tests, built from their modules (about 8 CPU minutes, once)

PULUMI_SET := github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v$(PULUMI_VERSION)
$(CACHE)/pulumi-$(PULUMI_VERSION)/pulumi:
	@echo "building Pulumi $(PULUMI_VERSION) from its module; this takes some minutes, once"
	mkdir -p $(@D)
	cd tools/pulumi && CGO_ENABLED=0 $(GO) build -trimpath -ldflags='-s -w -X $(PULUMI_SET)' -o $@.part github.com/pulumi/pulumi/pkg/v3/cmd/pulumi
	mv $@.part $@

$(CACHE)/pulumi-$(PULUMI_VERSION)/pulumi-language-yaml:
	@echo "building Pulumi's language YAML from its module, once"
	mkdir -p $(@D)
	cd tools/pulumi/yaml && CGO_ENABLED=0 $(GO) build -trimpath -ldflags='-s -w' -o $@.part github.com/pulumi/pulumi-yaml/cmd/pulumi-language-yaml
	mv $@.part $@

$(CACHE)/pulumi-$(PULUMI_VERSION)/pulumi-resource-shelf: tools/pulumi/shelf/main.go
	@echo "building a provider of Pulumi's for the tests, once"
	mkdir -p $(@D)
	cd tools/pulumi && CGO_ENABLED=0 $(GO) build -trimpath -ldflags='-s -w' -o $@.part ./shelf
	mv $@.part $@

forges: test/forge/node_modules ## GitHub's description of its API, which the fake of it is held to (420 MB)

test/forge/node_modules: test/forge/package-lock.json
	cd test/forge && $(NPM_CI)
	@touch $@

backstage: test/backstage/node_modules ## Backstage's own client and validators, for the tests (30 MB)

test/backstage/node_modules: test/backstage/package-lock.json
	cd test/backstage && $(NPM_CI)
	@touch $@

test: helper ## vet, all Go tests, the portal's tests; what a machine lacks is skipped with a word
	$(GO) vet ./...
	$(GO) test -timeout 55m ./...
	$(if $(PORTAL),cd web && { [ -d node_modules ] || $(NPM_CI); } && npm test)

test-tfe: helper engine provider ## the tests that go-tfe ships with, against a server; a part of make test
	$(GO) test ./internal/server -run TestGoTFEsOwnTestsPass -count=1 -v

# Left out is what would take the longest and whose goroutines are mostly those of rooms that are here: core/catalog and
# core/repository (minutes without the detector already), machinery/git and execute (programs of others), the products, and
# whole servers in internal/server. Hostile policies are left out too: the detector takes the two seconds that a policy has.
RACE := machinery/store/... machinery/ledger machinery/queue machinery/blob machinery/once machinery/oci machinery/outbound machinery/listen \
	machinery/worker machinery/cluster/... machinery/forge machinery/forge/github \
	core/access core/identity core/hook core/catalog/index core/run product/search/index

test-race: helper ## the rooms with concurrency, under the race detector
	$(GO) test -race $(addprefix ./internal/,$(RACE))
	$(GO) test -race -skip TestHostilePoliciesAreBounded ./internal/core/policy

test-crash: helper engine ## kill -9 at 200 random moments of the main job with a light engine and at 40 with a real one, on each database
	ROADBED_CRASH_SEEDS=$${ROADBED_CRASH_SEEDS:-200} $(GO) test ./internal/server -run TestAServerKilledAtAnyMomentLosesNothing -count=1 -v -timeout 30m
	ROADBED_CRASH_ENGINE=$(abspath $(ENGINE)) ROADBED_CRASH_SEEDS=$${ROADBED_CRASH_ENGINE_SEEDS:-40} $(GO) test ./internal/server -run TestAServerKilledAtAnyMomentLosesNothing -count=1 -v -timeout 30m

fuzz: helper ## every reader of what comes from outside, fed with what nobody thought of, for 30 s each (FUZZTIME=5m)
	@grep -rHoE '^func Fuzz[A-Za-z0-9]+' --include=*_test.go internal | while IFS=: read -r file name; do \
		echo "$${file%/*}: $${name#func }"; $(GO) test -run '^$$' -fuzz "^$${name#func }$$" -fuzztime $(or $(FUZZTIME),30s) ./$${file%/*}; done

test-browser: build engine warm test/browser/node_modules ## the portal in Chromium: the main job, accessibility, sizes
	cd test/browser && npm test

test-install: build ## the container image and the systemd unit, in containers of Podman, as root
	$(GO) test ./test/install -count=1 -v

test-chart: ## the Helm chart, rendered by Helm (compiles for a minute, once)
	cd tools/chart && $(GO) test ./...

pictures: build engine warm test/browser/node_modules ## the pictures of the README, from the browser's journey
	cd test/browser && ROADBED_PICTURES=../../docs/images npm test

test/browser/node_modules: test/browser/package-lock.json
	cd test/browser && $(NPM_CI)
	@touch $@

bench: build engine warm ## figures, as `name value unit`
	$(GO) run ./test/bench

bench-git: build ## figures of hosted git, beside git's own server program; see docs/reference/benchmarks.md
	$(GO) run ./test/bench git

bench-catalog: build ## figures of the catalog at 100,000 entities (N=1000000: ten times that), on SQLite and PostgreSQL
	$(GO) run ./test/bench -n $(or $(N),100000) catalog

bench-stack: build engine provider ## figures of stacks' runs, beside the bare engine
	$(GO) run ./test/bench stack

lint: ## vet, format, the linters of .golangci.yml, the portal's types and format
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); exit 1; }
	$(GO) vet ./...
	cd tools/lint && $(GO) build -o $(CACHE)/golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	$(CACHE)/golangci-lint run ./...
	$(if $(PORTAL),cd web && { [ -d node_modules ] || $(NPM_CI); } && npm run lint)

generate: ## generated files: the OpenAPI document and the portal's client
	cd internal/machinery/execute/process && $(GO) generate .
	$(if $(PORTAL),$(GO) run ./cmd/roadbed openapi > web/src/api/openapi.json && cd web && npm run generate)

check-generated: generate ## fails when generated files are not what make generate gives
	git diff --exit-code -- web/src/api internal/machinery/execute

clean: ## what builds leave
	rm -rf bin web/dist $(HELPER)/init_linux_*
