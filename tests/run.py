"""Runs the whole suite, tests of faults beside all others: those wait for most of their time.

Each of the two has services of its own. What the tests of faults say is shown when the others are
done. The exit code is 0 if both passed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

FAULTS = "tests/faults"
PYTEST = [sys.executable, "-m", "pytest"]
SAID = Path("var") / "faults.log"


def main() -> int:
    SAID.parent.mkdir(exist_ok=True)
    with SAID.open("w") as said:
        own = {**os.environ, "TEST_INSTANCE": "test-faults"}
        beside = subprocess.Popen([*PYTEST, FAULTS], stdout=said, stderr=said, env=own)
        try:
            others = subprocess.run([*PYTEST, f"--ignore={FAULTS}"], check=False).returncode
        finally:  # Ctrl-C reaches both of them, and each stops what it started
            faults = beside.wait()
    print(SAID.read_text(), flush=True)
    return others or faults


if __name__ == "__main__":
    sys.exit(main())
