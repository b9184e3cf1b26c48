"""Owns the command `nenghao`: arguments and settings in, programs run, sentences out."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console

import db.durability
import db.migrate
import db.pool
from app import approval, commands, dangers, logs, mendable, nightly, running, session, supervisor
from app.resolve import Addresses, Refusal, list_excesses
from app.supervisor import Program
from app.watchdog.watch import Watch
from db.pool import Pool
from ingest import audit_chain, broker_health, broker_url, collect, heads, retention, settle, shards
from ingest.retention import Retention
from settings import Settings

EXIT_REFUSED = 2
PROGRAMS = ("collect", "settle", "assess", "alert", "serve")
VARIABLES_BESIDE = {"NENGHAO_SECRETS_DIR"}
DEMO_SECONDS_MAX = 86_400

T = TypeVar("T")

app = typer.Typer(cls=commands.Commands, no_args_is_help=True, pretty_exceptions_enable=False)
console = Console()


def main() -> None:
    """Run one command. What the user can mend is a sentence and exit code 2, not a traceback."""
    try:
        app()
        return
    except Exception as error:
        sentence = mendable.sentence(error)
        if sentence is None:
            raise
    print(f"nenghao: {sentence}", file=sys.stderr)
    sys.exit(EXIT_REFUSED)


def _show_version(is_asked: bool) -> None:
    if is_asked:
        from importlib import metadata

        print(f"nenghao {metadata.version('nenghao')}")
        raise typer.Exit


@app.callback()
def prepare(
    context: typer.Context,
    _version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_show_version, help="show it and exit"),
    ] = False,
) -> None:
    """Nenghao (能耗): receive, store, account for and watch the energy use of key units."""
    context.obj = _addresses(_settings())


# -- programs ------------------------------------------------------------------------------------
# A command imports what it alone needs: a collector that starts again must not load a web server.


@app.command("collect")
def collect_command(
    shard: Annotated[
        str | None, typer.Option(help="only these cities, 450200+450300, or units, 450200/9145…")
    ] = None,
) -> None:
    """Store what gateways publish: MQTT → readings.

    A second collector of the same shard waits as a standby and takes over when the first is gone.
    """
    settings = _settings()
    part = (
        shards.whole(settings.collector)
        if shard is None
        else _parsed(lambda text: shards.parse(settings.collector, text), shard, "--shard")
    )
    addresses = _addresses(settings)
    broker = _parsed(broker_url.parse, addresses.broker(), "NENGHAO_MQTT_URL")
    url, window = addresses.database(), settings.receive_maximum
    others = dangers.of_addresses(url, addresses.broker(), window)
    _refuse_dangers(url, [*others, *_of_broker(settings.broker_conf)])
    disks = _disks(settings)

    async def work(pool: Pool) -> None:
        await collect.run(
            pool,
            broker,
            part,
            receive_maximum=settings.receive_maximum,
            oldest=timedelta(days=settings.oldest_reading_days),
            clock=_now,
            request_pause_s=settings.request_pause_s,
            disks=disks,
            queue=broker_health.Queue(settings.broker_queue_messages, settings.broker_queue_bytes),
        )

    _run_program(settings, "collect", work, idle_s=shards.HOLDER_SILENT_S)


@app.command("settle")
def settle_command() -> None:
    """Turn readings into consumption; keep the ledger's heads and verify all once a day."""
    settings = _settings()
    longest, arrivals = timedelta(settings.quarantine_days), timedelta(settings.arrivals_days)
    kept = Retention(longest, settings.quarantine_mib_max << 20, arrivals)

    async def work(pool: Pool) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(heads.run(pool, clock=_now))
            tasks.create_task(retention.run(pool, kept, clock=_now))
            tasks.create_task(audit_chain.run(pool, timedelta(settings.audit_days), clock=_now))
            tasks.create_task(nightly.run(_addresses(settings).service(), _now))
            await settle.run(
                pool,
                _instance(),
                pause_s=settings.settle_pause_s,
                clock=_now,
                unverified=settings.unverified_factors,
            )

    _run_program(settings, "settle", work)


