"""A silence keeps letters back and nothing else; none is lost, and none goes out twice."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from alerts.keepers import Silences
from db.kept import Standing
from db.silences import HoldingSilence
from tests import factories
from tests.alerts.conftest import HOUR, LAST_HOUR, NOW, Works

SUBJECT = f"{factories.unit_code()}/clinker"


async def silence(
    works: Works,
    *,
    until: datetime = NOW + 3 * HOUR,
    waits: bool = False,
    rule_id: int = 1,
) -> int:
    """Put in a silence of letters of a rule that holds since an hour; return its number."""
    silence_id: int = await works.pool.fetchval(
        """
        INSERT INTO silences (region, rule_id, unit_id, subject, starts_at, ends_at, is_grave,
                              waits, stated_at, actor, reason)
        VALUES ('450200', $4, NULL, NULL, $1, $2, $3, $3, $1, 'qian', 'maintenance')
        RETURNING silence_id
        """,
        NOW - HOUR,
        until,
        waits,
        rule_id,
    )
    return silence_id


async def became(works: Works, silence_id: int, kind: str, at: datetime) -> None:
    await works.pool.execute(
        "INSERT INTO silence_events VALUES ($1, $2, $3, 'zhao', 'r')", silence_id, kind, at
    )


async def subjects(works: Works) -> list[str]:
    return [subject.partition("】")[0] for _, subject in await works.letters()]


async def shown(works: Works) -> tuple[str, int | None, str | None]:
    row = await works.pool.fetchrow(
        "SELECT state, silenced_by, coalesce(owed, owed_anew[1]) FROM alerts"
    )
    assert row is not None
    return tuple(row)


async def test_a_silenced_alert_is_judged_and_stored_and_shown_and_not_written_about(
    works: Works,
) -> None:
    silence_id = await silence(works)
    await works.made(140.0)
    assert await works.evaluate() == 1
    assert await shown(works) == ("firing", silence_id, "first")
    assert await works.letters() == []
    reason = await works.pool.fetchval("SELECT reason FROM alert_events")
    assert reason.endswith(f"; no letter: silence {silence_id} keeps it back")
    assert await works.evaluate(now=NOW + HOUR / 2) == 0


async def test_a_silence_that_ends_while_it_still_fires_lets_one_letter_out(works: Works) -> None:
    await silence(works)
    await works.made(140.0)
    await works.evaluate()
    await works.made(150.0, starts_at=LAST_HOUR + 3 * HOUR)
    assert await works.evaluate(now=NOW + 3 * HOUR) == 1
    assert await subjects(works) == ["【预警"]
    assert await works.evaluate(now=NOW + 3 * HOUR) == 0
    assert await shown(works) == ("firing", None, None)
    await works.made(110.0, starts_at=LAST_HOUR + 4 * HOUR)
    await works.evaluate(now=NOW + 4 * HOUR)
    assert await subjects(works) == ["【预警", "【预警解除"]


async def test_what_cannot_be_told_when_a_silence_ends_is_told_as_soon_as_it_can(
    works: Works,
) -> None:
    await silence(works)
    await works.made(140.0)
    await works.evaluate()
    assert await works.evaluate(now=NOW + 9 * HOUR) == 0
    assert await shown(works) == ("firing", None, "first")
    await works.made(150.0, starts_at=LAST_HOUR + 9 * HOUR)
    assert await works.evaluate(now=NOW + 9 * HOUR) == 1
    assert await subjects(works) == ["【预警"]


async def test_who_was_never_told_of_a_beginning_hears_no_end(works: Works) -> None:
    await silence(works)
    await works.made(140.0)
    await works.evaluate()
    await works.made(110.0, starts_at=LAST_HOUR + HOUR)
    assert await works.evaluate(now=NOW + HOUR) == 1
    await works.evaluate(now=NOW + 4 * HOUR)
    assert (await works.states(), await works.letters()) == (["resolved"], [])
    assert (await shown(works))[2] is None


async def test_an_end_within_a_silence_is_told_when_it_is_over(works: Works) -> None:
    await works.made(140.0)
    await works.evaluate()
    await silence(works)
    await works.made(110.0, starts_at=LAST_HOUR + HOUR)
    await works.evaluate(now=NOW + HOUR)
    assert await subjects(works) == ["【预警"]
    assert await works.states() == ["resolved"]
    await works.made(110.0, starts_at=LAST_HOUR + 3 * HOUR)
    assert await works.evaluate(now=NOW + 3 * HOUR) == 1
    assert await works.evaluate(now=NOW + 3 * HOUR) == 0
    assert await subjects(works) == ["【预警", "【预警解除"]
    threads = await works.pool.fetchval("SELECT count(DISTINCT thread_id) FROM outbox")
    assert threads == 1


async def test_a_silence_that_is_ended_by_hand_keeps_nothing_back_from_then_on(
    works: Works,
) -> None:
    silence_id = await silence(works)
    await works.made(140.0)
    await works.evaluate()
    await became(works, silence_id, "ended", NOW + HOUR / 4)
    assert await works.evaluate(now=NOW + HOUR / 4) == 1
    assert len(await works.letters()) == 1


async def test_nobody_is_reminded_during_a_silence_and_once_after_it(works: Works) -> None:
    await works.made(140.0)
    await works.evaluate()
    await silence(works, until=NOW + 30 * HOUR)
    for hours in (25, 26, 29):
        await works.made(140.0, starts_at=LAST_HOUR + hours * HOUR)
        await works.evaluate(now=NOW + hours * HOUR)
    assert len(await works.letters()) == 1
    await works.made(140.0, starts_at=LAST_HOUR + 30 * HOUR)
    await works.evaluate(now=NOW + 30 * HOUR)
    await works.evaluate(now=NOW + 30 * HOUR + timedelta(minutes=1))
    assert await subjects(works) == ["【预警", "【预警提醒"]


@pytest.mark.parametrize(
    ("about", "keeps"),
    [
        ({"within": "45"}, True),
        ({"within": "450202"}, True),
        ({"within": "450203"}, False),
        ({"within": "4503"}, False),
        ({"within": "45", "rule_id": 1}, True),
        ({"within": "45", "rule_id": 2}, False),
        ({"within": "4502", "subject": SUBJECT}, True),
        ({"within": "4502", "subject": f"{SUBJECT}2"}, False),
        ({"within": "4502", "unit_id": 7}, True),
        ({"within": "4502", "unit_id": 8}, False),
        ({"within": "4503", "unit_id": 7}, False),
    ],
)
def test_a_silence_is_about_what_it_says_and_nothing_else(
    about: dict[str, Any], keeps: bool
) -> None:
    alert = Standing(1, 1, "450202", 7, SUBJECT, "firing", 1)
    over = Silences([HoldingSilence(3, "4501"), HoldingSilence(5, **about)]).over(alert)
    assert over == (5 if keeps else None)


async def test_one_that_waits_acts_from_when_it_is_approved(works: Works) -> None:
    await silence(works, until=NOW)  # is over
    await silence(works, waits=True)  # nobody approves it
    silence_id = await silence(works, waits=True)
    await became(works, silence_id, "approved", NOW - HOUR / 2)
    await works.made(140.0)
    await works.evaluate()
    assert await shown(works) == ("firing", silence_id, "first")
    assert await works.letters() == []
