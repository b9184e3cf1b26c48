"""Targets by indicator, period and kind; level schemes; parks, energy budgets; carbon factors.

Safe before the new code starts, but for one thing: until the new code runs, `import targets` of
the old code is refused (the key of region_targets is another). Existing targets stay what they
were: base targets of energy per GDP for one year. Reference rows that are there already are left
as they are.
"""

from __future__ import annotations

import csv
from importlib import resources

from alembic import op
from sqlalchemy import text

revision = "0012"
down_revision = "0011"

REFERENCE = resources.files("migrations") / "reference"

SCHEMA = """
SET lock_timeout = '5s';

ALTER TABLE region_targets
    ADD COLUMN indicator text NOT NULL DEFAULT 'energy_per_gdp'
        CHECK (indicator IN ('energy_per_gdp', 'energy_per_industrial_value_added',
                             'total_energy', 'carbon_per_gdp')),
    ADD COLUMN years integer NOT NULL DEFAULT 1 CHECK (years BETWEEN 1 AND 10),
    ADD COLUMN kind text NOT NULL DEFAULT 'base' CHECK (kind IN ('base', 'incentive')),
    ADD COLUMN amount_tce double precision CHECK (amount_tce > 0 AND amount_tce < 'Infinity'),
    ADD COLUMN rule_set text,
    ALTER COLUMN required_rate DROP NOT NULL,
    ADD CHECK ((indicator = 'total_energy') = (amount_tce IS NOT NULL)),
    ADD CHECK ((indicator = 'total_energy') = (required_rate IS NULL)),
    DROP CONSTRAINT region_targets_pkey,
    ADD PRIMARY KEY (region, year, years, indicator, kind);
COMMENT ON COLUMN region_targets.required_rate IS
    'required change of the indicator over the period, e.g. -0.02747 in a year, -0.13 in five';
COMMENT ON COLUMN region_targets.years IS 'length of the period that starts with year; 5: a plan';
COMMENT ON COLUMN region_targets.amount_tce IS 'cap on the total energy of the last year';

ALTER TABLE region_figures
    ADD COLUMN industrial_energy_growth double precision CHECK (industrial_energy_growth > -1),
    ADD COLUMN value_added_growth double precision CHECK (value_added_growth > -1),
    ADD COLUMN carbon_growth double precision CHECK (carbon_growth > -1),
    ADD COLUMN energy_tce double precision CHECK (energy_tce > 0 AND energy_tce < 'Infinity');
COMMENT ON COLUMN region_figures.value_added_growth IS
    'of industrial value added, at constant prices';
COMMENT ON COLUMN region_figures.energy_tce IS 'energy of January..through_month';

CREATE TABLE level_bands (
    scheme         text NOT NULL CHECK (scheme ~ '^[a-z0-9_]{1,40}$'),
    level          text NOT NULL CHECK (level ~ '^[a-z0-9_]{1,20}$'),
    severity       integer NOT NULL CHECK (severity >= 1),
    bound          double precision CHECK (bound > '-Infinity' AND bound < 'Infinity'),
    holds_at_bound boolean NOT NULL,
    name_zh        text NOT NULL,
    name_en        text NOT NULL,
    colour         text,
    measure        text NOT NULL CHECK (measure IN ('reduction_share', 'cap_share')),
    scheme_zh      text NOT NULL,
    scheme_en      text NOT NULL,
    source         text NOT NULL,
    verified       boolean NOT NULL,
    PRIMARY KEY (scheme, level),
    UNIQUE (scheme, severity),
    CHECK ((severity = 1) = (bound IS NULL))
);
COMMENT ON TABLE level_bands IS 'Schemes of warning levels: bounds, names, colours, their order';
COMMENT ON COLUMN level_bands.severity IS '1 is the most severe, whatever the level is called';
COMMENT ON COLUMN level_bands.bound IS
    'where the level begins, in shares of the required reduction or of the cap';
COMMENT ON COLUMN level_bands.holds_at_bound IS
    'what lies exactly on the bound has this level, else the next more severe one';

CREATE TABLE scheme_choices (
    region    text NOT NULL REFERENCES regions,
    indicator text NOT NULL CHECK (indicator IN ('energy_per_gdp',
                  'energy_per_industrial_value_added', 'total_energy', 'carbon_per_gdp')),
    scheme    text NOT NULL,
    source    text NOT NULL,
    PRIMARY KEY (region, indicator)
);
COMMENT ON TABLE scheme_choices IS
    'Which scheme holds in a region, and in all within that have no choice of their own';

CREATE TABLE parks (
    park text PRIMARY KEY CHECK (park ~ '^[A-Za-z0-9_-]{1,32}$'),
    name text NOT NULL
);
CREATE TABLE park_units (
    park    text NOT NULL REFERENCES parks,
    unit_id integer NOT NULL REFERENCES units,
    PRIMARY KEY (park, unit_id)
);
CREATE INDEX park_units_unit ON park_units (unit_id);  -- the parks of a unit

CREATE TABLE energy_budgets (
    budget_id  integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner_kind text NOT NULL CHECK (owner_kind IN ('city', 'park', 'unit')),
    owner      text NOT NULL,
    starts_on  date NOT NULL,
    ends_on    date NOT NULL CHECK (ends_on > starts_on),
    amount_tce double precision NOT NULL CHECK (amount_tce > 0 AND amount_tce < 'Infinity'),
    basis      text NOT NULL CHECK (basis IN ('calorific', 'equivalent')),
    source     text NOT NULL,
    UNIQUE (owner_kind, owner, starts_on, ends_on)
);
COMMENT ON COLUMN energy_budgets.owner IS 'code of the region, park or unit';

CREATE VIEW budget_units AS
SELECT budget_id, unit_id FROM energy_budgets JOIN units ON owner = city
 WHERE owner_kind = 'city'
 UNION ALL
SELECT budget_id, unit_id FROM energy_budgets JOIN park_units ON owner = park
 WHERE owner_kind = 'park'
 UNION ALL
SELECT budget_id, unit_id FROM energy_budgets JOIN units ON owner = unit
 WHERE owner_kind = 'unit';
COMMENT ON VIEW budget_units IS 'the units whose consumption is charged to a budget';

CREATE FUNCTION visible_budgets(region_prefix text, own_unit text) RETURNS SETOF energy_budgets
LANGUAGE sql STABLE AS $$
    SELECT energy_budgets.*
      FROM energy_budgets
     WHERE length(region_prefix) >= 2
       AND CASE owner_kind
           WHEN 'city' THEN own_unit IS NULL AND owner LIKE region_prefix || '%'
           WHEN 'unit' THEN EXISTS (SELECT FROM visible_units(region_prefix, own_unit) AS seen
                                     WHERE seen.unit = owner)
           ELSE EXISTS (SELECT FROM park_units WHERE park = owner)
                AND NOT EXISTS (SELECT FROM park_units
                                 WHERE park = owner
                                   AND unit_id NOT IN
                                       (SELECT unit_id FROM visible_units(region_prefix, own_unit)))
           END
$$;
COMMENT ON FUNCTION visible_budgets IS
    'a budget shows what its units use together: one sees it who may see them all';

CREATE FUNCTION visible_regions(region_prefix text, own_unit text) RETURNS SETOF regions
LANGUAGE sql STABLE AS $$
    SELECT regions.*
      FROM regions
     WHERE length(region_prefix) >= 2
       AND region LIKE region_prefix || '%'
       AND (own_unit IS NULL
            OR EXISTS (SELECT FROM visible_units(region_prefix, own_unit) AS seen
                        WHERE regions.region IN (seen.region, seen.city,
                                                 left(seen.region, 2) || '0000')))
$$;
COMMENT ON FUNCTION visible_regions IS
    'regions within a scope; for a unit those it lies in. No prefix, no rows';

CREATE TABLE grids (
    grid    text PRIMARY KEY CHECK (grid ~ '^[a-z0-9_]{1,40}$'),
    name_zh text NOT NULL,
    name_en text NOT NULL
);

CREATE TABLE grid_choices (
    region     text NOT NULL REFERENCES regions,
    valid_from date NOT NULL,
    grid       text NOT NULL REFERENCES grids,
    source     text NOT NULL,
    PRIMARY KEY (region, valid_from)
);
COMMENT ON TABLE grid_choices IS
    'Whose factor the electricity of a region takes, and of all within without their own choice';

CREATE TABLE carbon_factors (
    factor_id     integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    carrier       text NOT NULL REFERENCES carriers,
    grid          text REFERENCES grids,
    kgco2_per_uom double precision NOT NULL
                  CHECK (kgco2_per_uom >= 0 AND kgco2_per_uom < 'Infinity'),
    valid_from    date NOT NULL CHECK (extract(day FROM valid_from) = 1),
    valid_to      date CHECK (valid_to > valid_from AND extract(day FROM valid_to) = 1),
    year          integer,
    edition       text NOT NULL,
    source        text NOT NULL,
    verified      boolean NOT NULL,
    UNIQUE NULLS NOT DISTINCT (carrier, grid, valid_from),
    CHECK ((carrier = 'electricity') = (grid IS NOT NULL))
);
COMMENT ON TABLE carbon_factors IS
    'kg of carbon dioxide per reference_uom of the carrier; whole months, so that months are exact';
COMMENT ON COLUMN carbon_factors.year IS
    'the year the factor describes; used in later years until theirs is published';
"""

