"""Sums carry how much they rest on; what is unknown is not zero."""

from __future__ import annotations

from typing import Any

import pytest

from app.consumption import BUCKETS_MAX
from tests import cast, factories
from tests.app import areas
from tests.app.conftest import Stage

NOVEMBER = {"from_": "2026-11-01T00:00:00+08:00", "to": "2026-12-01T00:00:00+08:00"}
FIRST_DAY = {"from_": "2026-11-01T00:00:00+08:00", "to": "2026-11-02T00:00:00+08:00"}


async def use(
    stage: Stage,
    unit: str,
    step: str,
    starts_at: str,
    quantity: float | None,
    *,
    carrier: str = "electricity",
    estimated: float = 0.0,
    present: int = 96,
    held: bool = False,
    kgce: float | None = 0.1229,
    partial: bool = False,
) -> None:
    """Insert a row of a unit's consumption, as settlement would."""
    tce = None if quantity is None or kgce is None else quantity * kgce / 1000
    await stage.pool.execute(
        """
        INSERT INTO unit_consumption
        SELECT unit_id, $2, $3, $4::text::timestamptz, $5, $6, $7, $8, $9,
               $9::double precision * 2.5, $10, $10
          FROM units
         WHERE unit = $1
        """,
        unit, carrier, step, starts_at, quantity, estimated, present, held, tce, partial,
    )  # fmt: skip


async def ask(stage: Stage, name: str = "zhao", **query: str | int) -> list[dict[str, Any]]:
    await areas.add_up(stage.pool)
    return await stage.items(name, "/v1/consumption", **query)


async def test_units_add_up_to_their_city(stage: Stage) -> None:
    await use(stage, cast.QIANS_UNIT, "day", "2026-11-01 00:00+08", 1000)
    await use(stage, cast.QIANS_OTHER_UNIT, "day", "2026-11-01 00:00+08", 3000, present=48)
    await use(stage, cast.SUNS_UNIT, "day", "2026-11-01 00:00+08", 500)
    liuzhou, guilin = await ask(stage, **FIRST_DAY, bucket="day", group_by="region")
    assert (liuzhou["region"], liuzhou["region_name"]) == ("450200", "柳州市")
    assert liuzhou["energy_tce"] == pytest.approx(4000 * 0.1229 / 1000)
    assert liuzhou["coverage"] == pytest.approx(144 / 192)
    assert guilin["energy_tce"] == pytest.approx(500 * 0.1229 / 1000)
    assert (liuzhou["quantity"], liuzhou["uom"]) == (None, None)


async def test_one_carrier_has_a_quantity_in_its_own_unit(stage: Stage) -> None:
    await use(stage, cast.QIANS_UNIT, "day", "2026-11-01 00:00+08", 1000)
    for query in ({"group_by": "energy"}, {"energy": "electricity"}):
        (row,) = await ask(stage, "li", **FIRST_DAY, bucket="day", **query)
        assert (row["quantity"], row["uom"]) == (1000, "kWh")
    assert row["starts_at"] == "2026-11-01T00:00:00+08:00"
    assert row["ends_at"] == "2026-11-02T00:00:00+08:00"


@pytest.mark.parametrize(
    ("level", "regions"),
    [
        ("province", ["450000"]),
        ("city", ["450200", "450300"]),
        ("county", ["450202", "450203", "450302"]),
    ],
)
async def test_regions_group_to_the_level_that_is_asked_for(
    stage: Stage, level: str, regions: list[str]
) -> None:
    rows = await ask(stage, **FIRST_DAY, bucket="day", group_by="region", region_level=level)
    assert [row["region"] for row in rows] == regions


async def test_a_silent_meter_is_unknown_and_uncovered_not_zero(stage: Stage) -> None:
    (row,) = await ask(stage, "li", **FIRST_DAY, bucket="day", group_by="unit,energy")
    assert (row["energy_tce"], row["quantity"], row["estimated_share"]) == (None, None, None)
    assert (row["coverage"], row["unit"]) == (0, cast.QIANS_UNIT)


async def test_there_are_no_rows_of_the_future(stage: Stage) -> None:
    rows = await ask(stage, "li", **NOVEMBER, bucket="day")
    assert rows[-1]["starts_at"] == "2026-11-23T00:00:00+08:00"  # the day of NOW
    assert len(rows) == 23
    later = {"from_": "2027-01-01T00:00:00Z", "to": "2027-01-02T00:00:00Z"}
    assert await ask(stage, "li", **later, bucket="hour") == []


