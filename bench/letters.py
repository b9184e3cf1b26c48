"""Owns the measure of warnings: from a reading that goes over a limit to the letter at its server.

Each probe is a unit in a county of its own, whose desk gets one letter: no digest holds it back.
"""

from __future__ import annotations

import json
import statistics
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
from aiosmtpd.smtp import SMTP, Envelope, Session

from bench import load
from bench.load import Gateway, Load, Message
from bench.measures import SMALL, Result, sustained_per_s
from bench.stage import LOGS, Stage, end, new_name
from deploy.mailbox import Mailbox
from energy import codes
from ingest import credentials
from ingest.shards import whole

PROBES = 100
PROBE_EACH_S = 0.3
HALF_LOAD_S = PROBES * PROBE_EACH_S
ARRIVED_WITHIN_S = 60.0
READY_WITHIN_S = 180.0
QUARTER, HOUR = timedelta(minutes=15), timedelta(hours=1)
LEFT_OF_HOUR = timedelta(minutes=5)
"""The rule looks at the newest full hour: one that must not end while probes are on their way."""

CLINKER_T, QUIET_KWH, LOUD_KWH = 25.0, 20_000.0, 80_000.0
"""Of a quarter: 74 kgce/t with three quiet ones, 172 with the loud fourth; the limit is 117."""

PLANTS = """
WITH counties AS (
    SELECT region, row_number() OVER (ORDER BY region) - 1 AS number
      FROM regions
     WHERE region NOT LIKE '%%00'
     ORDER BY region
     LIMIT %(probes)s
), made AS (
    INSERT INTO units (unit, name, region, industry)
    SELECT (%(units)s::text[])[number + 1], 'probe ' || number, region, 'C3011'
      FROM counties
    RETURNING unit_id, unit, region
), known AS (
    INSERT INTO gateways (unit_id, gateway)
    SELECT unit_id, 'gw1'
      FROM made
), told AS (
    INSERT INTO contacts (region, name, email, language, minimum_level)
    SELECT region, 'desk', region || '@desk.example', 'zh', 3
      FROM made
), limited AS (
    INSERT INTO limits (product, uom, edition, baseline, valid_from, source)
    VALUES ('clinker', 'kgce/t', 'bench', 117, '2024-01-01', 'bench')
), metered AS (
    INSERT INTO meters (unit_id, meter, name, carrier, kind, uom, interval_s, role, product,
                        installed_at)
    SELECT unit_id, code, code, carrier, 'interval', uom, 900, role, product, '2026-01-01Z'
      FROM made,
           (VALUES ('E01', 'electricity', 'kWh', 'boundary', NULL),
                   ('P01', NULL, 't', 'output', 'clinker')) AS m (code, carrier, uom, role, product)
    RETURNING meter_id, installed_at
), epochs AS (
    INSERT INTO meter_epochs (meter_id, starts_at, reason, multiplier)
    SELECT meter_id, installed_at, 'installed', 1
      FROM metered
)
SELECT unit, region
  FROM made
"""

UNSETTLED = "SELECT count(*) FROM stale_ranges"


