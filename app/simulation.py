"""Owns putting the simulator's units into a platform: import files, enrolment, gateways."""

from __future__ import annotations

import asyncio
import csv
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from importlib.resources import as_file, files
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

import db.regions
from app import enrolment, importing, tables
from app.imports.kinds import Kind
from db.pool import Pool
from energy import levels
from ingest.broker_url import BrokerUrl
from ingest.credentials import Login
from ingest.simulator import fleet, steel
from ingest.simulator.crowd import Crowd
from ingest.simulator.fleet import GATEWAY, Plant
from ingest.simulator.gateway import Gateway
from ingest.topics import Address

PROVINCE = ("450000", "广西壮族自治区")
RISEN_CITY = "450200"
FALLING_CITY = "450300"
SOURCE = "模拟数据 (simulated)"
STEEL_CITY = "450200"
STEEL_UNIT = fleet.unit_code(STEEL_CITY, 9_000_001)
STEEL_METER = "E01"
HAND_METER = "E02"
HAND_GATEWAY = "hand"
"""A gateway nobody simulates: its login is printed so that a batch can be published by hand."""

WATCH_PAUSE_S = 0.1

Logins = Mapping[tuple[str, str], Login]
"""(unit, gateway) → login"""

INSTALLED_ON = date(2020, 1, 1).isoformat()

IMPORTED = (
    Kind.UNITS, Kind.METERS, Kind.CONTACTS, Kind.LIMITS, Kind.FIGURES, Kind.TARGETS
)  # fmt: skip
"""The files that the simulator writes; later ones refer to earlier ones."""

UNIT_COLUMNS = (
    "unit",
    "name",
    "region",
    "industry",
    "annual_tce",
    "commissioned_on",
    "contact_email",
)
METER_COLUMNS = (
    "unit",
    "meter",
    "name",
    "carrier",
    "kind",
    "uom",
    "multiplier",
    "rollover",
    "interval_s",
    "role",
    "product",
    "data_code",
    "installed_at",
)
TARGET_COLUMNS = ("region", "year", "required_rate", "source")
FIGURE_COLUMNS = ("region", "year", "through_month", "energy_growth", "gdp_growth", "source")
CONTACT_COLUMNS = ("region", "name", "email", "language", "minimum_level")


@dataclass(frozen=True, slots=True)
class Plan:
    """What `nenghao simulate` is asked for."""

    seed: int
    plants: int
    hours: int
    interval_s: int
    with_steel: bool
    seconds: float | None


async def run(
    pool: Pool, broker: BrokerUrl, admin_url: str, folder: Path, plan: Plan, console: Console
) -> None:
    """Register a fleet, publish its last hours and go on until the time is up, or cancelled."""
    cities = await list_cities(pool)
    codes = [code for code, _ in cities]
    plants = fleet.plants(plan.seed, plan.plants, codes, interval_s=plan.interval_s)
    await import_registry(pool, folder, plants, [*cities, PROVINCE], _now().date())
    logins = await enrol(pool, admin_url, plants)
    async with AsyncExitStack() as stack:
        with progress(console) as bars:
            if plan.with_steel:
                await replay_steel(stack, broker, logins, bars)
            told = await open_crowd(stack, broker, plants, logins, plan.hours, bars)
        console.print(f"{plan.plants} units publish every {plan.interval_s} s")
        with suppress(TimeoutError):
            async with asyncio.timeout(plan.seconds):
                await told.follow(_now)


async def replay_steel(
    stack: AsyncExitStack, broker: BrokerUrl, logins: Logins, bars: Progress
) -> Gateway:
    """Publish the year of the real steel plant, shifted to end now, as its gateway would."""
    speaker = gateway(broker, logins, STEEL_CITY, STEEL_UNIT)
    stack.push_async_callback(speaker.close)
    speaker.open()
    ends_at = fleet.floor_slot(_now())
    speaker.put((STEEL_METER, read_at, value) for read_at, value in steel.register(ends_at))
    await watch(bars, "steel plant: batches receipted", lambda: speaker.waiting)
    return speaker


async def open_crowd(
    stack: AsyncExitStack,
    broker: BrokerUrl,
    plants: Sequence[Plant],
    logins: Logins,
    hours: int,
    bars: Progress,
) -> Crowd:
    """Publish the last `hours` of `plants`; return their gateways, ready to follow."""
    since = fleet.floor_slot(_now()) - timedelta(hours=hours)
    told = crowd(broker, plants, logins, since)
    stack.push_async_callback(told.close)
    told.open()
    await told.tell(_now())
    await watch(bars, "fleet: batches receipted", lambda: told.waiting)
    return told


