"""Whole programs as processes of their own, on the services of the test run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from deploy.services import Services

ROOT = Path(__file__).parent.parent.parent


@dataclass
class Programs:
    """Starts `nenghao` commands and ends them; what they wrote is in `folder`."""

    environment: dict[str, str]
    folder: Path
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{arguments[0]}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "app.cli", *arguments],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        self.running.append(process)
        return process

    def run(self, *arguments: str, code: int = 0) -> str:
        """Run a command to its end; return what it wrote."""
        done = subprocess.run(
            [sys.executable, "-m", "app.cli", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """End a process as a power cut would."""
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=10)

    def stop(self) -> None:
        for process in self.running:
            if process.poll() is None:
                process.terminate()
        for process in self.running:
            process.wait(timeout=20)


@pytest.fixture
def programs(services: Services, database_url: str, tmp_path: Path) -> Iterator[Programs]:
    environment = {
        **os.environ,
        "NENGHAO_STATE_DIR": str(tmp_path),
        "NENGHAO_DATABASE_URL": database_url,
        "NENGHAO_MQTT_URL": services.mqtt_url,
        "NENGHAO_MQTT_ADMIN_URL": services.mqtt_admin_url,
        "NENGHAO_COLLECTOR": f"test-{uuid4().hex[:8]}",
        "NENGHAO_SETTLE_PAUSE_S": "0.2",
    }
    made = Programs(environment, tmp_path)
    yield made
    made.stop()


def eventually(condition: Callable[[], bool], *, within_s: float = 30) -> None:
    """Return when `condition` holds; fail if it does not in time."""
    until = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.05)


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code == 200
    except httpx.HTTPError:
        return False
