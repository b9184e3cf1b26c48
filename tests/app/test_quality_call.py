"""GET /v1/quality: shares with their counts, a league, filings, repairs, suspicions, all scoped."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from db.pool import Pool
from energy.periods import LOCAL
from tests import cast
from tests.app.conftest import NOW, Stage
from tests.history import SLOT, assess_all

FIRST = datetime(2026, 11, 21, tzinfo=LOCAL)
DAYS = [FIRST + timedelta(days=number) for number in range(3)]


async def fill(pool: Pool, unit: str, share: float) -> None:
    """Give meter E01 of a unit installed at FIRST the first `share` of its slots of three days."""
    await pool.execute(
        """
        UPDATE meters SET installed_at = $2
          FROM units
         WHERE units.unit_id = meters.unit_id
           AND unit = $1
        """,
        unit, FIRST,
    )  # fmt: skip
    await pool.execute("UPDATE units SET created_at = $1", FIRST)
    count = round(96 * share)
    times = [
        day + SLOT * number
        for day in DAYS
        for number in range(1, count + 1)
        if day + SLOT * number <= NOW
    ]
    await pool.execute(
        """
        INSERT INTO readings (meter_id, read_at, raw_value, quality, received_at)
        SELECT meter_id, read_at, 1, 'good', read_at + interval '5 seconds'
          FROM meters
          JOIN units USING (unit_id)
         CROSS JOIN unnest($2::timestamptz[]) AS times (read_at)
         WHERE unit = $1
        """,
        unit, times,
    )  # fmt: skip


async def verify(pool: Pool) -> None:
    await pool.execute(
        "INSERT INTO verifications SELECT meter_id, $1, $2, 'b', 'c' FROM meters",
        date(2025, 1, 1),
        date(2027, 1, 1),
    )


async def assess(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await assess_all(connection, NOW)


async def ask(stage: Stage, name: str = "zhao", **query: str) -> dict[str, Any]:
    answer = await stage.get(name, "/v1/quality", **{"period": "2026-11-22", **query})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


@pytest.fixture
async def assessed(stage: Stage) -> Stage:
    """Qian's unit sends everything, her other one nine tenths and a bit less, Sun's nothing."""
    await fill(stage.pool, cast.QIANS_UNIT, 1)
    await fill(stage.pool, cast.QIANS_OTHER_UNIT, 86 / 96)
    await fill(stage.pool, cast.SUNS_UNIT, 0)
    await verify(stage.pool)
    await assess(stage.pool)
    return stage


async def test_every_index_has_its_counts(assessed: Stage) -> None:
    row = (await ask(assessed, unit=cast.QIANS_OTHER_UNIT))["items"][0]
    completeness = row["indices"]["completeness"]
    assert (completeness["numerator"], completeness["denominator"]) == (86, 96)
    assert completeness["value"] == 86 / 96
    assert row["completeness_passes"] is False
    assert row["coverage"] == 1


async def test_the_league_has_the_best_first_and_the_unknown_last(assessed: Stage) -> None:
    rows = (await ask(assessed))["items"]
    assert [(row["unit"], row["rank"]) for row in rows] == [
        (cast.QIANS_UNIT, 1),
        (cast.QIANS_OTHER_UNIT, 2),
        (cast.SUNS_UNIT, None),
    ]
    assert rows[2]["composite_missing"] == ["timeliness", "verifiability", "validity"]


async def test_a_region_is_the_sum_of_its_units_not_the_mean(assessed: Stage) -> None:
    answer = await ask(assessed, group_by="region")
    counts = {row["region"]: row["indices"]["completeness"]["numerator"] for row in answer["items"]}
    assert counts == {"450200": 96 + 86, "450300": 0}
    total = answer["total"]["indices"]["completeness"]
    assert (total["numerator"], total["denominator"]) == (96 + 86, 3 * 96)


async def test_within_a_city_regions_are_counties(assessed: Stage) -> None:
    rows = (await ask(assessed, group_by="region", region="450200"))["items"]
    assert {row["region"] for row in rows} == {"450202", "450203"}


async def test_a_city_sees_its_own_and_what_it_comes_to(assessed: Stage) -> None:
    answer = await ask(assessed, "qian")
    assert {row["unit"] for row in answer["items"]} == {cast.QIANS_UNIT, cast.QIANS_OTHER_UNIT}
    assert answer["total"]["indices"]["completeness"]["denominator"] == 2 * 96
    assert {repair["unit"] for repair in answer["repairs"]} == {cast.QIANS_OTHER_UNIT}


async def test_a_meter_shows_its_verification_and_what_is_irregular(assessed: Stage) -> None:
    (row,) = (await ask(assessed, unit=cast.QIANS_UNIT, group_by="meter"))["items"]
    assert (row["meter"], row["meter_state"]) == (
        "E01",
        {
            "verification": "in_force",
            "valid_until": "2027-01-01",
            "irregularities": ["data_code_missing"],
        },
    )
    assert row["indices"]["normativity"]["value"] == 0


async def test_what_was_not_measured_is_unknown_and_says_so(stage: Stage) -> None:
    row = (await ask(stage, unit=cast.QIANS_UNIT))["items"][0]
    assert (row["composite"], row["coverage"], row["measured_at"]) == (None, 0, None)
    assert row["indices"]["completeness"]["reason"] == "not_measured"


async def test_a_period_that_has_not_begun_has_no_rows(assessed: Stage) -> None:
    answer = await ask(assessed, period="2027-01")
    assert (answer["items"], answer["total"]) == ([], None)


async def test_the_weights_are_named_and_not_official(assessed: Stage) -> None:
    scheme = (await ask(assessed))["scheme"]
    assert (scheme["official"], set(scheme["weights"].values())) == (False, {1})


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"period": "2026-13"}, "invalid_parameter"),
        ({"period": "2026-02-30"}, "invalid_parameter"),
        ({"period": "last week"}, "invalid_parameter"),
        ({"group_by": "meter"}, "invalid_parameter"),
        ({"group_by": "planet"}, "invalid_parameter"),
        ({"region": "999999"}, "invalid_parameter"),
    ],
)
async def test_what_cannot_be_answered_is_refused(
    shown_stage: Stage, query: dict[str, str], code: str
) -> None:
    assert await shown_stage.code("zhao", "/v1/quality", **query) == (422, code)


async def test_pages_of_the_league_hold_each_unit_once(assessed: Stage) -> None:
    units, cursor = [], None
    for _ in range(3):
        page = await ask(assessed, limit="1", **({"cursor": cursor} if cursor else {}))
        units += [row["unit"] for row in page["items"]]
        cursor = page["next"]
    assert cursor is None
    assert len(set(units)) == len(units) == 3


async def test_the_repair_clock_stands_in_the_answer(assessed: Stage) -> None:
    answer = await ask(assessed, "sun")
    (repair,) = answer["repairs"]
    assert (repair["fault"], repair["subject"], repair["state"]) == ("silence", "E01", "open")
    assert repair["due_at"] == "2026-11-26T00:00:00+08:00"  # Saturday: Mon, Tue, Wed


async def suspect(stage: Stage) -> None:
    await stage.pool.execute(
        """
        INSERT INTO suspicions (kind, unit_id, subject, starts_at, ends_at, sureness, evidence,
                                other_unit_id, found_at, seen_at)
        SELECT 'same_values', ours.unit_id, 'E01', $3, $3::timestamptz + interval '1 day', 'likely',
               '{"other_meter":"E01"}', theirs.unit_id, $3, $3
          FROM units AS ours, units AS theirs
         WHERE ours.unit = $1
           AND theirs.unit = $2
        """,
        cast.QIANS_UNIT, cast.SUNS_UNIT, DAYS[1],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "other", "evidence"),
    [("zhao", cast.SUNS_UNIT, {"other_meter": "E01"}), ("qian", None, {}), ("li", None, {})],
)
async def test_the_second_unit_of_a_suspicion_is_named_to_those_who_may_see_it(
    stage: Stage, name: str, other: str | None, evidence: dict[str, str]
) -> None:
    await suspect(stage)
    (one,) = (await ask(stage, name))["suspicions"]
    assert (one["concerns_other"], one["other_unit"], one["evidence"]) == (True, other, evidence)


async def test_suspicions_are_not_for_others(stage: Stage) -> None:
    await suspect(stage)
    assert (await ask(stage, "sun"))["suspicions"] == []


@pytest.mark.parametrize(
    ("filed", "verdict"),
    [(2790, "agrees"), (2936, "agrees"), (2937, "disagrees"), (2657, "disagrees")],
)
async def test_a_monthly_filing_is_held_against_its_days(
    stage: Stage, filed: float, verdict: str
) -> None:
    await file_october(stage, filed)
    filing = (await ask(stage, period="2026-10", unit=cast.QIANS_UNIT))["items"][0]["filings"][0]
    assert (filing["agreement"], filing["summed"]) == (verdict, 31 * 90)
    assert (filing["days"], filing["days_known"], filing["uom"]) == (31, 31, "kWh")
    assert (filing["begins_in_time"], filing["ends_in_time"]) == (True, True)


async def test_a_filing_with_an_unknown_day_agrees_with_nothing(stage: Stage) -> None:
    await file_october(stage, 2790)
    await stage.pool.execute("UPDATE unit_consumption SET held = true WHERE starts_at < $1",
                             datetime(2026, 10, 2, tzinfo=LOCAL))  # fmt: skip
    filing = (await ask(stage, period="2026-10", unit=cast.QIANS_UNIT))["items"][0]["filings"][0]
    assert (filing["agreement"], filing["reason"]) == ("unknown", "days_missing")
    assert (filing["summed"], filing["days_known"]) == (None, 30)


async def file_october(stage: Stage, quantity: float) -> None:
    await stage.pool.execute(
        """
        INSERT INTO monthly_filings
        SELECT unit_id, 'electricity', '2026-10-01', $2, 'kWh', $2, '2026-10-01', '2026-11-01', 't'
          FROM units
         WHERE unit = $1
        """,
        cast.QIANS_UNIT, quantity,
    )  # fmt: skip
    await stage.pool.execute(
        """
        INSERT INTO unit_consumption
        SELECT unit_id, 'electricity', 'day', day AT TIME ZONE 'Asia/Shanghai', 90, 0, 96, false,
               1, 1
          FROM units
         CROSS JOIN generate_series('2026-10-01'::timestamp, '2026-10-31', '1 day') AS days (day)
         WHERE unit = $1
        """,
        cast.QIANS_UNIT,
    )
