#!/usr/bin/env bash
# Run the suite on another Python beside the one of .venv: its own environment, the same locked packages.
set -euo pipefail
python=$1
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
"$python" -m venv "$home/venv"
"$home/venv/bin/python" -m pip install --quiet --disable-pip-version-check uv
"$home/venv/bin/uv" pip install --quiet --python "$home/venv/bin/python" --require-hashes -r requirements/dev.txt ||
    "$home/venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
"$home/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e ./client
"$home/venv/bin/python" -m pytest -q -n auto --dist loadfile --no-loadscope-reorder -m "not browser and not slow and not history" tests/client tests/signing tests/catalog ||
    "$home/venv/bin/python" -m pytest -q --last-failed --last-failed-no-failures none -m "not browser and not slow and not history" tests/client tests/signing tests/catalog
