"""Limits, carbon factors and levels as third parties quote them are not verified.

Safe before the new code starts. Nobody has compared them with their sources. `limits.csv`,
`carbon_factors.csv` and `level_bands.csv` say so since this revision; what an earlier one loaded is
put right here. Where the ledger has begun, facts change through it and not here: import the files
(docs/operations.md, Upgrade).
"""

from alembic import op

revision = "0030"
down_revision = "0029"

QUOTED = """
SET lock_timeout = '5s';

UPDATE limits
   SET verified = false
 WHERE verified
   AND source LIKE ANY (ARRAY['zhcement.com; %', 'haomenhaochuang (%', 'ceeeea.com 753 %',
                              'zjferroalloy%', '2023 edition as quoted in public texts%'])
   AND NOT EXISTS (SELECT FROM changes);

UPDATE carbon_factors
   SET verified = false
 WHERE verified
   AND source LIKE ANY (ARRAY['book118 2020/1123 %', '%, as quoted in %'])
   AND NOT EXISTS (SELECT FROM changes);

UPDATE level_bands
   SET verified = false
 WHERE verified
   AND source LIKE 'kleyou.net %'
   AND NOT EXISTS (SELECT FROM changes);
"""


def upgrade() -> None:
    op.execute(QUOTED)