async def test_only_what_is_due_by_now_counts(stage: Stage) -> None:
    await use(stage, cast.QIANS_UNIT, "day", "2026-11-23 00:00+08", 10, present=64)
    (row,) = await ask(
        stage, "li", from_="2026-11-23T00:00:00+08:00", to="2026-11-24T00:00:00+08:00", bucket="day"
    )
    assert row["coverage"] == 1  # 16 h of 24 h have passed


async def test_a_meter_owes_nothing_before_it_is_installed(stage: Stage) -> None:
    await stage.pool.execute("UPDATE meters SET installed_at = '2026-11-02 12:00+08'")
    await use(stage, cast.QIANS_UNIT, "day", "2026-11-02 00:00+08", 10, present=24)
    rows = await ask(
        stage, "li", from_="2026-11-01T00:00:00+08:00", to="2026-11-03T00:00:00+08:00", bucket="day"
    )
    assert [(row["starts_at"][:10], row["coverage"]) for row in rows] == [("2026-11-02", 0.5)]


async def test_a_carrier_without_a_factor_is_named(stage: Stage) -> None:
    await use(stage, cast.QIANS_UNIT, "day", "2026-11-01 00:00+08", 1000)
    await use(
        stage, cast.QIANS_UNIT, "day", "2026-11-01 00:00+08", 5, carrier="natural_gas", kgce=None
    )
    (row,) = await ask(stage, "li", **FIRST_DAY, bucket="day")
    assert row["energy_tce"] == pytest.approx(0.1229)
    assert row["left_out"] == ["natural_gas"]


async def test_a_month_in_which_the_factor_began_is_not_all_there(stage: Stage) -> None:
    await stage.pool.execute(
        """
        INSERT INTO factors (carrier, basis, unit_id, kgce_per_uom, valid_from, edition, source,
                             verified)
        SELECT 'natural_gas', 'calorific', unit_id, 1.3, '2026-10-15', 'own', 'own', true
          FROM units WHERE unit = $1
        """,
        cast.QIANS_UNIT,
    )
    for month, partial in (("2026-10-01 00:00+08", True), ("2026-11-01 00:00+08", False)):
        await use(
            stage, cast.QIANS_UNIT, "month", month, 100, carrier="natural_gas", partial=partial
        )
    rows = await ask(
        stage, "li", from_="2026-10-01T00:00:00+08:00", to="2026-12-01T00:00:00+08:00",
        bucket="month",
    )  # fmt: skip
    assert [row["left_out"] for row in rows] == [["natural_gas"], []]
    assert rows[0]["left_out_days"] == {
        "natural_gas": [
            {"reason": "not_yet_valid", "starts_on": "2026-10-01", "ends_on": "2026-10-15"}
        ]
    }


async def test_estimates_weigh_by_their_energy(stage: Stage) -> None:
    await use(stage, cast.QIANS_UNIT, "day", "2026-11-01 00:00+08", 1000, estimated=500)
    await use(stage, cast.QIANS_OTHER_UNIT, "day", "2026-11-01 00:00+08", 3000)
    (row,) = await ask(stage, "qian", **FIRST_DAY, bucket="day")
    assert row["estimated_share"] == pytest.approx(0.125)


async def test_a_held_step_is_said(stage: Stage) -> None:
    await use(stage, cast.QIANS_UNIT, "day", "2026-11-01 00:00+08", None, held=True)
    (row,) = await ask(stage, "li", **FIRST_DAY, bucket="day")
    assert (row["held"], row["energy_tce"]) == (True, None)


async def test_a_year_is_the_sum_of_its_months(stage: Stage) -> None:
    for month in ("2025-12-01", "2026-01-01", "2026-10-01"):
        await use(stage, cast.QIANS_UNIT, "month", f"{month} 00:00+08", 100)
    rows = await ask(stage, "li", **NOVEMBER, bucket="year", group_by="energy")
    assert [(row["starts_at"], row["quantity"]) for row in rows] == [
        ("2026-01-01T00:00:00+08:00", 200)
    ]


