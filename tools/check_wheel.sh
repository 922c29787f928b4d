#!/bin/sh
# Build the wheel, install it into a fresh environment outside this folder, search and test there.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
pip="$work/venv/bin/python -m pip --quiet --disable-pip-version-check"
$pip install -c "$here/constraints.txt" torch
$pip wheel --no-deps --wheel-dir "$work" "$here"
wheel=$(ls "$work"/kcsearch-*.whl)
$pip install -c "$here/constraints.txt" "$wheel[test,training]"
cp -r "$here/tests" "$here/data" "$here/training" "$here/README.md" "$here/SECURITY.md" "$here/pyproject.toml" "$work"
mkdir -p "$work/tools" && cp "$here"/tools/*.py "$work/tools"
cd "$work"
venv/bin/kcsearch index data/everyday.jsonl
venv/bin/kcsearch query "안녕하세요" "비가 오나요" "강아지가 초콜릿을 먹었어요" -k 3
venv/bin/python -P -m pytest
