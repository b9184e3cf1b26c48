"""A database that a test gives back is as the template was, or is not used again."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

import db.admin
from deploy.services import Services
from tests.pristine import Pristine

USED = """
INSERT INTO units (unit, name, region, industry)
VALUES ('91450200MA0000004W', 'x', '450200', 'C3011');
INSERT INTO meters (unit_id, meter, name, carrier, kind, uom, interval_s, role, installed_at)
SELECT unit_id, 'E01', 'E01', 'electricity', 'interval', 'kWh', 900, 'boundary', '2020-01-01Z'
  FROM units;
INSERT INTO meter_consumption (meter_id, step, starts_at, quantity, held, estimated_quantity,
                               readings_present)
SELECT meter_id, 'hour', at, 1, false, 0, 4
  FROM meters, generate_series('2025-01-01Z'::timestamptz, '2026-01-01Z', '40 days') AS at;
UPDATE regions SET name = name || 'x' WHERE region = '450200';
DELETE FROM limits WHERE limit_id = 3;
INSERT INTO rules (kind, region) VALUES ('outage', '450000');
"""
RELATIONS = """
SELECT relname, relkind
  FROM pg_class
 WHERE relnamespace = 'public'::regnamespace
   AND relkind IN ('r', 'S')
"""


@pytest.fixture
def used(services: Services, template_url: str) -> Iterator[str]:
    """A copy that a test wrote into."""
    template = db.admin.database_of(template_url)
    url = db.admin.recreate(services.database_url, "nenghao_used", template=template)
    with psycopg.connect(url) as connection:
        connection.execute(USED)
    yield url
    db.admin.drop(services.database_url, "nenghao_used")


def everything(url: str) -> dict[str, list[str]]:
    """Return all rows of all tables and sequences of ours, as text."""
    ask = {
        "r": sql.SQL("SELECT t::text FROM {} AS t"),
        "S": sql.SQL("SELECT (last_value, is_called)::text FROM {}"),
    }
    with psycopg.connect(url) as connection:
        return {
            name: sorted(
                row[0] for row in connection.execute(ask[kind].format(sql.Identifier(name)))
            )
            for name, kind in connection.execute(RELATIONS).fetchall()
        }


def test_what_a_test_wrote_is_gone(template_url: str, used: str) -> None:
    template = everything(template_url)
    assert everything(used) != template
    assert Pristine.of(template_url).put_back(used)
    assert everything(used) == template
    with psycopg.connect(used) as connection:
        assert connection.execute("SELECT nextval('units_unit_id_seq')").fetchone() == (1,)


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE units ADD COLUMN more int",
        "DROP TRIGGER changes_append_only ON changes",
        "ALTER TABLE changes DISABLE TRIGGER changes_append_only",
        "CREATE TABLE more (x int)",
        "CREATE OR REPLACE VIEW api.units AS SELECT * FROM units",
        "GRANT SELECT ON units TO public",
        "ALTER DATABASE nenghao_used SET work_mem = '1MB'",
        "DROP INDEX units_region",
    ],
)
def test_a_changed_schema_is_not_put_back(template_url: str, used: str, statement: str) -> None:
    with psycopg.connect(used) as connection:
        connection.execute(statement)
    assert not Pristine.of(template_url).put_back(used)


def test_nothing_is_put_back_under_somebody(template_url: str, used: str) -> None:
    with psycopg.connect(used):
        assert not Pristine.of(template_url).put_back(used)