async def test_buckets_that_a_span_touches_are_answered_in_full(stage: Stage) -> None:
    for hour in ("07:00", "08:00", "09:00"):
        await use(stage, cast.QIANS_UNIT, "hour", f"2026-11-01 {hour}+08", 1, present=4)
    rows = await ask(
        stage, "li", from_="2026-11-01T07:15:00+08:00", to="2026-11-01T08:15:00+08:00",
        bucket="hour", energy="electricity",
    )  # fmt: skip
    assert [(row["starts_at"][11:16], row["quantity"]) for row in rows] == [
        ("07:00", 1),
        ("08:00", 1),
    ]


async def test_single_meters_are_shown_whatever_their_role(stage: Stage) -> None:
    async with stage.pool.acquire() as connection:
        unit_id = await connection.fetchval(
            "SELECT unit_id FROM units WHERE unit = $1", cast.QIANS_UNIT
        )
        for code, role in (("E02", "sub"), ("P01", "output")):
            meter_id = await factories.meter(
                connection, unit_id, code, role=role, uom="t" if role == "output" else "kWh",
                product="steel" if role == "output" else None,
            )  # fmt: skip
            await connection.execute(
                "INSERT INTO meter_consumption VALUES "
                "($1, 'day', '2026-11-01 00:00+08', 7, 0, 96, false, NULL, NULL)",
                meter_id,
            )
    rows = await ask(stage, "li", **FIRST_DAY, bucket="day", group_by="meter")
    shown = [(row["meter"], row["role"], row["quantity"], row["uom"]) for row in rows]
    assert shown == [
        ("E01", "boundary", None, "kWh"),
        ("E02", "sub", 7, "kWh"),
        ("P01", "output", 7, "t"),
    ]
    assert [row["left_out"] for row in rows] == [[], ["electricity"], []]


async def test_an_unverified_factor_is_noted(stage: Stage) -> None:
    query = {**FIRST_DAY, "bucket": "day"}
    plain = (await stage.get("li", "/v1/consumption", **query)).json()
    noted = (await stage.get("li", "/v1/consumption", **query, basis="equivalent")).json()
    assert plain["notes"] == []
    (note,) = noted["notes"]
    assert (note["code"], note["energy"]) == ("unverified_factor", "electricity")


async def test_the_other_basis_reads_the_other_figure(stage: Stage) -> None:
    await use(stage, cast.QIANS_UNIT, "day", "2026-11-01 00:00+08", 1000)
    (row,) = await ask(stage, "li", **FIRST_DAY, bucket="day", basis="equivalent")
    assert row["energy_tce"] == pytest.approx(0.1229 * 2.5)


async def test_only_what_it_is_grouped_by_is_in_a_row(stage: Stage) -> None:
    (row,) = await ask(stage, "li", **FIRST_DAY, bucket="day", group_by="industry")
    assert (row["industry"], row["industry_name"]) == ("C31", "黑色金属冶炼和压延加工业")
    assert not row.keys() & {"region", "unit", "energy", "meter"}


async def test_a_year_of_hours_fits() -> None:
    assert BUCKETS_MAX > 366 * 24


async def own_factor(
    stage: Stage, valid_from: str, valid_to: str | None = None, *, verified: bool = True
) -> None:
    """Let Qian's unit declare a factor of natural gas."""
    await stage.pool.execute(
        """
        INSERT INTO factors (carrier, basis, unit_id, kgce_per_uom, valid_from, valid_to, edition,
                             source, verified)
        SELECT 'natural_gas', 'calorific', unit_id, 1.3, $2::text::date, $3::text::date, 'own',
               'own', $4
          FROM units WHERE unit = $1
        """,
        cast.QIANS_UNIT, valid_from, valid_to, verified,
    )  # fmt: skip


async def reasons(stage: Stage, name: str = "li") -> list[str]:
    (row,) = await ask(stage, name, **FIRST_DAY, bucket="day")
    found: list[str] = row["left_out_reasons"].get("natural_gas", [])
    return found


