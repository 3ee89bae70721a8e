# Two commands are enough: `make run` and `make test`. `make` alone lists all.

CARGO ?= cargo
# What the demo listens on and where it keeps its data.
LISTEN ?= 127.0.0.1:4400
DATA ?= rotunda-demo

# Debian packages with the servers that tests and measurements start, each of its own, and what tests do to them:
# clocks that differ, certificates.
PACKAGES := redis-server postgresql faketime openssl

.PHONY: help run cluster test measure measure-cluster capacity packages lint unit

help:
	@echo "make run              builds the hub and starts it with a demo practice (LISTEN=$(LISTEN) DATA=$(DATA))"
	@echo "make cluster          starts three nodes with a Postgres, a Redis and a balancer, until Ctrl-C"
	@echo "make test             installs what the tests need and passes them all"
	@echo "make measure          prints what 15,000 idle sessions and a message to 1,000 cost"
	@echo "make capacity         makes the runs that docs/CAPACITY.md is written from; a quarter of an hour"
	@echo "make measure-cluster  prints how long news and revocations take between two nodes, and what contention costs"

# A release build: the demo should feel like the real thing. The first build takes some minutes.
run:
	$(CARGO) build --release --locked --bin rotunda
	@exec "$$($(CARGO) metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/release/rotunda" \
		demo --listen $(LISTEN) --data $(DATA)

# All of it ends with the command, and leaves nothing. HAProxy is the balancer, which nothing else needs.
cluster: PACKAGES += haproxy
cluster: packages
	$(CARGO) build --release --locked --bin rotunda --example cluster
	@exec "$$($(CARGO) metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/release/examples/cluster"

test: packages lint unit

# Needs 15,000 sockets at both ends. docs/LOADTEST.md says what else there is to measure.
measure:
	$(CARGO) build --release --locked -p rotunda-loadtest
	$(CARGO) run --release --locked --quiet -p rotunda-loadtest -- idle --spawn --sessions 15000
	$(CARGO) run --release --locked --quiet -p rotunda-loadtest -- fanout --spawn --pin

measure-cluster: packages
	$(CARGO) build --release --locked --bin rotunda
	$(CARGO) run --release --locked --quiet --example remote_latency
	$(CARGO) run --release --locked --quiet --example contention

capacity: packages
	$(CARGO) build --release --locked -p rotunda-loadtest
	loadtest/capacity.sh

# As root missing packages are installed; otherwise whoever runs this is told which command does.
packages:
	@missing=""; \
	for package in $(PACKAGES); do dpkg -s "$$package" >/dev/null 2>&1 || missing="$$missing $$package"; done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ]; then \
		apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $$missing; \
	else \
		echo "This needs Debian packages that are not installed. Run:" >&2; \
		echo "  sudo apt-get install$$missing" >&2; \
		exit 1; \
	fi

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

# nextest runs tests side by side and shows what is slow; without it cargo's own runner does the same tests.
unit:
	@if $(CARGO) nextest --version >/dev/null 2>&1; then \
		$(CARGO) nextest run --workspace --locked; \
	else \
		$(CARGO) test --workspace --locked; \
	fi
