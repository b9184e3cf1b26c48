"""Owns what the demo shows: progress, the table of results, summary.json, commands to try by hand.

The figures come over the HTTP interface, as a regulator would see them.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlencode, urlsplit, urlunsplit
from urllib.request import Request, urlopen

from rich.console import Console
from rich.table import Table

from app.resolve import Refusal
from db.intake import Totals
from energy.periods import LOCAL
from ingest.broker_url import BrokerUrl
from ingest.credentials import Login
from ingest.topics import Address, Leaf

ANSWER_WITHIN_S = 30
API_UP_WITHIN_S = 30
STEEL_SPAN = timedelta(days=366)

Row = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Api:
    """Where the demo's HTTP interface is, and a key for the whole province."""

    host: str
    port: int
    key: str = field(repr=False)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    async def get(self, path: str, **query: str) -> Sequence[Row]:
        """Return the items of an answer."""
        return await asyncio.to_thread(self._get, f"{path}?{urlencode(query)}")

    async def ready(self) -> None:
        """Return when the interface says it can serve."""
        for _ in range(API_UP_WITHIN_S * 10):
            try:
                await asyncio.to_thread(self._open, "/readyz")
            except (URLError, OSError):
                await asyncio.sleep(0.1)
            else:
                return
        raise Refusal(f"the HTTP interface at {self.url} does not answer; see its log")

    def _get(self, path: str) -> Sequence[Row]:
        answer = json.loads(self._open(path))
        items: Sequence[Row] = answer["items"]
        return items

    def _open(self, path: str) -> bytes:
        request = Request(self.url + path, headers={"Authorization": f"Bearer {self.key}"})
        with urlopen(request, timeout=ANSWER_WITHIN_S) as response:
            body: bytes = response.read()
            return body


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the main job came to."""

    published: int
    totals: Totals
    steel_kwh: float
    steel_tce: float
    cities: Sequence[Row]
    alerts: Sequence[Row]
    mails: int
    mail_folder: Path
    api_url: str
    database: str
    broker: str

    def summary(self) -> dict[str, object]:
        """Return the contents of summary.json."""
        return {
            "readings_published": self.published,
            "readings_received": self.totals.received,
            "readings_stored": self.totals.stored,
            "duplicate": self.totals.duplicate,
            "conflicting": self.totals.conflicting,
            "rejected": self.totals.rejected,
            "steel_kwh": round(self.steel_kwh, 2),
            "steel_tce": round(self.steel_tce, 4),
            "alerts_fired": len(self.alerts),
            "mails_delivered": self.mails,
            "api_url": self.api_url,
            "database": self.database,
            "broker": self.broker,
        }


async def steel_figures(api: Api, unit: str, now: datetime) -> tuple[float, float]:
    """Return what the steel plant used in its year. [kWh, tce]"""
    rows = await api.get(
        "/v1/consumption",
        **{"from": _hour(now - STEEL_SPAN), "to": _hour(now + timedelta(hours=1))},
        bucket="month",
        group_by="unit,energy",
        unit=unit,
        energy="electricity",
    )
    return _sum(rows, "quantity"), _sum(rows, "energy_tce")


async def city_figures(api: Api, now: datetime) -> Sequence[Row]:
    """Return the consumption of the last full hour by city."""
    return await api.get(
        "/v1/consumption",
        **{"from": _hour(now, -1), "to": _hour(now)},
        bucket="hour",
        group_by="region",
    )


def show(outcome: Outcome, console: Console) -> None:
    table = Table("figure", "value", title="what happened")
    for name, value in outcome.summary().items():
        if name not in ("database", "broker"):
            table.add_row(name, str(value))
    console.print(table)
    cities = Table("city", "", "hour from", "tce", "coverage", "no factor for")
    cities.title = "consumption by city in the last full hour"
    for row in outcome.cities:
        tce, coverage = row["energy_tce"], row["coverage"]
        cities.add_row(
            str(row["region"]),
            str(row["region_name"]),
            str(row["starts_at"])[11:16],
            f"{tce:.2f}" if isinstance(tce, float) else "unknown",
            f"{coverage:.0%}" if isinstance(coverage, float) else "nothing due yet",
            ", ".join(map(str, _list(row["left_out"]))),
        )
    console.print(cities)
    console.print(f"letters, readable as .eml: {outcome.mail_folder}")
    console.print(f"HTTP interface: {outcome.api_url}/docs")


def say_how_to_try(
    console: Console, address: Address, broker: BrokerUrl, login: Login, meter: str, api: Api
) -> None:
    """Print commands with which anybody can publish a batch by hand and read it back."""
    now = datetime.now(UTC).astimezone(LOCAL).replace(microsecond=0)
    at = now.replace(minute=now.minute // 15 * 15, second=0).isoformat()
    batch = {"batch": "by-hand-1", "readings": [{"meter": meter, "time": at, "value": 12.5}]}
    where = f"-h {broker.host} -p {broker.port} -u {login.username} -P {login.password}"
    query = urlencode(
        {"unit": address.unit, "meter": meter, "from": _hour(now), "to": _hour(now, 1)}
    )
    consumption = urlencode(
        {
            "unit": address.unit,
            "group_by": "meter",
            "bucket": "hour",
            "from": _hour(now),
            "to": _hour(now, 1),
        }
    )
    key = f"-H 'Authorization: Bearer {api.key}'"
    lines = (
        "# try it by hand, in another terminal (any MQTT client will do; these are in the package",
        "# mosquitto-clients):",
        f"mosquitto_sub {where} -q 1 -t {address.topic(Leaf.RECEIPTS)} &",
        f"mosquitto_pub {where} -q 1 -t {address.topic(Leaf.READINGS)} -m '{json.dumps(batch)}'",
        f"curl {key} '{api.url}/v1/readings?{query}'",
        f"curl {key} '{api.url}/v1/consumption?{consumption}'",
    )
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False, markup=False)


def without_password(url: str) -> str:
    """Return `url` without its password, fit to be shown and kept.

    >>> without_password("mqtt://collector:secret@127.0.0.1:1883")
    'mqtt://collector@127.0.0.1:1883'
    """
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{parts.username}@{parts.hostname}:{parts.port}"))


def write_summary(outcome: Outcome, path: Path) -> None:
    text = json.dumps(outcome.summary(), indent=2, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def _hour(instant: datetime, later: int = 0) -> str:
    local = instant.astimezone(LOCAL).replace(minute=0, second=0, microsecond=0)
    return (local + timedelta(hours=later)).isoformat()


def _sum(rows: Sequence[Row], name: str) -> float:
    values = (row[name] for row in rows)
    return sum(value for value in values if isinstance(value, float | int))


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
