"""What the owner of the database could do to what people do about alerts."""

from __future__ import annotations

import random

from db.pool import Connection
from tests.app.tamperings import Tampering

CASES = "alert_cases"


async def update_due_date(connection: Connection, chance: random.Random) -> tuple[str, int]:
    name = chance.choice(["acknowledge_by", "remedy_by", "raise_at"])
    await connection.execute(f"UPDATE alert_cases SET {name} = {name} + interval '1 day'")
    return CASES, 0


async def update_clock(connection: Connection, chance: random.Random) -> tuple[str, int]:
    change = chance.choice(
        ["stopped_at = now(), contest = 'open'", "dated_at = now()", "clock_from = now()",
         "remedy_workdays = 60", "raised_to = '450000'"]
    )  # fmt: skip
    await connection.execute(f"UPDATE alert_cases SET {change}")
    return CASES, 0


async def update_said(connection: Connection, chance: random.Random) -> tuple[str, int]:
    change = chance.choice(
        ["assigned_to = 'sun'", "assigned_to = NULL, assignee = NULL", "contest = 'upheld'",
         "contests = 3", "closed_at = now()"]
    )  # fmt: skip
    await connection.execute(f"UPDATE alert_cases SET {change}")
    return CASES, 0


async def update_acknowledged(connection: Connection, chance: random.Random) -> tuple[str, int]:
    change = chance.choice(
        ["acknowledged_by = 'sun'", "acknowledged_at = now()",
         "acknowledged_at = NULL, acknowledged_by = NULL"]
    )  # fmt: skip
    await connection.execute(f"UPDATE alerts SET {change}")
    return CASES, 0


async def delete_case(connection: Connection, chance: random.Random) -> tuple[str, int]:
    await connection.execute("DELETE FROM alert_cases")
    return CASES, 0


OF_CASES: list[Tampering] = [
    update_due_date, update_clock, update_said, update_acknowledged, delete_case,
]  # fmt: skip
