"""Products, their limits as reference rows, statements of production, capacities.

Safe before the new code starts: columns are added with defaults, nothing is rewritten. Reference
rows that are there already are left as they are. Where only the year of an edition is known, its
first day stands for it; rows that nobody has checked against the edition are not verified.
"""

from __future__ import annotations

import csv
from importlib import resources

from alembic import op
from sqlalchemy import text

revision = "0011"
down_revision = "0010"

SCHEMA = """
SET lock_timeout = '5s';

CREATE TABLE products (
    product        text PRIMARY KEY,
    name_zh        text NOT NULL,
    name_en        text NOT NULL,
    output_uom     text NOT NULL,
    required_share double precision CHECK (required_share > 0 AND required_share <= 1),
    source         text
);
COMMENT ON TABLE products IS 'Products with a name of their own; others are known by code only';
COMMENT ON COLUMN products.required_share IS
    'share of capacity that must be at the benchmark (达到标杆水平的产能比例); source says by whom';

ALTER TABLE limits
    ADD COLUMN verified boolean NOT NULL DEFAULT true,
    ADD COLUMN exclusive boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN limits.verified IS 'the figures were checked against their source';
COMMENT ON COLUMN limits.exclusive IS 'a value that equals a level does not meet it (PUE < 1.3)';

CREATE TABLE equivalents (
    energy_uom   text NOT NULL,
    kgce_per_uom double precision NOT NULL CHECK (kgce_per_uom > 0),
    valid_from   date NOT NULL,
    source       text NOT NULL,
    verified     boolean NOT NULL,
    PRIMARY KEY (energy_uom, valid_from)
);
COMMENT ON TABLE equivalents IS 'What units of energy other than standard coal are worth in it';

ALTER TABLE production
    ALTER COLUMN uom DROP NOT NULL,
    ADD CONSTRAINT production_uom CHECK (quantity IS NULL OR uom IS NOT NULL),
    ADD CONSTRAINT production_finite CHECK (quantity < 'Infinity' AND output_value_cny < 'Infinity'
        AND value_added_cny < 'Infinity' AND value_added_cny > '-Infinity'),
    ADD CONSTRAINT production_output_value CHECK (output_value_cny >= 0);
COMMENT ON TABLE production IS
    'What people state of output and its value, as it is known now; how it came to that: changes';
CREATE INDEX production_span ON production (starts_at);  -- the values of a province in a year

CREATE TABLE capacities (
    unit_id    integer NOT NULL REFERENCES units,
    product    text NOT NULL,
    capacity   double precision NOT NULL CHECK (capacity >= 0 AND capacity < 'Infinity'),
    uom        text NOT NULL,
    valid_from date NOT NULL,
    source     text NOT NULL,
    PRIMARY KEY (unit_id, product, valid_from)
);
COMMENT ON COLUMN capacities.capacity IS 'per year, in uom, until the next row; 0: shut down';
"""

PRODUCTS = """
INSERT INTO products (product, name_zh, name_en, output_uom, required_share, source)
VALUES (:product, :name_zh, :name_en, :output_uom, CAST(:required_share AS double precision),
        :source)
    ON CONFLICT DO NOTHING
"""

LIMITS = """
INSERT INTO limits (product, uom, edition, limit_value, baseline, benchmark, advanced, valid_from,
                    source, verified, exclusive)
VALUES (:product, :uom, :edition, CAST(:limit AS double precision),
        CAST(:baseline AS double precision), CAST(:benchmark AS double precision),
        CAST(:advanced AS double precision), CAST(:valid_from AS date), :source,
        CAST(:verified AS boolean), CAST(:exclusive AS boolean))
    ON CONFLICT DO NOTHING
"""

EQUIVALENTS = """
INSERT INTO equivalents (energy_uom, kgce_per_uom, valid_from, source, verified)
VALUES (:energy_uom, CAST(:kgce_per_uom AS double precision), CAST(:valid_from AS date), :source,
        CAST(:verified AS boolean))
    ON CONFLICT DO NOTHING
"""

MAY_STATE = """
ALTER TABLE api_keys ADD COLUMN may_state boolean NOT NULL DEFAULT false;
"""


def upgrade() -> None:
    op.execute(SCHEMA)
    op.execute(MAY_STATE)
    _load("products.csv", PRODUCTS)
    _load("limits.csv", LIMITS)
    _load("equivalents.csv", EQUIVALENTS)


def _load(name: str, statement: str) -> None:
    """Insert the rows of a file; an empty cell is NULL."""
    reference = resources.files("migrations") / "reference" / name
    with reference.open(encoding="utf-8") as file:
        rows = [
            {column: cell or None for column, cell in row.items()} for row in csv.DictReader(file)
        ]
    op.get_bind().execute(text(statement), rows)
