"""Owns which factors behind the energy of a letter nobody verified against their source."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import db.factors
from alerts.kinds.kind import Judged
from alerts.kinds.words import UnverifiedFactor
from db.pool import Connection
from energy.factors import Basis, Factor, FactorTable, Unverified
from energy.periods import LOCAL, Span


async def list_unverified(
    connection: Connection, judged: Judged, policy: Unverified
) -> list[UnverifiedFactor]:
    """Return the unverified factors behind the energy of a unit; none where no energy is told."""
    unit, basis = judged.facts.about_unit, judged.facts.energy_basis
    if unit is None or basis is None:
        return []
    rows = await db.factors.list_counting_carriers(connection, unit.unit_id)
    carriers = {row.carrier: row for row in rows}
    own_and_everyones = await db.factors.list_for_unit(connection, unit.unit_id)
    table = FactorTable(own_and_everyones, unverified=policy)
    window = judged.verdict.period
    return [
        UnverifiedFactor(
            name_zh=carriers[factor.carrier].name_zh,
            name_en=carriers[factor.carrier].name_en,
            kgce_per_uom=factor.kgce_per_uom,
            uom=carriers[factor.carrier].reference_uom,
            edition=factor.edition,
        )
        for factor in unverified(table, carriers, basis, unit.unit_id, window)
    ]


def unverified(
    table: FactorTable, carriers: Iterable[str], basis: Basis, unit_id: int, window: Span
) -> list[Factor]:
    """Return the factors in use on days of `window` that nobody verified against their source."""
    first = window.starts_at.astimezone(LOCAL).date()
    last = (window.ends_at - timedelta(microseconds=1)).astimezone(LOCAL).date()
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    used = {
        factor
        for carrier in carriers
        for day in days
        if (factor := table.find(carrier, basis, unit_id, day)) is not None
    }
    unverified = [factor for factor in used if not factor.verified]
    return sorted(unverified, key=lambda factor: (factor.carrier, factor.valid_from))