def progress(console: Console) -> Progress:
    columns = (
        TextColumn("{task.description:<32}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=console)


async def list_cities(pool: Pool) -> list[tuple[str, str]]:
    """Return the cities (code, name) over which the fleet is spread."""
    async with pool.acquire() as connection:
        regions = await db.regions.list_regions(connection)
    return [(region.region, region.name) for region in regions if region.tier == "city"]


async def import_registry(
    pool: Pool,
    folder: Path,
    plants: Sequence[Plant],
    regions: Sequence[tuple[str, str]],
    today: date,
) -> None:
    """Write the registry of the simulator as import files into `folder` and import them."""
    _write(folder / "units.csv", UNIT_COLUMNS, _units(plants))
    _write(folder / "meters.csv", METER_COLUMNS, _meters(plants))
    _write(folder / "contacts.csv", CONTACT_COLUMNS, _contacts(regions))
    _write(folder / "targets.csv", TARGET_COLUMNS, _targets(today))
    _write(folder / "figures.csv", FIGURE_COLUMNS, _figures(today))
    with as_file(files("ingest.simulator") / "data" / "limits.csv") as path:
        shutil.copyfile(path, folder / "limits.csv")
    for kind in IMPORTED:
        async with pool.acquire() as connection, connection.transaction():
            path = folder / f"{kind}.csv"
            content = await asyncio.to_thread(tables.load, path)
            planned = await importing.plan_of(
                connection, kind, path.name, content, lambda _done, _of: None
            )
            author = importing.author("simulate", None, path.name, content)
            await importing.apply(connection, planned, author, _now())


async def enrol(pool: Pool, admin_url: str, plants: Sequence[Plant]) -> Logins:
    """Enrol the gateways of `plants` and of the steel plant, and one to try by hand."""
    units = [*(plant.unit for plant in plants), STEEL_UNIT]
    by_hand = [(STEEL_UNIT, HAND_GATEWAY)]
    async with pool.acquire() as connection:
        logins = await enrolment.enrol(connection, admin_url, [(unit, GATEWAY) for unit in units])
        logins += await enrolment.enrol(connection, admin_url, by_hand, any_client_id=True)
    return {(login.unit, login.gateway): login for login in logins}


def crowd(broker: BrokerUrl, plants: Sequence[Plant], logins: Logins, since: datetime) -> Crowd:
    """Return the gateways of `plants`, with everything to tell since `since`."""
    return Crowd(
        [(plant, gateway(broker, logins, plant.city, plant.unit)) for plant in plants],
        since=since,
    )


def gateway(broker: BrokerUrl, logins: Logins, city: str, unit: str) -> Gateway:
    login = logins[unit, GATEWAY]
    address = Address(city, unit, GATEWAY)
    return Gateway(broker, address, login.username, login.password)


async def watch(progress: Progress, what: str, waiting: Callable[[], int]) -> None:
    """Show how what waits for its receipt becomes less; return when nothing waits."""
    total = waiting()
    task = progress.add_task(what, total=total)
    while left := waiting():
        progress.update(task, completed=total - left)
        await asyncio.sleep(WATCH_PAUSE_S)
    progress.update(task, completed=total)


def _units(plants: Sequence[Plant]) -> Iterator[Sequence[object]]:
    for plant in plants:
        industry = plant.trade.industry
        yield plant.unit, plant.name, plant.region, industry, "", INSTALLED_ON, ""
    name = "钢铁厂（真实数据回放）"
    yield STEEL_UNIT, name, STEEL_CITY, "C3120", "", INSTALLED_ON, ""


def _meters(plants: Sequence[Plant]) -> Iterator[Sequence[object]]:
    for plant in plants:
        for model in plant.meters:
            yield (
                plant.unit,
                model.meter,
                model.name,
                model.carrier or "",
                model.kind,
                model.uom,
                model.multiplier,
                model.rollover or "",
                plant.interval_s,
                model.role,
                plant.trade.product if model.role == "output" else "",
                "",
                INSTALLED_ON,
            )
    electricity = ("electricity", "register", "kWh", 1, steel.ROLLOVER_KWH, 900)
    yield STEEL_UNIT, STEEL_METER, "总表", *electricity, "boundary", "", "", INSTALLED_ON
    by_hand = ("electricity", "interval", "kWh", 1, "", 900)
    yield STEEL_UNIT, HAND_METER, "手动试验表", *by_hand, "sub", "", "", INSTALLED_ON


def _contacts(regions: Iterable[tuple[str, str]]) -> Iterator[Sequence[object]]:
    """Yield one made-up contact for each (region, name)."""
    for region, name in regions:
        yield region, f"{name}节能监察", f"warning-{region}@nenghao.example", "zh", 1


def _targets(today: date) -> Iterator[Sequence[object]]:
    """Yield what two cities are asked for: 13 % in five years, the geometric way."""
    for city in (RISEN_CITY, FALLING_CITY):
        yield city, today.year, levels.annual_rate(-0.13), SOURCE


def _figures(today: date) -> Iterator[Sequence[object]]:
    """Yield made-up growth since January: in one city energy outgrew GDP."""
    for city, energy_growth in ((RISEN_CITY, 0.07), (FALLING_CITY, 0.03)):
        yield city, today.year, max(today.month - 1, 1), energy_growth, 0.06, SOURCE


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)


def _now() -> datetime:
    return datetime.now(UTC)
