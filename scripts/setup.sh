#!/bin/sh
# Installs what building and testing opstitch needs and the machine does not have, and says so.
#
#   scripts/setup.sh build          Rust, a C compiler; CMake and pkg-config where the emulator is built
#   scripts/setup.sh lint           the same, and rustfmt and Clippy
#   scripts/setup.sh test           the same as build, llvm-mc, the independent assembler, and Linux perf
#   scripts/setup.sh bench          the same as build, and Valgrind, which counts instructions
#   scripts/setup.sh llvm-mc        llvm-mc alone
#   scripts/setup.sh browser        the same as build, and Chromium with its driver, and Python
#   scripts/setup.sh guide          Rust, a C compiler, and mdbook
#   scripts/setup.sh --llvm-mc      only prints the llvm-mc that the tests use, or nothing
#   scripts/setup.sh --asan-cargo   only prints the cargo command that can build for AddressSanitizer
#
# Installs with apt-get on Debian and its relatives (through sudo unless root), with brew on macOS.
# Quick when nothing is missing. OPSTITCH_REQUIRE_LLVM_MC=1 makes a missing llvm-mc an error.
set -eu
cd "$(dirname "$0")/.."

name=setup
. scripts/lib.sh

# --- The tools ----------------------------------------------------------------------------------

need_c_compiler() {
    # The command line tools of macOS put a cc there that only asks to be installed, so run it.
    printf 'int main(void) { return 0; }\n' >"$work/probe.c"
    if ! have cc || ! cc -o "$work/probe" "$work/probe.c" >/dev/null 2>&1; then
        case $system in
        debian) apt_install gcc libc6-dev || die "no C compiler" ;;
        macos) die "no C compiler: run 'xcode-select --install', then this again" ;;
        *) die "no C compiler: install one named 'cc', then run this again" ;;
        esac
    fi
}

need_rust() {
    if ! have cargo; then
        case $system in
        debian) install_rust_debian ;;
        macos)
            have brew || die "no Rust: install Rust 1.$rust_version or newer (or Homebrew), then run this again"
            run "installing with brew: rust" brew install rust || die "no Rust"
            ;;
        *) die "no Rust: install Rust 1.$rust_version or newer, then run this again" ;;
        esac
    fi
    version=$(rustc --version 2>/dev/null) || die "'rustc --version' fails; with rustup: 'rustup default stable'"
    minor=$(echo "$version" | sed -n 's/^rustc 1\.\([0-9]*\).*/\1/p')
    [ "${minor:-0}" -ge "$rust_version" ] ||
        die "$version is too old: 1.$rust_version or newer is needed (with rustup: 'rustup update stable')"
}

# Debian's own Rust if it is new enough, its newer one for web browsers if not, else rustup.
install_rust_debian() {
    apt_lists
    for package in cargo cargo-web; do
        minor=$(apt_candidate "$package" | sed -n 's/^1\.\([0-9]*\)\..*/\1/p')
        if [ "${minor:-0}" -ge "$rust_version" ]; then
            apt_install "$package" ca-certificates || die "no Rust"
            return
        fi
    done
    [ -n "$(apt_candidate rustup)" ] ||
        die "no Rust: this system has no package of Rust 1.$rust_version or newer; install it (with rustup, say), then run this again"
    apt_install rustup ca-certificates || die "no Rust"
    run "rustup default stable" rustup default stable || die "no Rust"
}

# Unicorn, the emulator, is a C library built by CMake; its configuration asks for pkg-config.
# AArch64 hosts do without it: they run the code themselves.
need_cmake() {
    case $(uname -m) in aarch64 | arm64) return 0 ;; esac
    missing=
    have cmake || missing=cmake
    have pkg-config || missing="$missing pkgconf"
    have make || missing="$missing make"
    [ -n "$missing" ] || return 0
    case $system in
    debian)
        # shellcheck disable=SC2086 # a list of words
        apt_install $missing || die "what building the emulator needs is missing: $missing"
        ;;
    macos)
        have brew || die "building the emulator needs $missing: install that (or Homebrew), then run this again"
        # shellcheck disable=SC2086
        run "installing with brew: $missing" brew install $missing || die "what building the emulator needs is missing: $missing"
        ;;
    *) die "building the emulator needs $missing: install that, then run this again" ;;
    esac
}

