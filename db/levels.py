"""Owns the schemes of warning levels, put together from their rows, and which one holds where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields

from db.pool import Connection
from energy.indicators import Indicator
from energy.levels import Band, Measure, Scheme, SchemeError

BAND_FIELDS = [each.name for each in fields(Band)]


@dataclass(frozen=True, slots=True)
class BandRow:
    """A level of a scheme, with what the scheme is; `severity` 1 is the most severe."""

    scheme: str
    level: str
    severity: int
    bound: float | None
    holds_at_bound: bool
    name_zh: str
    name_en: str
    colour: str | None
    measure: Measure
    scheme_zh: str
    scheme_en: str
    source: str
    verified: bool


@dataclass(frozen=True, slots=True)
class ChoiceRow:
    """The scheme of an indicator in a region, and in all within without a choice of their own."""

    region: str
    indicator: Indicator
    scheme: str
    source: str


async def list_bands(connection: Connection) -> list[BandRow]:
    """Return the levels of all schemes, of each the most severe first."""
    rows = await connection.fetch(
        """
        SELECT scheme, level, severity, bound, holds_at_bound, name_zh, name_en, colour, measure,
               scheme_zh, scheme_en, source, verified
          FROM level_bands
         ORDER BY scheme, severity
        """
    )
    return [BandRow(**{**row, "measure": Measure(row["measure"])}) for row in rows]


async def upsert_bands(connection: Connection, bands: Sequence[BandRow]) -> None:
    await connection.executemany(
        """
        INSERT INTO level_bands (scheme, level, severity, bound, holds_at_bound, name_zh, name_en,
                                 colour, measure, scheme_zh, scheme_en, source, verified)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
            ON CONFLICT (scheme, level)
            DO UPDATE SET severity = excluded.severity,
                          bound = excluded.bound,
                          holds_at_bound = excluded.holds_at_bound,
                          name_zh = excluded.name_zh,
                          name_en = excluded.name_en,
                          colour = excluded.colour,
                          measure = excluded.measure,
                          scheme_zh = excluded.scheme_zh,
                          scheme_en = excluded.scheme_en,
                          source = excluded.source,
                          verified = excluded.verified
        """,
        [
            (row.scheme, row.level, row.severity, row.bound, row.holds_at_bound, row.name_zh,
             row.name_en, row.colour, row.measure, row.scheme_zh, row.scheme_en, row.source,
             row.verified)
            for row in bands
        ],
    )  # fmt: skip


async def list_choices(connection: Connection) -> list[ChoiceRow]:
    rows = await connection.fetch(
        """
        SELECT region, indicator, scheme, source
          FROM scheme_choices
         ORDER BY region, indicator
        """
    )
    return [ChoiceRow(**{**row, "indicator": Indicator(row["indicator"])}) for row in rows]


async def upsert_choices(connection: Connection, choices: Sequence[ChoiceRow]) -> None:
    await connection.executemany(
        """
        INSERT INTO scheme_choices (region, indicator, scheme, source)
        VALUES ($1, $2, $3, $4)
            ON CONFLICT (region, indicator)
            DO UPDATE SET scheme = excluded.scheme, source = excluded.source
        """,
        [(row.region, row.indicator, row.scheme, row.source) for row in choices],
    )


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
