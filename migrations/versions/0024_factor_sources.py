"""Factors name the standard they are of; what was found re-hosted by third parties is not verified.

Safe before the new code starts. Of the figures of GB/T 2589 only those are called verified that
follow from its definition of standard coal; of the others `note` says where they were found: nobody
has compared them with the standard. Where the ledger has begun, facts change through it and not
here: import `migrations/reference/factors_by_standard.csv`. Ranges are no facts of the ledger.
"""

from __future__ import annotations

import csv
from importlib import resources

from alembic import op
from sqlalchemy import text

revision = "0024"
down_revision = "0021"

SCHEMA = """
SET lock_timeout = '5s';

ALTER TABLE factors ADD COLUMN note text;
COMMENT ON COLUMN factors.source IS 'the standard with its clause or table, or the document';
COMMENT ON COLUMN factors.note IS 'where a figure was found that was not compared with its source';
"""

FACTORS = """
UPDATE factors
   SET source = :source,
       verified = CAST(:verified AS boolean),
       note = :note
 WHERE carrier = :carrier
   AND basis = :basis
   AND unit_id IS NULL
   AND valid_from = CAST(:valid_from AS date)
   AND kgce_per_uom = CAST(:kgce_per_uom AS double precision)
   AND NOT EXISTS (SELECT FROM changes)
"""

RANGES = """
UPDATE factor_ranges
   SET source = edition || ' 综合能耗计算通则',
       verified = false
 WHERE source LIKE '%huatuo6.cn%'
"""


def upgrade() -> None:
    op.execute(SCHEMA)
    reference = resources.files("migrations") / "reference" / "factors_by_standard.csv"
    with reference.open(encoding="utf-8") as file:
        rows = [{name: cell or None for name, cell in row.items()} for row in csv.DictReader(file)]
    op.get_bind().execute(text(FACTORS), rows)
    op.execute(text(RANGES))