async def test_a_range_is_named_as_the_reason_and_who_can_mend_it(stage: Stage) -> None:
    await use(stage, cast.QIANS_UNIT, "day", "2026-11-01 00:00+08", 5, carrier="natural_gas",
              kgce=None)  # fmt: skip
    answer = (await stage.get("li", "/v1/consumption", **FIRST_DAY, bucket="day")).json()
    assert answer["items"][0]["left_out_reasons"] == {"natural_gas": ["range_only"]}
    (note,) = answer["notes"]
    assert (note["code"], note["energy"]) == ("range_only", "natural_gas")
    assert "The unit has to declare its own value" in note["detail"]
    assert "1.1 to 1.33 kgce" in note["detail"]


@pytest.mark.parametrize(
    ("valid_from", "valid_to", "reason"),
    [
        ("2026-11-02", None, "not_yet_valid"),
        ("2026-01-01", "2026-11-01", "expired"),
        ("2026-01-01", None, "awaiting_settlement"),
    ],
)
async def test_the_reason_is_that_of_the_day(
    stage: Stage, valid_from: str, valid_to: str | None, reason: str
) -> None:
    await own_factor(stage, valid_from, valid_to)
    await use(stage, cast.QIANS_UNIT, "day", "2026-11-01 00:00+08", 5, carrier="natural_gas",
              kgce=None)  # fmt: skip
    assert await reasons(stage) == [reason]


async def test_units_that_lack_a_factor_for_different_reasons_are_both_told(stage: Stage) -> None:
    await own_factor(stage, "2026-11-02")
    for unit in (cast.QIANS_UNIT, cast.QIANS_OTHER_UNIT):
        await use(stage, unit, "day", "2026-11-01 00:00+08", 5, carrier="natural_gas", kgce=None)
    assert await reasons(stage, "qian") == ["range_only", "not_yet_valid"]
    assert await reasons(stage, "li") == ["not_yet_valid"]


async def test_a_month_with_days_between_two_factors_is_not_all_there(stage: Stage) -> None:
    await own_factor(stage, "2026-01-01", "2026-10-10")
    await own_factor(stage, "2026-10-12")
    await use(stage, cast.QIANS_UNIT, "month", "2026-10-01 00:00+08", 5, carrier="natural_gas",
              partial=True)  # fmt: skip
    october = {"from_": "2026-10-01T00:00:00+08:00", "to": "2026-11-01T00:00:00+08:00"}
    (row,) = await ask(stage, "li", **october, bucket="month")
    assert row["left_out_reasons"] == {"natural_gas": ["expired"]}
    (days,) = row["left_out_days"]["natural_gas"]
    assert (days["starts_on"], days["ends_on"]) == ("2026-10-10", "2026-10-12")


async def test_a_factor_that_ends_after_today_leaves_nothing_out_of_this_month(
    stage: Stage,
) -> None:
    await own_factor(stage, "2026-01-01", "2026-11-24")  # the day after NOW
    await use(stage, cast.QIANS_UNIT, "month", "2026-11-01 00:00+08", 5, carrier="natural_gas")
    (row,) = await ask(stage, "li", **NOVEMBER, bucket="month")
    assert (row["left_out"], row["left_out_reasons"]) == ([], {})


@pytest.mark.parametrize("groups", ["", "region", "industry", "unit", "energy", "meter"])
async def test_every_grouping_says_which_factor_is_not_verified(stage: Stage, groups: str) -> None:
    query = {"group_by": groups} if groups else {}
    answer = await stage.get(
        "li", "/v1/consumption", **FIRST_DAY, bucket="day", basis="equivalent", **query
    )
    (note,) = answer.json()["notes"]
    assert (note["code"], note["energy"]) == ("unverified_factor", "electricity")
    assert "valid from 2026-01-01, was not verified" in note["detail"]


async def test_an_unverified_factor_that_no_day_uses_is_not_noted(stage: Stage) -> None:
    await stage.pool.execute(
        """
        INSERT INTO factors (carrier, basis, unit_id, kgce_per_uom, valid_from, valid_to, edition,
                             source, verified)
        SELECT 'electricity', 'equivalent', unit_id, 0.31, '2026-01-01', '2026-11-02', 'own',
               'own', true
          FROM units WHERE unit = $1
        """,
        cast.QIANS_UNIT,
    )
    counts = {}
    for name in ("li", "qian"):
        answer = await stage.get(
            name, "/v1/consumption", **FIRST_DAY, bucket="day", basis="equivalent"
        )
        counts[name] = len(answer.json()["notes"])
    assert counts == {"li": 0, "qian": 1}
