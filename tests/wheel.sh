#!/usr/bin/env bash
# The wheel as a user gets it: built, installed into an environment of its own, used from another folder.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$BIN/python" -m build --wheel --no-isolation --outdir "$work/dist" "$here" >"$work/build.log" 2>&1 || { cat "$work/build.log"; exit 1; }
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet -c "$here/constraints.txt" "$work"/dist/*.whl
cd "$work"
LSTMDROP_CACHE="$work/cache" "$work/venv/bin/lstmdrop" train lm --data demo --size tiny --set training.epochs=1 --out "$work/run"
LSTMDROP_CACHE="$work/cache" "$work/venv/bin/lstmdrop" eval lm --run "$work/run" --fail-under 1000
"$work/venv/bin/lstmdrop" info
echo "the wheel works"
