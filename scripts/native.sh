#!/bin/sh
# Builds for AArch64 systems and, for Linux, runs the result, whatever machine this is.
#
#   scripts/native.sh test    runs the tests and examples of the package opstitch as AArch64 code
#   scripts/native.sh apple   type-checks, assembles and lints its library for aarch64-apple-darwin
#   scripts/native.sh --env   only prints what `test` sets, to run one test by hand; installs nothing
#
# On an AArch64 machine `test` is plain `cargo test`; on macOS `apple` is plain Clippy. On Debian
# both use the system's packages of Rust, since rustup's may have neither target: installed with
# apt-get (through sudo unless root), and QEMU with them. Quick when nothing is missing.
# Further arguments of cargo come from CARGO_FLAGS.
set -eu
cd "$(dirname "$0")/.."

name=native
. scripts/lib.sh

linux=aarch64-unknown-linux-gnu
apple=aarch64-apple-darwin
machine=$(uname -m)

# --- The packages -------------------------------------------------------------------------------

# Every NAME or NAME:ARCHITECTURE is there, and those of Rust are of one version, new enough.
installed() {
    dpkg-query -W -f '${db:Status-Status} ${Package} ${Version}\n' "$@" >"$work/installed" 2>/dev/null || return 1
    if grep -qv '^installed ' "$work/installed"; then return 1; fi
    sed -n 's/^installed [^ ]*\(rust\|cargo\)[^ ]* //p' "$work/installed" | sort -u >"$work/versions"
    [ "$(wc -l <"$work/versions")" -eq 1 ] && [ "$(rust_minor <"$work/installed")" -ge "$rust_version" ]
}

# The 96 of 1.96, from a line "... rustc-web 1.96.0..."
rust_minor() {
    minor=$(sed -n 's/.*rustc-web 1\.\([0-9]*\)\..*/\1/p' | head -n 1)
    printf '%s\n' "${minor:-0}"
}

need_packages() {
    if installed "$@"; then return 0; fi
    if ! can_install; then
        die "not root, and no sudo; run as root: apt-get install $*"
    fi
    apt_lists
    for package in "$@"; do
        [ -n "$(apt_candidate "$package")" ] || die "apt knows no package $package on this system (Debian 12 has it)"
    done
    minor=$(echo "rustc-web $(apt_candidate rustc-web)" | rust_minor)
    [ "$minor" -ge "$rust_version" ] ||
        die "apt's rustc-web is 1.$minor, too old: 1.$rust_version or newer is needed (Debian 12 has one among its security updates)"
    # What is there stays as it is, but for Rust: its packages go by one version.
    : >"$work/missing"
    for package in "$@"; do
        case $package in
        *rust* | cargo*) ;;
        *) if dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed; then continue; fi ;;
        esac
        printf '%s\n' "$package" >>"$work/missing"
    done
    # shellcheck disable=SC2046 # a list of words
    apt_install $(cat "$work/missing") || die "the packages could not be installed"
    installed "$@" || die "the packages do not fit together: $(tr '\n' ';' <"$work/installed")"
}

need_foreign_architecture() {
    if dpkg --print-foreign-architectures | grep -qx arm64; then return 0; fi
    # Not every relative of Debian has both architectures in one place, or Rust by this name.
    if [ -z "$(apt_candidate rustc-web)" ]; then apt_lists; fi
    [ -n "$(apt_candidate rustc-web)" ] || die "apt knows no package rustc-web on this system (Debian 12 has it)"
    can_install || die "not root, and no sudo; run as root: dpkg --add-architecture arm64"
    run "dpkg --add-architecture arm64" as_root dpkg --add-architecture arm64 || die "no arm64 packages"
    apt_ready=no
}

# --- QEMU ---------------------------------------------------------------------------------------

# QEMU 10 takes cache maintenance seriously (stale code runs until it is flushed), 7.2 does not.
qemu_minimum=10

