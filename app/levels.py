"""Owns putting schemes of levels together from their rows, and finding the one that holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields

from db.levels import BandRow, ChoiceRow
from energy.indicators import Indicator
from energy.levels import Band, Scheme, SchemeError

BAND_FIELDS = [each.name for each in fields(Band)]


def schemes(rows: Sequence[BandRow]) -> dict[str, Scheme]:
    """Return the schemes by code. Raises SchemeError if rows are no scheme."""
    by_code: dict[str, list[BandRow]] = {}
    for row in rows:
        by_code.setdefault(row.scheme, []).append(row)
    return {code: _scheme(bands) for code, bands in by_code.items()}


def chosen(
    known: Mapping[str, Scheme], choices: Iterable[ChoiceRow], region: str
) -> dict[Indicator, Scheme]:
    """Return the scheme of each indicator in a region: its own, its city's or its province's."""
    within = (f"{region[:2]}0000", f"{region[:4]}00", region)
    ours = sorted(
        (choice for choice in choices if choice.region in within),
        key=lambda choice: within.index(choice.region),
    )
    return {choice.indicator: known[choice.scheme] for choice in ours if choice.scheme in known}


def _scheme(rows: Sequence[BandRow]) -> Scheme:
    first = rows[0]
    if len({(row.measure, row.verified) for row in rows}) > 1:
        raise SchemeError(f"{first.scheme}: its levels differ in measure or verified")
    bands = [Band(**{name: getattr(row, name) for name in BAND_FIELDS}) for row in rows]
    return Scheme(
        first.scheme,
        first.scheme_zh,
        first.scheme_en,
        first.measure,
        first.source,
        first.verified,
        tuple(sorted(bands, key=lambda band: band.severity)),
    )
