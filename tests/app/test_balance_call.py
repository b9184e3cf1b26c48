"""A balance is of meters and statements; each term says which, and what is missing has a name."""

from __future__ import annotations

from typing import Any

import pytest

from tests import cast, factories
from tests.app.conftest import Stage

JANUARY = {
    "unit": cast.QIANS_UNIT,
    "from_": "2026-01-01T00:00:00+08:00",
    "to": "2026-02-01T00:00:00+08:00",
}
DAY = "2026-01-05 00:00+08"


async def unit_id(stage: Stage) -> int:
    found: int = await stage.pool.fetchval(
        "SELECT unit_id FROM units WHERE unit = $1", cast.QIANS_UNIT
    )
    return found


async def count(
    stage: Stage, meter: str, quantity: float | None, *, held: bool = False, **new: Any
) -> None:
    """Let a meter count in January; `new` describes it if it is not there yet."""
    async with stage.pool.acquire() as connection:
        if new:
            await factories.meter(connection, await unit_id(stage), meter, **new)
        await connection.execute(
            """
            INSERT INTO meter_consumption
            SELECT meter_id, 'day', $2::text::timestamptz, $3, 0, 96, $4, 1, 2
              FROM meters
             WHERE meter = $1
               AND unit_id = $5
            """,
            meter, DAY, quantity, held, await unit_id(stage),
        )  # fmt: skip


async def state(
    stage: Stage, carrier: str, starts_on: str, ends_on: str, *, uom: str = "t", **amounts: float
) -> None:
    await stage.pool.execute(
        """
        INSERT INTO trades (unit_id, carrier, starts_on, ends_on, purchased, produced, sold,
                            feedstock, uom, evidence)
        VALUES ($1, $2, $3::text::date, $4::text::date, $5, $6, $7, $8, $9, $3 || ' invoices')
        """,
        await unit_id(stage), carrier, starts_on, ends_on, amounts.get("purchased"),
        amounts.get("produced"), amounts.get("sold"), amounts.get("feedstock"), uom,
    )  # fmt: skip


async def stock(stage: Stage, carrier: str, counted_on: str, quantity: float) -> None:
    await stage.pool.execute(
        """
        INSERT INTO stocks (unit_id, carrier, counted_on, quantity, uom, evidence)
        VALUES ($1, $2, $3::text::date, $4, 't', 'stocktaking')
        """,
        await unit_id(stage), carrier, counted_on, quantity,
    )  # fmt: skip


async def ask(stage: Stage, carrier: str, **query: str) -> dict[str, Any]:
    rows = await stage.items("li", "/v1/balance", **(JANUARY | query))
    (row,) = [row for row in rows if row["energy"] == carrier]
    return row


def term(row: dict[str, Any], flow: str) -> dict[str, Any]:
    (found,) = [each for each in row["terms"] if each["flow"] == flow]
    return dict(found)


async def test_meters_alone_make_a_balance(stage: Stage) -> None:
    await count(stage, "E01", 1000)
    await count(stage, "X01", 100, role="export")
    await count(stage, "R01", 50, role="renewable")
    row = await ask(stage, "electricity")
    assert (row["uom"], row["consumed"], row["metered"]) == ("kWh", 950, 950)
    assert term(row, "sold")["origin"] == "metered"
    assert term(row, "sold")["evidence"] == ["X01"]
    assert row["none_known"] == ["opening_stock", "closing_stock", "feedstock"]
    assert row["against_meters"]["reason"] == "nothing_stated"


async def test_what_sub_meters_do_not_count_is_unmetered(stage: Stage) -> None:
    await count(stage, "E01", 1000)
    await count(stage, "S01", 600, role="sub")
    await count(stage, "S02", 320, role="sub")
    row = await ask(stage, "electricity")
    assert row["unmetered"] == {
        "whole": 1000, "part": 920, "difference": 80, "share": 0.08, "reason": None
    }  # fmt: skip


async def test_a_silent_sub_meter_is_no_unmetered_use(stage: Stage) -> None:
    await count(stage, "E01", 1000)
    await count(stage, "S01", 600, role="sub")
    await count(stage, "S02", None, role="sub")
    row = await ask(stage, "electricity")
    assert (row["unmetered"]["difference"], row["unmetered"]["reason"]) == (
        None,
        "sub_meter_unknown",
    )


