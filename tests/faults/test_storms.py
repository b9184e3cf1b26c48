"""Many alerts at once, a mail server that is away, cities that change. [RELIABILITY 54, 55]

The evaluator, the gathering and the sending are those of the program, in virtual time; the mail
server is a real one. Names of units carry the city they lie in, so that every line can be checked.
"""

from __future__ import annotations

import random
import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from alerts import cycle, digest, gathering, smtp
from alerts.episodes import Episodes
from alerts.judging import Progress
from db.pool import Pool
from tests import factories
from tests.alerts.conftest import FLOOR, HOUR, LAST_HOUR, MAIL_FROM, NOW, PUBLIC_URL, contact, limit
from tests.faults.postbox import Postbox

CITIES = [f"45{number:02}00" for number in range(1, 15)]
PROVINCE = "450000"
NAMED = re.compile(r"厂(\d{6})")
SECOND = timedelta(seconds=1)

UNITS = """
WITH made AS (
    INSERT INTO units (unit, name, region, industry)
    SELECT unit, '厂' || region || '-' || unit, region, 'C3011'
      FROM unnest($1::text[], $2::text[]) AS u (unit, region)
    RETURNING unit_id
), metered AS (
    INSERT INTO meters (unit_id, meter, name, carrier, kind, uom, interval_s, role, product,
                        installed_at)
    SELECT unit_id, code, code, CASE role WHEN 'boundary' THEN 'electricity' END, 'interval',
           CASE role WHEN 'boundary' THEN 'kWh' ELSE 't' END, 900, role,
           CASE role WHEN 'output' THEN 'clinker' END, '2020-01-01Z'
      FROM made, (VALUES ('E01', 'boundary'), ('P01', 'output')) AS m (code, role)
    RETURNING meter_id
)
INSERT INTO meter_epochs (meter_id, starts_at, reason, multiplier)
SELECT meter_id, '2020-01-01Z', 'installed', 1
  FROM metered
"""

HOUR_OF_ALL = """
INSERT INTO meter_consumption (meter_id, step, starts_at, quantity, held, estimated_quantity,
                               readings_present, calorific_tce, equivalent_tce)
SELECT meter_id, 'hour', $1, 100, false, 0, 4, CASE role WHEN 'boundary' THEN $2 / 10 END, NULL
  FROM meters
"""
"""100 t of clinker at $2 kgce/t."""


