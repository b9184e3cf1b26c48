"""Runs the whole suite as two halves side by side, each with services of its own.

Tests of faults wait for most of their time, so they come first in the half that runs beside. What
it says is shown when the other is done. The exit code is 0 if both passed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

BESIDE = [
    "tests/faults",
    "tests/contract",
    "tests/end_to_end",
    "tests/db",
    "tests/ingest",
    "tests/alerts",
]
PYTEST = [sys.executable, "-m", "pytest"]
SAID = Path("var") / "beside.log"


def main() -> int:
    SAID.parent.mkdir(exist_ok=True)
    with SAID.open("w") as said:
        own = {**os.environ, "TEST_INSTANCE": "test-beside"}
        beside = subprocess.Popen([*PYTEST, *BESIDE], stdout=said, stderr=said, env=own)
        try:
            others = [f"--ignore={each}" for each in BESIDE]
            here = subprocess.run([*PYTEST, *others], check=False).returncode
        finally:  # Ctrl-C reaches both of them, and each stops what it started
            there = beside.wait()
    print(SAID.read_text(), flush=True)
    return here or there


if __name__ == "__main__":
    sys.exit(main())
