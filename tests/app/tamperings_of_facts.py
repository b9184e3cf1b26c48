"""What the owner of the database could do to stated facts, to their ledger, to reference rows."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from db import changes
from db.changes import Author
from db.heads import CHANGES
from db.pool import Connection
from energy import ledger
from tests import factories
from tests.app.books import CHANGES_MADE, EPOCH_AT, TARGETS
from tests.app.tamperings import Tampering
from tests.ingest.conftest import NOW


async def update_change(connection: Connection, chance: random.Random) -> tuple[str, int]:
    number = chance.randint(1, CHANGES_MADE)
    column = chance.choice(["actor = 'sun'", "content = NULL", "evidence = 'none'"])
    await connection.execute(f"UPDATE changes SET {column} WHERE change_id = $1", number)
    return CHANGES, number


async def delete_change(connection: Connection, chance: random.Random) -> tuple[str, int]:
    """The last one, too: then it is a tail that was cut."""
    number = chance.randint(1, CHANGES_MADE)
    await connection.execute("DELETE FROM changes WHERE change_id = $1", number)
    return CHANGES, number


async def insert_change(connection: Connection, chance: random.Random) -> tuple[str, int]:
    await connection.execute(
        """
        INSERT INTO changes
        SELECT $2, changed_at, actor, reason, evidence, noun, subject, content, sha256
          FROM changes
         WHERE change_id = $1
        """,
        chance.randint(1, CHANGES_MADE),
        CHANGES_MADE + 1,
    )
    return CHANGES, CHANGES_MADE + 1


async def reorder_changes(connection: Connection, chance: random.Random) -> tuple[str, int]:
    number = chance.randint(1, CHANGES_MADE - 1)
    for old, new in ((number, 1_000), (number + 1, number), (1_000, number + 1)):
        await connection.execute("UPDATE changes SET change_id = $2 WHERE change_id = $1", old, new)
    return CHANGES, number


async def backdate_change(connection: Connection, chance: random.Random) -> tuple[str, int]:
    """Append a change that follows well, and say that it was made before the head was kept."""
    await _append(connection, NOW + chance.choice([-300, -1, 0]) * timedelta(days=1))
    return CHANGES, CHANGES_MADE + 1


async def backdate_among_changes(connection: Connection, chance: random.Random) -> tuple[str, int]:
    """Append one that says it is later than every head, and earlier than the one before it."""
    await _append(connection, NOW + timedelta(days=3))
    await _append(connection, NOW + timedelta(days=2))
    return CHANGES, CHANGES_MADE + 2


async def _append(connection: Connection, changed_at: datetime) -> None:
    number, previous = await changes.fetch_head(connection)
    author = Author("sun", "an agreement", "none")
    fields = ["targets", "450200/2021", '{"required_rate":-0.01}']
    said = [number + 1, changed_at.isoformat(timespec="microseconds"),
            author.actor, author.reason, author.evidence, *fields]  # fmt: skip
    await connection.execute(
        "INSERT INTO changes VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        number + 1, changed_at, author.actor, author.reason, author.evidence, *fields,
        ledger.digest(previous, ledger.canonical(said)),
    )  # fmt: skip


async def update_fact(connection: Connection, chance: random.Random) -> tuple[str, int]:
    year = chance.randint(2021, 2020 + TARGETS)
    await connection.execute(
        "UPDATE region_targets SET required_rate = -0.005 WHERE year = $1", year
    )
    return f"facts/targets/450200/{year}", 0


async def delete_fact(connection: Connection, chance: random.Random) -> tuple[str, int]:
    year = chance.randint(2021, 2020 + TARGETS)
    await connection.execute("DELETE FROM region_targets WHERE year = $1", year)
    return f"facts/targets/450200/{year}", 0


async def insert_fact(connection: Connection, chance: random.Random) -> tuple[str, int]:
    """Of a kind of which something was stated, or of one that nobody ever stated anything of."""
    statement, chain = chance.choice(
        [
            (
                "INSERT INTO region_targets (region, year, required_rate, source) "
                "VALUES ('450200', 2031, -0.5, 'none')",
                "facts/targets/450200/2031",
            ),
            (
                "INSERT INTO contacts VALUES (DEFAULT, '450200', 'Sun', 's@x.cn', 'zh', 1)",
                "facts/contacts/450200/s@x.cn",
            ),
            (
                "INSERT INTO limits (product, uom, edition, baseline, valid_from, source) "
                "VALUES ('cement_clinker', 'kgce/t', 'ours', 900, '2025-01-01', 'none')",
                "facts/limits/cement_clinker/ours/2025-01-01",
            ),
            (
                "INSERT INTO products (product, name_zh, name_en, output_uom) "
                "VALUES ('slag', '渣', 'slag', 't')",
                "facts/products/slag",
            ),
        ]
    )
    await connection.execute(statement)
    return chain, 0


async def update_reference_row(connection: Connection, chance: random.Random) -> tuple[str, int]:
    statement, chain = chance.choice(
        [
            (
                "UPDATE factors SET kgce_per_uom = 0.1228 WHERE carrier = 'electricity' "
                "AND basis = 'calorific' AND valid_from = '2021-04-01'",
                "facts/factors/electricity/calorific/everyone/2021-04-01",
            ),
            (
                "UPDATE factors SET verified = true WHERE carrier = 'electricity' "
                "AND basis = 'equivalent' AND valid_from = '2022-01-01'",
                "facts/factors/electricity/equivalent/everyone/2022-01-01",
            ),
            (
                "UPDATE limits SET baseline = baseline + 1 WHERE product = 'cement_clinker'",
                "facts/limits/cement_clinker/标杆水平和基准水平（2023年版）/2023-01-01",
            ),
            (
                "UPDATE level_bands SET bound = -0.5 WHERE scheme = 'national' AND level = '2'",
                "facts/level_bands/national/2",
            ),
            (
                "UPDATE rule_sets SET across_share_max = 1 WHERE rule_set = '2024'",
                "facts/rule_sets/2024",
            ),
        ]
    )
    await connection.execute(statement)
    return chain, 0


async def delete_reference_row(connection: Connection, chance: random.Random) -> tuple[str, int]:
    carrier = chance.choice(["coke", "raw_coal", "diesel"])
    await connection.execute(
        "DELETE FROM factors WHERE carrier = $1 AND basis = 'calorific'", carrier
    )
    return f"facts/factors/{carrier}/calorific/everyone/2021-04-01", 0


async def turn_back(connection: Connection, chance: random.Random) -> tuple[str, int]:
    """Let a figure be called verified again, as an earlier release did."""
    statement, chain = chance.choice(
        [
            (
                "UPDATE factors SET source = 'huatuo6.cn; public repositories', verified = true, "
                "note = NULL WHERE carrier = 'raw_coal' AND basis = 'calorific' "
                "AND valid_from = '2021-04-01'",
                "facts/factors/raw_coal/calorific/everyone/2021-04-01",
            ),
            (
                "UPDATE limits SET verified = true WHERE product = 'cement_clinker'",
                "facts/limits/cement_clinker/标杆水平和基准水平（2023年版）/2023-01-01",
            ),
            (
                "UPDATE carbon_factors SET verified = true WHERE carrier = 'coke'",
                "facts/carbon_factors/coke//2015-01-01",
            ),
        ]
    )
    await connection.execute(statement)
    return chain, 0


async def update_first_epoch(connection: Connection, chance: random.Random) -> tuple[str, int]:
    """Of a meter that has a later one."""
    meter = f"{factories.unit_code()}/E01"
    statement, chain = chance.choice(
        [
            ("UPDATE meter_epochs SET multiplier = 2 WHERE {}", f"facts/meters/{meter}"),
            ("UPDATE meter_epochs SET rollover = 9e9 WHERE {}", f"facts/meters/{meter}"),
            ("UPDATE meter_epochs SET side = 'primary' WHERE {}", f"facts/meters/{meter}"),
            ("UPDATE meter_epochs SET rate_max = 5 WHERE {}", f"facts/meters/{meter}"),
            ("DELETE FROM meter_epochs WHERE {}", f"facts/meters/{meter}"),
            ("UPDATE meters SET interval_s = 60 WHERE meter_id = 1", f"facts/meters/{meter}"),
            (
                "INSERT INTO meter_epochs (meter_id, starts_at, reason, multiplier) "
                "VALUES (1, '2026-11-01Z', 'installed', 1)",
                f"facts/epochs/{meter}/2026-11-01 00:00:00+00:00",
            ),
        ]
    )
    await connection.execute(statement.format("meter_id = 1 AND reason = 'installed'"))
    return chain, 0


async def update_limit_of_epoch(connection: Connection, chance: random.Random) -> tuple[str, int]:
    await connection.execute(
        "UPDATE meter_epochs SET rate_max = $1 WHERE meter_id = 1 AND reason <> 'installed'",
        chance.choice([None, 1.0, 1e9]),
    )
    return f"facts/epochs/{factories.unit_code()}/E01/{EPOCH_AT}", 0


OF_FACTS: list[Tampering] = [
    turn_back, update_first_epoch, update_limit_of_epoch,
    update_change, delete_change, insert_change, reorder_changes, backdate_change,
    backdate_among_changes, update_fact, delete_fact, insert_fact, update_reference_row,
    delete_reference_row,
]  # fmt: skip
