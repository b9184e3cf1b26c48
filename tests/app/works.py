"""Units that used something and stated something, for tests of what follows from it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from energy import periods
from energy.periods import Step
from tests import factories
from tests.app.conftest import Stage

OCTOBER = datetime(2026, 9, 30, 16, tzinfo=UTC)


async def may_state(stage: Stage) -> None:
    await stage.pool.execute("UPDATE api_keys SET may_state = true")


async def unit_id(stage: Stage, unit: str) -> int:
    found: int = await stage.pool.fetchval("SELECT unit_id FROM units WHERE unit = $1", unit)
    return found


async def output_meter(stage: Stage, unit: str, product: str, uom: str = "t") -> int:
    async with stage.pool.acquire() as connection:
        return await factories.meter(
            connection,
            await unit_id(stage, unit),
            f"P-{product}"[:32],
            role="output",
            kind="interval",
            uom=uom,
            product=product,
        )


async def use(
    stage: Stage,
    unit: str,
    tce: float | None,
    *,
    kwh: float = 1000.0,
    month: datetime = OCTOBER,
    share: float = 1.0,
) -> None:
    """Let the boundary meter of `unit` have used so much, with a share of its readings there."""
    present = int((periods.following(month, Step.MONTH) - month) / timedelta(minutes=15) * share)
    await stage.pool.execute(
        """
        INSERT INTO unit_consumption
        SELECT unit_id, 'electricity', 'month', $2, $3, 0, $4, false, $5, 9
          FROM units
         WHERE unit = $1
        """,
        unit, month, kwh, present, tce,
    )  # fmt: skip
    await stage.pool.execute(
        """
        INSERT INTO meter_consumption
        SELECT meter_id, 'month', $2, $3, 0, $4, false, $5, 9
          FROM meters
          JOIN units USING (unit_id)
         WHERE unit = $1
           AND role = 'boundary'
        """,
        unit, month, kwh, present, tce,
    )  # fmt: skip


async def make(stage: Stage, meter_id: int, quantity: float, *, month: datetime = OCTOBER) -> None:
    await stage.pool.execute(
        """
        INSERT INTO meter_consumption
        VALUES ($1, 'month', $2, $3, 0, 2976, false, NULL, NULL)
        """,
        meter_id, month, quantity,
    )  # fmt: skip


async def state(
    stage: Stage, name: str, unit: str, product: str, *, month: datetime = OCTOBER, **said: Any
) -> None:
    """Let `name` state the month of `unit`."""
    span = (month, periods.following(month, Step.MONTH))
    statement = {"unit": unit, "product": product, **said}
    statement |= {"from": span[0].isoformat(), "to": span[1].isoformat()}
    answer = await stage.client.post(
        "/v1/production",
        json={"items": [statement], "reason": "test"},
        headers={"Authorization": f"Bearer {stage.cast.key(name)}"},
    )
    assert answer.status_code == 200, answer.text
