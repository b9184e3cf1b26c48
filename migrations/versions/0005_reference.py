"""Reference rows: regions of Guangxi, industries, energy carriers and their factors.

Safe before the new code starts; rows that are there already are left as they are. Where only the
year of a retired region code is known, the first day of that year stands for it. A published
range is not a factor: such carriers (natural gas, coke-oven gas, slime, biogas) have no row, a
unit declares its own value. The new-water figure changes with the edition on 2021-04-01; all other
figures are dated from 2015-01-01, before which no reading is taken.
"""

from __future__ import annotations

import csv
from importlib import resources

from alembic import op
from sqlalchemy import text

revision = "0005"
down_revision = "0004"

REFERENCE = resources.files("migrations") / "reference"

REGIONS = """
INSERT INTO regions (region, name, parent, tier)
VALUES (:region, :name, :parent, :tier)
    ON CONFLICT DO NOTHING
"""

REGION_ALIASES = """
INSERT INTO region_aliases (alias, region, name, retired_on)
VALUES (:alias, :region, :name, CAST(:retired_on AS date))
    ON CONFLICT DO NOTHING
"""

INDUSTRIES = """
INSERT INTO industries (industry, name_zh, name_en)
VALUES (:industry, :name_zh, :name_en)
    ON CONFLICT DO NOTHING
"""

CARRIERS = """
INSERT INTO carriers (carrier, name_zh, name_en, reference_uom)
VALUES (:carrier, :name_zh, :name_en, :reference_uom)
    ON CONFLICT DO NOTHING
"""

FACTORS = """
INSERT INTO factors (carrier, basis, kgce_per_uom, valid_from, valid_to, edition, source, verified)
VALUES (:carrier, :basis, CAST(:kgce_per_uom AS double precision), CAST(:valid_from AS date),
        CAST(:valid_to AS date), :edition, :source, CAST(:verified AS boolean))
    ON CONFLICT DO NOTHING
"""


def upgrade() -> None:
    _load("regions.csv", REGIONS)
    _load("region_aliases.csv", REGION_ALIASES)
    _load("industries.csv", INDUSTRIES)
    _load("carriers.csv", CARRIERS)
    _load("factors.csv", FACTORS)


def _load(name: str, statement: str) -> None:
    """Insert the rows of a file; an empty cell is NULL."""
    with (REFERENCE / name).open(encoding="utf-8") as file:
        rows = [
            {column: cell or None for column, cell in row.items()} for row in csv.DictReader(file)
        ]
    op.get_bind().execute(text(statement), rows)
