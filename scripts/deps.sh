#!/bin/sh
# Finds out what this machine lacks to build (and, with "test" or "bench", to test or to measure) Infinium, and installs it.
#
#   scripts/deps.sh [build|test|bench|fuzz] [--check]
#
# Looks for commands, headers and pkg-config modules rather than packages, so that a tool that came some other way
# (pyenv, nvm, a newer cmake) is left alone. Installs only on Debian and its relatives; elsewhere it says what is missing
# and stops. --check only reports.
set -eu

purpose=build
check_only=no
for argument in "$@"; do
    case $argument in
        build | test | bench | fuzz) purpose=$argument ;;
        --check) check_only=yes ;;
        *)
            echo "deps.sh: unknown argument '$argument' (build, test, bench, fuzz, --check)" >&2
            exit 2
            ;;
    esac
done

python=${PYTHON:-python3}
missing=

need() { # need PACKAGE COMMAND...: the package is missing when the command fails
    package=$1
    shift
    if ! "$@" >/dev/null 2>&1; then
        missing="$missing $package"
    fi
}

have() {
    command -v "$1"
}

module() {
    have pkg-config && pkg-config --exists "$1"
}

compilers() {
    have cc && have c++ && have make
}

python_headers() {
    "$python" -c '
import os, sysconfig
raise SystemExit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))'
}

find_chromium() {
    if [ -n "${INFINIUM_CHROMIUM:-}" ]; then
        [ -x "$INFINIUM_CHROMIUM" ]
        return
    fi
    for name in chromium google-chrome-stable google-chrome chrome chromium-browser; do
        # Ubuntu's chromium-browser is a shell script that only asks for a snap: a browser answers --version.
        if have "$name" >/dev/null 2>&1 && timeout 20 "$name" --version >/dev/null 2>&1; then
            return 0
        fi
    done
    # one that was downloaded for the browser test, see below
    for folder in "${PLAYWRIGHT_BROWSERS_PATH:-$HOME/.cache/ms-playwright}"/chromium-*; do
        [ -d "$folder" ] && return 0
    done
    return 1
}

need build-essential compilers
need cmake have cmake
need ninja-build have ninja
need pkg-config have pkg-config
need libcurl4-openssl-dev module libcurl
need libmicrohttpd-dev module libmicrohttpd
need libsqlite3-dev module sqlite3
need libzstd-dev module libzstd
need zlib1g-dev module zlib
need libsimdjson-dev module simdjson
need nettle-dev module nettle
need libgnutls28-dev module gnutls
need nodejs have node
need npm have npm
need python3 have "$python"
need python3-venv "$python" -c 'import ensurepip, venv'
need python3-dev python_headers
if [ "$purpose" = test ]; then
    need libcmocka-dev module cmocka
    need chromium find_chromium
fi

if [ "$purpose" = fuzz ]; then
    need clang have clang
fi

if [ "$purpose" = bench ]; then # what is measured beside us; Rust's cargo too, if it is there
    need lttng-tools have lttng-sessiond
    need liblttng-ust-dev module lttng-ust
    need babeltrace2 have babeltrace2
    need util-linux have taskset
fi

id=unknown
relatives=
if [ -r /etc/os-release ]; then
    id=$(. /etc/os-release && echo "${ID:-unknown}")
    relatives=$(. /etc/os-release && echo "${ID:-} ${ID_LIKE:-}")
fi

check_versions() {
    cmake_version=$(cmake --version | sed -n '1s/.*version \([0-9]*\)\.\([0-9]*\).*/\1 \2/p')
    # shellcheck disable=SC2086
    set -- $cmake_version
    if [ "$1" -lt 3 ] || { [ "$1" -eq 3 ] && [ "$2" -lt 20 ]; }; then
        echo "deps: cmake $1.$2 is too old, 3.20 or newer is needed" >&2
        exit 1
    fi
    node_major=$(node --version | sed 's/^v\([0-9]*\).*/\1/')
    if [ "$node_major" -lt 18 ]; then
        echo "deps: node $node_major is too old to build the page, 18 or newer is needed" >&2
        exit 1
    fi
    if ! "$python" -c 'import sys; raise SystemExit(sys.version_info < (3, 9))'; then
        echo "deps: $("$python" --version) is too old, 3.9 or newer is needed" >&2
        exit 1
    fi
}

if [ -z "$missing" ]; then
    check_versions
    exit 0
fi
echo "deps: missing for '$purpose':$missing"
if [ "$check_only" = yes ]; then
    exit 1
fi

case " $relatives " in
    *" debian "* | *" ubuntu "*) ;;
    *)
        cat >&2 <<MESSAGE
deps: this system ('$id') is neither Debian nor a relative of it, so nothing was installed.
Please install what these Debian packages hold, under the names your system has for them:
   $missing
and run the command again.
MESSAGE
        exit 1
        ;;
esac

root=
if [ "$(id -u)" -ne 0 ]; then
    if ! have sudo >/dev/null; then
        echo "deps: neither root nor sudo here. As root, run: apt-get install$missing" >&2
        exit 1
    fi
    root=sudo
fi

apt() {
    $root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@"
}

# Ubuntu's package "chromium" is a door to a snap, which containers and CI machines do not have; there the browser test
# takes a private browser that its own test runner downloads (see tests/browser).
packages=$missing
private_browser=no
case " $relatives " in
    *" ubuntu "*)
        case " $missing " in
            *" chromium "*)
                private_browser=yes
                packages=$(echo "$missing" | sed 's/ chromium//')
                ;;
        esac
        ;;
esac

log=$(mktemp)
trap 'rm -f "$log"' EXIT
quietly() { # its output only when it fails
    "$@" >"$log" 2>&1 || {
        tail -n 30 "$log" >&2
        return 1
    }
}

echo "deps: apt-get update"
quietly apt update -qq || { sleep 5 && quietly apt update -qq; }
if [ -n "$packages" ]; then
    echo "deps: apt-get install$packages (a few minutes)"
    # shellcheck disable=SC2086
    quietly apt install -y -qq --no-install-recommends $packages || {
        echo "deps: once more, after a pause" >&2
        sleep 10
        quietly apt install -y -qq --no-install-recommends $packages
    }
fi
if [ "$private_browser" = yes ]; then
    echo "deps: Ubuntu has Chromium as a snap only; downloading a private one for the browser test"
    # The very version that the test runs: each version looks for a browser of its own.
    playwright=$(sed -n 's/.*"playwright-core": "\([0-9.]*\)".*/\1/p' "$(dirname "$0")/../tests/browser/package.json")
    if ! quietly npx --yes "playwright-core@$playwright" install --with-deps chromium; then
        echo "deps: no browser. Install Google Chrome, or set INFINIUM_CHROMIUM to a Chromium binary." >&2
        exit 1
    fi
fi
check_versions
