"""Rules on data quality: what the assessment found is judged; what it did not is UNKNOWN."""

from __future__ import annotations

from collections.abc import Set
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from alerts.kinds.data_quality import watch
from alerts.kinds.data_quality.parameters import Check, DataQuality
from alerts.kinds.kind import Judged, Rule, Surroundings
from alerts.verdicts import State
from db.pool import Connection
from db.scope import Scope
from energy.periods import Span
from tests import factories
from tests.history import DAY, NOW, SLOT, assess_all, put, slots

UNIT = factories.unit_code()
E01 = f"{UNIT}/E01"
INSTALLED_AT = DAY - timedelta(days=1)
FLOOR = 0.75
NOBODY: Set[str] = frozenset()


def rule(check: str, region: str = "450000", **parameters: Any) -> Rule:
    said = DataQuality.model_validate({"check": check, **parameters})
    return Rule(7, "rule", said, region)


def around(now: datetime = NOW) -> Surroundings:
    return Surroundings(now, FLOOR, "", {})


async def judge(
    connection: Connection, asked: Rule, now: datetime = NOW, subjects: Set[str] = NOBODY
) -> list[Judged]:
    return await watch.judge(connection, asked, around(now), subjects)


async def one(
    connection: Connection, asked: Rule, now: datetime = NOW, subjects: Set[str] = NOBODY
) -> tuple[State, float | None, str]:
    (found,) = await judge(connection, asked, now, subjects)
    return found.verdict.state, found.verdict.measured, found.watched.subject


@pytest.fixture
async def unit_id(connection: Connection) -> int:
    unit_id = await factories.unit(connection)
    await factories.gateway(connection, unit_id)
    await connection.execute("UPDATE units SET created_at = $1", INSTALLED_AT)
    return unit_id


@pytest.fixture
async def meter_id(connection: Connection, unit_id: int) -> int:
    return await factories.meter(connection, unit_id, installed_at=INSTALLED_AT)


async def sends(connection: Connection, meter_id: int, last: datetime) -> None:
    count = round((last - INSTALLED_AT) / SLOT)
    await put(connection, meter_id, slots(INSTALLED_AT, count))


async def test_a_meter_that_owes_intervals_is_offline_until_it_is_heard(
    connection: Connection, meter_id: int
) -> None:
    await sends(connection, meter_id, NOW - timedelta(hours=3))
    await assess_all(connection)
    assert await one(connection, rule("offline")) == (State.FIRING, 12.0, E01)
    assert await one(connection, rule("offline", bound=13)) == (State.OK, 12.0, E01)
    back = NOW + timedelta(hours=2)
    await put(connection, meter_id, [back])
    await assess_all(connection, back + timedelta(minutes=1))
    later = back + timedelta(minutes=2)
    assert await one(connection, rule("offline"), later, {E01}) == (State.OK, 0.0, E01)
    assert await judge(connection, rule("offline"), later) == []


async def test_a_meter_that_delivers_is_nobody_to_tell_of(
    connection: Connection, meter_id: int
) -> None:
    await sends(connection, meter_id, NOW)
    await assess_all(connection)
    for check in (Check.OFFLINE, Check.GAP, Check.FLAT, Check.CLOCK, Check.REPAIR):
        assert await judge(connection, rule(check)) == []


async def test_what_was_not_assessed_for_a_day_is_unknown_and_resolves_nothing(
    connection: Connection, meter_id: int
) -> None:
    await sends(connection, meter_id, NOW - timedelta(hours=3))
    await assess_all(connection)
    later = NOW + timedelta(hours=27)
    (found,) = await judge(connection, rule("offline"), later)
    assert found.verdict.state is State.UNKNOWN
    assert "not assessed lately" in found.verdict.reason


async def test_a_unit_whose_gateways_are_revoked_or_that_is_not_built_yet_owes_nothing(
    connection: Connection, meter_id: int
) -> None:
    await sends(connection, meter_id, NOW - timedelta(hours=3))
    await assess_all(connection)
    await connection.execute("UPDATE gateways SET revoked_at = $1", NOW - timedelta(hours=4))
    (found,) = await judge(connection, rule("offline"))
    assert (found.verdict.state, found.verdict.reason) == (
        State.UNKNOWN,
        "no gateway may speak for the unit",
    )
    await connection.execute("UPDATE units SET commissioned_on = $1", date(2026, 12, 1))
    assert await judge(connection, rule("offline")) == []


async def test_a_gap_is_the_share_of_readings_missing_in_whole_days(
    connection: Connection, meter_id: int
) -> None:
    await put(connection, meter_id, [*slots(INSTALLED_AT), *slots(DAY, 72), *slots(NOW, 1)])
    await assess_all(connection)
    state, lacks, subject = await one(connection, rule("gap"))
    assert (state, lacks, subject) == (State.FIRING, 0.25, E01)
    assert await one(connection, rule("gap", bound=0.25), subjects={E01}) == (State.OK, 0.25, E01)
    two_days = await one(connection, rule("gap", days=2))
    assert two_days == (State.FIRING, 0.125, E01)


