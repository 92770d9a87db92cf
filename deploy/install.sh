#!/bin/sh
# Install what requirements/$1.txt names into .venv, with one plain line for each thing that can be missing.
set -eu
set_name=${1:-server}

say() { printf '%s\n' "$*" >&2; }
refuse() { say "error: $1"; exit 1; }

find_python() {
    for name in ${ALMANAC_PYTHON:-} python3.13 python3.12 python3.11 python3 python3.14; do
        if command -v "$name" >/dev/null 2>&1 && "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            command -v "$name"
            return
        fi
    done
    return 1
}

[ -w . ] || refuse "this folder is not writable: $(pwd). Clone Almanac where you may write."

if [ ! -x .venv/bin/python ] || ! .venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    python=$(find_python) || refuse "Almanac needs Python 3.11 or newer; found $(python3 --version 2>/dev/null || echo 'no python3'). Install one (Debian: apt install python3 python3-venv)."
    "$python" -c 'import venv, ensurepip' 2>/dev/null || refuse "Python's venv module is missing. Install it (Debian: apt install python3-venv) and run this again."
    say "Making .venv with $("$python" --version) …"
    rm -rf .venv
    "$python" -m venv .venv || refuse "the virtual environment could not be made in .venv; the reason stands above."
fi

say "Installing what Almanac needs ($set_name); this happens once …"
install_packages() {
    # The long list of the tests goes in much faster with uv; pip does the same where uv finds no index.
    if [ "$set_name" = dev ] && .venv/bin/python -m pip install --quiet --disable-pip-version-check uv &&
        .venv/bin/uv pip install --quiet --python .venv/bin/python --require-hashes -r "requirements/$set_name.txt"; then
        return 0
    fi
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r "requirements/$set_name.txt"
}

install_packages ||
    refuse "installing failed; the reason stands above. A package index must be reachable for the first start."
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e ./client ||
    refuse "installing the client from ./client failed; the reason stands above."
touch .venv/installed-server
[ "$set_name" = server ] || touch .venv/installed-dev
