# What people and machines run in this repository; `make` alone lists it.
#
#   make test FILTER=LineFramer      only the tests whose name matches
#   make load-test DURATION=30s      longer than the 5 seconds of each load
#   make bench ROUNDS=7 DURATION=1s  more rounds, of another length; ten minutes without either
#   make churn CONNECTIONS=100000    a tenth of the million connections
#   make fuzz TARGET=line-framer     one of the fuzzers, which Fuzz/corpus lists

FILTER ?=
ROUNDS ?=
CONNECTIONS ?=
TARGET ?=
DURATION ?=
export DURATION

# Only what was given is passed on; the defaults are the tools' own. scripts/run takes DURATION from the environment.
test_options := --parallel $(if $(FILTER),--filter '$(FILTER)')
rounds := $(if $(ROUNDS),--rounds $(ROUNDS))
connections := $(if $(CONNECTIONS),--connections $(CONNECTIONS))
duration := $(if $(DURATION),--duration $(DURATION))

release_build := swift build -c release
bench_build := $(release_build) --package-path Benchmarks
bench := "$$($(bench_build) --show-bin-path)/bench"

.DEFAULT_GOAL := help
.PHONY: help build test run load-test bench churn udp reactors tls instructions syscalls sanitize fuzz examples docs lint clean dependencies bench-build

help: ## List these targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

build: dependencies ## Build the library and the tool, for release
	$(release_build)

test: dependencies ## Install what is missing, build, run the tests (FILTER=name)
	scripts/install-dependencies --if-possible haproxy chromium
	scripts/test $(test_options)

run: dependencies ## Start an echo server, load it, stop it (DURATION=5s)
	scripts/run

load-test: dependencies ## Load echo, lines, netstrings and Int32 strings in turn; reports as HTML in .build/load (DURATION=5s)
	REPORT=.build/load/echo.html scripts/run echo raw
	REPORT=.build/load/line.html scripts/run line-echo line
	REPORT=.build/load/netstring.html scripts/run netstring-echo netstring
	REPORT=.build/load/int32.html scripts/run int32-echo int32

bench: bench-build ## Measure speed and memory beside C servers and SwiftNIO (ROUNDS=n DURATION=5s; Linux)
	$(bench) run $(rounds) $(duration)
	$(bench) memory

churn: bench-build ## Connect, echo and close a million times beside C servers (CONNECTIONS=n; Linux)
	$(bench) churn $(connections)

udp: bench-build ## Measure CPU time per datagram beside C loops (ROUNDS=n DURATION=1s; Linux)
	$(bench) udp $(rounds) $(duration)

reactors: bench-build ## Measure one reactor against several in one process (ROUNDS=n DURATION=1s; Linux)
	$(bench) reactors $(rounds) $(duration)

tls: bench-build ## Measure TLS beside OpenSSL in C and SwiftNIO (ROUNDS=n DURATION=1s; Linux)
	$(bench) tls $(rounds) $(duration)

instructions: bench-build ## Count instructions per message (installs valgrind; Linux)
	scripts/install-dependencies --tools valgrind
	$(bench) instructions

syscalls: bench-build ## Count system calls per message (installs strace; Linux)
	scripts/install-dependencies --tools strace
	$(bench) syscalls

sanitize: dependencies ## Run the library's tests under the address and the thread sanitizer (FILTER=name)
	FILTER='$(FILTER)' scripts/sanitize

fuzz: dependencies ## Fuzz framers, receivers, endpoints and PROXY headers (TARGET=name DURATION=60s for each; Linux)
	TARGET='$(TARGET)' scripts/fuzz

examples: dependencies ## Build every example and try it with a real client; try Twill as a dependency
	scripts/install-dependencies --if-possible nc curl
	$(MAKE) -C Examples check
	scripts/check-as-dependency

docs: dependencies ## Build the documentation, which must give no warning, into .build/docs
	scripts/docs

lint: ## Check the format and the rules of the house
	scripts/lint

clean: ## Remove everything that was built
	rm -rf .build Benchmarks/.build Examples/.build Fuzz/.build

dependencies:
	@scripts/install-dependencies

bench-build: dependencies
	$(release_build) --product twill
	$(bench_build)
