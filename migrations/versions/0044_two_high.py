"""Projects of high energy use and high emission (两高), existing, being built or under review.

Safe before the new code starts: it adds a table that nobody asks for yet.
"""

from alembic import op

revision = "0044"
down_revision = "0042"

SCHEMA = """
SET lock_timeout = '5s';

CREATE TABLE two_high_projects (
    project    text PRIMARY KEY CHECK (project ~ '^[A-Za-z0-9_.-]{1,64}$'),
    name       text NOT NULL,
    owner_name text NOT NULL,
    region     text NOT NULL REFERENCES regions,
    state      text NOT NULL CHECK (state IN ('existing', 'under_construction', 'under_review')),
    annual_tce double precision NOT NULL CHECK (annual_tce >= 0 AND annual_tce < 'Infinity'),
    national   boolean NOT NULL,
    source     text NOT NULL
);
CREATE INDEX two_high_projects_region ON two_high_projects (region, state);  -- of a high region
COMMENT ON TABLE two_high_projects IS
    'Projects of high energy use and high emission (两高), as listed by the region';
COMMENT ON COLUMN two_high_projects.annual_tce IS 'a year, as stated for the energy review';
COMMENT ON COLUMN two_high_projects.national IS
    'planned nationally: its review is not suspended (发改办环资〔2021〕629号)';

CREATE VIEW api.two_high_projects WITH (security_barrier) AS
SELECT *
  FROM public.two_high_projects
 WHERE region IN (SELECT region FROM public.whole_regions_in_scope);

GRANT SELECT, INSERT, UPDATE, DELETE ON two_high_projects TO nenghao_service;
GRANT SELECT ON api.two_high_projects TO nenghao_view;
"""


def upgrade() -> None:
    op.execute(SCHEMA)
