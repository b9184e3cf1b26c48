"""Services that a test may stop and kill, gateways that remember what they sent, and a seed.

Every test prints its seed; FAULT_SEED repeats a run that failed.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import psycopg
import psycopg.sql
import pytest

import db.admin
import db.migrate
from bench.load import Gateway
from deploy import local, services
from deploy.local import Pair
from deploy.services import Services
from ingest import broker_url, credentials
from ingest.credentials import Login
from tests import factories
from tests.conftest import STATE_DIR
from tests.faults.ledger import Ledger
from tests.ingest.conftest import plant as plant

ROOT = Path(__file__).parent.parent.parent
GATEWAYS = 4
METERS = 5
INSTANCE = "faults"
TEMPLATE = "faults_template"
SINCE = datetime(2026, 11, 1, tzinfo=UTC)


@dataclass
class Works:
    """A database of its own with four units and their gateways, and the collectors of one name."""

    pair: Pair
    services: Services
    database_url: str
    logins: list[Login]
    folder: Path
    random: random.Random
    name: str = field(default_factory=lambda: f"faults-{uuid4().hex[:8]}")
    ledger: Ledger = field(default_factory=Ledger)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    told: int = 0

    # -- collectors -------------------------------------------------------------------------------

    def collect(
        self, *, log: str = "collect", fault: str = "", shard: str = "", **settings: str
    ) -> subprocess.Popen[bytes]:
        """Start a collector; what it says goes to the log of that name."""
        part = ["--shard", shard] if shard else []
        return self.run("app.cli", "collect", *part, log=log, FAULT=fault, **settings)

    def run(
        self, module: str, *arguments: str, log: str, **settings: str
    ) -> subprocess.Popen[bytes]:
        """Start a program as a collector of ours."""
        environment = {
            **os.environ,
            "NENGHAO_STATE_DIR": str(self.folder),
            "NENGHAO_DATABASE_URL": self.database_url,
            "NENGHAO_MQTT_URL": self.services.mqtt_url,
            "NENGHAO_COLLECTOR": self.name,
            **settings,
        }
        with (self.folder / f"{log}.log").open("ab") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                cwd=ROOT,
                env=environment,
                stdout=file,
                stderr=file,
            )
        self.processes.append(process)
        return process

    def said(self, event: str, log: str = "collect") -> list[dict[str, object]]:
        """Return what collectors said of `event`."""
        path = self.folder / f"{log}.log"
        lines = path.read_text().splitlines() if path.exists() else []
        told = (json.loads(line) for line in lines if line.startswith("{"))
        return [each for each in told if each.get("event") == event]

    def connected(self, log: str = "collect") -> int:
        return len(self.said("connected", log))

    # -- gateways ---------------------------------------------------------------------------------

    def messages(self, gateway: int, count: int, readings: int = 1) -> list[tuple[str, bytes]]:
        """Return new batches of a gateway; every reading of them is noted in the ledger."""
        login = self.logins[gateway]
        topic = f"nenghao/v1/{login.city}/{login.unit}/{login.gateway}/readings"
        made = []
        for _ in range(count):
            batch: list[dict[str, object]] = []
            for _ in range(readings):
                self.told += 1
                minute, meter = divmod(self.told, METERS)
                read_at = SINCE + timedelta(seconds=minute)
                value = float(1000 + minute)
                self.ledger.note(login.unit, f"M{meter}", read_at, value)
                batch.append({"meter": f"M{meter}", "time": read_at.isoformat(), "value": value})
            said = {"batch": f"b{self.told}", "readings": batch}
            made.append((topic, json.dumps(said).encode()))
        return made

    def publishing(self, count: int, *, per_s: float, readings: int = 1) -> list[threading.Thread]:
        """Start all gateways, each with `count` messages and its share of `per_s`."""
        broker = broker_url.parse(self.services.mqtt_url)

        def send(number: int, messages: list[tuple[str, bytes]]) -> None:
            gateway = Gateway(broker, self.logins[number])
            gateway.send(messages, per_s=per_s / GATEWAYS)
            gateway.close()

        threads = [
            threading.Thread(target=send, args=(number, self.messages(number, count, readings)))
            for number in range(GATEWAYS)
        ]
        for thread in threads:
            thread.start()
        return threads

    # -- what is there ----------------------------------------------------------------------------

    def received(self) -> int:
        """Return how many readings were received so far; -1 when the database does not answer."""
        return self._total("received")

    def stored(self) -> int:
        """Return how many of them are stored: what is delivered again is received again."""
        return self._total("stored")

    def _total(self, column: str) -> int:
        statement = psycopg.sql.SQL("SELECT coalesce(sum({}), 0)::bigint FROM ingest_totals")
        try:
            with psycopg.connect(self.database_url, connect_timeout=2) as connection:
                row = connection.execute(
                    statement.format(psycopg.sql.Identifier(column))
                ).fetchone()
        except psycopg.Error:
            return -1
        assert row is not None
        return int(row[0])

    def stop(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.terminate()
        for process in self.processes:
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=10)


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a process as a power cut would."""
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=10)