qemu_serves() {
    version=$(qemu-aarch64 --version 2>/dev/null | sed -n 's/^qemu-aarch64 version \([0-9]*\)\..*/\1/p')
    [ "${version:-0}" -ge "$qemu_minimum" ]
}

# The newest version of qemu-user that apt knows, if it is new enough, or nothing.
qemu_candidate() {
    apt-cache madison qemu-user 2>/dev/null | awk -F ' *[|] *' '{ print $2 }' | sort -rV | head -n 1 >"$work/candidate"
    major=$(sed -n 's/^\([0-9]*:\)\{0,1\}\([0-9]*\)\..*/\2/p' "$work/candidate")
    if [ "${major:-0}" -ge "$qemu_minimum" ]; then cat "$work/candidate"; fi
}

need_qemu() {
    if qemu_serves; then return 0; fi
    can_install || die "no QEMU $qemu_minimum, not root, and no sudo; install a qemu-aarch64 of that version or newer"
    apt_lists
    if [ -z "$(qemu_candidate)" ]; then add_backports; fi
    apt_install "qemu-user=$(qemu_candidate)" || die "QEMU could not be installed"
    qemu_serves || die "the first qemu-aarch64 on PATH is not the installed one: $(command -v qemu-aarch64)"
}

# Adds the backports of this release to apt's sources: the entry of the release itself, mirror,
# keys and options and all, with another suite. Debian gives backports a low priority: nothing
# comes from there unless it is asked for by version.
add_backports() {
    # shellcheck source=/dev/null
    codename=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
    [ -n "$codename" ] || die "QEMU $qemu_minimum is in Debian's backports, but /etc/os-release has no VERSION_CODENAME"
    # The source files that name the release, and by what suite ("stable", perhaps).
    # shellcheck disable=SC2016 # apt-get's variables, not the shell's
    apt-get indextargets --format '$(CREATED_BY)|$(LABEL)|$(CODENAME)|$(COMPONENT)|$(RELEASE)|$(SOURCESENTRY)' |
        awk -F '|' -v codename="$codename" \
            '$1 == "Packages" && $2 == "Debian" && $3 == codename && $4 == "main" { sub(/:[0-9]*$/, "", $6); print $5, $6 }' |
        sort -u >"$work/targets"
    while read -r suite file; do
        case $file in
        *.sources) kind=sources ;;
        *) kind=list ;;
        esac
        "backports_$kind" "$suite" "$codename-backports" <"$file" >"$work/backports"
        if [ -s "$work/backports" ]; then
            use_backports "/etc/apt/sources.list.d/opstitch-backports.$kind"
            return 0
        fi
    done <"$work/targets"
    die "QEMU $qemu_minimum is in $codename-backports, but no source of $codename itself was found from which to derive theirs; add it to apt's sources, then run this again"
}

use_backports() {
    run "adding $codename-backports to apt's sources: $1" as_root install -m 644 "$work/backports" "$1" ||
        die "no $codename-backports"
    apt_ready=no
    apt_lists
    [ -n "$(qemu_candidate)" ] && return 0
    as_root rm -f "$1"
    die "this machine's mirror has no QEMU $qemu_minimum in $codename-backports ($1 is removed again); install a qemu-aarch64 of that version or newer"
}

# backports_sources SUITE NEW: from a .sources file, the first stanza that has SUITE's packages,
# with NEW instead. The fields of a stanza may go on in further lines, which begin with a blank.
backports_sources() {
    awk -v suite="$1" -v new="$2" -v architecture="$(dpkg --print-architecture)" '
        function has(field, word) { return index(" " value[field] " ", " " word " ") > 0 }
        function stanza() {
            if (has("types", "deb") && has("suites", suite) && has("components", "main") && !has("enabled", "no") && !done) {
                printf "Types: deb\n%sSuites: %s\nComponents: main\nArchitectures: %s\n", kept, new, architecture
                done = 1
            }
            split("", value)
            kept = field = ""
        }
        /^#/ { next }
        /^[ \t]*$/ { stanza(); next }
        /^[^ \t]/ {
            field = tolower($0)
            sub(/[ \t]*:.*/, "", field)
        }
        {
            words = $0
            if (words ~ /^[^ \t]/) sub(/^[^:]*:/, "", words)
            gsub(/[ \t]+/, " ", words)
            value[field] = value[field] " " words " "
            if (field !~ /^(types|suites|components|architectures)$/ && field !~ /^x-/) kept = kept $0 "\n"
        }
        END { stanza() }'
}

