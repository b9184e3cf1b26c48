"""Owns which kinds of fact there is anything of: most tables of a young platform are empty."""

from __future__ import annotations

from db.pool import Connection


async def list_kinds(connection: Connection) -> set[str]:
    """Return the kinds of which a table holds a row that no release ships, or somebody stated one.

    Of kinds that a release ships rows of, only what was stated or sealed counts, and factors that
    units declare: `app/reference.py` finds what is too much.
    """
    rows = await connection.fetch(
        """
        SELECT noun AS kind
          FROM changes
         UNION
        SELECT split_part(subject, '/', 1)
          FROM changes
         WHERE noun = 'seals'
         UNION
        SELECT kind
          FROM (VALUES ('units', EXISTS (SELECT FROM units)),
                       ('meters', EXISTS (SELECT FROM meters)),
                       ('epochs', EXISTS (SELECT FROM meter_epochs WHERE reason <> 'installed')),
                       ('contacts', EXISTS (SELECT FROM contacts)),
                       ('figures', EXISTS (SELECT FROM region_figures)),
                       ('targets', EXISTS (SELECT FROM region_targets)),
                       ('factors', EXISTS (SELECT FROM factors WHERE unit_id IS NOT NULL)),
                       ('calorific_values', EXISTS (SELECT FROM calorific_values)),
                       ('production', EXISTS (SELECT FROM production)),
                       ('capacities', EXISTS (SELECT FROM capacities)),
                       ('verifications', EXISTS (SELECT FROM verifications)),
                       ('value_limits', EXISTS (SELECT FROM value_limits)),
                       ('monthly_filings', EXISTS (SELECT FROM monthly_filings)),
                       ('parks', EXISTS (SELECT FROM parks)),
                       ('budgets', EXISTS (SELECT FROM energy_budgets)),
                       ('stocks', EXISTS (SELECT FROM stocks)),
                       ('trades', EXISTS (SELECT FROM trades)),
                       ('projects', EXISTS (SELECT FROM projects)),
                       ('certificates', EXISTS (SELECT FROM certificates)),
                       ('non_fossil', EXISTS (SELECT FROM non_fossil)),
                       ('two_high', EXISTS (SELECT FROM two_high_projects)))
               AS tables (kind, is_filled)
         WHERE is_filled
         ORDER BY kind
        """
    )
    return {row["kind"] for row in rows}
