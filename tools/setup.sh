#!/bin/sh
# Prepare a fresh machine: sh tools/setup.sh demo|test
#   demo  what running the program needs
#   test  that, the other Qt bindings and the tools of the test suite
# Steps that are done already are skipped. PYTHON=/path/to/python picks the interpreter.
set -eu
cd "$(dirname "$0")/.."

purpose=${1:-demo}
venv=.venv
state=$(cat pyproject.toml constraints.txt tools/setup.sh | cksum)

say() { printf '[set-up] %s\n' "$*"; }
fail() { printf '[set-up] %s\n' "$*" >&2; exit 1; }

is_recent() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python}; do
        if is_recent "$candidate"; then echo "$candidate"; return; fi
    done
}

# Shared libraries that Qt and OpenGL load, and the Debian package of each. Asking for the library,
# not for the package, works on every release and on machines where it came another way.
missing_libraries() {
    known=$(/sbin/ldconfig -p 2>/dev/null || ldconfig -p)
    while read -r library package; do
        case $known in *"$library "*) ;; *) echo "$package" ;; esac
    done <<LIBRARIES
libGL.so.1 libgl1
libEGL.so.1 libegl1
libOpenGL.so.0 libopengl0
libglib-2.0.so.0 libglib2.0-0
libdbus-1.so.3 libdbus-1-3
libfontconfig.so.1 libfontconfig1
libxkbcommon-x11.so.0 libxkbcommon-x11-0
libxcb-cursor.so.0 libxcb-cursor0
libxcb-icccm.so.4 libxcb-icccm4
libxcb-image.so.0 libxcb-image0
libxcb-keysyms.so.1 libxcb-keysyms1
libxcb-render-util.so.0 libxcb-render-util0
libxcb-shape.so.0 libxcb-shape0
libxcb-xinerama.so.0 libxcb-xinerama0
libxcb-xkb.so.1 libxcb-xkb1
LIBRARIES
}

missing_packages() {
    missing_libraries
    if [ "$purpose" = test ] || ! sh tools/display.sh; then command -v Xvfb >/dev/null || echo xvfb; fi
    "$python" -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
}

install_packages() {
    command -v apt-get >/dev/null || return 0 # macOS and others bring what is needed, or their users do
    packages=$(missing_packages | tr '\n' ' ')
    if [ -z "$packages" ]; then say "system packages: nothing missing"; return; fi
    say "system packages: installing $packages"
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        as_root=sudo
        command -v sudo >/dev/null || fail "please install these as root first: $packages"
    fi
    $as_root apt-get update -qq
    # shellcheck disable=SC2086 # a list of words
    $as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends $packages >"$log" 2>&1 </dev/null ||
        { cat "$log" >&2; fail "apt-get could not install: $packages"; }
}

pip_install() {
    quiet=--quiet
    if [ -t 1 ]; then quiet=; fi
    # shellcheck disable=SC2086 # empty on a terminal
    "$venv/bin/python" -m pip install $quiet --disable-pip-version-check \
        --root-user-action ignore --constraint constraints.txt "$@"
}

install_python_packages() {
    if ! "$venv/bin/python" -c 'import pip' 2>/dev/null; then
        say "making the virtual environment $venv with $("$python" --version)"
        "$python" -m venv --clear "$venv"
    fi
    if [ "$purpose" = test ]; then
        say "installing the program and the tools of the test suite (a few minutes)"
        pip_install --editable ".[pyqt5,pyqt6,pyside6,dev]"
        # References in tests. Their own requirements would replace the pinned torch.
        pip_install --no-deps vit-pytorch grad-cam
    else
        say "installing the program (a few minutes)"
        pip_install --editable ".[pyqt5]"
    fi
}

is_ready() { [ "$(cat "$venv/.ready-$1" 2>/dev/null)" = "$state" ]; }

python=$(find_python)
[ -n "$python" ] || fail "no Python 3.11 or newer found; install one, or name it: make PYTHON=/path/to/python ..."
log=$(mktemp)
trap 'rm -f "$log"' EXIT

install_packages
if is_ready "$purpose" || { [ "$purpose" = demo ] && is_ready test; }; then
    say "virtual environment: up to date"
else
    install_python_packages
    echo "$state" >"$venv/.ready-$purpose"
fi
say "ready"
