"""A cement works of Liuzhou from October 2026 to NOW, as its people would have told it.

Its files are imported, its gateway delivers every hour, and all is settled, assessed and judged.
The clock of whoever answers stands at NOW: what docs/api.md shows stays true.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import app.auth
from alerts import cycle
from app import correcting, drafts, importing, proposing
from app.approval import Deed, Rule
from app.drafts import Submission
from app.imports.kinds import Kind
from app.roles import Role
from db import corrections
from db.changes import Author
from db.corrections import CorrectionRow
from db.pool import Connection, Pool
from ingest import settle, writer
from ingest.acks import Delivery
from ingest.collect import Collector
from tests import factories, history

UNIT = "91450200MA5KF5XJ00"
"""The one that the OpenAPI document has in its examples."""

NEIGHBOUR, SUNS_UNIT = factories.unit_code(2), factories.unit_code(3)
HOUR = timedelta(hours=1)
STARTED = datetime(2026, 9, 30, 16, tzinfo=UTC)
"""00:00 of 1 October in Shanghai."""

NOW = datetime(2026, 11, 23, 8, 0, 20, tzinfo=UTC)
HOURS = round((NOW - STARTED) / HOUR)
SIGNING_KEY = b"k" * 32
DESK = Author("desk of Liuzhou", "monthly report", "报表 2026-10")

MISREAD = 104
"""C01 shows ten times what it should at 08:00 of 5 October."""

SILENT = range(260, 263)
OVERRUN = HOURS

FILES: Mapping[Kind, str] = {
    Kind.UNITS: f"""\
unit,name,region,industry,annual_tce,commissioned_on
{UNIT},柳州某水泥厂,450202,C3011,52000,2012-05-01
{NEIGHBOUR},柳州某钢铁厂,450203,C3120,880000,1998-01-01
{SUNS_UNIT},桂林某造纸厂,450302,C2221,16000,2004-01-01
""",
    Kind.METERS: f"""\
unit,meter,name,carrier,kind,uom,interval_s,role,product,rollover,installed_at
{UNIT},E01,总进线,electricity,register,kWh,3600,boundary,,100000000,2026-09-30T00:00:00+08:00
{UNIT},C01,喂煤秤,raw_coal,interval,kg,3600,boundary,,,2026-09-30T00:00:00+08:00
{UNIT},P01,熟料秤,,interval,t,3600,output,cement_clinker,,2026-09-30T00:00:00+08:00
{NEIGHBOUR},E01,总进线,electricity,register,kWh,900,boundary,,,2026-09-30T00:00:00+08:00
{SUNS_UNIT},E01,总进线,electricity,register,kWh,900,boundary,,,2026-09-30T00:00:00+08:00
""",
    Kind.PRODUCTION: f"""\
unit,product,from,to,quantity,uom,output_value_cny,value_added_cny
{UNIT},cement_clinker,2026-10-01T00:00:00+08:00,2026-11-01T00:00:00+08:00,46500,t,13500000,3900000
""",
    Kind.CAPACITIES: f"""\
unit,product,capacity,uom,valid_from,source
{UNIT},cement_clinker,600000,t,2024-01-01,桂工信〔2024〕8号
""",
    Kind.LIMITS: """\
product,uom,edition,limit,baseline,benchmark,advanced,valid_from,source,verified
cement_clinker,kgce/t,标杆水平和基准水平（2023年版）,,117,100,,2023-01-01,发改产业〔2023〕723号,true
""",
    Kind.BUDGETS: f"""\
owner_kind,owner,from,to,amount_tce,basis,source
unit,{UNIT},2026-10-01,2027-01-01,12000,calorific,柳发改〔2026〕3号
""",
    Kind.FIGURES: """\
region,year,through_month,energy_growth,gdp_growth,source
450200,2026,9,0.02,0.05,柳州市统计月报 2026-09
450202,2026,9,0.07,0.05,城中区统计月报 2026-09
""",
    Kind.TARGETS: """\
region,year,required_rate,source
450200,2026,-0.03,桂发改〔2026〕1号
450202,2026,-0.03,柳发改〔2026〕2号
""",
    Kind.STOCKS: f"""\
unit,carrier,counted_on,quantity,uom,evidence
{UNIT},raw_coal,2026-10-01,3100,t,盘点表 2026-09
{UNIT},raw_coal,2026-11-01,2650,t,盘点表 2026-10
""",
    Kind.TRADES: f"""\
unit,carrier,from,to,purchased,uom,evidence
{UNIT},raw_coal,2026-10-01,2026-11-01,5280,t,发票 2026-10
""",
    Kind.MONTHLY_FILINGS: f"""\
unit,carrier,month,quantity,uom,source
{UNIT},electricity,2026-10,2790000,kWh,月报 2026-10
""",
}
"""What `nenghao import` takes, kind by kind, in the order in which they depend on one another.

Nobody is alerted by a limit that nobody checked: somebody here has.
"""

COLLEAGUE = Author("statistics of Liuzhou", "the annex says so", "柳发改〔2026〕3号 附件")
AMOUNTS = ("11800", "11600")
"""Budgets that a colleague of the desk proposed: those wait for a second person."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Those of whoever asks. The enterprise is UNIT."""

    province: str
    city: str
    enterprise: str
    auditor: str
    administrator: str


