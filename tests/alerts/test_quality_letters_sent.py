"""From a rule on data to its letters in the outbox, by the evaluator, on a real database."""

from __future__ import annotations

from datetime import timedelta

from tests import factories
from tests.alerts.conftest import NOW, Works, contact


async def faulty(works: Works) -> None:
    """Let E01 be silent for three hours, by the repair clock."""
    async with works.pool.acquire() as connection:
        await factories.gateway(connection, works.unit_id)
        await connection.execute(
            """
            INSERT INTO repairs (unit_id, subject, fault, opened_at, due_at)
            VALUES ($1, 'E01', 'silence', $2, $2::timestamptz + interval '3 days')
            """,
            works.unit_id,
            NOW - timedelta(hours=3),
        )
        await connection.execute(
            "INSERT INTO quality_checks VALUES ($1, $2, $3)", works.unit_id, NOW, NOW.date()
        )


async def state(works: Works, kind: str, parameters: str) -> None:
    async with works.pool.acquire() as connection:
        await factories.rule(connection, name=kind, kind=kind, parameters=parameters)


async def test_an_offline_meter_is_written_about_once_and_once_when_it_is_heard(
    works: Works,
) -> None:
    await contact(works.pool, "450200", "data@desk.example", level=3)
    await faulty(works)
    await state(works, "data_quality", '{"check": "offline"}')
    assert await works.evaluate() == 1
    assert await works.evaluate() == 0
    await works.pool.execute("UPDATE repairs SET repaired_at = $1", NOW)
    await works.pool.execute("UPDATE quality_checks SET checked_at = $1", NOW)
    assert await works.evaluate(now=NOW + timedelta(minutes=5)) == 1
    assert await works.letters() == [
        ("data@desk.example", "【预警】水泥厂：表计 E01 已离线，缺报 13 个周期"),
        ("data@desk.example", "【预警解除】水泥厂：表计 E01 已恢复上报"),
    ]


async def test_an_alert_stays_open_while_nobody_assesses_the_unit(works: Works) -> None:
    await faulty(works)
    await state(works, "data_quality", '{"check": "offline"}')
    await works.evaluate()
    await works.pool.execute("UPDATE repairs SET repaired_at = $1", NOW)
    assert await works.evaluate(now=NOW + timedelta(days=2)) == 0
    assert await works.states() == ["firing"]


async def test_what_is_not_connected_and_what_an_expression_says_are_written_about(
    works: Works,
) -> None:
    await contact(works.pool, "450200", "all@desk.example", level=3)
    await faulty(works)
    await works.pool.execute("UPDATE units SET commissioned_on = '2026-01-01'")
    await state(works, "not_connected", "{}")
    await state(
        works, "expression", '{"of": "unit", "window_h": 1, "expression": "coverage < 0.5"}'
    )
    await works.settled(works.energy_id, NOW.replace(minute=0) - timedelta(hours=1), 0, tce=1.0)
    assert await works.evaluate() == 2
    subjects = sorted(subject for _, subject in await works.letters())
    assert subjects == [
        "【预警】水泥厂：投产后未按要求接入",
        "【预警】水泥厂：满足预警条件“expression”",
    ]