@pytest.mark.parametrize(
    ("quantity", "held", "absence"), [(None, False, "meter_silent"), (5.0, True, "held")]
)
async def test_a_meter_that_says_nothing_makes_no_figure(
    stage: Stage, quantity: float | None, held: bool, absence: str
) -> None:
    await count(stage, "E01", 1000)
    await count(stage, "X01", quantity, held=held, role="export")
    row = await ask(stage, "electricity")
    assert (row["used"], row["consumed"], row["missing"]) == (None, None, ["sold"])
    assert term(row, "sold")["absence"] == absence


async def test_stocks_and_invoices_are_compared_with_the_scale(stage: Stage) -> None:
    await count(stage, "C01", 98_700_000, carrier="raw_coal", kind="interval", uom="t")
    await stock(stage, "raw_coal", "2026-01-01", 41_200)
    await stock(stage, "raw_coal", "2026-02-01", 38_650)
    await state(stage, "raw_coal", "2026-01-01", "2026-02-01", purchased=96_300, feedstock=300)
    row = await ask(stage, "raw_coal")
    assert (row["uom"], row["used"]) == ("kg", 98_850_000)
    assert row["consumed"] == 98_550_000
    assert row["against_meters"]["difference"] == pytest.approx(-150_000)
    bought = term(row, "purchased")
    assert (bought["origin"], bought["metered_quantity"]) == ("stated", 98_700_000)
    assert term(row, "opening_stock")["evidence"] == ["stocktaking"]


async def test_a_stock_that_was_not_counted_makes_no_figure(stage: Stage) -> None:
    await stock(stage, "raw_coal", "2026-01-01", 41_200)
    await state(stage, "raw_coal", "2026-01-01", "2026-02-01", purchased=96_300)
    row = await ask(stage, "raw_coal")
    assert (row["consumed"], row["missing"]) == (None, ["closing_stock"])
    assert term(row, "closing_stock")["absence"] == "not_counted"


async def test_a_carrier_in_stock_is_not_balanced_by_a_scale_that_may_stand_behind_the_store(
    stage: Stage,
) -> None:
    await count(stage, "C01", 5, carrier="raw_coal", kind="interval", uom="t")
    await stock(stage, "raw_coal", "2026-01-01", 10)
    await stock(stage, "raw_coal", "2026-02-01", 7)
    row = await ask(stage, "raw_coal")
    assert (row["consumed"], row["missing"]) == (None, ["purchased"])


async def test_statements_that_leave_days_out_are_no_figure(stage: Stage) -> None:
    await state(stage, "coke", "2026-01-01", "2026-01-16", purchased=10)
    row = await ask(stage, "coke")
    assert term(row, "purchased")["absence"] == "stated_in_part"
    await state(stage, "coke", "2026-01-16", "2026-02-01", purchased=11, uom="kg")
    row = await ask(stage, "coke")
    assert row["consumed"] == 10_011
    assert term(row, "purchased")["evidence"] == ["2026-01-01 invoices", "2026-01-16 invoices"]


async def test_what_was_stated_once_is_asked_for_always(stage: Stage) -> None:
    await state(stage, "coke", "2025-01-01", "2025-02-01", purchased=10, sold=1)
    await state(stage, "coke", "2026-01-01", "2026-02-01", purchased=10)
    row = await ask(stage, "coke")
    assert (row["consumed"], row["missing"]) == (None, ["sold"])
    assert term(row, "sold")["absence"] == "not_stated"


async def test_a_balance_is_of_whole_days(stage: Stage) -> None:
    for name in ("from_", "to"):
        query = JANUARY | {name: JANUARY[name].replace("T00", "T01")}
        assert await stage.code("li", "/v1/balance", **query) == (422, "invalid_parameter")
    longer = JANUARY | {"from_": "2020-01-01T00:00:00+08:00"}
    assert await stage.code("li", "/v1/balance", **longer) == (422, "invalid_parameter")
