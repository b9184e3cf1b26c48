"""Whatever anybody sends, every answer is one that the OpenAPI document declares [RELIABILITY 45].

No fault of ours (5xx), no undeclared status, media type or shape, nothing without its key, nothing
that should be refused, nothing later than two seconds. A failure ends with a curl command.

`make test` runs each identity for some seconds, from a fixed seed; `make soak` all for
CONTRACT_MINUTES (20) together, from seeds drawn anew. `CONTRACT_SEED=… .venv/bin/pytest …` runs one
again.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.contract.conftest import ROOT, Served
from tests.held import Held

COMMAND = Path(sys.executable).with_name("schemathesis")
CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
IDENTITIES = ("province", "city", "enterprise", "auditor", "administrator", "anonymous")
SEED = 45
EXAMPLES_MAX = 2
"""Of each call in a phase that draws them."""

SOAK_MINUTES = float(os.environ.get("CONTRACT_MINUTES", "20"))
STREAM = "text/event-stream"
"""An answer that never ends cannot be checked at its end: such calls have tests of their own."""


def streams(document: dict[str, Any]) -> list[str]:
    return [
        path
        for path, calls in document["paths"].items()
        if any(STREAM in str(call["responses"].get("200")) for call in calls.values())
    ]


def run(server: Served, identity: str, seed: int, *options: str) -> None:
    """Run schemathesis as `identity`; fail with what it found."""
    key = getattr(server.keys, identity, None)
    document = httpx.get(f"{server.url}/openapi.json").json()
    argv = [
        str(COMMAND), f"--config-file={CONFIGURATION}", "run", f"{server.url}/openapi.json",
        f"--seed={seed}", *options, *(f"--exclude-path={path}" for path in streams(document)),
    ]  # fmt: skip
    if key is not None:
        argv.append(f"--header=Authorization: Bearer {key}")
    done = subprocess.run(
        argv,
        cwd=server.log.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout)
    if done.returncode:
        end = done.stdout.replace(key or "\0", "$KEY")
        pytest.fail(
            f"as {identity}, CONTRACT_SEED={seed}; the server said\n"
            f"{server.log.read_text(encoding='utf-8')[-3000:]}\n{end}{done.stderr}",
            pytrace=False,
        )


def seed(usual: int) -> int:
    return int(os.environ.get("CONTRACT_SEED", usual))


@pytest.mark.soak  # two minutes: the runs of each commit draw from the borders, too
def test_every_border_of_every_parameter_is_answered_as_declared(server: Served) -> None:
    """Try what lies on and beyond each border in the description: some 4,000 requests."""
    run(server, "city", seed(SEED), "--phases=coverage", "--workers=2")


@pytest.mark.parametrize("identity", IDENTITIES)
def test_every_answer_is_declared(server: Served, identity: str) -> None:
    drawn = f"--max-examples={EXAMPLES_MAX}"
    run(server, identity, seed(SEED), "--phases=examples,fuzzing,stateful", drawn)


def test_the_books_hold_after_all_that(server: Served) -> None:
    Held(tampers=False, puts_in=frozenset()).check_database(server.database_url)


@pytest.mark.soak
@pytest.mark.timeout(SOAK_MINUTES * 120)
@pytest.mark.parametrize("identity", IDENTITIES)
def test_every_answer_is_declared_for_long(server: Served, identity: str) -> None:
    drawn = seed(random.SystemRandom().randrange(2**31))
    print(f"CONTRACT_SEED={drawn}")
    run(server, identity, drawn, f"--max-time={round(SOAK_MINUTES * 60 / len(IDENTITIES))}")
