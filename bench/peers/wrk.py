"""Owns wrk, which asks over HTTP with many connections at once: Debian's package, unpacked."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from bench.peers import debian
from bench.stage import LOGS, STATE_DIR
from deploy.processes import ServicesError

INSTALLED = STATE_DIR / "peers" / "wrk"
COMMAND = INSTALLED / "usr" / "bin" / "wrk"
THREADS = 1
"""It shares two cores with what it measures."""

SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}

SCRIPT = """
local paths = {%s}
local turn = 0
request = function()
    turn = turn + 1
    return wrk.format("GET", paths[turn %% #paths + 1])
end
"""


@dataclass(frozen=True, slots=True)
class Answered:
    """What wrk counted. `refused` are answers that were not 200."""

    per_s: float
    p99_s: float
    refused: int


def is_installed() -> bool:
    return COMMAND.exists()


def ask(base: str, key: str, paths: Sequence[str], *, readers: int, seconds: float) -> Answered:
    """Let `readers` ask for `paths` in turn, each again as soon as it was answered."""
    script = LOGS / "wrk.lua"
    script.write_text(SCRIPT % ", ".join(f'"{path}"' for path in paths))
    argv = [
        str(COMMAND.resolve()), f"-t{THREADS}", f"-c{readers}", f"-d{seconds:.0f}s", "--latency",
        "--timeout", "30s", "-H", f"Authorization: Bearer {key}", "-s", str(script.resolve()), base,
    ]  # fmt: skip
    environment = {**os.environ, "LD_LIBRARY_PATH": debian.libraries(INSTALLED)}
    told = subprocess.run(argv, env=environment, capture_output=True, text=True, check=True)
    return answered(told.stdout)


def answered(text: str) -> Answered:
    """Return what wrk reports."""
    per_s = re.search(r"Requests/sec:\s+([0-9.]+)", text)
    p99 = re.search(r"99%\s+([0-9.]+)(us|ms|s|m)", text)
    refused = re.search(r"Non-2xx or 3xx responses: ([0-9]+)", text)
    assert per_s is not None, text
    assert p99 is not None, text
    p99_s = float(p99[1]) * SECONDS[p99[2]]
    return Answered(float(per_s[1]), p99_s, int(refused[1]) if refused else 0)


if __name__ == "__main__":
    try:
        debian.unpack(["wrk"], INSTALLED)
        print(f"wrk is installed in {INSTALLED}", file=sys.stderr)
    except ServicesError as error:
        print(f"wrk is left out, it comes from Debian's packages: {error}", file=sys.stderr)
