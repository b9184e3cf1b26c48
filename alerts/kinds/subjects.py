"""Owns what a subject of an alert is about, read off its text: a unit, a region or a park. Pure.

The kinds write subjects, each in a form of its own; this is the one place that reads them all.
Whoever adds a kind adds its form here, and to the test: a form that is not known is refused, or
somebody would see what is about a foreign unit.
"""

from __future__ import annotations

from dataclasses import dataclass

from alerts.kinds.outage.facts import BROKER
from energy import codes
from energy.budgets import OwnerKind

REGION_LENGTH = 6


@dataclass(frozen=True, slots=True)
class About:
    """What a subject is about: one of the three, or none: whatever is connected to the broker."""

    unit: str | None = None
    region: str | None = None
    park: str | None = None


def about(subject: str) -> About | None:
    """Return what a subject is about; None: no kind has subjects of that form.

    >>> about("91450200MA5KF5XJ00/clinker"), about("unit/91450200MA5KF5XJ00/2026-01-01")
    (About(unit='91450200MA5KF5XJ00', region=None, park=None), \
About(unit='91450200MA5KF5XJ00', region=None, park=None))
    >>> about("450200/2026"), about("park/k/2026-01-01")
    (About(unit=None, region='450200', park=None), About(unit=None, region=None, park='k'))
    >>> about("broker"), about("factory 7")
    (About(unit=None, region=None, park=None), None)
    """
    if subject == BROKER:
        return About()
    head, _, rest = subject.partition("/")
    if head in [*OwnerKind]:  # budget_pace: kind of owner, owner, first day
        return _of_owner(OwnerKind(head), rest.rpartition("/")[0])
    return _of_code(head)


def _of_owner(kind: OwnerKind, owner: str) -> About | None:
    if kind is OwnerKind.PARK:
        return About(park=owner) if owner else None
    found = _of_code(owner)
    is_of_kind = found is not None and (found.unit is not None) == (kind is OwnerKind.UNIT)
    return found if is_of_kind else None


def _of_code(code: str) -> About | None:
    if len(code) == codes.CREDIT_CODE_LENGTH and code.isalnum() and code.isascii():
        return About(unit=code)
    if len(code) == REGION_LENGTH and code.isdigit() and code.isascii():
        return About(region=code)
    return None
