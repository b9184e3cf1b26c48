"""A file of readings is imported in memory that does not grow with it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from app.readings_import import FLUSH_ROWS
from tests import factories

ROWS = int(os.environ.get("IMPORTED_ROWS", "400000"))
GROWTH_MIB_MAX = 40
METERS = 20
COUNT = "SELECT (SELECT count(*) FROM readings), sum(received), sum(stored) FROM ingest_totals"

IMPORT = """
import resource, sys
from app import cli
try:
    cli.app(["import", "readings", sys.argv[1], "--apply"], standalone_mode=False)
finally:
    print("KIB", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def imported(database_url: str, path: Path) -> int:
    """Import a file in a process of its own; return the most memory that it had. [KiB]"""
    environment = {**os.environ, "NENGHAO_DATABASE_URL": database_url}
    command = [sys.executable, "-c", IMPORT, str(path)]
    told = subprocess.run(command, env=environment, capture_output=True, check=True, text=True)
    return int(told.stdout.rpartition("KIB")[2])


def written(path: Path, rows: int) -> Path:
    """Write readings of many meters, in turn."""
    unit, newest = factories.unit_code(), datetime.now(UTC).replace(microsecond=0)
    with path.open("w", encoding="utf-8") as file:
        file.write("unit,meter,time,value\n")
        for n in range(rows):
            at = newest - timedelta(minutes=rows // METERS) + timedelta(minutes=n // METERS)
            file.write(f"{unit},C{n % METERS:02},{at:%FT%TZ},{n}.5\n")
    return path


@pytest.mark.soak
def test_a_file_of_any_length_takes_the_same_memory(database_url: str, tmp_path: Path) -> None:
    with psycopg.connect(database_url) as connection:
        unit_id = connection.execute(
            "INSERT INTO units (unit, name, region, industry) VALUES (%s, 'n', '450202', 'C3120')"
            " RETURNING unit_id",
            [factories.unit_code()],
        ).fetchone()
        for n in range(METERS):
            connection.execute(
                "INSERT INTO meters (unit_id, meter, name, carrier, kind, uom, interval_s, role,"
                " installed_at) VALUES (%s, %s, '', 'raw_coal', 'interval', 'kg', 60, 'boundary',"
                " '2020-01-01')",
                [unit_id and unit_id[0], f"C{n:02}"],
            )
    little = imported(database_url, written(tmp_path / "a.csv", FLUSH_ROWS * 4))
    begun = time.perf_counter()
    much = imported(database_url, written(tmp_path / "b.csv", ROWS))
    seconds = time.perf_counter() - begun
    print(f"{ROWS:,} rows in {seconds:.1f} s; {little // 1024} and {much // 1024} MiB")
    with psycopg.connect(database_url) as connection:
        row = connection.execute(COUNT).fetchone()
    assert row is not None
    stored, received, counted = row
    assert (stored, received) == (counted, ROWS + FLUSH_ROWS * 4)
    assert much - little < GROWTH_MIB_MAX * 1024
