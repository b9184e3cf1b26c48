"""Owns what each role may do, and which regions it can have. Pure: one table to read."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Role(StrEnum):
    """What somebody is who asks: a person or a machine."""

    PROVINCE = "province"
    CITY = "city"
    COUNTY = "county"
    ENTERPRISE = "enterprise"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"


class Act(StrEnum):
    """What can be allowed, each for what lies within the scope."""

    READ = "read"
    STATE = "state"
    ACKNOWLEDGE = "acknowledge"
    CONTEST = "contest"
    REGULATE = "regulate"
    APPROVE = "approve"
    AUDIT = "audit"
    ADMINISTER = "administer"


MAY: Mapping[Role, frozenset[Act]] = {
    Role.PROVINCE: frozenset({Act.READ, Act.STATE, Act.ACKNOWLEDGE, Act.REGULATE, Act.APPROVE}),
    Role.CITY: frozenset({Act.READ, Act.STATE, Act.ACKNOWLEDGE, Act.REGULATE, Act.APPROVE}),
    Role.COUNTY: frozenset({Act.READ, Act.STATE, Act.ACKNOWLEDGE, Act.REGULATE, Act.APPROVE}),
    Role.ENTERPRISE: frozenset({Act.READ, Act.STATE, Act.CONTEST}),
    Role.AUDITOR: frozenset({Act.READ, Act.AUDIT}),
    Role.ADMINISTRATOR: frozenset({Act.READ, Act.ADMINISTER}),
}
"""Nobody both changes what is accounted and sees to its trace: 三权分立."""

LOOKING = frozenset({Act.READ, Act.AUDIT})
"""All that is left to a key that may not state."""


def acts(role: Role, *, may_state: bool) -> frozenset[Act]:
    """Return what somebody may do: all that the role may, or only look."""
    return MAY[role] if may_state else MAY[role] & LOOKING


def options(act: Act) -> str:
    """Return with which options of `nenghao keys create` a key may do `act`.

    >>> options(Act.AUDIT), options(Act.APPROVE)
    ('--role auditor', '--role province|city|county --may-state')
    """
    able = "|".join(role for role, may in MAY.items() if act in may)
    return f"--role {able}" + ("" if act in LOOKING else " --may-state")


class Misplaced(ValueError):
    """A role cannot have that region or unit. The message says which it needs."""


def tier(region: str) -> Role:
    """Return whose desk answers for a GB/T 2260 code.

    >>> [str(tier(code)) for code in ("450000", "450200", "450202")]
    ['province', 'city', 'county']
    """
    if region.endswith("0000"):
        return Role.PROVINCE
    return Role.CITY if region.endswith("00") else Role.COUNTY


def natural(region: str, unit: str | None) -> Role:
    """Return the role of somebody of whom only a region, and perhaps a unit, is known."""
    return Role.ENTERPRISE if unit is not None else tier(region)


def place(role: Role, region: str, unit: str | None) -> None:
    """Raise Misplaced unless `role` can have that scope.

    An auditor or administrator is one of a province, a city or a county, never of an enterprise.
    """
    if (role is Role.ENTERPRISE) != (unit is not None):
        raise Misplaced(
            "the role enterprise needs the credit code of its unit"
            if unit is None
            else f"the role {role} answers for a whole region and has no unit"
        )
    if role in (Role.PROVINCE, Role.CITY, Role.COUNTY) and tier(region) is not role:
        raise Misplaced(f"the role {role} needs the code of a {role}; {region} is a {tier(region)}")