async def test_a_gap_over_days_that_are_not_measured_is_unknown(
    connection: Connection, meter_id: int
) -> None:
    await put(connection, meter_id, slots(INSTALLED_AT, 150))
    await assess_all(connection)
    await connection.execute("DELETE FROM quality_days WHERE starts_at = $1", DAY)
    (found,) = await judge(connection, rule("gap", days=2), subjects={E01})
    assert found.verdict.state is State.UNKNOWN
    assert found.verdict.reason == "only 1 of 2 days are measured yet"


async def suspect(
    connection: Connection, unit_id: int, kind: str, subject: str, span: Span, evidence: str
) -> None:
    await connection.execute(
        """
        INSERT INTO suspicions (kind, unit_id, subject, starts_at, ends_at, sureness, evidence,
                                found_at, seen_at)
        VALUES ($1, $2, $3, $4, $5, 'likely', $6, $5, $5)
        """,
        kind,
        unit_id,
        subject,
        span.starts_at,
        span.ends_at,
        evidence,
    )


async def test_a_flat_line_is_an_alert_until_its_window_has_passed_and_was_checked(
    connection: Connection, unit_id: int, meter_id: int
) -> None:
    await sends(connection, meter_id, NOW)
    await assess_all(connection)
    span = Span(DAY + timedelta(hours=8), DAY + timedelta(hours=11))
    await suspect(connection, unit_id, "flat_line", "E01", span, '{"intervals":12,"value":3.0}')
    assert await one(connection, rule("flat")) == (State.FIRING, 12.0, E01)
    assert await one(connection, rule("flat", bound=13)) == (State.OK, 12.0, E01)
    (later,) = await judge(connection, rule("flat"), NOW + timedelta(days=4), {E01})
    assert later.verdict.state is State.UNKNOWN  # nobody has looked at those days
    await connection.execute("DELETE FROM suspicions")
    assert await one(connection, rule("flat", days=1), subjects={E01}) == (State.OK, 0.0, E01)


async def fault(
    connection: Connection,
    unit_id: int,
    kind: str,
    subject: str = "E01",
    *,
    opened_at: datetime = DAY,
    due_at: datetime | None = None,
) -> None:
    await connection.execute(
        """
        INSERT INTO repairs (unit_id, subject, fault, opened_at, due_at, due_reason)
        VALUES ($1, $2, $3, $4, $5, CASE WHEN $5::timestamptz IS NULL THEN 'calendar_unknown' END)
        """,
        unit_id,
        subject,
        kind,
        opened_at,
        due_at,
    )
    await connection.execute(
        "INSERT INTO quality_checks VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        unit_id,
        NOW,
        NOW.date(),
    )


async def test_a_clock_is_judged_by_its_newest_offset(connection: Connection, unit_id: int) -> None:
    await fault(connection, unit_id, "clock_offset", "gw1")
    gw1 = f"{UNIT}/gw1"
    assert (await one(connection, rule("clock"))) == (State.UNKNOWN, None, gw1)
    for days, offset_s in ((1, -90.0), (2, -300.0)):
        span = Span(DAY - timedelta(days=days), DAY)
        await suspect(
            connection, unit_id, "clock_offset", "gw1", span, f'{{"offset_s":{offset_s}}}'
        )
    assert await one(connection, rule("clock")) == (State.FIRING, 90.0, gw1)
    assert await one(connection, rule("clock", bound=90)) == (State.OK, 90.0, gw1)


async def test_a_repair_is_overdue_from_its_deadline_until_it_is_filed_or_done(
    connection: Connection, unit_id: int
) -> None:
    await fault(connection, unit_id, "gap", due_at=NOW)
    subject = f"{E01}/gap"
    second = timedelta(seconds=1)
    assert (await one(connection, rule("repair"), NOW - second))[0] is State.OK
    assert await one(connection, rule("repair")) == (State.FIRING, 0.0, subject)
    assert (await one(connection, rule("repair", bound=2), NOW + timedelta(days=1)))[0] is State.OK
    await connection.execute("UPDATE repairs SET filed_at = $1", NOW + second)
    assert (await one(connection, rule("repair"), NOW + 2 * second))[0] is State.OK
    assert (await one(connection, rule("repair"), NOW + second / 2))[0] is State.FIRING


async def test_a_repair_without_a_deadline_is_unknown(connection: Connection, unit_id: int) -> None:
    await fault(connection, unit_id, "silence")
    assert (await one(connection, rule("repair"))) == (State.UNKNOWN, None, f"{E01}/silence")


