#!/bin/sh
# Install the wheel alone, then each extra by itself, in fresh environments outside this folder: the
# core imports nothing of any extra and says how to install it; each extra's module is imported, and
# its tests run. Names of extras as arguments: only these.
#
# An environment of an extra sees the core's packages (by a .pth file), and no other extra's.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
wanted=${*:-docs haystack ko langchain llama-index mcp onnx parquet serve training}

pip() {
    "$work/$1/bin/python" -m pip --quiet --disable-pip-version-check install \
        -c "$here/constraints.txt" "$2" ${3:-} ${4:-} ${5:-}
}

"${PYTHON:-python3}" -m venv "$work/core"
pip core torch
"$work/core/bin/python" -m pip --quiet --disable-pip-version-check wheel --no-deps \
    --wheel-dir "$work" "$here"
wheel=$(ls "$work"/kcsearch-*.whl)
pip core "$wheel"
cp -r "$here/tests" "$here/data" "$here/training" "$here/docs" "$here/examples" \
    "$here/README.md" "$here/pyproject.toml" "$work"
mkdir -p "$work/tools" && cp "$here"/tools/*.py "$work/tools"
cd "$work"

core/bin/python -P - <<'PYTHON'
import importlib.util
import pkgutil
import subprocess
import sys

import kcsearch
from kcsearch.errors import MissingExtraError

extras = "fastapi haystack kiwipiepy langchain_core llama_index mcp onnxscript pyarrow pypdf uvicorn"
assert [name for name in extras.split() if importlib.util.find_spec(name)] == []
told = []
for module in pkgutil.walk_packages(kcsearch.__path__, "kcsearch.", onerror=lambda name: None):
    if module.name == "kcsearch.__main__":
        continue
    try:
        importlib.import_module(module.name)
    except MissingExtraError as error:
        assert "pip install 'kcsearch[" in str(error), error
        told.append(module.name.removeprefix("kcsearch."))
with kcsearch.Collection("notes") as notes:
    notes.add(["환불은 사흘 안에 처리됩니다."])
    assert notes.search("환불")[0].rank == 1
for command in ("serve", "mcp"):
    done = subprocess.run([sys.executable, "-P", "-m", "kcsearch", command, "-c", "notes"],
                          capture_output=True, text=True)
    assert done.returncode == 2 and done.stdout == "", done
    assert f"pip install 'kcsearch[{command}]'" in done.stderr, done
    assert done.stderr.count("\n") == 1, done
print("core: imports no package of an extra; these say which they need:", *told)
PYTHON
pip core "$wheel[test]"
base=$(core/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')

# check EXTRA MODULE PACKAGE TESTS HELPERS: the last are what only the tests need.
check() {
    case " $wanted " in *" $1 "*) ;; *) return 0 ;; esac
    "${PYTHON:-python3}" -m venv "$1"
    site=$("$1/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    echo "$base" > "$site/core.pth"
    pip "$1" "$wheel[$1]"
    "$1/bin/python" -P -c "import importlib; importlib.import_module('$2')"
    version=$("$1/bin/python" -P -c "import importlib.metadata as m; print(m.version('$3'))")
    if [ -n "$5" ]; then pip "$1" $5; fi
    if ! "$1/bin/python" -P -m pytest -p no:cacheprovider $4 > log 2>&1; then
        cat log
        exit 1
    fi
    echo "$1: $3 $version: $(tail -n 1 log | tr -d '=')"
    rm -r "$1"
}

check docs kcsearch.readers.pdf_pages pypdf "tests/test_document_readers.py" python-docx
check haystack kcsearch.integrations.haystack haystack-ai tests/test_haystack.py ""
check ko kcsearch.kiwi kiwipiepy tests/test_kiwi.py ""
check langchain kcsearch.integrations.langchain langchain-core \
    "tests/test_langchain.py tests/test_examples.py" langchain-tests
check llama-index kcsearch.integrations.llama_index llama-index-core tests/test_llama_index.py ""
check mcp kcsearch.mcp mcp "tests/test_mcp.py tests/test_mcp_session.py" httpx
check onnx kcsearch.model_export.onnx_graph onnxscript tests/test_model_export.py onnxruntime
check parquet kcsearch.readers.parquet_records pyarrow "tests/test_document_readers.py" ""
check serve kcsearch.server.running fastapi "tests/test_server.py tests/test_server_schema.py" \
    "httpx schemathesis"
check training scipy scipy tests/test_training.py ""
