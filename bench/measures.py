"""Owns the measures: each returns what we reach and what the baseline reaches in the same run."""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import httpx
import psycopg

import app.auth
import db.pool
import ingest.shards
from bench import baselines, load
from bench.load import Gateway, Load
from bench.stage import LOGS, Stage, drained_per_s, end, new_name
from deploy import processes
from ingest.shards import Shard, whole

RECEIVED = "SELECT coalesce(sum(received), 0)::bigint FROM ingest_totals"
LARGE = Load(8_000, 100)
SMALL = Load(40_000, 1)
SLOW = Load(4_000, 1)
"""For those that take seconds for what takes us a tenth of one."""

FLOOD = Load(60_000, 100)
HALF_LOAD_S = 10.0
PROBES = 150
READY_WITHIN_S = 30.0
PROBE_PAUSE_S = 0.05
PROBE_POLL_S = 0.02
"""Between two looks for a probe: without a pause, looking takes a core from what is looked at."""


@dataclass(frozen=True)
class Result:
    """`ratio` is ours over the baseline; where there is no baseline it is our figure itself."""

    name: str
    ratio: float
    ours: float
    baseline: float | None
    unit: str
    bar: str


def against(
    name: str,
    unit: str,
    bar: str,
    rounds: int,
    ours: Callable[[], float],
    base: Callable[[], float],
) -> Result:
    """Measure both in turn, `rounds` times; the result is the round with the median ratio."""
    pairs = [(ours(), base()) for _ in range(rounds)]
    pairs.sort(key=lambda pair: pair[0] / pair[1])
    mine, its = pairs[len(pairs) // 2]
    return Result(name, mine / its, mine, its, unit, bar)


def collected_per_s(stage: Stage, work: Load, *shards: str) -> float:
    """Return how many readings a second collectors of ours take from full queues to the table."""
    url, name = stage.fresh_database(), new_name("ours")
    for shard in [ingest.shards.parse(name, each) for each in shards] or [whole(name)]:
        stage.subscribe(shard)
    load.send_all(stage.broker, stage.logins, work)
    options = [["--shard", shard] for shard in shards] or [[]]
    running = [stage.start("collect", *each, url=url, name=name) for each in options]
    try:
        return drained_per_s(url, work.total, RECEIVED)
    finally:
        for process in running:
            end(process)


def sustained_per_s(stage: Stage, work: Load) -> float:
    """Return how many readings a second a collector stores while the gateways are sending them."""
    url, name = stage.fresh_database(), new_name("sustained")
    stage.subscribe(whole(name))
    collector = stage.start("collect", url=url, name=name)
    try:
        load.send_all(stage.broker, stage.logins, work)
        return drained_per_s(url, work.total, RECEIVED)
    finally:
        end(collector)


def client_per_s(stage: Stage, kind: str, work: Load) -> float:
    """Return how many messages a second a baseline client takes from a full queue."""
    url, name = stage.fresh_database(), new_name(kind)
    stage.subscribe(Shard(name, ["nenghao/v1/+/+/+/readings"]))
    load.send_all(stage.broker, stage.logins, work)
    argv = [sys.executable, "-m", "bench.baselines", kind, name, str(work.messages)]
    process = stage.run(argv, url, name)
    process.wait(timeout=180)
    return float((LOGS / f"{name}.log").read_text())


def ingest_100(stage: Stage) -> Result:
    return against(
        "ingest_100_per_message_vs_copy", "readings/s", "≥ 0.8", 3,
        lambda: collected_per_s(stage, LARGE),
        lambda: baselines.copy_per_s(stage.fresh_database(), LARGE),
    )  # fmt: skip


def ingest_1(stage: Stage) -> Result:
    return against(
        "ingest_1_per_message_vs_bare_client", "messages/s", "≥ 0.8", 3,
        lambda: collected_per_s(stage, SMALL),
        lambda: client_per_s(stage, "bare", SMALL),
    )  # fmt: skip


def ingest_vs_naive(stage: Stage) -> Result:
    return against(
        "ingest_vs_naive", "readings/s", "≥ 10", 1,
        lambda: collected_per_s(stage, SMALL),
        lambda: client_per_s(stage, "naive", SLOW),
    )  # fmt: skip


def two_collectors(stage: Stage) -> Result:
    return against(
        "two_collectors_vs_one", "readings/s", "", 3,
        lambda: collected_per_s(stage, SMALL, "450200", "450300"),
        lambda: collected_per_s(stage, SMALL, "450200+450300"),
    )  # fmt: skip


def rss_under_overload(stage: Stage) -> Result:
    """Flood a running collector with over ten times what it stores; watch its memory."""
    url, name = stage.fresh_database(), new_name("flood")
    stage.subscribe(whole(name))
    process = stage.start("collect", url=url, name=name)
    highest = 0.0
    flood = threading.Thread(target=load.send_all, args=(stage.broker, stage.logins, FLOOD))
    flood.start()
    with psycopg.connect(url, autocommit=True) as connection:
        while True:
            highest = max(highest, _rss_mb(process.pid))
            row = connection.execute(RECEIVED).fetchone()
            if not flood.is_alive() and row is not None and int(str(row[0])) >= FLOOD.total:
                break
            time.sleep(0.05)
    end(process)
    return Result("rss_mb_under_10x_overload", highest, highest, None, "MB", "≤ 200")


def _rss_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def publish_to_query(stage: Stage) -> Result:
    """Half the load in the background; probes are published and asked for over HTTP."""
    per_s = sustained_per_s(stage, SMALL)
    url, name = stage.fresh_database(), new_name("latency")
    stage.subscribe(whole(name))
    port = processes.free_port(None)
    running = [
        stage.start("collect", url=url, name=name),
        stage.start("serve", url=url, name=new_name("serve"), NENGHAO_HTTP_PORT=str(port)),
    ]
    background = Load(int(per_s / 2 * HALF_LOAD_S), 1)
    senders = [
        threading.Thread(target=_half_load, args=(stage, background, number, per_s / 2))
        for number in range(1, load.UNITS)
    ]
    try:
        _until_ready(port)  # starting is not what is measured
        for sender in senders:
            sender.start()
        delays = _probe(stage, url, port)
    finally:
        for sender in senders:
            if sender.ident is not None:
                sender.join()
        for process in running:
            end(process)
    p99 = statistics.quantiles(delays, n=100)[98]
    return Result("publish_to_query_p99_s", p99, p99, None, "s", "≤ 2")


def _until_ready(port: int) -> None:
    """Return when the interface answers and a collector has given a sign of life."""
    until = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < until:
        with suppress(httpx.TransportError):
            answer = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=2)
            if 'nenghao_heartbeat_age_seconds{instance="latency' in answer.text:
                return
        time.sleep(0.1)
    raise TimeoutError(f"not ready within {READY_WITHIN_S:g} s; see {LOGS}")


