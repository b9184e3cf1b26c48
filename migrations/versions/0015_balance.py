"""Stocks, trades, green certificates, non-fossil electricity, projects counted apart, rule sets.

Safe before the new code starts. Locks nothing that exists, but for an instant what is referenced.
"""

from __future__ import annotations

import csv
from importlib import resources

from alembic import op
from sqlalchemy import text

revision = "0015"
down_revision = "0014"

REFERENCE = resources.files("migrations") / "reference"

SCHEMA = """
SET lock_timeout = '5s';

CREATE TABLE stocks (
    unit_id    integer NOT NULL REFERENCES units,
    carrier    text NOT NULL REFERENCES carriers,
    counted_on date NOT NULL,
    quantity   double precision NOT NULL CHECK (quantity >= 0 AND quantity < 'Infinity'),
    uom        text NOT NULL,
    evidence   text NOT NULL CHECK (evidence <> ''),
    PRIMARY KEY (unit_id, carrier, counted_on)
);
COMMENT ON COLUMN stocks.counted_on IS 'what was there when the day began, Asia/Shanghai';

CREATE TABLE trades (
    unit_id   integer NOT NULL REFERENCES units,
    carrier   text NOT NULL REFERENCES carriers,
    starts_on date NOT NULL,
    ends_on   date NOT NULL CHECK (ends_on > starts_on),
    purchased double precision CHECK (purchased >= 0 AND purchased < 'Infinity'),
    produced  double precision CHECK (produced >= 0 AND produced < 'Infinity'),
    sold      double precision CHECK (sold >= 0 AND sold < 'Infinity'),
    feedstock double precision CHECK (feedstock >= 0 AND feedstock < 'Infinity'),
    uom       text NOT NULL,
    evidence  text NOT NULL CHECK (evidence <> ''),
    PRIMARY KEY (unit_id, carrier, starts_on),
    CHECK (num_nonnulls(purchased, produced, sold, feedstock) > 0)
);
COMMENT ON TABLE trades IS
    'What a unit states of a carrier in [starts_on, ends_on); NULL: not stated, which is not zero';

CREATE TABLE projects (
    project            text PRIMARY KEY,
    unit_id            integer NOT NULL REFERENCES units,
    name               text NOT NULL,
    region             text NOT NULL REFERENCES regions,
    approval           text NOT NULL CHECK (approval <> ''),
    counted_apart_from date NOT NULL,
    counted_apart_to   date CHECK (counted_apart_to > counted_apart_from),
    share              double precision CHECK (share > 0 AND share <= 1),
    meters             text[] CHECK (cardinality(meters) > 0),
    CHECK (num_nonnulls(share, meters) = 1)
);
CREATE INDEX projects_unit ON projects (unit_id);  -- the projects of a region's units
COMMENT ON TABLE projects IS 'Major projects whose energy is counted apart (能耗单列)';
COMMENT ON COLUMN projects.meters IS 'meters of the unit that measure the project and no other';

CREATE TABLE certificates (
    certificate        text PRIMARY KEY,
    energy_type        text NOT NULL CHECK (energy_type IN ('wind', 'solar', 'hydro', 'biomass',
                                              'geothermal', 'nuclear')),
    mwh                double precision NOT NULL CHECK (mwh > 0 AND mwh < 'Infinity'),
    generated_in       date NOT NULL CHECK (extract(day FROM generated_in) = 1),
    province           text NOT NULL CHECK (province ~ '^[0-9]{2}0000$'),
    unit_id            integer REFERENCES units,
    region             text REFERENCES regions,
    acquired_on        date NOT NULL CHECK (acquired_on >= generated_in),
    retired_for_year   integer CHECK (retired_for_year >= extract(year FROM generated_in)),
    retired_for_region text REFERENCES regions,
    project            text REFERENCES projects,
    source             text NOT NULL CHECK (source <> ''),
    CHECK (num_nonnulls(unit_id, region) = 1),
    CHECK ((retired_for_year IS NULL) = (retired_for_region IS NULL))
);
CREATE INDEX certificates_retired ON certificates (retired_for_year, retired_for_region
    text_pattern_ops) WHERE retired_for_year IS NOT NULL;  -- what a region's year rests on
COMMENT ON COLUMN certificates.mwh IS '1 for each certificate: general knowledge, unverified';
COMMENT ON COLUMN certificates.generated_in IS 'first day of the month';
COMMENT ON COLUMN certificates.retired_for_region IS
    'whose consumption it proves, once and for all';

CREATE FUNCTION refuse_second_use() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'certificate % is retired: it counts once', OLD.certificate
        USING ERRCODE = 'integrity_constraint_violation';
END
$$;
CREATE TRIGGER certificates_count_once
    BEFORE UPDATE OF energy_type, mwh, generated_in, province, retired_for_year,
                     retired_for_region ON certificates
    FOR EACH ROW
    WHEN (OLD.retired_for_year IS NOT NULL
          AND (OLD.energy_type, OLD.mwh, OLD.generated_in, OLD.province, OLD.retired_for_year,
               OLD.retired_for_region)
              IS DISTINCT FROM
              (NEW.energy_type, NEW.mwh, NEW.generated_in, NEW.province, NEW.retired_for_year,
               NEW.retired_for_region))
    EXECUTE FUNCTION refuse_second_use();

CREATE TABLE non_fossil (
    region      text NOT NULL REFERENCES regions,
    year        integer NOT NULL,
    energy_type text NOT NULL CHECK (energy_type IN ('wind', 'solar', 'hydro', 'biomass',
                                              'geothermal', 'nuclear')),
    mwh         double precision NOT NULL CHECK (mwh >= 0 AND mwh < 'Infinity'),
    source      text NOT NULL CHECK (source <> ''),
    PRIMARY KEY (region, year, energy_type)
);
COMMENT ON TABLE non_fossil IS
    'Non-fossil electricity of a region in a year for which there are no certificates, as 2020';

CREATE TABLE rule_sets (
    rule_set            text PRIMARY KEY,
    name_zh             text NOT NULL,
    name_en             text NOT NULL,
    documents           text NOT NULL,
    in_force_from       date NOT NULL,
    in_force_to         date CHECK (in_force_to > in_force_from),
    first_year          integer NOT NULL,
    last_year           integer CHECK (last_year >= first_year),
    feedstock_from      text NOT NULL,
    electricity_from    text NOT NULL,
    extent              text NOT NULL CHECK (extent IN ('all', 'increment')),
    energy_types        text NOT NULL,
    increment_base_year integer,
    across_share_max    double precision CHECK (across_share_max BETWEEN 0 AND 1),
    period_first_year   integer NOT NULL,
    period_years        integer NOT NULL CHECK (period_years BETWEEN 1 AND 10),
    source              text NOT NULL,
    CHECK ((extent = 'increment') = (increment_base_year IS NOT NULL))
);
COMMENT ON TABLE rule_sets IS
    'What an assessment deducts, by document; lists are separated by semicolons';
"""

RULE_SETS = """
INSERT INTO rule_sets (rule_set, name_zh, name_en, documents, in_force_from, in_force_to,
                       first_year, last_year, feedstock_from, electricity_from, extent,
                       energy_types, increment_base_year, across_share_max, period_first_year,
                       period_years, source)
VALUES (:rule_set, :name_zh, :name_en, :documents, CAST(:in_force_from AS date),
        CAST(:in_force_to AS date), CAST(:first_year AS integer), CAST(:last_year AS integer),
        :feedstock_from, :electricity_from, :extent, :energy_types,
        CAST(:increment_base_year AS integer), CAST(:across_share_max AS double precision),
        CAST(:period_first_year AS integer), CAST(:period_years AS integer), :source)
    ON CONFLICT DO NOTHING
"""


def upgrade() -> None:
    op.execute(SCHEMA)
    with (REFERENCE / "rulesets.csv").open(encoding="utf-8") as file:
        rows = [
            {column: cell or None for column, cell in row.items()} for row in csv.DictReader(file)
        ]
    op.get_bind().execute(text(RULE_SETS), rows)
