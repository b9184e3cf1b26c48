"""Owns the measures of queries: as history grows, against a scan, against SQL alone, and many.

Asked over HTTP of `nenghao serve` on the province of `bench/province.py`.
"""

from __future__ import annotations

import asyncio
import statistics
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

import httpx
import psycopg

import app.auth
import db.area_sums
import db.consumption
import db.logins
import db.pool
import db.scope
import db.unverified
from bench import load, province
from bench.load import Gateway, Load, Message
from bench.measures import RECEIVED, SMALL, Result, against, sustained_per_s
from bench.peers import wrk
from bench.province import MONTH_AT, UNTIL, Size
from bench.stage import LOGS, Stage, drained_per_s, end, new_name
from db.consumption import Group, Selection
from db.pool import Connection
from db.scope import Scope
from deploy import processes
from energy import roles
from energy.factors import Basis
from energy.periods import LOCAL, Span, Step
from ingest.shards import whole

READY_WITHIN_S = 30.0
ROUNDS = 60
SCANS = 3
READERS = 200
BUSY_S = 30
"""Half of it without readers, half with them."""

SELDOM_S = 0.05

UNBOUNDED = {"NENGHAO_REQUESTS_PER_MINUTE": "1000000000"}
"""All readers have one key."""

ONCE, TENFOLD = Size(days=73), Size(days=730, hourly_units=50, has_readings=True)
"""Two years, and a tenth of them."""

# As a user would write it: what each register showed at the end of a month less what it showed at
# the end of the month before, in coal.
SCAN = """
WITH shown AS (
    SELECT meter_id, date_trunc('month', read_at - INTERVAL '1 hour', 'Asia/Shanghai') AS month,
           max(raw_value) AS value
      FROM readings
      JOIN meters USING (meter_id)
      JOIN units USING (unit_id)
     WHERE region = %s
       AND read_at BETWEEN %s AND %s
     GROUP BY meter_id, month
), used AS (
    SELECT meter_id, month, value - lag(value) OVER (PARTITION BY meter_id ORDER BY month) AS used
      FROM shown
)
SELECT month, sum(used * kgce_per_uom) / 1000 AS energy_tce
  FROM used
  JOIN meters USING (meter_id)
  JOIN dated_factors AS factors USING (carrier)
 WHERE role = 'boundary'
   AND basis = 'calorific'
   AND factors.unit_id IS NULL
   AND validity @> (month AT TIME ZONE 'Asia/Shanghai')::date
   AND used IS NOT NULL
 GROUP BY month
 ORDER BY month
"""


EXPORTED = timedelta(days=400)
"""As much as one export may hold, a reading a minute."""

MINUTES = """
INSERT INTO readings (meter_id, read_at, raw_value, quality, received_at)
SELECT meter_id, read_at, extract(epoch FROM read_at) / 60, 'good', read_at + INTERVAL '2 seconds'
  FROM meters
  JOIN units USING (unit_id)
 CROSS JOIN generate_series(%s::timestamptz, %s::timestamptz - INTERVAL '1 minute', '1 minute')
            AS read_at
 WHERE unit = %s
   AND meter = 'M00'
"""

COPY_OUT = """
COPY (SELECT unit, meter, read_at, raw_value, quality, received_at
        FROM readings
        JOIN meters USING (meter_id)
        JOIN units USING (unit_id)
       WHERE unit = %s
         AND meter = 'M00'
         AND read_at >= %s
         AND read_at < %s
       ORDER BY read_at) TO STDOUT (FORMAT csv)
"""


@dataclass(frozen=True)
class Served:
    """A running interface, and a client of it with the key of the whole province."""

    url: str
    base: str
    key: str
    client: httpx.Client

    def seconds(self, path: str, query: Mapping[str, str]) -> float:
        begun = time.perf_counter()
        answer = self.client.get(path, params=query)
        taken_s = time.perf_counter() - begun
        answer.raise_for_status()
        return taken_s


@contextmanager
def serving(stage: Stage, url: str, region: str = "450000") -> Iterator[Served]:
    port = processes.free_port(None)
    process = stage.start(
        "serve", url=url, name=new_name("serve"), NENGHAO_HTTP_PORT=str(port), **UNBOUNDED
    )
    base, key = f"http://127.0.0.1:{port}", asyncio.run(_new_key(url, region))
    try:
        with httpx.Client(base_url=base, headers={"Authorization": f"Bearer {key}"}) as client:
            until = time.monotonic() + READY_WITHIN_S
            while not _is_ready(client):
                assert time.monotonic() < until, f"not ready; see {LOGS}"
                time.sleep(0.1)
            yield Served(url, base, key, client)
    finally:
        end(process)


def _is_ready(client: httpx.Client) -> bool:
    with suppress(httpx.TransportError):
        return client.get("/healthz").status_code == httpx.codes.OK
    return False


