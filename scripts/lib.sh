# Read by the other scripts, from the project's directory, with the name of the script in $name:
# messages, and installing packages.
# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154 # what one file sets, another uses

say() { printf '%s: %s\n' "$name" "$*" >&2; }
die() {
    say "error: $*"
    exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# --- Debian and macOS ---------------------------------------------------------------------------

apt_ready=no # package lists brought up to date by this run

can_install() { [ "$(id -u)" -eq 0 ] || have sudo; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# run TEXT COMMAND...: one line of progress; what the command printed is shown only if it failed.
run() {
    say "$1"
    shift
    if "$@" >"$work/log" 2>&1 </dev/null; then
        return 0
    fi
    sed 's/^/    /' "$work/log" >&2
    return 1
}

apt_lists() {
    if [ "$apt_ready" = yes ] || ! can_install; then return 0; fi
    # One dead source among several need not matter: what is missed shows at the install.
    run "apt-get update" as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q ||
        say "apt-get update failed; going on with the package lists there are"
    apt_ready=yes
}

# Never removes a package to make room for one: that is for the machine's owner to decide.
apt_install() {
    if ! can_install; then
        say "not root, and no sudo; run as root: apt-get install $*"
        return 1
    fi
    apt_lists
    run "installing with apt-get: $*" as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -q -y --no-remove --no-install-recommends -o DPkg::Lock::Timeout=300 "$@"
}

apt_candidate() { # the version of package $1 that apt-get would install, or nothing
    apt-cache policy "$1" 2>/dev/null | sed -n 's/^ *Candidate: //p' | grep -v '^(none)$' || true
}

if have apt-get; then
    system=debian
elif [ "$(uname -s)" = Darwin ]; then
    system=macos
else
    system=other
fi

# The 88 of "1.88", which is the oldest Rust that will do.
rust_version=$(sed -n 's/^rust-version = "1\.\([0-9]*\).*/\1/p' Cargo.toml)
