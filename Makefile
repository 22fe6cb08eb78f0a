# A front door to CMake. Every target does its own set-up, so that on a fresh Debian or Ubuntu machine `make demo` or
# `make test` is the first and only command. Run a second time, each does only what changed.

PYTHON ?= python3
JOBS ?= $(shell nproc 2>/dev/null || echo 2)

VENV := .venv
VPYTHON := $(VENV)/bin/python
STAMPS := build/stamps
RELEASE := build/release
SANITIZED := build/asan

# What a wheel is made of. Lists files, so that a removed or added one counts too.
SOURCES := $(shell find CMakeLists.txt pyproject.toml README.md docs/openapi.json src include receiver cli python ui examples/c tests/CMakeLists.txt \
             -type f -not -path '*/node_modules/*' -not -path '*/dist/*' -not -path '*/__pycache__/*' 2>/dev/null)

# A compiler cache is used where there is one; none is needed.
ifneq ($(shell command -v ccache 2>/dev/null),)
export CMAKE_C_COMPILER_LAUNCHER ?= ccache
export CMAKE_CXX_COMPILER_LAUNCHER ?= ccache
endif
export CMAKE_BUILD_PARALLEL_LEVEL ?= $(JOBS)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYTHON

.DEFAULT_GOAL := build
.PHONY: install schemathesis bench-receivers build deps deps-test deps-fuzz deps-bench demo test bench torture tsan fuzz clean help install-python conformance interop

build: deps ## build the library, the infinium command and the C examples into build/release
	@cmake -S . -B $(RELEASE) -G Ninja $(RELEASE_OPTIONS) >$(RELEASE).log 2>&1 || { cat $(RELEASE).log; exit 1; }
	@cmake --build $(RELEASE)

deps: ## install what the distribution must provide for `make` and `pip install .`
	@scripts/deps.sh build
	@mkdir -p $(STAMPS)

deps-test: deps
	@scripts/deps.sh test

deps-bench: deps
	@scripts/deps.sh bench

demo: deps $(STAMPS)/examples install-python ## build, run the example programs, show their traces
	@cmake -S . -B $(RELEASE) -G Ninja >$(RELEASE).log 2>&1 || { cat $(RELEASE).log; exit 1; }
	@cmake --build $(RELEASE) --target examples_c
	@$(VENV)/bin/infinium demo $(DEMO_OPTIONS) --expect examples/expected.txt -- $(VPYTHON) examples/run_all.py

test: RELEASE_OPTIONS = -DINF_TESTS=ON -DINF_WERROR=ON
test: deps-test $(STAMPS)/examples $(STAMPS)/tests $(STAMPS)/browser install-python build ## run every test; the last line is the total
	@cmake -S . -B $(SANITIZED) -G Ninja -DINF_SANITIZE=address,undefined -DINF_WERROR=ON -DINF_TESTS=ON \
	    -DINF_PAGE=OFF >$(SANITIZED).log 2>&1 || { cat $(SANITIZED).log; exit 1; }
	@cmake --build $(SANITIZED)
	@$(VPYTHON) scripts/run_tests.py $(SUITES)

bench: RELEASE_OPTIONS = -DINF_BENCH=ON
bench: deps-bench $(STAMPS)/peers install-python build ## measure, with the peers beside it, into docs/benchmarks.md (BENCH=quick: only try)
	@BENCH=$(BENCH) $(VPYTHON) bench/run.py $(BENCH_OPTIONS)
	@$(VPYTHON) bench/throughput.py $(RELEASE)
	@$(VPYTHON) bench/footprint.py $(RELEASE)

bench-receivers: RELEASE_OPTIONS = -DINF_BENCH=ON
bench-receivers: deps-bench $(STAMPS)/phoenix $(STAMPS)/mlflow build ## the receiver beside Phoenix and MLflow, into docs/benchmarks-receivers.md (BENCH=quick: only try)
	@BENCH=$(BENCH) build/bench-mlflow/bin/python bench/receivers.py $(RELEASE)/cli/infinium
	@test "$(BENCH)" = quick || build/bench-mlflow/bin/python bench/receivers_report.py

torture: deps-test install-python $(STAMPS)/torture ## the fault tests at full length: half an hour (docs/testing.md)
	@cmake -S . -B $(SANITIZED) -G Ninja -DINF_SANITIZE=address,undefined -DINF_WERROR=ON -DINF_TESTS=ON \
	    -DINF_PAGE=OFF >$(SANITIZED).log 2>&1 || { cat $(SANITIZED).log; exit 1; }
	@cmake --build $(SANITIZED)
	@INF_TORTURE=1 ctest --test-dir $(SANITIZED) -R '^fault/' --output-on-failure --timeout 1800
	@$(MAKE) tsan
	@INF_TORTURE=1 PATH="$(CURDIR)/$(VENV)/bin:$$PATH" $(VPYTHON) -m pytest -q -p no:cacheprovider --timeout=300 tests/fault
	@INF_TORTURE=1 PATH="$(CURDIR)/$(VENV)/bin:$$PATH" $(VPYTHON) -m pytest -q -s -p no:cacheprovider tests/e2e/test_durability.py
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH" $(VPYTHON) bench/outage.py

TSAN_TESTS := journal_test_journal journal_test_threads journal_test_staged journal_test_adopt send_test_call \
              client_test_scope client_test_delivery receiver_test_trouble receiver_test_lifetime receiver_test_drain \
              receiver_test_judge

