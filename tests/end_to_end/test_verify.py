"""An administrator corrects, verifies and keeps heads with the command line alone."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest

from tests import factories
from tests.end_to_end.conftest import Programs

EXAMPLES = Path(__file__).parent.parent.parent / "docs" / "examples"
UNIT = factories.unit_code()
READING = ("--unit", UNIT, "--meter", "E01", "--time", "2026-11-01T08:00:00+08:00")


def register(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(
            "WITH u AS (INSERT INTO units (unit, name, region, industry) "
            "VALUES (%s, 'works', '450202', 'C3120') RETURNING unit_id), "
            "m AS (INSERT INTO meters (unit_id, meter, name, carrier, kind, uom, interval_s, role, "
            "installed_at) SELECT unit_id, 'E01', 'E01', 'electricity', 'register', 'kWh', 900, "
            "'boundary', '2026-01-01Z' FROM u RETURNING meter_id) "
            "INSERT INTO readings SELECT meter_id, '2026-11-01 00:00Z', 5, 'good', "
            "'2026-11-01 00:00Z' FROM m",
            (UNIT,),
        )


@pytest.mark.tampers("the ledger of changes: its tail is cut off")
def test_corrections_are_stated_verified_and_listed(programs: Programs, tmp_path: Path) -> None:
    url = programs.environment["NENGHAO_DATABASE_URL"]
    register(url)
    sealed = programs.run("verify", "seal", "--reason", "the ledger begins")
    assert "1 weeks of readings and 2 rows sealed" in sealed
    said = ("corrections", "add", *READING, "--reason", "misread", "--actor", "zhao")
    assert "stated" in programs.run(*said, "--value", "4.5", "--evidence", "No. 17")
    assert "was stated already" in programs.run(*said, "--value", "4.5", "--evidence", "No. 17")
    programs.run(*said, "--set-aside")
    programs.run("corrections", "withdraw", *READING, "--reason", "it was right")
    assert "no correction" in programs.run(
        "corrections", "withdraw", *READING, "--reason", "again", code=2
    )
    assert "say what holds" in programs.run(*said, code=2)
    listed = programs.run("corrections", "list", "--unit", UNIT)
    assert all(word in listed for word in ("4.5", "set aside", "withdrawn", "zhao"))
    verified = programs.run("verify")
    assert "changes: 6 links hold" in verified
    assert "they are sealed" in verified
    assert "sums: 1 units and all areas agree" in verified
    assert "facts: all hold as they were stated" in verified

    heads = tmp_path / "heads.json"
    heads.write_text(programs.run("verify", "heads"), encoding="utf-8")
    assert [each["links"] for each in json.loads(heads.read_text(encoding="utf-8"))] == [6]
    with psycopg.connect(url) as connection:
        connection.execute("ALTER TABLE changes DISABLE TRIGGER changes_append_only")
        connection.execute("DELETE FROM changes WHERE change_id >= 3")
    told = programs.run("verify", "--heads", str(heads), code=1)
    assert "changes: broken at link 3: the head kept elsewhere" in told
    assert "tail was cut off" in told


def test_a_sum_that_was_touched_is_named_and_repaired(programs: Programs) -> None:
    url = programs.environment["NENGHAO_DATABASE_URL"]
    register(url)
    programs.run("verify", "seal", "--reason", "the ledger begins")
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO meter_consumption SELECT meter_id, 'hour', '2026-11-01Z', 7, 0, 4, false, "
            "NULL, NULL FROM meters"
        )
    told = programs.run("verify", code=1)
    assert f"sums: {UNIT}/E01 hour 2026-11-01T08:00+08:00: 7.0 stored, None is right" in told
    assert "were repaired" in programs.run("verify", "--repair", code=1)
    assert "sums: 1 units and all areas agree" in programs.run("verify")