need_lint_tools() {
    for tool in rustfmt clippy; do
        case $tool in rustfmt) subcommand=fmt ;; *) subcommand=clippy ;; esac
        cargo "$subcommand" --version >/dev/null 2>&1 && continue
        if have rustup; then
            run "rustup component add $tool" rustup component add "$tool" || die "no $tool"
        elif [ "$system" = debian ]; then
            apt_lists
            case $(dpkg -S "$(command -v cargo)" 2>/dev/null) in
            cargo-web:*) case $tool in rustfmt) package=rustfmt-web ;; *) package=rust-web-clippy ;; esac ;;
            *) case $tool in rustfmt) package=rustfmt ;; *) package=rust-clippy ;; esac ;;
            esac
            apt_install "$package" || die "no $tool"
        else
            die "no $tool: install it beside your Rust, then run this again"
        fi
    done
}

# The benchmarks do without it where there is none (Apple Silicon), and say so.
need_valgrind() {
    have valgrind && return 0
    case $system in
    debian) apt_install valgrind libc6-dbg || say "no valgrind: instructions will not be counted" ;;
    *) say "no valgrind: instructions will not be counted" ;;
    esac
}

# --- llvm-mc ------------------------------------------------------------------------------------

# Knows AArch64 and `-mattr=+all`, without which it refuses what is beyond the base instruction set.
# (LLVM 14 does not, though it has the AArch64 target.)
llvm_mc_serves() {
    printf 'ldaddal x0, x1, [x2]\nldapr x3, [x4]\nsqrdmlah v0.4h, v1.4h, v2.4h\n' |
        "$1" -triple=aarch64 -mattr=+all -show-encoding >"$work/mc" 2>/dev/null &&
        grep -q 'encoding: \[0x41,0x00,0xe0,0xf8\]' "$work/mc"
}

# Prints the first that serves: $LLVM_MC, llvm-mc, the newest llvm-mc-NN on PATH, Homebrew's.
find_llvm_mc() {
    {
        printf '%s\n' "${LLVM_MC:-}" llvm-mc
        # The names are llvm-mc-NN, so sorting by NN is sorting by the third field.
        (
            IFS=:
            for directory in $PATH; do
                for file in "$directory"/llvm-mc-[0-9]*; do
                    if [ -x "$file" ]; then printf '%s\n' "${file##*/}"; fi
                done
            done
        ) | sort -t- -k3,3nr -u
        if have brew; then printf '%s\n' "$(brew --prefix 2>/dev/null)/opt/llvm/bin/llvm-mc"; fi
    } >"$work/candidates"
    while read -r candidate; do
        [ -n "$candidate" ] || continue
        path=$(command -v "$candidate" 2>/dev/null) || continue
        if llvm_mc_serves "$path"; then
            printf '%s\n' "$path"
            return 0
        fi
    done <"$work/candidates"
    return 1
}

need_llvm_mc() {
    find_llvm_mc >/dev/null && return 0
    if [ "$system" = debian ] && can_install; then
        say "no llvm-mc that knows 'aarch64' and '-mattr=+all'; looking for one to install"
        apt_lists
        newest=$(apt-cache pkgnames llvm- | grep -E '^llvm-[0-9]+$' | sort -t- -k2,2nr) || newest=
        for package in $newest llvm; do
            [ -n "$(apt_candidate "$package")" ] || continue
            if apt_install "$package" && find_llvm_mc >/dev/null; then return 0; fi
        done
    fi
    case $system in
    debian) hint=" (a recent package llvm-NN has one)" ;;
    macos) hint=" ('brew install llvm', a big package, has one)" ;;
    *) hint=" (LLVM 15 or newer has one)" ;;
    esac
    if [ "${OPSTITCH_REQUIRE_LLVM_MC:-0}" = 1 ]; then
        die "no llvm-mc that serves$hint, and OPSTITCH_REQUIRE_LLVM_MC=1"
    fi
    say "WARNING: no llvm-mc that serves$hint: the comparison with an independent assembler WILL BE SKIPPED"
}