def said_at(said: dict[str, object]) -> datetime:
    return datetime.fromisoformat(str(said["timestamp"]))


def rss_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = (each for each in status.splitlines() if each.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def until(condition: Callable[[], bool], *, within_s: float = 30, what: str = "it") -> float:
    """Return after how many seconds `condition` held; fail if it does not in time."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < within_s, f"{what} did not happen within {within_s:g} s"
        time.sleep(0.02)
    return time.monotonic() - begun


@pytest.fixture(scope="session")
def machine() -> Iterator[Services]:
    """Services of the fault tests' own, so that others are not disturbed."""
    made = services.up(STATE_DIR, report=print, instance=INSTANCE)
    db.migrate.upgrade(db.admin.recreate(made.database_url, TEMPLATE))
    yield made
    services.up(STATE_DIR, report=print, instance=INSTANCE)  # a test may have stopped one
    services.down(STATE_DIR, report=print, instance=INSTANCE)
    services.discard(STATE_DIR, report=print, instance=INSTANCE)


@pytest.fixture
def works(machine: Services, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Works]:
    if machine.via == services.Via.COMPOSE:
        pytest.skip("the fault tests stop single programs: not those of a compose file")
    seed = os.environ.get("FAULT_SEED", request.node.name)
    print(f"FAULT_SEED={seed}")
    home = STATE_DIR / "services" / INSTANCE
    is_private = machine.via == services.Via.PRIVATE_ROOT
    pair = local.private(home.resolve(), print) if is_private else local.native(home.resolve())
    url = db.admin.recreate(machine.database_url, f"faults_{uuid4().hex[:8]}", template=TEMPLATE)
    codes = [factories.unit_code(number) for number in range(1, GATEWAYS + 1)]
    fleet = [("450200", code, "gw1") for code in codes]
    logins = credentials.grant(machine.mqtt_admin_url, fleet)
    register(url, codes)
    made = Works(pair, machine, url, logins, tmp_path, random.Random(seed))
    yield made
    made.stop()


def register(url: str, units: list[str]) -> None:
    with psycopg.connect(url) as connection:
        for unit in units:
            connection.execute(
                "WITH u AS (INSERT INTO units (unit, name, region, industry) "
                "VALUES (%s, 'faults', '450202', 'C3120') RETURNING unit_id), "
                "g AS (INSERT INTO gateways (unit_id, gateway) SELECT unit_id, 'gw1' FROM u) "
                "INSERT INTO meters (unit_id, meter, name, carrier, kind, uom, interval_s, role, "
                "installed_at) SELECT unit_id, 'M' || n, 'faults', 'electricity', 'register', "
                "'kWh', 60, 'boundary', '2026-01-01Z' FROM u, generate_series(0, %s) AS n",
                (unit, METERS - 1),
            )