class Arrivals(Mailbox):
    """A mail server that notes when it took the letter to whom."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.at: dict[str, float] = {}

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        for address in envelope.rcpt_tos:
            self.at.setdefault(address, time.monotonic())
        return "250 OK"


def reading_to_letter(stage: Stage) -> Result:
    """Half the load in the background; each probe takes an hour of a plant over its limit."""
    per_s = sustained_per_s(stage, SMALL)
    url, name = stage.fresh_database(), new_name("letters")
    units = [_unit_code(number) for number in range(PROBES)]
    desks = _register(url, units)
    fleet = [(f"{desk[:4]}00", unit, "gw1") for desk, unit in zip(desks, units, strict=True)]
    logins = credentials.grant(stage.services.mqtt_admin_url, fleet)
    gateways = [Gateway(stage.broker, login) for login in logins]
    stage.subscribe(whole(name))
    mail = Arrivals(LOGS / "mail")
    settings = {"NENGHAO_SMTP_URL": mail.start()}
    running = [
        stage.start(program, url=url, name=each, **settings)
        for program, each in (
            ("collect", name),
            ("settle", new_name("s")),
            ("alert", new_name("a")),
        )
    ]
    background = Load(int(per_s / 2 * HALF_LOAD_S), 1)
    senders = [
        threading.Thread(target=_half_load, args=(stage, background, number, per_s / 2))
        for number in range(load.UNITS)
    ]
    hour = _newest_hour()
    try:
        for gateway, place in zip(gateways, fleet, strict=True):
            gateway.send([_quiet(place, hour)])
        _until_settled(url)
        assert not mail.at, "a letter before its reading"
        for sender in senders:
            sender.start()
        delays = _probe(gateways, fleet, desks, hour, mail)
    finally:
        for sender in senders:
            if sender.ident is not None:
                sender.join()
        for process in running:
            end(process)
        mail.stop()
    p99 = statistics.quantiles(delays, n=100)[98]
    return Result("reading_to_letter_p99_s", p99, p99, None, "s", "≤ 10")


def _probe(
    gateways: list[Gateway],
    fleet: list[tuple[str, str, str]],
    desks: list[str],
    hour: datetime,
    mail: Arrivals,
) -> list[float]:
    """Publish one probe after the other; return how long each took to its letter. [s]"""
    begun = {}
    for gateway, place, desk in zip(gateways, fleet, desks, strict=True):
        begun[f"{desk}@desk.example"] = time.monotonic()
        gateway.send([_batch(place, "loud", [("E01", hour + 3 * QUARTER, LOUD_KWH)])])
        time.sleep(PROBE_EACH_S)
    until = time.monotonic() + ARRIVED_WITHIN_S
    while len(mail.at) < len(begun):
        if time.monotonic() > until:
            missing = len(begun) - len(mail.at)
            raise TimeoutError(f"{missing} letters after {ARRIVED_WITHIN_S:g} s; see {LOGS}")
        time.sleep(0.05)
    for gateway in gateways:
        gateway.close()
    return [mail.at[address] - since for address, since in begun.items()]


def _register(url: str, units: list[str]) -> list[str]:
    """Register the plants and their desks; return the counties, in the order of the units."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(PLANTS, {"probes": PROBES, "units": units}).fetchall()
    assert len(rows) == PROBES, "a county for each probe"
    county = {str(unit): str(region) for unit, region in rows}
    return [county[unit] for unit in units]


def _unit_code(number: int) -> str:
    first17 = f"91450200MC{number:07d}"
    return first17 + codes.check_character(first17)


def _newest_hour() -> datetime:
    """Return the newest full hour, when enough of the present one is left."""
    while True:
        now = datetime.now(UTC)
        begun = now.replace(minute=0, second=0, microsecond=0)
        if begun + HOUR - now > LEFT_OF_HOUR:
            return begun - HOUR
        time.sleep(1)


def _quiet(place: tuple[str, str, str], hour: datetime) -> Message:
    readings = [("P01", hour + slot * QUARTER, CLINKER_T) for slot in range(4)]
    readings += [("E01", hour + slot * QUARTER, QUIET_KWH) for slot in range(3)]
    return _batch(place, "quiet", readings)


def _batch(
    place: tuple[str, str, str], name: str, readings: list[tuple[str, datetime, float]]
) -> Message:
    said = [{"meter": meter, "time": at.isoformat(), "value": v} for meter, at, v in readings]
    return f"nenghao/v1/{'/'.join(place)}/readings", json.dumps(
        {"batch": name, "readings": said}
    ).encode()


def _until_settled(url: str) -> None:
    """Return when everything that was published so far is settled, and somebody judges."""
    ready = f"SELECT ({UNSETTLED}) = 0 AND EXISTS (SELECT FROM meter_consumption)"
    until = time.monotonic() + READY_WITHIN_S
    with psycopg.connect(url, autocommit=True) as connection:
        while time.monotonic() < until:
            row = connection.execute(ready.encode()).fetchone()
            beat = connection.execute("SELECT FROM heartbeats WHERE program = 'alert'").fetchone()
            if row == (True,) and beat is not None:
                return
            time.sleep(0.1)
    raise TimeoutError(f"not settled within {READY_WITHIN_S:g} s; see {LOGS}")


def _half_load(stage: Stage, work: Load, number: int, per_s: float) -> None:
    gateway = Gateway(stage.broker, stage.logins[number])
    gateway.send(list(work.batches(number)), per_s=per_s / load.UNITS)
    gateway.close()


ALL = (reading_to_letter,)
