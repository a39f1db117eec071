# `make` or `make help` lists the targets. GNU make 3.81 (macOS) or newer.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help setup demo test lint test-asan test-html test-native package check-apple bench bench-ratios bench-update bench-ebpf guide clean

# A Rust that was installed a moment ago is not yet on the PATH of a shell that was open before.
export PATH := $(PATH):$(HOME)/.cargo/bin

# Passed on to every cargo command that builds, for example CARGO_FLAGS=--locked.
CARGO_FLAGS ?=

# benches/ is a workspace of its own, so that nothing else compiles the peers.
BENCHES := --manifest-path benches/Cargo.toml

# AArch64 hosts run the code themselves and leave the emulator, with its C library, out.
ifneq ($(filter aarch64 arm64,$(shell uname -m)),)
WORKSPACE := --workspace --exclude opstitch-emulator
else
WORKSPACE := --workspace
endif

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what building, testing and linting need and is not there
	@sh scripts/setup.sh test
	@sh scripts/setup.sh lint

demo: ## Run the quickstart example; installs what is missing and says so
	@sh scripts/setup.sh build
	@echo "demo: building and running the example 'quickstart'"
	@cargo run $(CARGO_FLAGS) --example quickstart

test: ## Run all tests; installs what is missing and says so
	@sh scripts/setup.sh test
	@echo "test: building (on the first run with the emulator's C library) and running the tests"
	@LLVM_MC="$$(sh scripts/setup.sh --llvm-mc)" && export LLVM_MC && \
	    echo "test: independent assembler: $${LLVM_MC:-none}" && \
	    cargo test $(CARGO_FLAGS) $(WORKSPACE) --all-targets && \
	    echo "test: the examples in the documentation" && \
	    cargo test $(CARGO_FLAGS) $(WORKSPACE) --doc && \
	    { [ -n "$$LLVM_MC" ] || echo "test: SKIPPED: the comparison with an independent assembler (no llvm-mc)"; }

lint: ## Formatting, Clippy with and without the feature `inspect`, documentation
	@sh scripts/setup.sh lint
	@echo "lint: formatting"
	@cargo fmt --all --check
	@cargo fmt $(BENCHES) --check
	@echo "lint: Clippy, every target, with every feature"
	@cargo clippy $(CARGO_FLAGS) $(WORKSPACE) --all-targets --all-features -- -D warnings
	@# The tests ask for `inspect`, so what is built beside them has it: hence the libraries alone.
	@echo "lint: Clippy, the libraries without features"
	@cargo clippy $(CARGO_FLAGS) $(WORKSPACE) --lib --no-default-features -- -D warnings
	@echo "lint: documentation, without features and with all"
	@RUSTDOCFLAGS="$${RUSTDOCFLAGS:-} -D warnings" cargo doc $(CARGO_FLAGS) -p opstitch --no-default-features --no-deps
	@RUSTDOCFLAGS="$${RUSTDOCFLAGS:-} -D warnings" cargo doc $(CARGO_FLAGS) $(WORKSPACE) --all-features --no-deps
	@if command -v shellcheck >/dev/null; then \
	    echo "lint: shell scripts"; shellcheck scripts/*.sh .ci/run; \
	else \
	    echo "lint: shell scripts not checked (no shellcheck)"; \
	fi

# The library and its integration tests. Left out are those that start compilers of their own: every
# tests/NAME.rs (or tests/NAME/main.rs) with a line `// asan: skip (REASON)`.
test-asan: ## Run the library's own tests under AddressSanitizer
	@sh scripts/setup.sh test
	@set -e; \
	cargo_asan="$$(sh scripts/setup.sh --asan-cargo)"; \
	LLVM_MC="$$(sh scripts/setup.sh --llvm-mc)"; export LLVM_MC; \
	host="$$(rustc -vV | sed -n 's/^host: //p')"; \
	set -- --lib; \
	for file in tests/*.rs tests/*/main.rs; do \
	    [ -f "$$file" ] || continue; \
	    name="$${file#tests/}"; name="$${name%/main.rs}"; name="$${name%.rs}"; \
	    if grep -q '^// asan: skip' "$$file"; then \
	        echo "test-asan: left out: $$name: $$(sed -n 's,^// asan: skip *,,p' "$$file")"; \
	    else \
	        set -- "$$@" --test "$$name"; \
	    fi; \
	done; \
	echo "test-asan: $$cargo_asan test -p opstitch $$*"; \
	CARGO_TARGET_DIR="$${CARGO_TARGET_DIR:-target}/asan" \
	RUSTFLAGS="$${RUSTFLAGS:-} -Zsanitizer=address -Cforce-frame-pointers=yes" \
	OPSTITCH_ASAN=1 CARGO_PROFILE_DEV_DEBUG=line-tables-only \
	    $$cargo_asan test $(CARGO_FLAGS) --no-fail-fast -p opstitch --target "$$host" "$$@"

test-html: ## Show the pictures of traces to headless Chromium; installs it if it is missing
	@sh scripts/setup.sh browser
	@OPSTITCH_REQUIRE_BROWSER=1 cargo test $(CARGO_FLAGS) -p opstitch --test html

# Left out is every tests/NAME.rs or examples/NAME.rs (or NAME/main.rs) with `// native: skip (REASON)`.
test-native: ## Run the tests and examples as AArch64 code: with QEMU on x86-64 Debian
	@CARGO_FLAGS="$(CARGO_FLAGS)" sh scripts/native.sh test

check-apple: ## Type-check, assemble and lint the library for macOS on AArch64
	@CARGO_FLAGS="$(CARGO_FLAGS)" sh scripts/native.sh apple

# On some x86-64 processors a branch across 32 bytes is slow (Intel's "Jump Conditional Code Erratum"): then two builds of
# one source differ by a twentieth. So no branch is, in none of the peers.
ALIGNED := --config 'target."cfg(target_arch = \"x86_64\")".rustflags = ["-Cllvm-args=--x86-branches-within-32B-boundaries"]'

RATIOS := sh scripts/setup.sh bench && \
    cargo build $(CARGO_FLAGS) $(ALIGNED) --release $(BENCHES) --bins && \
    benches/target/release/ratios --prepare && \
    benches/target/release/ratios

bench: ## Times of building and installing traces
	@sh scripts/setup.sh bench
	@cargo bench $(CARGO_FLAGS) $(ALIGNED) $(BENCHES)

bench-ratios: ## The same as ratios to the peers, with instruction counts; docs/performance.md
	@$(RATIOS)

bench-update: ## bench-ratios; keeps its instruction counts and its table
	@$(RATIOS) --update

guide: ## Build the guide as a book, in target/guide; installs mdbook
	@sh scripts/setup.sh guide
	@mdbook build docs/guide
	@echo "guide: target/guide/index.html"

# Each package is unpacked and built by itself, against the others as they would be published.
package: ## Make the packages that would be published, and build each by itself
	@sh scripts/setup.sh build
	@cargo package $(CARGO_FLAGS) $(WORKSPACE)

# Cranelift again, for rbpf: a workspace of its own.
bench-ebpf: ## What translating eBPF costs, beside rbpf's Cranelift in one run
	@sh scripts/setup.sh build
	@cargo run $(CARGO_FLAGS) --release --manifest-path benches/ebpf/Cargo.toml

clean: ## Remove everything that was built
	@cargo clean
	@cargo clean --manifest-path benches/Cargo.toml
	@cargo clean --manifest-path benches/ebpf/Cargo.toml
