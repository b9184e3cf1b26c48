"""Owns `nenghao demo`: the main job end to end, on real input, from nothing to a delivered letter.

Everything in it is the product's own: services, migration, import, enrolment, the programs and
the HTTP interface. Its database and its folder are its own and are made anew each time.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

import db.admin
import db.alerts
import db.intake
import db.migrate
import db.outbox
import db.pool
import db.settlement
from app import auth, demo_report, simulation, supervisor
from app.demo_report import Api, Outcome
from app.resolve import Refusal
from app.simulation import Logins
from app.supervisor import Program
from db.pool import Pool
from deploy import services as local_services
from deploy.mailbox import Mailbox
from ingest import broker_url
from ingest.broker_url import BrokerUrl
from ingest.simulator import fleet
from ingest.simulator.crowd import Crowd
from ingest.simulator.fleet import Plant
from ingest.simulator.gateway import Gateway
from ingest.topics import Address

INSTANCE = "demo"
"""Of the local services: what a platform in the same folder runs on is `main`."""

DATABASE = "nenghao_demo"
SEED = 20261123
PLANTS = 28
FLEET_HOURS = 4
FLEET_INTERVAL_S = 60
PATIENCE = timedelta(seconds=240)
"""Longest wait for the main job to come to its end after all readings are receipted."""

OVERRUNS = 2
"""A cement works over its baseline, and a city whose energy outgrew its GDP."""

PORT_WANTED = 8000


@dataclass(frozen=True, slots=True)
class Server:
    """Where the demo's database server and broker are."""

    database_url: str
    broker_url: str
    broker_admin_url: str


@dataclass(frozen=True, slots=True)
class Stage:
    """What the demo has set up."""

    folder: Path
    server: Server
    database_url: str
    pool: Pool
    plants: list[Plant]
    logins: Logins
    api: Api
    mailbox: Mailbox
    run_id: str

    @property
    def broker(self) -> BrokerUrl:
        return broker_url.parse(self.server.broker_url)


@contextmanager
def services_of_its_own(state_dir: Path, report: Callable[[str], None]) -> Iterator[Server]:
    """Yield a database server and a broker that no platform uses, stopped again if they were.

    Never those of the settings: a platform's collector would take the demo's batches, and the
    demo's gateways its receipts. DEMO_INSTANCE names others than `demo`, for demos side by side.
    """
    instance = os.environ.get("DEMO_INSTANCE", INSTANCE)
    was_running = local_services.status(state_dir, instance=instance) is not None
    its_own = local_services.up(state_dir, report=report, instance=instance)
    try:
        yield Server(its_own.database_url, its_own.mqtt_url, its_own.mqtt_admin_url)
    finally:
        if not was_running:
            local_services.down(state_dir, report=report, instance=instance)


async def run(server: Server, state_dir: Path, console: Console, seconds: float | None) -> None:
    """Run the demo; return after `seconds`, or when cancelled, with everything it began stopped."""
    loop = asyncio.get_running_loop()
    started_at = loop.time()
    async with AsyncExitStack() as stack:
        stage = await _set_up(stack, server, _fresh_folder(state_dir), console)
        programs = loop.create_task(supervisor.supervise(_programs(stage)))
        stack.push_async_callback(_cancel, programs)
        with simulation.progress(console) as bars:
            steel_gateway = await simulation.replay_steel(stack, stage.broker, stage.logins, bars)
            crowd = await simulation.open_crowd(
                stack, stage.broker, stage.plants, stage.logins, FLEET_HOURS, bars
            )
            await _until_done(stage, bars)
        following = loop.create_task(crowd.follow(_now))
        stack.push_async_callback(_cancel, following)
        await stage.api.ready()
        demo_report.show(await _outcome(stage, steel_gateway, crowd), console)
        _say_how_to_try(stage, console)
        await _stay(programs, seconds, loop.time() - started_at, console)
        await _cancel(following)
        await _drained(crowd)
        outcome = await _outcome(stage, steel_gateway, crowd)
        demo_report.write_summary(outcome, stage.folder / "summary.json")
        console.print(f"the results are in {stage.folder / 'summary.json'}")


async def _set_up(stack: AsyncExitStack, server: Server, folder: Path, console: Console) -> Stage:
    console.print(f"making the database {DATABASE} anew and migrating it")
    database_url = await asyncio.to_thread(db.admin.recreate, server.database_url, DATABASE)
    await asyncio.to_thread(db.migrate.upgrade, database_url)
    pool = await db.pool.create_pool(database_url, timeout_s=60, application="nenghao demo")
    stack.push_async_callback(pool.close)
    cities = await simulation.list_cities(pool)
    codes = [code for code, _ in cities]
    plants = fleet.plants(SEED, PLANTS, codes, interval_s=FLEET_INTERVAL_S)
    console.print("importing units, meters, contacts, limits, figures and targets")
    regions = [*cities, simulation.PROVINCE]
    await simulation.import_registry(pool, folder / "registry", plants, regions, _now().date())
    console.print(f"enrolling {PLANTS + 2} gateways at the broker")
    logins = await simulation.enrol(pool, server.broker_admin_url, plants)
    async with pool.acquire() as connection:
        api_key = await auth.create_key(
            connection, label="demo", region="450000", unit=None, expires_at=None
        )
    mailbox = Mailbox(folder / "mail")
    mailbox.start()
    stack.callback(mailbox.stop)
    return Stage(
        folder=folder,
        server=server,
        database_url=database_url,
        pool=pool,
        plants=plants,
        logins=logins,
        api=Api("127.0.0.1", _free_port(PORT_WANTED), api_key),
        mailbox=mailbox,
        run_id=_now().strftime("%Y%m%d%H%M%S"),
    )


