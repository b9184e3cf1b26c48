"""Owns what the peers reach on the same messages, and what they lose when the database stops."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg

from bench import load
from bench.load import Gateway, Load
from bench.measures import SMALL, Result, against, collected_per_s
from bench.peers import collectd, nodered
from bench.stage import STATE_DIR, Stage, drained_per_s, end, new_name
from deploy import local, services
from ingest.shards import Shard, whole

COUNT = "SELECT count(*) FROM readings"
PEER_MESSAGES = 4_000
AWAY_MESSAGES = 5_000 * load.UNITS
"""Of these the first gateway sends 5,000."""

PER_S = 200.0
BEFORE_S, AWAY_S, QUIET_S, SETTLED_WITHIN_S = 5.0, 10.0, 10.0, 90.0


@dataclass(frozen=True)
class Program:
    """What stores readings: how it is started, what it hears, the fleet in its words."""

    start: Callable[[Stage, str, str], subprocess.Popen[bytes]]
    filters: list[str]
    load: type[Load] = Load


OURS = Program(
    lambda stage, url, name: stage.start("collect", url=url, name=name), whole("").filters
)
NODERED = Program(nodered.start, ["nenghao/v1/+/+/+/readings"])
COLLECTD = Program(collectd.start, [collectd.TOPICS], collectd.Values)


def ingest_vs_nodered(stage: Stage) -> Result | None:
    if not nodered.is_installed():
        return None
    return against(
        "ingest_vs_nodered", "readings/s", "", 1,
        lambda: collected_per_s(stage, SMALL),
        lambda: _peer_per_s(stage, NODERED, PEER_MESSAGES),
    )  # fmt: skip


def ingest_vs_collectd(stage: Stage) -> Result | None:
    if not collectd.is_installed():
        return None
    return against(
        "ingest_vs_collectd", "readings/s", "", 1,
        lambda: collected_per_s(stage, SMALL),
        lambda: _peer_per_s(collectd.on(stage), COLLECTD, SMALL.messages),
    )  # fmt: skip


def _peer_per_s(stage: Stage, peer: Program, messages: int) -> float:
    url, name = stage.fresh_database(), new_name("peer")
    stage.subscribe(Shard(name, peer.filters))
    work = peer.load(messages, 1)
    load.send_all(stage.broker, stage.logins, work)
    process = peer.start(stage, url, name)
    try:
        return drained_per_s(url, work.total, COUNT)
    finally:
        end(process)


def lost_by_us(stage: Stage) -> Result:
    """The database stops for ten seconds under load."""
    return _lost(stage, "lost_when_database_stops_ours", OURS, "= 0")


def lost_by_nodered(stage: Stage) -> Result | None:
    if not nodered.is_installed():
        return None
    return _lost(stage, "lost_when_database_stops_nodered", NODERED, "")


def lost_by_collectd(stage: Stage) -> Result | None:
    if not collectd.is_installed():
        return None
    return _lost(collectd.on(stage), "lost_when_database_stops_collectd", COLLECTD, "")


def _lost(stage: Stage, measure: str, program: Program, bar: str) -> Result:
    """Publish at a modest rate, stop the database in the middle, compare the sets at the end."""
    url, name = stage.fresh_database(), new_name("lost")
    stage.subscribe(Shard(name, program.filters))
    process = program.start(stage, url, name)
    _until_it_stores(stage, url, program)
    messages = list(program.load(AWAY_MESSAGES, 1).batches(0))
    gateway = Gateway(stage.broker, stage.logins[0])
    sender = threading.Thread(target=gateway.send, args=(messages,), kwargs={"per_s": PER_S})
    sender.start()
    time.sleep(BEFORE_S)
    _stop_and_start(stage)
    if process.poll() is not None:
        process = program.start(stage, url, name)  # started anew, as a supervisor would
    sender.join()
    stored = _settled(url)
    end(process)
    sent = {_key(payload) for _, payload in Load(AWAY_MESSAGES, 1).batches(0)}
    lost = len(sent - stored)
    return Result(measure, lost / len(sent), lost, len(sent), "readings of all sent", bar)


def _until_it_stores(stage: Stage, url: str, program: Program) -> None:
    """Return when the program stores what comes: a reading of another unit is its sign."""
    probe = Gateway(stage.broker, stage.logins[1])
    messages = list(program.load(400 * load.UNITS, 1).batches(1))
    with psycopg.connect(url, autocommit=True) as connection:
        for message in messages:
            probe.send([message])
            time.sleep(0.2)
            row = connection.execute(COUNT).fetchone()
            if row is not None and row[0]:
                break
    probe.close()


def _stop_and_start(stage: Stage) -> None:
    home = (STATE_DIR / "services" / "bench").resolve()
    is_private = stage.services.via == services.Via.PRIVATE_ROOT
    pair = local.private(home, print) if is_private else local.native(home)
    running = pair.postgres.running()
    assert running is not None
    pair.postgres.stop(print)
    time.sleep(AWAY_S)
    password = stage.services.database_url.split(":")[2].split("@")[0]
    pair.postgres.start(running.port, password, print)


def _settled(url: str) -> set[tuple[str, datetime]]:
    """Return what is stored of the first unit once nothing more arrives."""
    before: set[tuple[str, datetime]] = set()
    changed_at = begun = time.monotonic()
    while time.monotonic() - changed_at < QUIET_S and time.monotonic() - begun < SETTLED_WITHIN_S:
        with psycopg.connect(url, options="-c timezone=UTC") as connection:
            now = {
                (meter, read_at)
                for meter, read_at in connection.execute(
                    "SELECT meter, read_at FROM readings JOIN meters USING (meter_id) "
                    "JOIN units USING (unit_id) WHERE unit = %s",
                    (load.unit_code(0),),
                )
            }
        if now != before:
            before, changed_at = now, time.monotonic()
        time.sleep(0.5)
    return before


def _key(payload: bytes) -> tuple[str, datetime]:
    (reading,) = json.loads(payload)["readings"]
    return reading["meter"], datetime.fromisoformat(reading["time"]).astimezone(UTC)


ALL = (
    ingest_vs_nodered, ingest_vs_collectd, lost_by_us, lost_by_nodered, lost_by_collectd,
)  # fmt: skip
