"""Owns whether a meter is inside its verification (检定/校准), and registered by the rules."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from energy import carriers, codes


class Verification(StrEnum):
    """Where a meter stands on a day."""

    IN_FORCE = "in_force"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Certificate:
    """A verification of a meter: in force from `verified_on` to `valid_until`, both included."""

    verified_on: date
    valid_until: date


class Irregularity(StrEnum):
    """What is wrong with how a meter is registered (规范性)."""

    DATA_CODE_MISSING = "data_code_missing"
    DATA_CODE_MALFORMED = "data_code_malformed"
    UOM_UNKNOWN = "uom_unknown"


def standing(certificates: Iterable[Certificate], day: date) -> Verification:
    """Return where a meter stands on `day`: the last day of a verification is inside it.

    >>> known = [Certificate(date(2024, 3, 1), date(2026, 2, 28))]
    >>> [str(standing(known, day)) for day in (date(2024, 2, 29), date(2026, 2, 28))]
    ['unknown', 'in_force']
    >>> standing(known, date(2026, 3, 1))
    <Verification.EXPIRED: 'expired'>
    """
    begun = [one for one in certificates if one.verified_on <= day]
    if not begun:
        return Verification.UNKNOWN
    if any(day <= one.valid_until for one in begun):
        return Verification.IN_FORCE
    return Verification.EXPIRED


def expired_on(certificates: Iterable[Certificate], day: date) -> date | None:
    """Return the last day of the verification that ran out before `day`; None: none did."""
    known = list(certificates)
    if standing(known, day) is not Verification.EXPIRED:
        return None
    return max(one.valid_until for one in known if one.verified_on <= day)


def irregularities(data_code: str | None, uom: str, *, is_energy: bool) -> tuple[Irregularity, ...]:
    """Return what is wrong with a meter's data code (16 digits, class 01–10) and unit of measure.

    Output meters count in units of their own, so theirs is not looked at.

    >>> irregularities("0000000002340080", "kWh", is_energy=True)
    ()
    """
    found = []
    if data_code is None:
        found.append(Irregularity.DATA_CODE_MISSING)
    elif not _is_data_code(data_code):
        found.append(Irregularity.DATA_CODE_MALFORMED)
    if is_energy and not _is_uom(uom):
        found.append(Irregularity.UOM_UNKNOWN)
    return tuple(found)


def _is_data_code(text: str) -> bool:
    try:
        codes.parse_data_code(text)
    except codes.CodeError:
        return False
    return True


def _is_uom(text: str) -> bool:
    try:
        carriers.parse_uom(text)
    except carriers.UomError:
        return False
    return True
