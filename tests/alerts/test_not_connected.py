"""A unit that is commissioned is connected in time, or somebody is told (同步投产)."""

from __future__ import annotations

from collections.abc import Set
from datetime import date, timedelta

import pytest

from alerts.kinds.kind import Judged, Rule, Surroundings
from alerts.kinds.not_connected import watch
from alerts.kinds.not_connected.parameters import NotConnected, Until
from alerts.verdicts import State
from db.pool import Connection
from db.scope import Scope
from energy.periods import LOCAL, Span
from tests import factories
from tests.history import DAY, NOW, assess_all, put, slots

UNIT = factories.unit_code()
TODAY = NOW.astimezone(LOCAL).date()
NOBODY: Set[str] = frozenset()
INSTALLED_AT = DAY - timedelta(days=60)


async def judge(
    connection: Connection,
    subjects: Set[str] = NOBODY,
    *,
    days: int = 30,
    until: Until = Until.BOUNDARY,
    region: str = "450000",
) -> list[Judged]:
    rule = Rule(7, "rule", NotConnected(days=days, until=until), region)
    return await watch.judge(connection, rule, Surroundings(NOW, 0.75, "", {}), subjects)


async def told(connection: Connection, until: Until = Until.BOUNDARY) -> list[tuple[State, str]]:
    found = await judge(connection, {UNIT}, until=until)
    return [(each.verdict.state, each.verdict.reason) for each in found]


@pytest.fixture
async def unit_id(connection: Connection) -> int:
    """A unit that was commissioned 30 days ago."""
    unit_id = await factories.unit(connection)
    await commissioned(connection, TODAY - timedelta(days=30))
    return unit_id


async def commissioned(connection: Connection, day: date | None) -> None:
    await connection.execute("UPDATE units SET commissioned_on = $1", day)


async def test_a_unit_without_any_boundary_meter_is_not_connected(
    connection: Connection, unit_id: int
) -> None:
    await assess_all(connection)
    (found,) = await judge(connection)
    assert (found.verdict.state, found.verdict.measured, found.verdict.level) == (
        State.FIRING, 30, 2,
    )  # fmt: skip
    assert found.verdict.reason == (
        "30 days after it was commissioned: no boundary meter is registered"
    )
    assert found.watched.subject == UNIT


async def test_it_has_its_days_and_a_unit_of_the_future_or_without_a_date_is_not_watched(
    connection: Connection, unit_id: int
) -> None:
    await assess_all(connection)
    assert await judge(connection, days=31) == []
    for day in (TODAY + timedelta(days=1), None):
        await commissioned(connection, day)
        assert await judge(connection, days=0) == []


async def test_each_boundary_meter_is_heard_or_named(connection: Connection, unit_id: int) -> None:
    heard = await factories.meter(connection, unit_id, installed_at=INSTALLED_AT)
    await factories.meter(
        connection, unit_id, "G01", carrier="natural_gas", uom="m3", installed_at=INSTALLED_AT
    )
    await put(connection, heard, slots())
    await assess_all(connection)
    silent = "30 days after it was commissioned: never heard: G01 (natural_gas)"
    assert await told(connection) == [(State.FIRING, silent)]
    (any_will_do,) = await judge(connection, {UNIT}, until=Until.ANY)
    assert (any_will_do.verdict.state, any_will_do.verdict.coverage) == (State.OK, 0.5)


async def test_a_meter_has_as_many_days_from_its_installation(
    connection: Connection, unit_id: int
) -> None:
    heard = await factories.meter(connection, unit_id, installed_at=INSTALLED_AT)
    await put(connection, heard, slots())
    await factories.meter(connection, unit_id, "E02", installed_at=NOW - timedelta(days=29))
    await assess_all(connection)
    assert await told(connection) == [(State.OK, "1 of 2 boundary meters deliver")]


@pytest.mark.puts_in("monthly_filings")
async def test_a_carrier_that_is_filed_without_a_meter_counts_where_that_is_asked(
    connection: Connection, unit_id: int
) -> None:
    heard = await factories.meter(connection, unit_id, installed_at=INSTALLED_AT)
    await put(connection, heard, slots())
    await connection.execute(
        """
        INSERT INTO monthly_filings
        SELECT $1, carrier, '2026-10-01', 1, 't', 1, '2026-10-01', '2026-11-01', 'test'
          FROM carriers
         WHERE carrier IN ('raw_coal', 'electricity')
        """,
        unit_id,
    )
    await assess_all(connection)
    assert (await told(connection))[0][0] is State.OK
    assert await told(connection, until=Until.FILED) == [
        (
            State.FIRING,
            "30 days after it was commissioned: filed without a boundary meter: raw_coal",
        )
    ]


async def test_what_was_not_assessed_lately_is_unknown(
    connection: Connection, unit_id: int
) -> None:
    assert [state for state, _ in await told(connection)] == [State.UNKNOWN]


async def test_a_rule_of_another_city_does_not_see_it(connection: Connection, unit_id: int) -> None:
    await assess_all(connection)
    assert await judge(connection, {UNIT}, region="450100") == []


async def test_a_backtest_begins_with_the_day_on_which_its_days_were_over(
    connection: Connection, unit_id: int
) -> None:
    await assess_all(connection)
    rule = Rule(7, "rule", NotConnected(), "450000")
    span = Span(DAY - timedelta(days=1), DAY + timedelta(days=1))
    found = watch.ticks(
        connection, rule, Scope.of_region("450000"), span, Surroundings(NOW, 0.75, "", {}), NOBODY
    )
    assert [len(judged) async for _, judged in found] == [0, 1]