# --- mdbook -------------------------------------------------------------------------------------

need_mdbook() {
    have mdbook && return 0
    run "cargo install mdbook (takes minutes)" cargo install --locked --version '^0.4' mdbook || die "no mdbook"
}

# --- perf ---------------------------------------------------------------------------------------

# The tests of the feature `perf` let it record and report, where the system allows that.
need_perf() {
    if have perf || [ "$(uname -s)" != Linux ]; then return 0; fi
    if [ "$system" = debian ] && can_install; then
        apt_lists
        if [ -n "$(apt_candidate linux-perf)" ] && apt_install linux-perf; then return 0; fi
    fi
    say "no perf (Debian's package linux-perf): the tests that run it WILL BE SKIPPED"
}

# --- Chromium -----------------------------------------------------------------------------------

need_browser() {
    missing=
    have chromedriver || missing="chromium chromium-driver"
    have python3 || missing="$missing python3"
    [ -n "$missing" ] || return 0
    case $system in
    debian)
        # shellcheck disable=SC2086 # a list of words
        apt_install $missing || die "no Chromium, chromedriver and Python"
        ;;
    macos) die "no chromedriver or python3: run 'brew install chromedriver python' (and install Chrome), then this again" ;;
    *) die "no chromedriver or python3: install them and Chromium, then run this again" ;;
    esac
}

# --- AddressSanitizer ---------------------------------------------------------------------------

# AddressSanitizer is behind an unstable flag: a nightly takes it, a release does with
# RUSTC_BOOTSTRAP=1. The first of the two is printed that really reports a heap overflow.
find_asan_cargo() {
    cat >"$work/overflow.rs" <<'RUST'
fn main() {
    let bytes = vec![1u8; 24];
    let at = std::hint::black_box(24);
    let byte = unsafe { *bytes.as_ptr().add(at) };
    std::process::exit(i32::from(std::hint::black_box(byte) & 1));
}
RUST
    for way in nightly bootstrap; do
        case $way in
        nightly)
            rustc=$(rustup which --toolchain nightly rustc 2>/dev/null) || continue
            minor=$("$rustc" --version 2>/dev/null | sed -n 's/^rustc 1\.\([0-9]*\).*/\1/p')
            [ "${minor:-0}" -ge "$rust_version" ] || continue
            set -- "$rustc"
            command='cargo +nightly'
            ;;
        bootstrap)
            set -- env RUSTC_BOOTSTRAP=1 rustc
            command='env RUSTC_BOOTSTRAP=1 cargo'
            ;;
        esac
        "$@" -Zsanitizer=address -o "$work/overflow" "$work/overflow.rs" >"$work/log" 2>&1 || continue
        "$work/overflow" >"$work/log" 2>&1 || true
        if grep -q 'AddressSanitizer: heap-buffer-overflow' "$work/log"; then
            printf '%s\n' "$command"
            return 0
        fi
    done
    say "error: neither a nightly nor this Rust with RUSTC_BOOTSTRAP=1 builds a program that reports a heap overflow"
    say "(the sanitizers are part of the toolchains that rustup installs, not of every packaged Rust)"
    return 1
}

# --- What was asked for -------------------------------------------------------------------------

case ${1:-} in
build | lint | test | bench | browser)
    need_c_compiler
    need_rust
    need_cmake
    if [ "$1" = lint ]; then need_lint_tools; fi
    if [ "$1" = test ]; then
        need_llvm_mc
        need_perf
    fi
    if [ "$1" = bench ]; then need_valgrind; fi
    if [ "$1" = browser ]; then need_browser; fi
    ;;
llvm-mc) need_llvm_mc ;;
guide)
    need_c_compiler
    need_rust
    need_mdbook
    ;;
--llvm-mc) find_llvm_mc || true ;;
--asan-cargo) find_asan_cargo ;;
*) die "usage: scripts/setup.sh build | lint | test | bench | browser | llvm-mc | guide | --llvm-mc | --asan-cargo" ;;
esac
