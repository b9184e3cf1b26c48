"""A backtest finds what the evaluator found: one code, another clock, and nothing is written."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

import db.pool
import db.rules
from alerts import backtest, rules
from alerts.backtest import Backtest, Move
from alerts.kinds.kind import Rule, Surroundings
from alerts.kinds.past import OutOfBoundsError
from alerts.kinds.product_intensity.parameters import ProductIntensity
from db.pool import Pool
from db.scope import Scope
from energy.periods import Span
from tests import factories
from tests.alerts.conftest import FLOOR, HOUR, LAST_HOUR, NOW, Works, contact

FIRST = LAST_HOUR - 8 * HOUR
COURSE = (100.0, 140.0, 150.0, 116.0, 110.0, None, 141.0, 142.0, 100.0)
"""kgce/t against a baseline of 117, hour by hour from FIRST on; None: nothing was read."""

SPAN = Span(FIRST, LAST_HOUR + HOUR)
PROVINCE = Scope("45")


async def rule(pool: Pool, parameters: str = "{}", rule_id: int = 1) -> Rule:
    async with pool.acquire() as connection:
        row = await db.rules.fetch_newest(connection, rule_id)
    assert row is not None
    return rules.parse(rules.proposed(row, parameters))


async def run(pool: Pool, judging: Rule, span: Span = SPAN, scope: Scope = PROVINCE) -> Backtest:
    around = Surroundings(NOW, FLOOR, "", {})
    async with pool.acquire() as connection, connection.transaction():
        found = await backtest.run(connection, judging, scope, span, around)
        wrote = await connection.fetchval("SELECT pg_current_xact_id_if_assigned()::text")
        assert wrote is None, "whoever writes is given a number"
    return found


def hours(span: Span) -> Iterator[datetime]:
    at = span.starts_at + HOUR
    while at <= span.ends_at:
        yield at
        at += HOUR


def told(move: Move) -> tuple[datetime, str, float | None]:
    return move.transition.at, move.transition.reason, move.judged.verdict.measured


@pytest.mark.parametrize(
    "parameters",
    [
        "{}",
        '{"for_h": 1, "window_h": 2, "remind_h": 1}',
        '{"warn_ratio": 0.9, "early_notice": true, "for_h": 1}',
    ],
)
async def test_a_backtest_tells_what_the_evaluator_did(works: Works, parameters: str) -> None:
    await contact(works.pool, "450202", "county@desk.example", language="en")
    await works.pool.execute(
        "UPDATE rule_versions SET parameters = $1 WHERE rule_id = 1", parameters
    )
    for number, value in enumerate(COURSE):
        if value is not None:
            await works.made(value, starts_at=FIRST + number * HOUR)
        await works.evaluate(now=FIRST + (number + 1) * HOUR)
    rows = await works.pool.fetch(
        "SELECT happened_at, kind, measured FROM alert_events ORDER BY event_id"
    )
    found = await run(works.pool, await rule(works.pool, parameters))
    assert [told(move) for move in found.moves] == [tuple(row) for row in rows]
    letters = [
        each.subject for move in found.moves for each in move.letters for _ in each.recipients
    ]
    assert sorted(letters) == sorted(subject for _, subject in await works.letters())
    assert len(rows) >= 2


async def test_a_backtest_counts_by_city_and_tells_the_worst(works: Works) -> None:
    for number, value in enumerate(COURSE):
        if value is not None:
            await works.made(value, starts_at=FIRST + number * HOUR)
    found = await run(works.pool, await rule(works.pool))
    ((city, (subjects, tally)),) = found.cities().items()
    assert (city, subjects) == ("450200", 1)
    assert (tally.ok, tally.firing, tally.unknown, tally.alerts) == (5, 4, 0, 2)
    ((_, of_subject),) = found.subjects.values()
    assert of_subject.worst is not None
    assert of_subject.worst.measured == pytest.approx(150)


async def test_letters_are_counted_by_the_region_of_their_readers(works: Works) -> None:
    for region in ("450000", "450202", "450203"):
        await contact(works.pool, region, f"{region}@desk.example")
    await works.made(140.0)
    found = await run(works.pool, await rule(works.pool))
    (letter,) = found.moves[0].letters
    assert letter.subject == "【预警】水泥厂：clinker 单耗 140 kgce/t，超过基准水平 117"
    assert letter.recipients == {"450000": 1, "450200": 1, "450202": 1}


async def test_a_backtest_reaches_as_far_as_the_rule_and_who_asks(works: Works) -> None:
    await works.made(140.0)
    for region, scope, found in (
        ("450000", Scope("4502"), 1),
        ("450000", Scope("4503"), 0),
        ("450200", PROVINCE, 1),
        ("450300", PROVINCE, 0),
        ("450000", Scope("45", factories.unit_code(1)), 1),
        ("450000", Scope("45", factories.unit_code(2)), 0),
    ):
        async with works.pool.acquire() as connection:
            rule_id = await factories.rule(connection, region=region)
        judging = await rule(works.pool, rule_id=rule_id)
        reached = backtest.reach(judging, scope)
        assert reached is not None
        assert len((await run(works.pool, judging, scope=reached)).subjects) == found


def test_what_a_rule_does_not_reach_is_nothing() -> None:
    citys = Rule(1, "r", ProductIntensity(), "450200")
    assert backtest.reach(citys, Scope("4503")) is None
    assert backtest.reach(citys, Scope("45"), "4503") is None
    assert backtest.reach(citys, Scope("450202"), "4502") == Scope("450202")


async def test_more_than_a_backtest_goes_through_is_refused_with_what_is_allowed(
    works: Works,
) -> None:
    judging = await rule(works.pool)
    with pytest.raises(OutOfBoundsError, match="longer than 92 days"):
        await run(works.pool, judging, Span(NOW - timedelta(days=93), NOW))
    await works.pool.execute(
        """
        INSERT INTO meters (unit_id, meter, name, carrier, kind, uom, interval_s, role,
                            installed_at)
        SELECT $1, 'X' || n, 'X', 'electricity', 'interval', 'kWh', 900, 'boundary', '2020-01-01Z'
          FROM generate_series(1, 98) AS n
        """,
        works.unit_id,
    )
    with pytest.raises(OutOfBoundsError, match=r"100 meters .* at most 2,000 hours"):
        await run(works.pool, judging, Span(NOW - timedelta(days=91), NOW))
    daily = await rule(works.pool, '{"window_h": 744}')
    with pytest.raises(OutOfBoundsError, match="at most 67 hours"):
        await run(works.pool, daily, Span(NOW - timedelta(days=3), NOW))


async def test_a_region_is_judged_by_the_months_that_were_over(pool: Pool) -> None:
    await contact(pool, "450200", "liuzhou@desk.example")
    await pool.execute(
        """
        INSERT INTO region_targets (region, year, required_rate, source)
        VALUES ('450200', 2026, -0.02747, 's');
        INSERT INTO region_figures (region, year, through_month, energy_growth, gdp_growth, source)
        VALUES ('450200', 2026, 7, 0.01, 0.06, 's'), ('450200', 2026, 8, 0.07, 0.06, 's'),
               ('450200', 2026, 9, 0.01, 0.06, 's')
        """
    )
    span = Span(NOW - timedelta(days=120), NOW)
    found = await run(pool, await rule(pool, rule_id=2), span)
    assert [(f"{at:%m-%d}", what) for at, what, _ in map(told, found.moves)] == [
        ("08-31", "first"),
        ("09-07", "reminder"),
        ("09-14", "reminder"),
        ("09-21", "reminder"),
        ("09-28", "reminder"),
        ("09-30", "resolved"),
    ]
    enterprise = await run(
        pool, await rule(pool, rule_id=2), span, Scope("45", factories.unit_code(1))
    )
    assert enterprise.subjects == {}


async def test_a_backtest_counts_what_is_near_and_marks_what_was_known_late(works: Works) -> None:
    for number, value in enumerate((100.0, 116.0, 100.0, 100.0)):
        await works.made(value, starts_at=FIRST + number * HOUR)
        await works.evaluate(now=FIRST + (number + 1) * HOUR)
    await works.came_late(140.0, starts_at=FIRST + 2 * HOUR)
    await works.evaluate(now=FIRST + 4 * HOUR)
    found = await run(works.pool, await rule(works.pool, '{"warn_ratio": 0.9}'))
    (tally,) = [tally for _, tally in found.subjects.values()]
    assert (tally.warn, tally.firing) == (1, 1)
    assert [(move.transition.reason, move.is_late) for move in found.moves] == [
        ("first", True),
        ("resolved", False),
    ]


async def test_alerts_that_really_fired_keep_letters_back_and_silences_do_not(
    works: Works,
) -> None:
    """The province's alert fired for three hours: a rule of the city would have told after that."""
    for number, value in enumerate(COURSE):
        await works.made(141.0 if value is None else value, starts_at=FIRST + number * HOUR)
    async with works.pool.acquire() as connection:
        rule_id = await factories.rule(connection, region="450200")
    await works.pool.execute(
        """
        INSERT INTO alerts (rule_id, region, unit_id, subject, level, state, period_starts_at,
                            period_ends_at, measured, threshold, uom, coverage, estimated_share,
                            reason, pending_at, fired_at, resolved_at, updated_at)
        VALUES (1, '450202', $1, $2, 1, 'resolved', $3, $4, 1, 1, 'kgce/t', 1, 0, 'r', $3, $3, $4,
                $4)
        """,
        works.unit_id,
        f"{factories.unit_code()}/clinker",
        FIRST,
        FIRST + 3 * HOUR,
    )
    await works.pool.execute(
        """
        INSERT INTO silences (region, starts_at, ends_at, is_grave, waits, stated_at, actor, reason)
        VALUES ('450000', $1, $1::timestamptz + interval '1 day', false, false, $1, 'a', 'r')
        """,
        FIRST,
    )
    found = await run(works.pool, await rule(works.pool, rule_id=rule_id))
    moves = [(move.transition.reason, len(move.letters)) for move in found.moves]
    assert moves == [("first", 0), ("released", 1), ("resolved", 1), ("first", 1), ("resolved", 1)]
    ((_, (_, tally)),) = found.cities().items()
    assert (tally.alerts, tally.letters, tally.kept_back) == (2, 4, 1)
