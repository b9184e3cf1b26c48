"""Owns the rows of the carbon query: what was emitted beside what was used, bucket by bucket.

Carbon is reckoned where its factor is chosen, by county, carrier and month (or day), and then
added up to what was asked for. A sum that lacks a factor is None, not the sum of the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime

import app.consumption
import db.carbon
from app.consumption import Line
from app.depends import Caller
from db.consumption import Group, Key, Selection, Tier
from energy import periods
from energy.carbon import CarbonFactor, CarbonTable, Obstacle
from energy.periods import LOCAL, Span, Step


@dataclass(slots=True)
class Part:
    """What of a carrier was reckoned by one factor, or by none. [quantity in `uom`; t CO₂]"""

    energy: str
    uom: str | None
    factor: CarbonFactor | None
    obstacle: Obstacle | None
    is_carried_on: bool
    quantity: float | None = None
    carbon_t: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One bucket of one group; `parts` by carrier and factor."""

    line: Line
    parts: Sequence[Part] = field(default_factory=list)

    @property
    def known_t(self) -> float | None:
        """Return the carbon of what has a factor; None: nothing has. [t]"""
        known = [part.carbon_t for part in self.parts if part.carbon_t is not None]
        return sum(known) if known else None

    @property
    def left_out(self) -> list[str]:
        """Return the carriers of which some has no factor; nothing used needs none."""
        return sorted({part.energy for part in self.parts if part.obstacle and part.quantity})

    @property
    def obstacle(self) -> Obstacle | None:
        """Return why the row has no carbon."""
        for part in self.parts:
            if part.obstacle is not None and part.quantity:
                return part.obstacle
        return Obstacle.QUANTITY_MISSING if self.known_t is None else None

    @property
    def carbon_t(self) -> float | None:
        return self.known_t if self.obstacle is None else None


async def rows(caller: Caller, selection: Selection, within: Sequence[Span]) -> list[Row]:
    """Return the answer to `selection`, whose span is that of the buckets `within`."""
    lines = await app.consumption.lines(caller, selection, within)
    by_place = replace(
        selection,
        bucket=Step.DAY if selection.bucket is Step.DAY else Step.MONTH,
        groups=selection.groups | {Group.REGION, Group.ENERGY},
        tier=Tier.COUNTY,
    )
    spans = app.consumption.buckets(selection.span, by_place.bucket, caller.now)
    details = await app.consumption.lines(caller, by_place, spans)
    table = CarbonTable(
        await db.carbon.list_factors(caller.connection),
        await db.carbon.list_choices(caller.connection),
        caller.unverified,
    )
    parts = _parts(details, selection, table)
    return [Row(line, parts.get((line.bucket.starts_at, line.key), [])) for line in lines]


def _parts(
    details: Iterable[Line], selection: Selection, table: CarbonTable
) -> dict[tuple[datetime, Key], list[Part]]:
    found: dict[tuple[datetime, Key], dict[object, Part]] = {}
    for line in details:
        key = line.key
        if key.energy is None or key.region is None or line.used is None:
            continue
        on = line.bucket.starts_at.astimezone(LOCAL).date()
        place = (
            periods.floor(line.bucket.starts_at, selection.bucket),
            _asked(key, selection),
        )
        _add(found.setdefault(place, {}), line, table, on)
    return {place: list(parts.values()) for place, parts in found.items()}


def _add(parts: dict[object, Part], line: Line, table: CarbonTable, on: date) -> None:
    assert line.key.energy is not None
    assert line.key.region is not None
    assert line.used is not None
    quantity = line.used.quantity
    emission = table.emission(line.key.energy, quantity, line.key.region, on)
    factor = emission.factor
    part = parts.setdefault(
        (line.key.energy, factor, emission.obstacle),
        Part(
            line.key.energy,
            None if line.meters is None else line.meters.uom,
            factor,
            emission.obstacle,
            factor is not None and factor.is_carried_on(on),
        ),
    )
    if quantity is not None:
        part.quantity = (part.quantity or 0.0) + quantity
    if emission.carbon_t is not None:
        part.carbon_t = (part.carbon_t or 0.0) + emission.carbon_t


def _asked(key: Key, selection: Selection) -> Key:
    """Return the key that was asked for, of one by county and carrier."""
    assert key.region is not None
    region = {
        Tier.PROVINCE: f"{key.region[:2]}0000",
        Tier.CITY: f"{key.region[:4]}00",
        Tier.COUNTY: key.region,
    }[selection.tier]
    return key._replace(
        region=region if Group.REGION in selection.groups else None,
        energy=key.energy if Group.ENERGY in selection.groups else None,
    )
