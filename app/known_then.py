"""Owns what was known of stated facts on a day, from the rows of today and the ledger of changes.

Pure. A fact of which the ledger never heard is from before it: it is taken as it is now. So is what
the ledger heard of when something else took its place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from typing import TypeVar

from app.lineage import Recorded, RecordedEpoch
from db.changes import NOBODY, Change, Content
from db.factors import CalorificValueRow, FactorRow
from energy.registers import Epoch, EpochReason, Side

R = TypeVar("R")


def known(
    current: Mapping[str, R],
    stated: Iterable[Change],
    at: datetime | None,
    parse: Callable[[Content], R],
) -> list[tuple[R, Recorded | None]]:
    """Return the rows that are known now, or were `at` an instant, with who stated them.

    `current` are the rows of today by subject, `stated` the changes of that kind in order. The
    rows of today stand for themselves; those of then are read from the ledger.
    """
    heard: set[str] = set()
    newest: dict[str, Change] = {}
    for change in stated:
        heard.add(change.fact.subject)
        if at is None or change.changed_at <= at or change.author.actor == NOBODY:
            newest[change.fact.subject] = change
    found: list[tuple[R, Recorded | None]] = []
    for subject, row in current.items():
        if at is None and subject in newest:
            found.append((row, _by(newest[subject])))
        elif subject not in heard:
            found.append((row, None))
    if at is not None:
        found += [
            (parse(change.fact.content), _by(change))
            for change in newest.values()
            if change.fact.content is not None
        ]
    return found


def _by(change: Change) -> Recorded | None:
    return None if change.author.actor == NOBODY else Recorded.of(change)


def epoch(content: Content) -> Epoch:
    """Return the epoch that a fact of the kind `epochs` states."""
    return Epoch(
        moment(content["starts_at"]),
        EpochReason(str(content["reason"])),
        figure(content["multiplier"]) or 1.0,
        figure(content["rollover"]),
        figure(content["first_value"]),
        figure(content["previous_last_value"]),
        Side(str(content["side"])),
        figure(content["rate_max"]),
        None if (seconds := figure(content.get("interval_s"))) is None else int(seconds),
    )


def first_epoch(content: Content) -> Epoch:
    """Return the epoch that a meter began with, of a fact of the kind `meters`."""
    return Epoch(
        moment(content["installed_at"]),
        EpochReason.INSTALLED,
        figure(content["multiplier"]) or 1.0,
        figure(content["rollover"]),
        side=Side(str(content.get("side", Side.SECONDARY))),
        rate_max=figure(content.get("rate_max")),
    )


def in_order(
    first: Iterable[tuple[Epoch, Recorded | None]],
    later: Iterable[tuple[Epoch, Recorded | None]],
) -> list[RecordedEpoch]:
    """Return the epochs of a meter, oldest first."""
    found = [RecordedEpoch(one, recorded) for one, recorded in (*first, *later)]
    return sorted(found, key=lambda each: each.epoch.starts_at)


def factor_row(content: Content) -> FactorRow:
    return FactorRow(
        carrier=str(content["carrier"]),
        basis=str(content["basis"]),
        unit=text(content["unit"]),
        kgce_per_uom=figure(content["kgce_per_uom"]) or 0.0,
        valid_from=day(content["valid_from"]),
        valid_to=None if content["valid_to"] is None else day(content["valid_to"]),
        edition=str(content["edition"]),
        source=str(content["source"]),
        verified=bool(content["verified"]),
        note=text(content.get("note")),
    )


def calorific_row(content: Content) -> CalorificValueRow:
    return CalorificValueRow(
        unit=str(content["unit"]),
        carrier=str(content["carrier"]),
        batch=str(content["batch"]),
        valid_from=day(content["valid_from"]),
        valid_to=None if content["valid_to"] is None else day(content["valid_to"]),
        net_calorific_value=figure(content["net_calorific_value"]) or 0.0,
        uom=str(content["uom"]),
        kgce_per_uom=figure(content["kgce_per_uom"]) or 0.0,
        source=str(content["source"]),
    )


def figure(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def text(value: object) -> str | None:
    return None if value is None else str(value)


def day(value: object) -> date:
    return date.fromisoformat(str(value))


def moment(value: object) -> datetime:
    return datetime.fromisoformat(str(value))