@app.command("assess")
def assess_command() -> None:
    """Score the quality of the data, look for suspicions, keep the repair clock."""
    from ingest import assess

    settings = _settings()

    async def work(pool: Pool) -> None:
        await assess.run(
            pool,
            _instance(),
            pause_s=settings.assess_pause_s,
            every=timedelta(seconds=settings.assess_every_s),
            clock=_now,
        )

    _run_program(settings, "assess", work)


@app.command("alert")
def alert_command() -> None:
    """Judge the rules, open and resolve alerts, send letters."""
    import alerts.cycle
    import alerts.smtp
    from app import webhooks

    settings = _settings()
    hooks = webhooks.of(settings.webhooks, settings.webhook_hosts, _now)
    smtp_url = settings.smtp_url.get_secret_value() if settings.smtp_url else None
    if smtp_url is not None:
        _parsed(alerts.smtp.parse, smtp_url, "NENGHAO_SMTP_URL")
    try:
        alerts.smtp.sender(settings.mail_from)
    except alerts.smtp.MailServerError as error:
        raise Refusal(f"NENGHAO_MAIL_FROM: {error}") from None

    async def work(pool: Pool) -> None:
        await alerts.cycle.run(
            pool,
            instance=_instance(),
            pause_s=settings.alert_pause_s,
            coverage_floor=settings.coverage_floor,
            public_url=settings.public_url,
            smtp_url=smtp_url,
            mail_from=settings.mail_from,
            clock=_now,
            unverified=settings.unverified_factors,
            amended_within=timedelta(settings.amend_days),
            hooks=hooks, grace_lasts=timedelta(minutes=settings.grace_min),
        )  # fmt: skip

    _run_program(settings, "alert", work)


@app.command("serve")
def serve_command() -> None:
    """Answer regulators over HTTP."""
    from app import serving
    from app.main import create_app, view_url

    settings = _settings()
    url = _addresses(settings).database()
    _refuse_dangers(url, dangers.of_view_login(list_excesses(view_url(settings, url))))
    _addresses(settings).service()
    logs.configure()
    serving.run(create_app(settings, url), settings.http_host, settings.http_port)


@app.command("all")
def all_command() -> None:
    """Run collect, settle, assess, alert and serve as one supervised group."""
    settings = _settings()
    addresses = _addresses(settings)
    addresses.database()
    addresses.broker()
    logs.configure()
    programs = [Program(name, [name], dict(os.environ)) for name in PROGRAMS]
    running.run(supervisor.supervise(programs))


@app.command("demo")
def demo_command() -> None:
    """Set up everything and run the main job on real input (DEMO_SECONDS: end by itself)."""
    from app import demo

    settings = _settings()
    seconds = _demo_seconds()
    logs.configure()
    with demo.services_of_its_own(settings.state_dir, _say) as server:
        running.run(demo.run(server, settings.state_dir, console, seconds))


@app.command("simulate")
def simulate_command(
    plants: Annotated[int, typer.Option(min=0, max=2000, help="made-up units")] = 28,
    hours: Annotated[int, typer.Option(min=0, max=8760, help="hours to publish first")] = 24,
    interval_s: Annotated[int, typer.Option(min=1, max=3600, help="seconds per reading")] = 900,
    seed: Annotated[int, typer.Option(help="the same seed makes the same units")] = 1,
    steel: Annotated[bool, typer.Option(help="replay the real steel plant too")] = True,
    seconds: Annotated[float | None, typer.Option(min=0, help="end after so long")] = None,
) -> None:
    """Publish as a fleet of gateways would; registers its units, so never on a real platform."""
    from app import simulation

    settings = _settings()
    addresses = _addresses(settings)
    broker = _parsed(broker_url.parse, addresses.broker(), "NENGHAO_MQTT_URL")
    admin_url = addresses.broker_admin()
    plan = simulation.Plan(seed, plants, hours, interval_s, steel, seconds)
    folder = settings.state_dir / "simulation"
    folder.mkdir(parents=True, exist_ok=True)

    async def work(pool: Pool) -> None:
        await simulation.run(pool, broker, admin_url, folder, plan, console)

    _run_program(settings, "simulate", work)