# The same for a file of one line per source: deb [OPTIONS] URI SUITE COMPONENT...
backports_list() {
    awk -v suite="$1" -v new="$2" '
        {
            rest = $0
            sub(/#.*/, "", rest)
            if (rest !~ /^[ \t]*deb[ \t]/) next
            sub(/^[ \t]*deb[ \t]+/, "", rest)
            options = ""
            if (match(rest, /^\[[^]]*\][ \t]*/)) {
                options = substr(rest, 1, RLENGTH)
                sub(/[ \t]*$/, " ", options)
                rest = substr(rest, RLENGTH + 1)
            }
            count = split(rest, word, /[ \t]+/)
            for (i = 3; i <= count; i++)
                if (word[2] == suite && word[i] == "main") {
                    print "deb " options word[1] " " new " main"
                    exit
                }
        }'
}

# --- Building and running -----------------------------------------------------------------------

# Objects of two compilers do not mix, so each way of building has a directory of its own.
target_dir() { printf '%s/%s\n' "${CARGO_TARGET_DIR:-$PWD/target}" "$1"; }

# With -L / the program gets the dynamic linker and the C library of the arm64 packages. The cross
# compiler's directory has a dynamic linker too, but beside it the arm64 packages' library would be
# found, of another build of glibc: threads then hang.
qemu='qemu-aarch64 -L / -cpu max'

# Some optimization: compiling takes half a minute longer, and QEMU a sixth of the time for the tests.
cross_environment() {
    cat <<SH
export RUSTC=/usr/bin/rustc
export RUSTDOC=/usr/bin/rustdoc
export CARGO_BUILD_TARGET=$linux
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER='$qemu'
export CARGO_TARGET_DIR='$(target_dir native)'
export CARGO_PROFILE_DEV_DEBUG=line-tables-only
export CARGO_PROFILE_DEV_OPT_LEVEL=1
export OPSTITCH_QEMU='$qemu'
SH
}