def _half_load(stage: Stage, work: Load, number: int, per_s: float) -> None:
    gateway = Gateway(stage.broker, stage.logins[number])
    gateway.send(list(work.batches(number)), per_s=per_s / load.UNITS)
    gateway.close()


def _probe(stage: Stage, url: str, port: int) -> list[float]:
    """Return how long each probe took from its publication to its answer over HTTP. [s]"""
    key, unit = asyncio.run(_new_key(url)), load.unit_code(0)
    gateway, delays = Gateway(stage.broker, stage.logins[0]), []
    with httpx.Client(
        base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {key}"}
    ) as client:
        for message in list(Load(PROBES * load.UNITS, 1).batches(0)):
            begun = time.monotonic()
            gateway.send([message])
            while not _is_there(client, unit, message[1]):
                time.sleep(PROBE_POLL_S)
            delays.append(time.monotonic() - begun)
            time.sleep(PROBE_PAUSE_S)
    gateway.close()
    return delays


def _is_there(client: httpx.Client, unit: str, payload: bytes) -> bool:
    (reading,) = json.loads(payload)["readings"]
    since = datetime.fromisoformat(reading["time"])
    span = {"from": since.isoformat(), "to": (since + load.STEP).isoformat()}
    query = {"unit": unit, "meter": reading["meter"], **span}
    answer = client.get("/v1/readings", params=query)
    answer.raise_for_status()
    return bool(answer.json()["items"])


async def _new_key(url: str) -> str:
    async with await db.pool.create_pool(url) as pool, pool.acquire() as connection:
        return await app.auth.create_key(
            connection, label="bench", region="450000", unit=None, expires_at=None
        )


ALL = (ingest_100, ingest_1, ingest_vs_naive, two_collectors, rss_under_overload, publish_to_query)