LOADS = {
    "level_bands.csv": """
INSERT INTO level_bands (scheme, level, severity, bound, holds_at_bound, name_zh, name_en, colour,
                         measure, scheme_zh, scheme_en, source, verified)
VALUES (:scheme, :level, CAST(:severity AS integer), CAST(:bound AS double precision),
        CAST(:holds_at_bound AS boolean), :name_zh, :name_en, :colour, :measure, :scheme_zh,
        :scheme_en, :source, CAST(:verified AS boolean))
    ON CONFLICT DO NOTHING
""",
    "scheme_choices.csv": """
INSERT INTO scheme_choices (region, indicator, scheme, source)
VALUES (:region, :indicator, :scheme, :source)
    ON CONFLICT DO NOTHING
""",
    "grids.csv": """
INSERT INTO grids (grid, name_zh, name_en)
VALUES (:grid, :name_zh, :name_en)
    ON CONFLICT DO NOTHING
""",
    "grid_choices.csv": """
INSERT INTO grid_choices (region, valid_from, grid, source)
VALUES (:region, CAST(:valid_from AS date), :grid, :source)
    ON CONFLICT DO NOTHING
""",
    "carbon_factors.csv": """
INSERT INTO carbon_factors (carrier, grid, kgco2_per_uom, valid_from, valid_to, year, edition,
                            source, verified)
VALUES (:carrier, :grid, CAST(:kgco2_per_uom AS double precision), CAST(:valid_from AS date),
        CAST(:valid_to AS date), CAST(:year AS integer), :edition, :source,
        CAST(:verified AS boolean))
    ON CONFLICT DO NOTHING
""",
}


def upgrade() -> None:
    op.execute(SCHEMA)
    for name, statement in LOADS.items():
        _load(name, statement)


def _load(name: str, statement: str) -> None:
    """Insert the rows of a file; an empty cell is NULL."""
    with (REFERENCE / name).open(encoding="utf-8") as file:
        rows = [
            {column: cell or None for column, cell in row.items()} for row in csv.DictReader(file)
        ]
    op.get_bind().execute(text(statement), rows)
