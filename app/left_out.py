"""Owns why energy is left out of sums: of each carrier without a factor, reason, days, sentence.

The reason is found as settlement would find it; where it would find a factor by now, the figure
is about to be settled anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta

import db.factors
from app.depends import Caller
from db.consumption import Selection, Sum
from energy.factors import Basis, FactorTable, MissingFactor
from energy.periods import LOCAL, Span
from energy.validity import Days

Reasons = dict[str, list[MissingFactor]]
"""Carrier → why (some of) its quantity has no coal equivalent, for some unit or other."""

Missing = tuple[MissingFactor, Days]
"""A reason, and the days on which it holds."""

INSTANT = timedelta(microseconds=1)
DAY = timedelta(days=1)

ORDER = {reason: place for place, reason in enumerate(MissingFactor)}

SENTENCES = {
    MissingFactor.NO_FACTOR: "there is no factor. Its energy is left out until one is imported.",
    MissingFactor.NOT_YET_VALID: "the factor holds only from a later day. Before it the energy is "
    "left out.",
    MissingFactor.EXPIRED: "the factor has ended and none has taken its place. Since then the "
    "energy is left out.",
    MissingFactor.UNVERIFIED_REFUSED: "the factor was not verified against its source, and this "
    "platform refuses those. The energy is left out.",
    MissingFactor.AWAITING_SETTLEMENT: "there is a factor by now; the energy is left out until it "
    "is settled anew.",
}


class LeftOut:
    """Answers why, for the sums of one selection."""

    def __init__(self, table: FactorTable, basis: Basis, now: datetime) -> None:
        self._table = table
        self._basis = basis
        self._now = now
        self._known: dict[tuple[str, int | None, Span], list[Missing]] = {}

    def reasons(self, used: Sum | None, bucket: Span) -> Reasons:
        """Return the reasons of one sum, the carriers in order."""
        return {
            carrier: list(dict.fromkeys(reason for reason, _ in missing))
            for carrier, missing in self.days(used, bucket).items()
        }

    def days(self, used: Sum | None, bucket: Span) -> dict[str, list[Missing]]:
        """Return why carriers are left out of one sum and on which days; units may overlap."""
        found: dict[str, set[Missing]] = {}
        for carrier, unit_id in used.unvalued if used is not None else ():
            found.setdefault(carrier, set()).update(self._missing(carrier, unit_id, bucket))
        return {carrier: sorted(found[carrier], key=_order) for carrier in sorted(found)}

    def sentence(self, carrier: str, reason: MissingFactor) -> str:
        """Return what a reader of the figures has to know, and who can mend it."""
        told = f"{carrier}, {self._basis}: "
        given = self._table.range_of(carrier)
        if reason is MissingFactor.RANGE_ONLY and given is not None:
            return told + (
                f"{given.edition} gives only a range, {given.low:g} to {given.high:g} kgce, and a "
                "range is not a factor. The unit has to declare its own value with its basis, or "
                "have its calorific value measured."
            )
        return told + SENTENCES[reason]

    def _missing(self, carrier: str, unit_id: int | None, bucket: Span) -> list[Missing]:
        key = (carrier, unit_id, bucket)
        if key not in self._known:
            first = _day(bucket.starts_at)
            last = max(first, _day(min(bucket.ends_at - INSTANT, self._now)))
            self._known[key] = self._table.missing_between(
                carrier, self._basis, unit_id, first, last
            ) or [(MissingFactor.AWAITING_SETTLEMENT, Days(first, last + DAY))]
        return self._known[key]


async def fetch(caller: Caller, selection: Selection, sums: Iterable[Sum | None]) -> LeftOut:
    """Return why carriers are left out of `sums`; the factors are read only if any is."""
    unvalued = {pair for used in sums if used is not None for pair in used.unvalued}
    if not unvalued:
        return LeftOut(FactorTable([]), selection.basis, caller.now)
    table = FactorTable(
        await db.factors.list_visible(
            caller.connection,
            caller.scope,
            unit_ids=sorted({unit_id for _, unit_id in unvalued if unit_id is not None}),
        ),
        await db.factors.list_ranges(caller.connection),
        unverified=caller.unverified,
    )
    return LeftOut(table, selection.basis, caller.now)


def _day(instant: datetime) -> date:
    return instant.astimezone(LOCAL).date()


def _order(missing: Missing) -> tuple[int, date, date]:
    reason, days = missing
    return ORDER[reason], days.valid_from, days.valid_to or date.max
