"""`python -m torture [NAME …]`: run these, or all of them, and write results/NAME.json."""

from __future__ import annotations

import importlib
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

from torture import faults

NAMES = ["kills", "write_faults", "power_loss", "damage", "state_machine", "fuzzing", "readers"]
NAMES += ["peers"]
RESULTS = Path(__file__).with_name("results")


def main(names: list[str]) -> None:
    if "LD_PRELOAD" not in os.environ and faults.can_be_built():
        with tempfile.TemporaryDirectory() as folder:
            environment = faults.environment(faults.build(Path(folder)))
            command = [sys.executable, "-m", "torture", *names]
            code = os.spawnve(os.P_WAIT, sys.executable, command, environment)
        sys.exit(code)
    failed = False
    for name in names or NAMES:
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="torture-") as folder:
            report = importlib.import_module(f"torture.{name}").run(Path(folder))
        report["seconds"] = round(time.monotonic() - started)
        report["machine"] = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
        failed |= bool(report["problems"])
        RESULTS.mkdir(exist_ok=True)
        text = json.dumps(report, ensure_ascii=False, indent=1)
        (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")
        print(name, text, flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