@app.command("settings")
def settings_command() -> None:
    """List every setting: its variable, what will be used, where that comes from, its meaning."""
    from app import effective

    settings = _settings()
    fields = type(settings).model_fields
    values = {name: getattr(settings, name) for name in fields}
    sources = effective.sources(settings.model_fields_set, os.environ)
    meanings = {name: field.description or "" for name, field in fields.items()}
    session.show(console, effective.table(values, sources, meanings, settings.state_dir))


@app.command("migrate")
def migrate_command() -> None:
    """Bring the database to the newest schema."""
    url = _addresses(_settings()).database()
    db.migrate.upgrade(url)
    _say(f"the database is at revision {db.migrate.newest_revision()}")


# -- how a command runs --------------------------------------------------------------------------


def _settings() -> Settings:
    """Read the settings. A variable that no setting has is a slip of the pen: refuse it."""
    known = {f"NENGHAO_{name.upper()}" for name in Settings.model_fields}
    given = {name for name in os.environ if name.startswith("NENGHAO_")}
    if unknown := sorted(given - known - VARIABLES_BESIDE):
        raise Refusal(f"no such setting: {', '.join(unknown)}; `nenghao settings` lists them")
    return Settings()


def _addresses(settings: Settings) -> Addresses:
    return Addresses(
        settings.state_dir,
        settings.database_url,
        settings.mqtt_url,
        settings.mqtt_admin_url,
        settings.authority_dir,
        settings.gateway_broker_url,
        settings.broker_reload,
        settings.unverified_factors,
        settings.logins_file,
        settings.service_database_url,
        approval.Rule.of(settings.second_approver, settings.proposal_days),
        settings.coverage_floor,
        Watch(*settings.watchdog),
    )


def _parsed(parse: Callable[[str], T], text: str, variable: str) -> T:
    try:
        return parse(text)
    except ValueError as error:
        raise Refusal(f"{variable}: {error}") from None


def _refuse_dangers(url: str, others: list[dangers.Found]) -> None:
    """Do not receipt what could be lost, or read on the way."""
    if found := others + dangers.of_database(db.durability.fetch_settings(url)):
        raise Refusal(f"this configuration is dangerous: {dangers.sentences(found)}")


def _of_broker(file: Path | None) -> list[dangers.Found]:
    if file is None:
        return []
    try:
        return dangers.of_broker(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise Refusal(f"NENGHAO_BROKER_CONF: {file} cannot be read: {error}") from None


def _disks(settings: Settings) -> list[Path]:
    """Return the folders whose disks are watched; one that is not there is a slip of the pen."""
    if settings.disk_paths is None:
        return [settings.state_dir] if settings.state_dir.is_dir() else []
    folders = [Path(each) for each in settings.disk_paths.split(":") if each]
    if missing := [str(each) for each in folders if not each.is_dir()]:
        raise Refusal(f"NENGHAO_DISK_PATHS: there is no folder {', '.join(missing)}")
    return folders


def _run_program(
    settings: Settings,
    name: str,
    work: Callable[[Pool], Coroutine[None, None, None]],
    idle_s: int = db.pool.IDLE_IN_TRANSACTION_S,
) -> None:
    """Run a program on a pool of its own until it is told to stop."""
    url = _addresses(settings).service()
    logs.configure()

    async def run() -> None:
        async with await db.pool.create_pool(
            url, timeout_s=settings.database_timeout_s, application=f"nenghao {name}", idle_s=idle_s
        ) as pool:
            await work(pool)

    running.run(run())


def _demo_seconds() -> float | None:
    text = os.environ.get("DEMO_SECONDS", "").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= DEMO_SECONDS_MAX:
        raise Refusal(f"DEMO_SECONDS is {text!r}; give a number from 0 to {DEMO_SECONDS_MAX}")
    return seconds


def _instance() -> str:
    return f"{socket.gethostname()}-{os.getpid()}"


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr)


def _now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    main()
