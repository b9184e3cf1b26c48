"""A backtest of outages finds what the evaluator found, and says what it cannot know."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import pytest

import db.rules
from alerts import backtest, rules
from alerts.backtest import Backtest
from alerts.kinds.kind import Surroundings
from alerts.kinds.outage.past import INSTANTS_MAX, History
from alerts.kinds.past import OutOfBoundsError
from db.past_outages import Mute, PastGateway, PastUnit, Pause
from db.pool import Pool
from db.scope import Scope
from energy.periods import Span
from tests import factories
from tests.alerts.conftest import FLOOR, NOW, Works, contact

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
START = NOW.replace(minute=0)
SPAN = Span(START, START + 8 * HOUR)
SILENCE = 60 * MINUTE
NAMES = {"450000": "广西壮族自治区", "450200": "柳州市", "450300": "桂林市"}


async def plants(pool: Pool, city: str, first: int, count: int) -> list[int]:
    """Return the gateways of plants with three meters behind one each; the first ones have two."""
    gateway_ids = []
    async with pool.acquire() as connection:
        for number in range(first, first + count):
            unit_id = await factories.unit(
                connection, factories.unit_code(number), name=f"厂{number}", region=f"{city}02"
            )
            for code in ("E01", "E02", "E03"):
                await factories.meter(connection, unit_id, code)
            gateway_ids.append(await factories.gateway(connection, unit_id))
    return gateway_ids


async def hear(pool: Pool, gateway_ids: Iterable[int], *times: datetime) -> None:
    """Let a message of each gateway come at each of some times, as the collector keeps them."""
    for at in times:
        await pool.execute(
            """
            INSERT INTO arrivals (first_link_id, gateway_ids, received_at, sha256, stored)
            SELECT coalesce(max(first_link_id), 0) + 1, $1, array_fill($2::timestamptz, $3),
                   array_fill('\\x00'::bytea, $3), array_fill(1, $3)
              FROM arrivals
            """,
            list(gateway_ids),
            at,
            [len(list(gateway_ids))],
        )
        await pool.execute(
            "UPDATE gateways SET last_seen_at = $2 WHERE gateway_id = ANY ($1)",
            list(gateway_ids),
            at,
        )


async def run(works: Works, rule_id: int, scope: Scope, span: Span = SPAN) -> Backtest:
    async with works.pool.acquire() as connection, connection.transaction(readonly=True):
        row = await db.rules.fetch_newest(connection, rule_id)
        assert row is not None
        around = Surroundings(SPAN.ends_at, FLOOR, "", NAMES)
        return await backtest.run(connection, rules.parse(row), scope, span, around)


def told(found: Backtest) -> list[tuple[datetime, str, str, float | None]]:
    return [
        (
            move.transition.at,
            move.transition.reason,
            move.judged.watched.subject[-15:],
            move.judged.verdict.measured,
        )
        for move in found.moves
    ]


@pytest.fixture
async def works(pool: Pool) -> Works:
    await contact(pool, "450200", "liuzhou@desk.example")
    await contact(pool, "450000", "guangxi@desk.example")
    return Works(pool, 0, 0, 0)


async def test_a_backtest_of_outages_tells_what_the_evaluator_did(works: Works) -> None:
    """A plant, then its city, then the broker: each found, and over, when it really was."""
    async with works.pool.acquire() as connection:
        rule_id = await factories.rule(connection, kind="outage", parameters='{"remind_h": 0}')
    ours = await plants(works.pool, "4502", 1, 6)
    theirs = await plants(works.pool, "4503", 11, 4)
    at = START
    for hour, heard in enumerate(
        [ours + theirs, ours[1:] + theirs, ours[1:] + theirs, theirs, [], [], ours + theirs]
    ):
        at = START + hour * HOUR
        await works.evaluate(now=at)
        for minute in (10, 50):
            if heard:
                await hear(works.pool, heard, at + minute * MINUTE)
            await works.evaluate(now=at + (minute + 1) * MINUTE)
    rows = await works.pool.fetch(
        """
        SELECT happened_at, kind, right(subject, 15) AS subject, alert_events.measured
          FROM alert_events
          JOIN alerts USING (alert_id)
         ORDER BY event_id
        """
    )
    span = Span(START, at + 51 * MINUTE)
    found = await run(works, rule_id, Scope("45"), span)
    assert told(found) == [tuple(row) for row in rows]
    assert {subject for _, _, subject, _ in told(found)} == {
        "broker", "450200/gateways", "00001K/gateways",
    }  # fmt: skip
    letters = [each.subject for move in found.moves for each in move.letters]
    assert set(letters) == {subject for _, subject in await works.letters()}


async def test_what_is_not_asked_about_as_a_whole_is_left_out_and_said(works: Works) -> None:
    async with works.pool.acquire() as connection:
        rule_id = await factories.rule(connection, kind="outage")
    await hear(works.pool, await plants(works.pool, "4502", 1, 4), START - HOUR)
    for scope, subjects, left in (
        (Scope("45"), {"450200/gateways"}, None),
        (Scope("4502"), {"450200/gateways"}, "Incidents of the broker are"),
        (Scope("450202"), {f"0000{n}/gateways" for n in ("1K", "2N", "3R", "4W")}, "the city are"),
    ):
        found = await run(works, rule_id, scope)
        assert {subject[-15:].lstrip("0") for _, _, subject, _ in told(found)} == {
            each.lstrip("0") for each in subjects
        }
        notes = {str(each.code): each.detail for each in found.notes}
        assert {"heard_by_stored_readings", "not_heard_before", "own_absences_not_applied"} <= {
            *notes
        }
        assert (left or "") in notes.get("wider_incidents_left_out", "")
        assert ("wider_incidents_left_out" in notes) == (left is not None)


async def test_an_outage_of_a_city_keeps_letters_back_in_backtests_of_other_rules(
    works: Works,
) -> None:
    """Of the plants that it took in then, by when their gateways were heard."""
    async with works.pool.acquire() as connection:
        outage_id = await factories.rule(connection, kind="outage")
        rule_id = await factories.rule(
            connection, kind="data_quality", parameters='{"check": "offline"}'
        )
    silent = await plants(works.pool, "4502", 1, 4)
    heard = await plants(works.pool, "4502", 11, 1)
    await hear(works.pool, silent + heard, START - HOUR)
    await hear(works.pool, heard, *(START + number * HOUR / 2 for number in range(16)))
    await works.pool.execute(
        """
        INSERT INTO repairs (unit_id, subject, fault, opened_at, due_at)
        SELECT unit_id, 'E01', 'silence', $1, $1::timestamptz + interval '3 d' FROM units;
        """,
        START - HOUR,
    )
    await works.pool.execute(
        "INSERT INTO quality_checks SELECT unit_id, $1, '2026-11-23' FROM units", START
    )
    before = await run(works, rule_id, Scope("45"))
    assert before.cities()["450200"][1].kept_back == 0
    await works.pool.execute(
        """
        INSERT INTO alerts (rule_id, region, subject, level, state, period_starts_at,
                            period_ends_at, measured, threshold, uom, coverage, estimated_share,
                            reason, pending_at, fired_at, updated_at)
        VALUES ($1, '450200', '450200/gateways', 1, 'firing', $2, $3, 4, 3, 'gateways', 1, 0, 'r',
                $2, $2, $2)
        """,
        outage_id,
        START,
        SPAN.ends_at,
    )
    found = await run(works, rule_id, Scope("45"))
    kept = {
        judged.watched.subject: tally.kept_back > 0 for judged, tally in found.subjects.values()
    }
    assert kept == {
        f"{factories.unit_code(number)}/E01": number < 10 for number in (1, 2, 3, 4, 11)
    }
    assert [each.code for each in found.notes] == [
        "outage_members_computed_anew", "own_absences_not_applied",
    ]  # fmt: skip
    of_city = await run(works, rule_id, Scope("4502"))
    assert of_city.notes[-1].code == "wider_outages_not_seen"


UNIT = PastUnit(1, "u", "厂", "450202", "450200", 3)


def history(gateways: list[PastGateway], pauses: list[Pause], mutes: list[Mute]) -> History:
    return History.of([UNIT], gateways, pauses, mutes, START - timedelta(days=7), SILENCE)


def gateway(number: int, seen_at: datetime, revoked_at: datetime | None = None) -> PastGateway:
    return PastGateway(number, f"gw{number}", 1, seen_at, revoked_at)


def test_who_was_not_heard_for_long_is_silent_and_who_was_never_known_is_not() -> None:
    found = history(
        [
            gateway(1, START - timedelta(days=30)),  # silent for a month
            gateway(2, START + timedelta(days=30)),  # first heard later, or before the look
            gateway(3, START + HOUR),
            gateway(4, START - timedelta(days=30), revoked_at=START),
        ],
        [Pause(3, None, START + HOUR), Pause(3, START + HOUR, None)],
        [],
    )
    (before,) = found.sites(START)
    assert (before.gateways, before.silent_gateways) == (1, ["gw1"])
    (after,) = found.sites(START + 3 * HOUR)
    assert (after.gateways, after.silent_gateways) == (2, ["gw1", "gw3"])
    assert found.gateways(START + 3 * HOUR) == {"450200": 2}


def test_meters_that_are_silent_behind_a_gateway_that_is_heard_count() -> None:
    found = history([], [], [Mute(1, START, START + HOUR)])
    assert [each.silent_meters for each in found.sites(START)] == [1]
    assert found.sites(START + HOUR) == []


def test_more_changes_than_a_backtest_goes_through_are_refused() -> None:
    pauses = [
        Pause(1, START + number * 2 * MINUTE - SILENCE, START + number * 2 * MINUTE + MINUTE)
        for number in range(INSTANTS_MAX)
    ]
    long = Span(START, START + timedelta(days=31))
    with pytest.raises(OutOfBoundsError, match="at most 5,000 are gone through"):
        history([gateway(1, START)], pauses, []).instants(long)
    with pytest.raises(OutOfBoundsError, match="at most 31 days"):
        history([], [], []).instants(Span(START, START + timedelta(days=32)))