# The name of a test or example, from the file it begins in: tests/NAME.rs or tests/NAME/main.rs.
target_name() {
    target=${1#*/}
    target=${target%/main.rs}
    printf '%s\n' "${target%.rs}"
}

# Prints "FILE" for every test (or example) to run; says of the others why not.
to_run() {
    for file in "$1"/*.rs "$1"/*/main.rs; do
        [ -f "$file" ] || continue
        if grep -q '^// native: skip' "$file"; then
            say "left out: $(target_name "$file"): $(sed -n 's,^// native: skip *,,p' "$file")"
        else
            printf '%s\n' "$file"
        fi
    done
}

# run_all CARGO: everything that is not left out.
run_all() {
    to_run tests >"$work/tests"
    to_run examples >"$work/examples"
    set -- "$1" --lib
    while read -r file; do set -- "$@" --test "$(target_name "$file")"; done <"$work/tests"
    while read -r file; do set -- "$@" --example "$(target_name "$file")"; done <"$work/examples"
    cargo=$1
    shift
    say "cargo test -p opstitch $*"
    # shellcheck disable=SC2086 # a list of words
    "$cargo" test ${CARGO_FLAGS:-} --no-fail-fast -p opstitch "$@"
    say "the examples in the documentation"
    # shellcheck disable=SC2086
    "$cargo" test ${CARGO_FLAGS:-} -p opstitch --doc
    run_examples "$cargo"
    test_ebpf "$cargo"
}

# The package examples/ebpf: every test, and with EBPF_CONFORMANCE the conformance programs.
test_ebpf() {
    say "cargo test -p ebpf"
    # shellcheck disable=SC2086 # a list of words
    "$1" test ${CARGO_FLAGS:-} -p ebpf
}

run_examples() {
    while read -r file; do
        say "example $(target_name "$file")"
        # shellcheck disable=SC2086 # a list of words
        "$1" run ${CARGO_FLAGS:-} -q --example "$(target_name "$file")" </dev/null
    done <"$work/examples"
}

llvm_mc() {
    sh scripts/setup.sh llvm-mc
    LLVM_MC=$(sh scripts/setup.sh --llvm-mc)
    export LLVM_MC
    say "independent assembler: ${LLVM_MC:-none}"
}

test_here() {
    sh scripts/setup.sh test
    llvm_mc
    say "this is an AArch64 machine: cargo test -p opstitch"
    # shellcheck disable=SC2086 # a list of words
    cargo test ${CARGO_FLAGS:-} -p opstitch
    to_run examples >"$work/examples"
    run_examples cargo
    test_ebpf cargo
}

test_with_qemu() {
    need_foreign_architecture
    need_packages rustc-web cargo-web libstd-rust-web-dev:amd64 libstd-rust-web-dev:arm64 \
        gcc-aarch64-linux-gnu libc6-dev-arm64-cross gdb-multiarch ca-certificates
    need_qemu
    llvm_mc
    eval "$(cross_environment)"
    say "$(qemu-aarch64 --version | head -n 1); $(/usr/bin/rustc --version)"
    say "left out: the package opstitch-emulator, the sanitizers: they are for the machine that builds"
    run_all /usr/bin/cargo
}

# The standard library for Apple's systems is built from its source, which -Zbuild-std and so
# RUSTC_BOOTSTRAP are for. Building the library, not only checking it, assembles its inline assembly.
apple_with_packages() {
    need_packages rustc-web cargo-web rust-web-src rust-web-clippy ca-certificates
    CARGO_TARGET_DIR=$(target_dir apple)
    export CARGO_TARGET_DIR RUSTC=/usr/bin/rustc CARGO=/usr/bin/cargo RUSTC_BOOTSTRAP=1 CARGO_PROFILE_DEV_DEBUG=false
    set -- -p opstitch --lib --all-features -Zbuild-std=std --target "$apple"
    say "$(/usr/bin/rustc --version); $(/usr/bin/clippy-driver --version)"
    say "types and assembly: cargo build $*"
    # shellcheck disable=SC2086 # a list of words
    /usr/bin/cargo build ${CARGO_FLAGS:-} "$@"
    say "Clippy: cargo clippy $*"
    # shellcheck disable=SC2086
    /usr/bin/cargo-clippy clippy ${CARGO_FLAGS:-} "$@" -- -D warnings
}

apple_here() {
    sh scripts/setup.sh lint
    # shellcheck disable=SC2086 # a list of words
    cargo clippy ${CARGO_FLAGS:-} -p opstitch --lib --all-features -- -D warnings
}

here="this is $(uname -s) on $machine"
case ${1:-} in
test)
    case $machine-$system in
    aarch64-* | arm64-*) test_here ;;
    x86_64-debian) test_with_qemu ;;
    *) die "$here: the tests run as AArch64 code on an AArch64 machine, or with QEMU on x86-64 Debian" ;;
    esac
    ;;
apple)
    case $system in
    macos) apple_here ;;
    debian) apple_with_packages ;;
    *) die "$here: the library is checked for macOS on macOS, or with Debian's packages of Rust on Debian" ;;
    esac
    ;;
--env) cross_environment ;;
*) die "usage: scripts/native.sh test | apple | --env" ;;
esac