OF_A_SITE = (
    "NENGHAO_SERVICE_DATABASE_URL",
    "NENGHAO_VIEW_DATABASE_URL",
    "NENGHAO_SECOND_APPROVER",
    "NENGHAO_MQTT_ADMIN_URL",
)
"""What is set on a host of a real site and must not reach the demo's programs."""


def _programs(stage: Stage) -> list[Program]:
    """Return the programs; each writes its log into the demo's folder."""
    environment = {
        **{name: value for name, value in os.environ.items() if name not in OF_A_SITE},
        "NENGHAO_DATABASE_URL": stage.database_url,
        "NENGHAO_MQTT_URL": stage.server.broker_url,
        "NENGHAO_SMTP_URL": stage.mailbox.url,
        "NENGHAO_COLLECTOR": f"demo-{stage.run_id}",
        "NENGHAO_HTTP_PORT": str(stage.api.port),
        "NENGHAO_PUBLIC_URL": stage.api.url,
        "NENGHAO_ALERT_PAUSE_S": "2",
        "NENGHAO_SETTLE_PAUSE_S": "0.5",
    }
    return [
        Program(name, [name], environment, stage.folder / "log" / f"{name}.log")
        for name in ("collect", "settle", "assess", "alert", "serve")
    ]


async def _until_done(stage: Stage, progress: Progress) -> None:
    """Wait until all is settled, both overruns have fired and every letter is delivered."""
    task = progress.add_task("settled, alerted, delivered", total=3)
    until = _now() + PATIENCE
    settled, fired, waiting, stored, done = False, 0, 0, 0, 0
    while done < 3:
        if _now() > until:
            raise Refusal(
                f"the demo did not come to its end within {PATIENCE}: {stored:,} readings are "
                f"stored, {'all' if settled else 'not all'} of them settled, {fired} of {OVERRUNS} "
                f"warnings given, {stage.mailbox.count()} letters delivered, {waiting} wait; "
                f"see the logs in {stage.folder / 'log'}"
            )
        async with stage.pool.acquire() as connection:
            settled = await db.settlement.count_stale(connection) == 0
            fired = await db.alerts.count_fired(connection)
            waiting = await db.outbox.count_waiting(connection)
            stored = (await db.intake.fetch_totals(connection)).stored
        delivered = stage.mailbox.count() > 0 and not waiting
        done = sum((settled, fired >= OVERRUNS, fired >= OVERRUNS and delivered))
        progress.update(task, completed=done)
        await asyncio.sleep(0.5)


async def _stay(
    programs: asyncio.Task[None], seconds: float | None, spent_s: float, console: Console
) -> None:
    if seconds is None:
        console.print("running until Ctrl-C; the fleet goes on publishing every minute")
        await programs
    else:
        left = max(0.0, seconds - spent_s)
        console.print(f"running for another {left:.0f} s (DEMO_SECONDS={seconds:.0f})")
        await asyncio.wait([programs], timeout=left)
        if programs.done():
            await programs


async def _drained(crowd: Crowd) -> None:
    """Wait a moment for the last receipts, so that what was published is also counted."""
    for _ in range(100):
        if not crowd.waiting:
            return
        await asyncio.sleep(0.1)


async def _outcome(stage: Stage, steel_gateway: Gateway, crowd: Crowd) -> Outcome:
    steel_kwh, steel_tce = await demo_report.steel_figures(stage.api, simulation.STEEL_UNIT, _now())
    async with stage.pool.acquire() as connection:
        totals = await db.intake.fetch_totals(connection)
    return Outcome(
        published=steel_gateway.published + crowd.published,
        totals=totals,
        steel_kwh=steel_kwh,
        steel_tce=steel_tce,
        cities=await demo_report.city_figures(stage.api, _now()),
        alerts=await stage.api.get("/v1/alerts"),
        mails=stage.mailbox.count(),
        mail_folder=stage.folder / "mail",
        api_url=stage.api.url,
        database=demo_report.without_password(stage.database_url),
        broker=demo_report.without_password(stage.server.broker_url),
    )


def _say_how_to_try(stage: Stage, console: Console) -> None:
    """Print credentials and commands with which anybody can publish a batch by hand."""
    address = Address(simulation.STEEL_CITY, simulation.STEEL_UNIT, simulation.HAND_GATEWAY)
    login = stage.logins[address.unit, address.gateway]
    demo_report.say_how_to_try(
        console, address, stage.broker, login, simulation.HAND_METER, stage.api
    )


def _fresh_folder(state_dir: Path) -> Path:
    folder = state_dir / "demo"
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("registry", "mail", "log"):
        (folder / name).mkdir(parents=True)
    return folder


def _free_port(wanted: int) -> int:
    """Return `wanted` if it is free on the loopback, else any free port."""
    for port in (wanted, 0):
        with socket.socket() as candidate:
            candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                candidate.bind(("127.0.0.1", port))
            except OSError:
                continue
            free: int = candidate.getsockname()[1]
            return free
    raise Refusal("no free port on 127.0.0.1")


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def _now() -> datetime:
    return datetime.now(UTC)