async def _new_key(url: str, region: str) -> str:
    async with await db.pool.create_pool(url) as pool, pool.acquire() as connection:
        return await app.auth.create_key(
            connection, label=new_name("bench"), region=region, unit=None, expires_at=None
        )


def month_by_city() -> dict[str, str]:
    return {
        "from": MONTH_AT.astimezone(LOCAL).isoformat(),
        "to": UNTIL.astimezone(LOCAL).isoformat(),
        "bucket": "month",
        "group_by": "region",
    }


def query_month_by_city(stage: Stage) -> Result:
    """The same question to ten times the history and to once, in turn; the median pair counts."""
    query = month_by_city()
    with (
        serving(stage, stage.province(ONCE)) as once,
        serving(stage, stage.province(TENFOLD)) as tenfold,
    ):
        pairs = [
            (tenfold.seconds("/v1/consumption", query), once.seconds("/v1/consumption", query))
            for _ in range(ROUNDS)
        ][ROUNDS // 3 :]
    ours, base = (statistics.median(each) for each in zip(*pairs, strict=True))
    ratio = statistics.median(more / less for more, less in pairs)
    return Result("query_month_by_city_10x_history", ratio, ours, base, "s an answer", "≤ 1.2")


def query_vs_raw_scan(stage: Stage) -> Result:
    """A county's months of two years from settled sums, over HTTP, and from readings by SQL."""
    url, starts_at = stage.province(TENFOLD), UNTIL - timedelta(days=TENFOLD.days)
    query = {
        "from": starts_at.astimezone(LOCAL).isoformat(),
        "to": UNTIL.astimezone(LOCAL).isoformat(),
        "bucket": "month",
        "region": province.COUNTY,
    }
    with serving(stage, url) as served, psycopg.connect(url) as connection:
        taken = [served.seconds("/v1/consumption", query) for _ in range(ROUNDS)]
        items = served.client.get("/v1/consumption", params=query).json()["items"]
        scans: list[float] = []
        for _ in range(SCANS):
            begun = time.perf_counter()
            rows = connection.execute(SCAN, (province.COUNTY, starts_at, UNTIL)).fetchall()
            scans.append(time.perf_counter() - begun)
    answers = {datetime.fromisoformat(item["starts_at"]): item["energy_tce"] for item in items}
    assert len(rows) >= len(answers) - 1  # of the first month the register before it is not there
    for month, energy_tce in rows:
        assert abs(answers[month] - energy_tce) <= 1e-9 * energy_tce, (month, energy_tce)
    ours, base = statistics.median(taken[ROUNDS // 3 :]), statistics.median(scans)
    return Result("query_vs_raw_scan", base / ours, ours, base, "s an answer", "≥ 100")


def http_vs_sql(stage: Stage) -> Result:
    """A small answer, of one city: the request against its statements alone on one connection."""
    url, query = stage.province(TENFOLD), month_by_city()
    with serving(stage, url, region="450200") as served:
        pairs = asyncio.run(_request_and_sql(served, query))
    ours, base = (statistics.median(each) for each in zip(*pairs, strict=True))
    return Result("http_vs_sql", ours / base, ours, base, "s an answer", "≤ 3")


async def _request_and_sql(served: Served, query: Mapping[str, str]) -> list[tuple[float, float]]:
    selection = Selection(
        Span(MONTH_AT, UNTIL), Step.MONTH, Basis.CALORIFIC, frozenset({Group.REGION})
    )
    url = db.logins.derived(served.url)
    pairs = []
    async with (
        await db.pool.create_view_pool(url, timeout_s=10, application="bench") as pool,
        pool.acquire() as connection,
    ):
        for _ in range(ROUNDS):
            taken_s = served.seconds("/v1/consumption", query)
            begun = time.perf_counter()
            await _statements(connection, Scope("4502"), selection)
            pairs.append((taken_s, time.perf_counter() - begun))
    return pairs[ROUNDS // 3 :]


async def _statements(connection: Connection, scope: Scope, selection: Selection) -> None:
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await db.scope.enter(connection, scope)
        await db.consumption.list_meters(connection, scope, selection, roles=roles.COUNTING)
        await db.area_sums.list_sums(connection, scope, selection)
        await db.unverified.list_factors(connection, scope, selection, roles=roles.COUNTING)


def export(stage: Stage) -> Result:
    """The readings of a meter as CSV over HTTP, against the database's COPY of the same columns."""
    url = stage.province(TENFOLD)
    starts_at = UNTIL - EXPORTED
    with psycopg.connect(url) as connection:
        made = connection.execute(MINUTES, (starts_at, UNTIL, load.unit_code(0)))
        rows = made.rowcount
        connection.commit()
        connection.autocommit = True
        connection.execute("VACUUM ANALYZE readings")
        query = {
            "unit": load.unit_code(0),
            "meter": "M00",
            "from": starts_at.isoformat(),
            "to": UNTIL.isoformat(),
            "format": "csv",
        }
        with serving(stage, url) as served:
            result = against(
                "export_rows_per_s_vs_copy_out", "rows/s", "≥ 0.3", 3,
                lambda: rows / _downloaded_s(served, query, rows),
                lambda: rows / _copied_out_s(connection, starts_at),
            )  # fmt: skip
        connection.execute("DELETE FROM readings USING meters JOIN units USING (unit_id) "
                           "WHERE meters.meter_id = readings.meter_id AND unit = %s",
                           (load.unit_code(0),))  # fmt: skip
    return result


def _downloaded_s(served: Served, query: Mapping[str, str], rows: int) -> float:
    lines, begun = 0, time.perf_counter()
    with served.client.stream(
        "GET", "/v1/readings", params=query, headers={"Accept-Encoding": "identity"}, timeout=60
    ) as answer:
        answer.raise_for_status()
        for chunk in answer.iter_bytes():
            lines += chunk.count(b"\n")
    assert lines == rows + 1, (lines, rows)
    return time.perf_counter() - begun


def _copied_out_s(connection: psycopg.Connection[tuple[object, ...]], since: datetime) -> float:
    begun = time.perf_counter()
    with connection.cursor().copy(COPY_OUT, (load.unit_code(0), since, UNTIL)) as copy:
        for _ in copy:
            pass
    return time.perf_counter() - begun


def requests_per_s(stage: Stage) -> list[Result] | None:
    """200 readers while ingest takes half its load, which it took alone just before."""
    if not wrk.is_installed():
        return None
    per_s = sustained_per_s(stage, SMALL) / 2
    url, name = stage.province(TENFOLD), new_name("beside")
    stage.subscribe(whole(name))
    collector = stage.start("collect", url=url, name=name)
    half = Load(int(per_s * BUSY_S), 1)
    alone, beside = halves(list(half.batches(number)) for number in range(load.UNITS))
    try:
        with serving(stage, url) as served:
            paths = [f"/v1/consumption?{urlencode(query)}" for query in small_questions()]
            quiet = _taken_per_s(stage, url, alone, per_s)
            with ThreadPoolExecutor(1) as pool:
                asking = pool.submit(
                    wrk.ask, served.base, served.key, paths, readers=READERS, seconds=BUSY_S / 2
                )
                busy = _taken_per_s(stage, url, beside, per_s)
                answered = asking.result()
    finally:
        end(collector)
    return [
        Result("requests_per_s", answered.per_s, answered.per_s, None, "requests/s", ""),
        Result("requests_p99_s", answered.p99_s, answered.p99_s, None, "s", ""),
        Result("requests_refused", answered.refused, answered.refused, None, "of all answers", "0"),
        Result("ingest_beside_200_readers", busy / quiet, busy, quiet, "readings/s", "≥ 0.8"),
    ]


def small_questions() -> list[dict[str, str]]:
    """Return what is asked of one city or one unit: by city, industry, carrier, day and meter."""
    city = {**month_by_city(), "region": "450200"}
    unit = {**month_by_city(), "unit": load.unit_code(1)}
    return [
        city,
        {**city, "group_by": "industry", "region": "450300"},
        {**city, "energy": "electricity", "region": "450100"},
        {**unit, "group_by": "energy", "bucket": "day"},
        {**unit, "group_by": "meter"},
    ]


def halves(fleet: Iterable[list[Message]]) -> tuple[list[list[Message]], list[list[Message]]]:
    """Return the earlier and the later messages of each gateway."""
    pairs = [(each[: len(each) // 2], each[len(each) // 2 :]) for each in fleet]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def _taken_per_s(stage: Stage, url: str, fleet: list[list[Message]], per_s: float) -> float:
    """Return how many readings a second are stored, all of `fleet` sent at `per_s`."""
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(RECEIVED).fetchone()
    assert row is not None
    total = sum(len(messages) for messages in fleet)
    senders = [
        threading.Thread(target=_send, args=(stage, number, messages, per_s / len(fleet)))
        for number, messages in enumerate(fleet)
    ]
    for sender in senders:
        sender.start()
    try:
        return drained_per_s(url, total, f"SELECT ({RECEIVED}) - {int(row[0])}", SELDOM_S)
    finally:
        for sender in senders:
            sender.join()


def _send(stage: Stage, number: int, messages: list[Message], per_s: float) -> None:
    gateway = Gateway(stage.broker, stage.logins[number])
    gateway.send(messages, per_s=per_s)
    gateway.close()


ALL: tuple[Callable[[Stage], Result | list[Result] | None], ...] = (
    query_month_by_city,
    query_vs_raw_scan,
    http_vs_sql,
    export,
    requests_per_s,
)
