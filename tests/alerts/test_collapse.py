"""Many silent meters of a city are one letter, by the real assessment and the real evaluator."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from db.pool import Pool
from ingest import assess
from tests import factories
from tests.alerts.conftest import Works, contact
from tests.history import NOW, SLOT, put

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
WENT_AT = NOW + 15 * MINUTE
"""When the first of it is missed that never came."""

PLANTS = 4
OFFLINE = '{"check": "offline", "remind_h": 0}'


class City:
    """Four plants of Liuzhou with two meters behind a gateway each, which deliver every quarter."""

    def __init__(self, pool: Pool) -> None:
        self.works = Works(pool, 0, 0, 0)
        self.plants: list[tuple[int, list[int]]] = []

    async def build(self) -> None:
        pool = self.works.pool
        await contact(pool, "450200", "liuzhou@desk.example", level=3)
        async with pool.acquire() as connection:
            await factories.rule(connection, kind="outage", name="outages")
            await factories.rule(connection, kind="data_quality", parameters=OFFLINE)
            for number in range(1, PLANTS + 1):
                unit_id = await factories.unit(
                    connection, factories.unit_code(number), name=f"厂{number}"
                )
                meter_ids = [
                    await factories.meter(connection, unit_id, code, installed_at=NOW - HOUR)
                    for code in ("E01", "E02")
                ]
                await factories.gateway(connection, unit_id)
                self.plants.append((unit_id, meter_ids))
            await connection.execute("UPDATE units SET created_at = $1", NOW - HOUR)

    async def deliver(self, plants: slice, since: datetime, until: datetime) -> None:
        """Let plants send all of a span; their gateways are heard at its end."""
        times = [since + number * SLOT for number in range((until - since) // SLOT + 1)]
        async with self.works.pool.acquire() as connection:
            for unit_id, meter_ids in self.plants[plants]:
                for meter_id in meter_ids:
                    await put(connection, meter_id, times)
                await connection.execute(
                    "UPDATE gateways SET last_seen_at = $2 WHERE unit_id = $1", unit_id, until
                )

    async def look(self, at: datetime) -> list[str]:
        """Assess all, judge all; return the letters that are new, by reason and whom."""
        before = len(await self.works.letters())
        async with self.works.pool.acquire() as connection:
            while await assess.assess_one(connection, at, MINUTE / 2):
                pass
        await self.works.evaluate(now=at)
        return sorted(subject for _, subject in (await self.works.letters())[before:])

    async def collector(self, at: datetime) -> None:
        await self.works.pool.execute(
            """
            INSERT INTO heartbeats VALUES ('collect', 'collector', $1, 'ready')
                ON CONFLICT (program, instance) DO UPDATE SET beat_at = excluded.beat_at
            """,
            at,
        )

    async def alerts(self) -> list[tuple[str, str, str | None]]:
        """Return (subject, state, what keeps it back), those of meters by unit alone."""
        rows = await self.works.pool.fetch(
            """
            SELECT alerts.subject, alerts.state, keeper.subject AS keeper
              FROM alerts
              LEFT JOIN alerts AS keeper ON keeper.alert_id = alerts.inhibited_by
             ORDER BY alerts.alert_id
            """
        )
        return [tuple(row) for row in rows]


@pytest.fixture
async def city(pool: Pool) -> City:
    made = City(pool)
    await made.build()
    await made.deliver(slice(None), NOW - HOUR, NOW)
    await made.collector(NOW + MINUTE)
    assert await made.look(NOW + MINUTE) == []
    return made


async def test_silent_meters_of_a_city_are_one_letter_until_it_is_over(city: City) -> None:
    """[56] Their own letters are kept back, and go out only for whoever is silent still."""
    at = WENT_AT + 90 * MINUTE
    await city.collector(at)
    assert await city.look(at) == ["【预警】柳州市端设备：4 台中 4 台中断"]
    incident, *meters = await city.alerts()
    assert incident == ("450200/gateways", "firing", None)
    assert len(meters) == 2 * PLANTS
    assert {each[1:] for each in meters} == {("firing", "450200/gateways")}
    await city.collector(at + 5 * MINUTE)
    assert await city.look(at + 5 * MINUTE) == []

    later = at + 30 * MINUTE
    await city.deliver(slice(3), WENT_AT, later)
    await city.collector(later + MINUTE)
    letters = await city.look(later + MINUTE)
    over = [each for each in letters if each.startswith("【预警解除】柳州市端设备")]
    left = [each for each in letters if each.startswith("【预警】厂4：表计 E0")]
    assert (len(over), len(left), len(letters)) == (1, 2, 3)
    states = [state for subject, state, _ in await city.alerts()]
    assert (states.count("resolved"), states.count("firing")) == (1 + 6, 2)

    await city.deliver(slice(3, 4), WENT_AT, later + 15 * MINUTE)
    end = later + 20 * MINUTE
    await city.collector(end)
    await city.deliver(slice(3), later + 15 * MINUTE, later + 15 * MINUTE)
    assert await city.look(end) == [f"【预警解除】厂4：表计 E0{n} 已恢复上报" for n in (1, 2)]


async def test_after_our_own_restart_who_is_silent_still_is_one_letter_once_grace_is_over(
    city: City,
) -> None:
    """No plant is accused while we were deaf, nor for half an hour after it."""
    back = WENT_AT + 2 * HOUR  # our collector was away since NOW
    ours = "广西壮族自治区消息代理（平台自身未连接消息代理）：柳州市端设备 4 台中 4 台中断"
    assert await city.look(back - MINUTE) == [f"【预警】{ours}"]
    await city.collector(back)
    (over,) = await city.look(back)
    assert over.startswith("【预警解除】广西壮族自治区消息代理")
    await city.deliver(slice(1), WENT_AT, back)  # one catches up, three are silent
    await city.collector(back + 29 * MINUTE)
    assert await city.look(back + 29 * MINUTE) == []
    assert [state for _, state, _ in await city.alerts()] == ["resolved"]
    await city.deliver(slice(1), back + SLOT, back + SLOT)
    await city.collector(back + 31 * MINUTE)
    assert await city.look(back + 31 * MINUTE) == ["【预警】柳州市端设备：4 台中 3 台中断"]
    keepers = [keeper for _, _, keeper in (await city.alerts())[1:]]
    assert keepers == [None, *["450200/gateways"] * 6]