tsan: deps-test ## tests of the journal, the sender and the receiver under ThreadSanitizer
	@cmake -S . -B build/tsan -G Ninja -DINF_SANITIZE=thread -DINF_WERROR=ON -DINF_TESTS=ON -DINF_PAGE=OFF \
	    -DINF_EXAMPLES=OFF >build/tsan.log 2>&1 || { cat build/tsan.log; exit 1; }
	@cmake --build build/tsan --target $(TSAN_TESTS)
	@for test in $(TSAN_TESTS); do \
	    TSAN_OPTIONS=exitcode=66 timeout 300 build/tsan/tests/$$test || exit 1; done

SECONDS_EACH ?= 60
FUZZERS := record json answer native journal watch body config receiver judge

deps-fuzz: deps-test
	@scripts/deps.sh fuzz

fuzz: deps-fuzz ## each fuzzer for SECONDS_EACH seconds (60); needs clang
	@CC=clang CXX=clang++ cmake -S . -B build/fuzz -G Ninja -DINF_FUZZ=ON -DINF_TESTS=ON -DINF_PAGE=OFF -DINF_EXAMPLES=OFF \
	    -DINF_SANITIZE=address,undefined,fuzzer-no-link >build/fuzz.log 2>&1 || { cat build/fuzz.log; exit 1; }
	@cmake --build build/fuzz --target $(FUZZERS:%=fuzz_%)
	@for name in $(FUZZERS); do \
	    mkdir -p build/fuzz/found/$$name; echo "== $$name"; \
	    build/fuzz/tests/fuzz/fuzz_$$name -max_total_time=$(SECONDS_EACH) -timeout=20 -rss_limit_mb=2048 -max_len=65536 \
	        -verbosity=0 -print_final_stats=1 -artifact_prefix=build/fuzz/$$name- \
	        build/fuzz/found/$$name tests/fuzz/corpus/$$name || exit 1; done

schemathesis: deps-test $(STAMPS)/tests install-python ## generated requests against the API's description, SECONDS_EACH seconds (60) each as administrator, reader and nobody
	@INF_SCHEMATHESIS_SECONDS=$(SECONDS_EACH) INFINIUM=$(VENV)/bin/infinium $(VPYTHON) -m pytest -q -p no:cacheprovider \
	    -p no:schemathesis --timeout=900 tests/e2e/test_openapi.py

conformance: deps ## the conformance suite on the published client and on ours
	@test -x build/venv-published/bin/python || $(PYTHON) -m venv build/venv-published
	build/venv-published/bin/pip install -q -r tests/conformance/requirements-published.txt
	INFINIUM_IMPL=published build/venv-published/bin/pytest -q -n 2 tests/conformance
	@test -x build/venv-ours/bin/python || $(PYTHON) -m venv build/venv-ours
	build/venv-ours/bin/pip install -q -r tests/conformance/requirements-ours.txt
	build/venv-ours/bin/pip install -q --force-reinstall --no-deps .
	INFINIUM_IMPL=ours build/venv-ours/bin/pytest -q -n 2 tests/conformance

interop: deps ## traced functions under web frameworks, task queues, agents' libraries, threads, processes, greenlets
	@test -x build/venv-interop/bin/python || $(PYTHON) -m venv build/venv-interop
	build/venv-interop/bin/pip install -q -r tests/interop/requirements.txt
	build/venv-interop/bin/pip install -q --force-reinstall --no-deps .
	build/venv-interop/bin/pytest -q -p no:cacheprovider --timeout=120 tests/interop

PREFIX ?= /usr/local

install: build ## install library, command, manual pages and systemd units below PREFIX (/usr/local); DESTDIR works
	@cmake --install $(RELEASE) --prefix $(PREFIX)

clean: ## remove everything that was built, the virtual environment too
	rm -rf build $(VENV) .pytest_cache .hypothesis ui/node_modules ui/dist tests/browser/node_modules

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  Variables: PYTHON=python3.12, JOBS=4, SUITES='c python conformance e2e browser' (make test), DEMO_OPTIONS='--listen 127.0.0.1:8080' (make demo)"

install-python: $(STAMPS)/wheel

$(STAMPS)/venv: scripts/deps.sh | deps
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(STAMPS)/examples: examples/requirements.txt $(STAMPS)/venv
	$(VPYTHON) -m pip install -q -r examples/requirements.txt
	@touch $@

$(STAMPS)/tests: tests/requirements.txt tests/conformance/requirements-ours.txt $(STAMPS)/venv
	$(VPYTHON) -m pip install -q -r tests/requirements.txt
	@touch $@

$(STAMPS)/torture: tests/fault/requirements.txt $(STAMPS)/tests
	$(VPYTHON) -m pip install -q -r tests/fault/requirements.txt
	@touch $@

$(STAMPS)/browser: tests/browser/package.json tests/browser/package-lock.json | deps
	npm ci --prefix tests/browser --ignore-scripts --loglevel=error
	@touch $@

# The peers' own: the published client has our import name, and all of them pull in a lot.
$(STAMPS)/peers: bench/peers/requirements.txt | deps-bench
	$(PYTHON) -m venv build/bench-venv
	build/bench-venv/bin/python -m pip install -q -r bench/peers/requirements.txt
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/phoenix $(STAMPS)/mlflow: $(STAMPS)/%: bench/peers/%.txt | deps-bench
	$(PYTHON) -m venv build/bench-$*
	build/bench-$*/bin/python -m pip install -q -r $<
	@mkdir -p $(STAMPS) && touch $@

# The real packaging: what a user's `pip install .` does, except that its build directory is kept between runs.
$(STAMPS)/wheel: $(SOURCES) $(STAMPS)/venv
	$(VPYTHON) -m pip install -q --force-reinstall --no-deps .
	@touch $@