async def test_a_verification_that_ends_soon_is_mild_and_one_that_has_ended_is_not(
    connection: Connection, meter_id: int
) -> None:
    last = NOW.date() + timedelta(days=30)
    await connection.execute(
        "INSERT INTO verifications VALUES ($1, '2025-01-01', $2, 'b', 'c')", meter_id, last
    )
    asked = rule("verification", level=1)
    assert await judge(connection, asked, NOW - timedelta(days=1)) == []
    (soon,) = await judge(connection, asked)
    assert (soon.verdict.state, soon.verdict.measured, soon.verdict.level) == (State.FIRING, 30, 3)
    (ended,) = await judge(connection, asked, NOW + timedelta(days=31))
    assert (ended.verdict.measured, ended.verdict.level) == (-1, 1)
    await connection.execute(
        "INSERT INTO verifications VALUES ($1, '2026-11-01', '2028-11-01', 'b', 'd')", meter_id
    )
    assert (await one(connection, asked, subjects={E01}))[0] is State.OK


async def days(connection: Connection, unit_id: int, due: int, present: int, number: int) -> None:
    await connection.execute(
        """
        INSERT INTO quality_unit_days (unit_id, starts_at, meter_days, due, present, arrived,
                                       on_time, traceable, valid, verified, verification_known,
                                       normative, opened, on_boundary, settled, measured_at)
        SELECT $1, $5::timestamptz - day * interval '1 day', 1, $2, $3, $3, $3, $3, $3, 1, 1, 1,
               1, 1, '', $5
          FROM generate_series(1, $4::integer) AS days (day)
        """,
        unit_id,
        due,
        present,
        number,
        DAY + timedelta(days=1),
    )


async def test_an_index_below_its_floor_is_an_alert_of_the_unit_or_of_its_region(
    connection: Connection, unit_id: int, meter_id: int
) -> None:
    await days(connection, unit_id, 96, 48, 2)
    other = await factories.unit(connection, factories.unit_code(2), region="450203")
    await factories.meter(connection, other, installed_at=INSTALLED_AT)
    await days(connection, other, 96, 96, 2)
    asked: dict[str, Any] = {"index": "completeness", "days": 2, "bound": 0.8}
    found = {
        each.watched.subject: each.verdict
        for each in await judge(connection, rule("index", **asked))
    }
    assert found[f"{UNIT}/completeness"].state is State.FIRING
    assert found[f"{factories.unit_code(2)}/completeness"].state is State.OK
    (city,) = await judge(connection, rule("index", of="city", **asked))
    assert (city.watched.subject, city.watched.unit_id) == ("450200/completeness", None)
    assert (city.verdict.state, city.verdict.measured) == (State.FIRING, 0.75)


async def test_an_index_of_which_days_are_not_measured_is_unknown(
    connection: Connection, unit_id: int, meter_id: int
) -> None:
    await days(connection, unit_id, 96, 48, 1)
    (found,) = await judge(connection, rule("index", days=2))
    assert (found.verdict.state, found.verdict.coverage) == (State.UNKNOWN, 0.5)


async def test_a_rule_of_a_city_asks_for_no_index_of_the_province(
    connection: Connection, unit_id: int, meter_id: int
) -> None:
    await days(connection, unit_id, 96, 48, 2)
    assert await judge(connection, rule("index", region="450200", of="province")) == []


@pytest.mark.parametrize("check", list(Check))
async def test_nobody_is_judged_outside_of_the_region_of_the_rule(
    connection: Connection, unit_id: int, meter_id: int, check: Check
) -> None:
    await put(connection, meter_id, slots(INSTALLED_AT, 30))
    await assess_all(connection)
    assert await judge(connection, rule(check, region="450100"), subjects={E01}) == []


async def test_a_backtest_finds_the_hours_in_which_it_was_offline(
    connection: Connection, meter_id: int
) -> None:
    await sends(connection, meter_id, NOW - timedelta(hours=3))
    await assess_all(connection)
    repaired_at = NOW - timedelta(minutes=30)
    await connection.execute("UPDATE repairs SET repaired_at = $1", repaired_at)
    span = Span(NOW - timedelta(hours=4), NOW)
    asked = rule("offline", bound=6)
    states = [
        [each.verdict.state for each in found]
        async for _, found in watch.ticks(
            connection, asked, Scope.of_region("450000"), span, around(), NOBODY
        )
    ]
    assert states == [[], [State.OK], [State.FIRING], []]


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"check": "offline", "bound": 3}, "bound of offline is from 4 to 35040 [intervals]"),
        ({"check": "gap", "bound": 1}, "bound of gap is from 0 to 0.999 [share]"),
        ({"check": "clock", "days": 3}, "days is for gap, flat and index"),
        ({"check": "gap", "of": "city"}, "index and of are for check index"),
        ({"check": "gap", "index": "accuracy"}, "index and of are for check index"),
        ({"check": "noise"}, "check"),
        ({"check": "gap", "bound": float("nan")}, "finite"),
        ({}, "check"),
    ],
)
def test_what_makes_no_sense_is_refused(parameters: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError) as refused:
        DataQuality.model_validate(parameters)
    assert says in str(refused.value)
