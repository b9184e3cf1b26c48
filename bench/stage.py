"""Owns where a benchmark runs: services of its own, a fresh database with the fleet, processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Self
from uuid import uuid4

import psycopg
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

import db.admin
import db.migrate
from bench import load, province
from bench.province import Size
from deploy import services
from deploy.services import Services
from ingest import broker_url, credentials
from ingest.broker_url import BrokerUrl
from ingest.credentials import Login
from ingest.shards import Shard

ROOT = Path(__file__).parent.parent
STATE_DIR = ROOT / "var"
LOGS = STATE_DIR / "bench"
INSTALLED_AT = datetime(2026, 1, 1, tzinfo=UTC)
RECEIVE_MAXIMUM = 500
POLL_S = 0.005
WITHIN_S = 180.0


@dataclass
class Stage:
    """The services of the benchmarks, and the logins of the fleet's gateways."""

    services: Services
    broker: BrokerUrl
    logins: list[Login]
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    provinces: dict[Size, str] = field(default_factory=dict)

    @classmethod
    @contextmanager
    def set_up(cls) -> Iterator[Self]:
        LOGS.mkdir(parents=True, exist_ok=True)
        found = services.up(STATE_DIR, report=print, instance="bench")
        fleet = [(load.city(n), load.unit_code(n), "gw1") for n in range(load.UNITS)]
        logins = credentials.grant(found.mqtt_admin_url, fleet)
        stage = cls(found, broker_url.parse(found.mqtt_url), logins)
        try:
            yield stage
        finally:
            for process in stage.processes:
                end(process)
            services.down(STATE_DIR, report=print, instance="bench")
            services.discard(STATE_DIR, report=print, instance="bench")

    def fresh_database(self, name: str = "bench") -> str:
        """Return the URL of a migrated database that knows the fleet and holds no reading."""
        url = db.admin.recreate(self.services.database_url, name)
        db.migrate.upgrade(url)
        with psycopg.connect(url) as connection:
            for number in range(load.UNITS):
                _register(connection, number)
        return url

    def province(self, size: Size) -> str:
        """Return the URL of a database with a province of `size`, made when it is first wanted."""
        name = f"bench_{size.days}"
        if size not in self.provinces:
            self.provinces[size] = self.fresh_database(name)
            province.fill(self.provinces[size], size)
        return self.provinces[size]

    def subscribe(self, shard: Shard) -> None:
        """Make the empty session of a shard, as if its collector had been here before."""
        client = self.client(shard.name)
        is_done: list[bool] = []

        def on_connect(client: Client, *_: object) -> None:
            client.subscribe([(each, 1) for each in shard.filters])

        client.on_connect = on_connect
        client.on_subscribe = lambda *_: is_done.append(True)
        client.connect(self.broker.host, self.broker.port, clean_start=True, properties=session())
        while not is_done:
            client.loop(0.1)
        client.disconnect()
        client.loop(0.1)

    def client(self, client_id: str) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            manual_ack=True,
        )
        client.username_pw_set(self.broker.username or "", self.broker.password)
        return client

    def start(self, *arguments: str, url: str, name: str, **more: str) -> subprocess.Popen[bytes]:
        """Start a program of ours."""
        return self.run([sys.executable, "-m", "app.cli", *arguments], url, name, **more)

    def run(self, argv: list[str], url: str, name: str, **more: str) -> subprocess.Popen[bytes]:
        environment = {
            **os.environ,
            "NENGHAO_DATABASE_URL": url,
            "NENGHAO_MQTT_URL": self.services.mqtt_url,
            "NENGHAO_COLLECTOR": name,
            "NENGHAO_RECEIVE_MAXIMUM": str(RECEIVE_MAXIMUM),
            **more,
        }
        with (LOGS / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(argv, cwd=ROOT, env=environment, stdout=log, stderr=log)
        self.processes.append(process)
        return process


def end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    process.wait(timeout=30)


def session() -> Properties:
    """Return the CONNECT properties of a collector: a session that stays, a bounded window."""
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # untyped in paho
    properties.SessionExpiryInterval = 0xFFFFFFFF
    properties.ReceiveMaximum = RECEIVE_MAXIMUM
    return properties


def drained_per_s(url: str, total: int, count: str, poll_s: float = POLL_S) -> float:
    """Return readings per second from the first one in the database to the last.

    `count` is a statement that returns how many readings are there; what came with the first
    commit is not counted, since nobody saw it begin.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        first: tuple[float, int] | None = None
        until = time.monotonic() + WITHIN_S
        while time.monotonic() < until:
            row = connection.execute(count).fetchone()
            there, now = (row[0] if row else 0), time.monotonic()
            if there and first is None:
                first = (now, there)
            if there >= total:
                assert first is not None
                return (total - first[1]) / (now - first[0])
            time.sleep(poll_s)
    raise TimeoutError(f"not all of {total} readings were there within {WITHIN_S:g} s; see {LOGS}")


def _register(connection: psycopg.Connection[tuple[object, ...]], number: int) -> None:
    unit = connection.execute(
        "INSERT INTO units (unit, name, region, industry) VALUES (%s, %s, %s, 'C3120') "
        "RETURNING unit_id",
        (load.unit_code(number), f"bench {number}", load.city(number)),
    ).fetchone()
    assert unit is not None
    connection.execute("INSERT INTO gateways (unit_id, gateway) VALUES (%s, 'gw1')", unit)
    for meter in range(load.METERS):
        connection.execute(
            "WITH made AS (INSERT INTO meters (unit_id, meter, name, carrier, kind, uom, "
            "interval_s, role, installed_at) VALUES (%s, %s, 'bench', 'electricity', 'register', "
            "'kWh', 60, 'boundary', %s) RETURNING meter_id, installed_at) "
            "INSERT INTO meter_epochs (meter_id, starts_at, reason, multiplier) "
            "SELECT meter_id, installed_at, 'installed', 1 FROM made",
            (unit[0], f"M{meter:02d}", INSTALLED_AT),
        )


def new_name(prefix: str) -> str:
    return f"{prefix}-{uuid4().hex[:8]}"