async def enter(pool: Pool, folder: Path) -> Keys:
    """Let it all happen on an empty database; return the keys of those who may ask."""
    async with pool.acquire() as connection:
        for kind, text in FILES.items():
            await _take(connection, folder / f"{kind}.csv", kind, text)
        await _enrol(connection)
        await connection.execute("UPDATE units SET created_at = $1", STARTED)
    await _deliver(pool)
    async with pool.acquire() as connection:
        await _correct(connection)
        for amount in AMOUNTS:
            await _propose(connection, FILES[Kind.BUDGETS].replace("12000", amount))
        while await settle.settle_one(connection) or await settle.settle_region(connection):
            pass
        await history.assess_all(connection, NOW)
    judged = await cycle.evaluate_once(pool, now=NOW, coverage_floor=0.75, public_url="")
    assert judged == 2, "the overrun of the last hour and the county at level 1 are alerted"
    async with pool.acquire() as connection:
        await connection.execute("UPDATE evaluators SET ended_at = $1", NOW)
        return await _hand_out(connection)


async def _take(connection: Connection, path: Path, kind: Kind, text: str) -> None:
    await asyncio.to_thread(path.write_text, text, encoding="utf-8")
    async with connection.transaction():
        plan = await importing.plan(connection, kind, path, lambda done, total: None)
        assert not plan.problems, (kind, plan.problems)
        at = STARTED - HOUR if kind in (Kind.UNITS, Kind.METERS) else NOW - timedelta(days=16)
        await importing.apply(connection, plan, DESK, at)


async def _enrol(connection: Connection) -> None:
    unit_id = await connection.fetchval("SELECT unit_id FROM units WHERE unit = $1", UNIT)
    gateway_id = await factories.gateway(connection, unit_id)
    await connection.execute(
        "INSERT INTO gateway_keys (gateway_id, signing_key) VALUES ($1, $2)",
        gateway_id,
        SIGNING_KEY,
    )


def _shown(hour: int) -> Iterator[tuple[str, float]]:
    """Return what the meters show at the end of an hour since STARTED."""
    swing = (hour * 7) % 11 - 5
    if hour not in SILENT:
        yield "E01", 4_120_345.5 + 3_750.0 * hour + 20.0 * swing
    coal = 7_700.0 + 40.0 * swing
    if hour == MISREAD:
        coal *= 10
    if hour == OVERRUN:
        coal *= 1.4
    yield "C01", coal
    yield "P01", 62.5


def _batch(hour: int) -> Delivery:
    """Return what the gateway tells at the end of an hour."""
    at = STARTED + HOUR * hour
    readings = [
        {
            "meter": meter,
            "time": (at if meter == "E01" else at - HOUR).isoformat(),
            "value": value,
        }
        for meter, value in _shown(hour)
    ]
    topic = f"nenghao/v1/450200/{UNIT}/gw1/readings"
    payload = json.dumps({"batch": f"gw1-{hour:06}", "readings": readings}).encode()
    return Delivery(hour, 0, topic, payload, at + timedelta(seconds=5))


async def _deliver(pool: Pool) -> None:
    """Store what came in, day by day; a day is stored when its last batch has come."""
    at = STARTED
    holder = await writer.begin(pool, "main", lambda: at)
    collector = Collector(pool, holder, oldest=timedelta(days=400), clock=lambda: at)
    for first in range(0, HOURS + 1, 24):
        batches = [_batch(hour) for hour in range(first, min(first + 24, HOURS + 1))]
        at = batches[-1].received_at
        await collector.store(batches)


async def _correct(connection: Connection) -> None:
    row = CorrectionRow(UNIT, "C01", STARTED + HOUR * (MISREAD - 1), 7_700.0)
    author = Author(
        "desk of Liuzhou", "the gateway sent it ten times too large", "现场照片 2026-10-06"
    )
    async with connection.transaction():
        targets = await corrections.list_targets(connection, [row])
        pairs = [(row, targets[row.subject])]
        assert await correcting.state(connection, author, pairs, NOW - timedelta(days=40)) == 1


async def _propose(connection: Connection, budgets: str) -> None:
    submission = Submission(Deed.IMPORT, Kind.BUDGETS, "budgets.csv", budgets.encode(), COLLEAGUE)
    async with connection.transaction():
        drafted = await drafts.draft(connection, submission)
        await proposing.propose(connection, Rule(), submission, drafted, NOW - HOUR * 24)


async def _hand_out(connection: Connection) -> Keys:
    async def key(
        label: str, region: str, unit: str | None = None, role: Role | None = None
    ) -> str:
        return await app.auth.create_key(
            connection, label=label, region=region, unit=unit, role=role, expires_at=None,
            may_state=True,
        )  # fmt: skip

    return Keys(
        province=await key("desk of Guangxi", "450000"),
        city=await key("desk of Liuzhou", "450200"),
        enterprise=await key("portal of the works", "450200", UNIT),
        auditor=await key("audit office", "450000", role=Role.AUDITOR),
        administrator=await key("operator", "450000", role=Role.ADMINISTRATOR),
    )
