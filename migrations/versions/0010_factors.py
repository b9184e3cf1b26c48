"""Measured calorific values, ranges that are no factors, one view of all dated factors.

Safe before the new code starts: what is there keeps its value on every day, so nothing is to be
settled anew. The figures of GB/T 2589-2020 begin with that edition, on 2021-04-01: for the days
before it they stand on the edition of 2008 and are not verified. The equivalent value of
electricity gets a row for each year; the last has no end until the next is imported.
"""

from __future__ import annotations

import csv
from importlib import resources

from alembic import op
from sqlalchemy import text

revision = "0010"
down_revision = "0009"

REFERENCE = resources.files("migrations") / "reference"

SCHEMA = """
SET lock_timeout = '5s';

ALTER TABLE carriers ADD COLUMN nature text NOT NULL DEFAULT 'fuel'
    CHECK (nature IN ('fuel', 'power', 'medium'));
ALTER TABLE carriers ALTER COLUMN nature DROP DEFAULT;
COMMENT ON COLUMN carriers.nature IS 'a carrier that somebody added before was taken for a fuel';

CREATE TABLE factor_ranges (
    carrier  text PRIMARY KEY REFERENCES carriers,
    low      double precision NOT NULL CHECK (low > 0),
    high     double precision NOT NULL CHECK (high > low),
    edition  text NOT NULL,
    source   text NOT NULL,
    verified boolean NOT NULL
);
COMMENT ON TABLE factor_ranges IS
    'What the standard gives instead of a factor: a unit has to declare its own';

CREATE TABLE calorific_values (
    unit_id             integer NOT NULL REFERENCES units,
    carrier             text NOT NULL REFERENCES carriers,
    batch               text NOT NULL CHECK (batch <> ''),
    valid_from          date NOT NULL,
    valid_to            date CHECK (valid_to > valid_from),
    net_calorific_value double precision NOT NULL
        CHECK (net_calorific_value > 0 AND net_calorific_value < 'Infinity'),
    uom                 text NOT NULL,
    kgce_per_uom        double precision NOT NULL
        CHECK (kgce_per_uom > 0 AND kgce_per_uom < 'Infinity'),
    source              text NOT NULL,
    PRIMARY KEY (unit_id, carrier, batch)
);
COMMENT ON COLUMN calorific_values.net_calorific_value IS 'as the laboratory states it, in uom';
COMMENT ON COLUMN calorific_values.kgce_per_uom IS
    'what it comes to, in kgce per reference_uom of the carrier: energy/calorific.py';
COMMENT ON COLUMN calorific_values.source IS 'method and laboratory';

CREATE VIEW dated_factors AS
SELECT carrier, basis, unit_id, NULL::text AS batch, kgce_per_uom, valid_from, valid_to, edition,
       source, verified, CASE WHEN unit_id IS NULL THEN 3 ELSE 2 END AS place,
       daterange(valid_from, valid_to) AS validity
  FROM factors
 UNION ALL
SELECT carrier, bases.basis, unit_id, batch, kgce_per_uom, valid_from, valid_to,
       'batch ' || batch, source, true, 1, daterange(valid_from, valid_to)
  FROM calorific_values
 CROSS JOIN (VALUES ('calorific'), ('equivalent')) AS bases (basis);
COMMENT ON COLUMN dated_factors.place IS
    'in the order of precedence: 1 measured, 2 declared by the unit, 3 for everyone';
"""

NATURES = "UPDATE carriers SET nature = :nature WHERE carrier = :carrier"

RANGES = """
INSERT INTO factor_ranges (carrier, low, high, edition, source, verified)
VALUES (:carrier, CAST(:low AS double precision), CAST(:high AS double precision), :edition,
        :source, CAST(:verified AS boolean))
"""

EDITIONS = """
UPDATE factors
   SET valid_from = '2021-04-01',
       source = replace(source, '; same figure as in the 2008 edition (general knowledge)', '')
 WHERE unit_id IS NULL
   AND edition = 'GB/T 2589-2020'
   AND valid_from = '2015-01-01'
   AND valid_to IS NULL;

INSERT INTO factors (carrier, basis, kgce_per_uom, valid_from, valid_to, edition, source, verified)
SELECT carrier, basis, kgce_per_uom, '2015-01-01', '2021-04-01', 'GB/T 2589-2008',
       'figure of the 2020 edition, taken for the edition before it: general knowledge', false
  FROM factors
 WHERE unit_id IS NULL
   AND edition = 'GB/T 2589-2020'
   AND valid_from = '2021-04-01'
    ON CONFLICT DO NOTHING;
"""

FIRST_YEAR = """
UPDATE factors
   SET valid_to = '2022-01-01',
       edition = '2021'
 WHERE carrier = 'electricity'
   AND basis = 'equivalent'
   AND unit_id IS NULL
   AND valid_from = '2021-01-01'
   AND valid_to IS NULL
   AND edition = 'yearly value'
"""

YEARS = """
INSERT INTO factors (carrier, basis, kgce_per_uom, valid_from, valid_to, edition, source, verified)
VALUES ('electricity', 'equivalent', CAST(:kgce_per_kwh AS double precision),
        make_date(CAST(:year AS integer), 1, 1), CAST(:valid_to AS date), :year, :source,
        CAST(:verified AS boolean))
    ON CONFLICT (carrier, basis, unit_id, valid_from)
    DO UPDATE SET source = excluded.source
            WHERE factors.kgce_per_uom = excluded.kgce_per_uom
              AND NOT factors.verified
"""


def upgrade() -> None:
    op.execute(SCHEMA)
    op.get_bind().execute(text(NATURES), _rows("carrier_natures.csv"))
    op.get_bind().execute(text(RANGES), _rows("factor_ranges.csv"))
    op.execute(EDITIONS)
    if op.get_bind().execute(text(FIRST_YEAR)).rowcount:
        years = _rows("electricity_equivalents.csv")
        ends = [f"{row['year']}-01-01" for row in years[1:]]
        rows = [{**row, "valid_to": end} for row, end in zip(years, [*ends, None], strict=True)]
        op.get_bind().execute(text(YEARS), rows)


def _rows(name: str) -> list[dict[str, str | None]]:
    with (REFERENCE / name).open(encoding="utf-8") as file:
        return [dict(row) for row in csv.DictReader(file)]
