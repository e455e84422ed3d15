# Everything that a developer or a visitor does, one word each. Needs Debian or a like system, Python 3.11, Go and make.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# The tests start Python a thousand times: it compiles each module once.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
BIN := .venv/bin
IN_TESTS := PYTHONPATH=tests $(BIN)/python -m
# For the Pods of runs: what `make cluster-up` puts on its node.
OPERATOR_IMAGE ?= tidegate-operator:dev
WORKER_IMAGE ?= tidegate-worker:dev
# More processes than processors: the tests with a cluster mostly wait. Each of the four has one of 800 MB.
PYTEST := $(BIN)/pytest -n 4 --no-loadscope-reorder

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z.-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: setup ## run the demo: a cluster, two databases, and each action of the toggle, checked
	@$(IN_TESTS) demo up

.PHONY: demo-down
demo-down: setup ## remove the demo's cluster
	@$(IN_TESTS) demo down

.PHONY: test
test: lint ## all checks and tests; pytest's summary comes last
	@$(PYTEST)

.PHONY: test-long
test-long: lint ## the same with more steps, and a disturbance at every single write: hours
	@HYPOTHESIS_PROFILE=long $(PYTEST) -m "long or not long"

.PHONY: bench-worker
bench-worker: setup ## benchmark the sync worker beside rclone and dlt: 15 minutes
	@$(IN_TESTS) bench.worker

.PHONY: bench-operator
bench-operator: setup ## benchmark the operator beside the CronJob controller: 15 minutes
	@$(IN_TESTS) bench.operator

.PHONY: unit
unit: setup ## the tests that need no cluster
	@$(BIN)/pytest tests/unit

.PHONY: lint
lint: setup ## style, types and import layers
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

.PHONY: run
run: setup ## the operator on this machine, for the cluster of KUBECONFIG; ARGS=… are its options
	@exec $(BIN)/tidegate-operator --operator-image=$(OPERATOR_IMAGE) --worker-image=$(WORKER_IMAGE) $(ARGS)

.PHONY: cluster-up
cluster-up: setup ## start the development cluster with Tidegate's images on its node
	@$(IN_TESTS) devcluster up
	@$(IN_TESTS) devcluster images

.PHONY: cluster-down
cluster-down: setup ## remove the development cluster
	@$(IN_TESTS) devcluster down

.PHONY: crds
crds: setup ## generate crds/ from the models, and its copy in the chart
	@$(BIN)/python -m tidegate.definition.crd > crds/.new && mv crds/.new crds/tidegate.dev_syncintegrations.yaml
	@cp crds/tidegate.dev_syncintegrations.yaml charts/tidegate/files/syncintegrations.yaml

.PHONY: reference
reference: setup ## generate docs/reference.md from the models, and the chart's README from its values
	@$(IN_TESTS) documentation.reference > docs/.new && mv docs/.new docs/reference.md
	@$(IN_TESTS) documentation.chart_readme > charts/.new && mv charts/.new charts/tidegate/README.md

.PHONY: types
types: setup ## generate docs/types.md from what the worker does with real databases
	@$(IN_TESTS) documentation.types > docs/.new && mv docs/.new docs/types.md

.PHONY: install.yaml
install.yaml: setup ## what the chart installs, as one manifest; REGISTRY=… says where the images are
	@"$$($(IN_TESTS) devcluster program helm)" template tidegate charts/tidegate --namespace tidegate-system \
		$(foreach image,operator worker,$(if $(REGISTRY),--set $(image).image.repository=$(REGISTRY)/tidegate-$(image))) \
		> $@.new && mv $@.new $@

.PHONY: sbom
sbom: ## the images' Python packages as CycloneDX SBOMs, in build/sbom
	@[ -x .venv/sbom/bin/cyclonedx-py ] || { $(PYTHON) -m venv .venv/sbom; .venv/sbom/bin/pip install --quiet cyclonedx-bom==7.5.0; }
	@mkdir -p build/sbom
	@for image in operator worker; do .venv/sbom/bin/cyclonedx-py requirements requirements/$$image.txt \
		--pyproject pyproject.toml --output-reproducible -o build/sbom/tidegate-$$image.cdx.json; done

.PHONY: setup
setup: .venv/.stamp ## the Python environment in .venv, from the locked requirements

.venv/.stamp: requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or later is needed: $(PYTHON) is $$($(PYTHON) --version); name another with PYTHON=…" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
		echo "$(PYTHON) has no venv; on Debian it is in the package python3-venv" >&2; \
		[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
			|| { echo "install it as root: apt-get install python3-venv" >&2; exit 1; }; \
		apt-get install --yes --no-install-recommends python3-venv >/dev/null \
			|| { apt-get update >/dev/null; apt-get install --yes --no-install-recommends python3-venv >/dev/null; }; }
	@[ -x $(BIN)/python ] || { echo "Making .venv (a minute the first time)" >&2; $(PYTHON) -m venv .venv; }
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/dev.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

.PHONY: lock
lock: setup ## pin all dependencies again, with hashes, in requirements/
	@[ -x .venv/lock/bin/uv ] || { $(PYTHON) -m venv .venv/lock; .venv/lock/bin/pip install --quiet uv; }
	@compile() { .venv/lock/bin/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
		--no-header --no-emit-index-url "$$@" >/dev/null; }; \
	compile --extra operator -o requirements/operator.txt; \
	compile --extra worker -o requirements/worker.txt; \
	compile --extra operator --extra worker --extra cli --group dev -o requirements/dev.txt