@dataclass
class Province:
    """Units in all cities, desks of the cities and of the province, and their mail."""

    pool: Pool
    box: Postbox
    url: str
    episodes: Episodes = field(default_factory=Episodes)
    cities: list[str] = field(default_factory=lambda: list(CITIES))

    async def build(self, units: int) -> None:
        """Register units, in fewer cities where they are few: a digest is of two and more."""
        self.cities = CITIES[: min(len(CITIES), units // 3)]
        cities = [self.cities[number % len(self.cities)] for number in range(units)]
        codes = [factories.unit_code(number) for number in range(units)]
        await self.pool.execute(UNITS, codes, cities)
        await limit(self.pool, "clinker", baseline=117.0)
        for region in (*self.cities, PROVINCE):
            await contact(self.pool, region, f"{region}@desk.example", level=3)

    async def settle(self, starts_at: datetime, intensity: float) -> None:
        await self.pool.execute(HOUR_OF_ALL, starts_at, intensity)

    async def evaluate(self, now: datetime) -> int:
        """Evaluate until nobody waits to be written about, as the loop of the program does."""
        progress, changed = Progress(has_more=True), 0
        while progress.has_more:
            changed += await cycle.evaluate_once(
                self.pool,
                now=now,
                coverage_floor=FLOOR,
                public_url=PUBLIC_URL,
                episodes=self.episodes,
                progress=progress,
            )
        return changed

    async def post(self, now: datetime, url: str | None = None) -> None:
        """Gather, and send while somebody takes it, as the loops of the program do."""
        await gathering.gather_once(self.pool, public_url=PUBLIC_URL, now=now)
        link = smtp.Link(smtp.parse(url or self.url), MAIL_FROM)
        while await cycle.send_once(
            self.pool, link, now=now, instance="test", episodes=self.episodes
        ):
            pass
        await link.rest()

    async def states(self) -> Counter[str]:
        rows = await self.pool.fetch("SELECT state FROM outbox")
        return Counter(row["state"] for row in rows)

    def lines(self) -> Iterator[tuple[str, str]]:
        """Yield (recipient, line) for every line that tells of a unit, and subjects that do."""
        for recipient, subject, text in self.box.told():
            if "汇总" not in subject:
                yield recipient, subject
            else:
                for line in text.splitlines():
                    if NAMED.search(line):
                        yield recipient, line


@pytest.fixture
def province(pool: Pool, tmp_path: Path) -> Iterator[Province]:
    box = Postbox(tmp_path / "mail", random.Random("storm"))
    yield Province(pool, box, box.start())
    box.stop()


@pytest.mark.parametrize("alerts", [12, pytest.param(2_000, marks=pytest.mark.soak)])
async def test_a_storm_is_one_digest_for_each_city_and_period(
    province: Province, alerts: int
) -> None:
    """[55] 2,000 alerts in a minute; the first mail at most 2 min after detection."""
    await province.build(alerts)
    await province.settle(LAST_HOUR, 140.0)
    begun = time.monotonic()
    assert await province.evaluate(NOW) == alerts
    await province.post(NOW)
    assert time.monotonic() - begun <= 120
    desks = 2 * len(province.cities)  # of each city, and of the province about each city
    assert len(province.box.taken) == desks
    for minute in range(1, 60):
        await province.post(NOW + timedelta(minutes=minute))
    subjects = Counter(
        (to, "汇总" in subject, digest_city(subject, text))
        for to, subject, text in province.box.told()
    )
    assert len(subjects) == len(province.box.taken) == 2 * desks
    assert len(list(province.lines())) == 2 * alerts
    assert province.box.connections <= 3
    assert (await province.states())["gathered"] == 2 * alerts - desks


def digest_city(subject: str, text: str) -> str:
    """Return the one city that a letter tells of."""
    (city,) = set(NAMED.findall(subject) or NAMED.findall(text))
    return str(city)


@pytest.mark.parametrize("step_s", [60, pytest.param(5, marks=pytest.mark.soak)])
async def test_after_an_hour_without_a_mail_server_all_arrives_within_ten_minutes(
    province: Province, step_s: int
) -> None:
    """[55] The server is away for an hour, with 420 alerts just before; nothing is dropped."""
    alerts, step = (12 if step_s == 60 else 420), timedelta(seconds=step_s)
    await province.build(alerts)
    await province.settle(LAST_HOUR, 140.0)
    await province.evaluate(NOW)
    at = NOW
    while at < NOW + HOUR:
        await province.post(at, "smtp://127.0.0.1:9")
        at += step
    assert province.box.taken == []
    until = at + timedelta(minutes=10)
    while at <= until and set(await province.states()) - {"sent", "gathered"}:
        await province.post(at)
        at += step
    assert at <= until
    assert set(await province.states()) == {"sent", "gathered"}
    assert len(list(province.lines())) == 2 * alerts


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("units", "hours", "letters"),
    [(12, 3, 60), pytest.param(850, 11, 10_000, marks=pytest.mark.soak)],
)
async def test_no_letter_goes_to_a_region_it_is_not_about(
    province: Province, units: int, hours: int, letters: int
) -> None:
    """[54] 10,000 letters: desks come, move and go, units move, while letters are held for digests.

    Who is to know of an alert is who answers for the place of its unit when it begins: the desks
    of the moment at which a letter is written, and nobody else. Nobody is told the end of what
    nobody was told of.
    """
    await province.build(units)
    chance, seen = random.Random("regions"), 0
    place, told = dict[str, str](), set[str]()
    for hour in range(hours):
        now = NOW + hour * HOUR
        is_over = hour % 2 == 0
        await province.settle(LAST_HOUR + hour * HOUR, 140.0 if is_over else 100.0)
        if is_over:
            rows = await province.pool.fetch("SELECT unit, region FROM units")
            place = {row["unit"]: row["region"] for row in rows}
        desks = await province.pool.fetch("SELECT email, region FROM contacts")
        assert await province.evaluate(now) == units
        await province.post(now)
        await _change(province, chance, f"desk-{hour}@desk.example")
        await province.post(now + digest.WINDOW)
        lines = Counter(
            (to, code)
            for to, line in list(province.lines())[seen:]
            for code in re.findall(r"[0-9A-Z]{18}", line)
        )
        due = Counter(
            (row["email"], unit)
            for unit, region in place.items()
            for row in desks
            if row["region"] in (region, PROVINCE) and (is_over or unit in told)
        )
        assert lines == due
        told = {unit for _, unit in due}
        seen += sum(lines.values())
    assert seen >= letters
    print(f"{seen} letters in {len(province.box.taken)} mails, 0 to a wrong region")


async def _change(province: Province, chance: random.Random, new: str) -> None:
    """Move a tenth of the units, delete a desk, let another answer elsewhere, and add one."""
    pool, cities = province.pool, province.cities
    rows = await pool.fetch("SELECT unit_id FROM units ORDER BY unit_id")
    for row in chance.sample(rows, -(-len(rows) // 10)):
        city = chance.choice(cities)
        await pool.execute("UPDATE units SET region = $2 WHERE unit_id = $1", row["unit_id"], city)
    emails = [row["email"] for row in await pool.fetch("SELECT email FROM contacts ORDER BY email")]
    gone, moved = chance.sample(emails, 2)
    await pool.execute("DELETE FROM contacts WHERE email = $1", gone)
    await pool.execute(
        "UPDATE contacts SET region = $2 WHERE email = $1", moved, chance.choice(cities)
    )
    await contact(pool, chance.choice([*cities, PROVINCE]), new, level=3)


OUTAGE = """
WITH made AS (
    INSERT INTO rules (kind, region) VALUES ('outage', '450000')
    RETURNING rule_id
), heard AS (
    INSERT INTO gateways (unit_id, gateway, last_seen_at)
    SELECT unit_id, 'gw-' || unit, $1 FROM units
)
INSERT INTO rule_versions
SELECT rule_id, 1, 'outages', '{"gateways_min": 2, "broker_share": 0.1}', $1, $1, 'a', 'r'
  FROM made
"""


@pytest.mark.parametrize(
    ("units", "rounds"), [(12, 4), pytest.param(700, 120, marks=pytest.mark.soak)]
)
async def test_no_letter_about_an_outage_names_a_unit_of_another_region(
    province: Province, units: int, rounds: int
) -> None:
    """[54] Gateways of all cities fall silent and come back, again and again."""
    await province.build(units)
    await province.pool.execute(OUTAGE, NOW - HOUR)
    chance = random.Random("outage")
    for number in range(rounds):
        now = NOW + number * 30 * digest.WINDOW
        silent = chance.sample(range(units), chance.randint(units // 2, units - 1))
        if number % 2:
            silent = []
        await province.pool.execute(
            """
            UPDATE gateways
               SET last_seen_at = CASE WHEN unit_id % $2 = ANY ($3)
                                       THEN least(last_seen_at, $1::timestamptz - interval '2 h')
                                       ELSE $1 END
            """,
            now,
            units,
            silent,
        )
        await province.evaluate(now)
        await province.post(now)
        await province.post(now + digest.WINDOW)
        await province.post(now + 2 * digest.WINDOW)
    told = [(to[:6], set(NAMED.findall(text))) for to, _, text in province.box.told()]
    foreign = [each for each in told if each[0] != PROVINCE and each[1] - {each[0]}]
    assert foreign == []
    assert {to for to, named in told if named} == {*province.cities, PROVINCE}
    assert any(len(named) > 1 for to, named in told if to == PROVINCE)
    print(f"{len(told)} letters about outages, 0 with a unit of another region")
