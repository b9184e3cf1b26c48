"""Owns which changes call for a second person (双人复核), and who may be it. Pure: one table.

[RELIABILITY 42] What readings count for (meters, their epochs), what values or judges figures
(factors, limits, targets, budgets, figures of regions), what replaces readings (corrections), and
whatever takes a stated fact away; so does what an alert rule says otherwise than before, or its
end: nobody alone lets a warning fall silent.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal, TypeAlias

from app.imports.kinds import Kind
from db.changes import UNAPPROVED, Author


class Deed(StrEnum):
    """What is done to facts of a kind."""

    IMPORT = "import"
    WITHDRAWAL = "withdrawal"
    CORRECTION = "correction"
    CHANGE = "change"
    END = "end"


class OtherKind(StrEnum):
    """What is stated and comes in no file. A new one calls for nobody: others look at it."""

    RULES = "rules"


AnyKind: TypeAlias = Kind | OtherKind


def kind_of(text: str) -> AnyKind:
    """Return the kind of that name."""
    return OtherKind(text) if text in [*OtherKind] else Kind(text)


class State(StrEnum):
    """What became of a proposal."""

    OPEN = "open"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"


CALL_FOR_ONE = frozenset(
    {
        Kind.METERS,
        Kind.EPOCHS,
        Kind.FIGURES,
        Kind.FACTORS,
        Kind.CALORIFIC_VALUES,
        Kind.CARBON_FACTORS,
        Kind.GRIDS,
        Kind.TARGETS,
        Kind.LIMITS,
        Kind.LEVELS,
        Kind.SCHEMES,
        Kind.BUDGETS,
        Kind.CORRECTIONS,
    }
)
"""Kinds whose statement calls for a second person; the withdrawal of any kind does."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What the platform is set to: whether a second person is asked for, and for how long."""

    is_required: bool = False
    lasts: timedelta = timedelta(days=14)

    @classmethod
    def of(cls, second_approver: Literal["required", "off"], days: int) -> Rule:
        return cls(second_approver == "required", timedelta(days=days))

    def asks(self, deed: Deed, kind: AnyKind) -> bool:
        """Return whether a change only holds once a second person approved it."""
        return self.is_required and calls_for_one(deed, kind)


APPROVED_BY_NONE = Rule()
"""What holds where nothing is set: a second person is not asked for."""


def calls_for_one(deed: Deed, kind: AnyKind) -> bool:
    """Return whether a change is one that nobody should make alone.

    >>> calls_for_one(Deed.IMPORT, Kind.TARGETS), calls_for_one(Deed.IMPORT, Kind.PRODUCTION)
    (True, False)
    >>> calls_for_one(Deed.WITHDRAWAL, Kind.PRODUCTION)
    True
    """
    return deed is not Deed.IMPORT or kind in CALL_FOR_ONE


def told(author: Author, deed: Deed, kind: AnyKind) -> Author:
    """Return `author` with a word on approval: that nobody approved what calls for it."""
    if author.approver is None and calls_for_one(deed, kind):
        return replace(author, approver=UNAPPROVED)
    return author


def smallest(regions: Iterable[str]) -> str | None:
    """Return the county, city or province (GB/T 2260) that holds all `regions`; None: none does.

    >>> smallest(["450202", "450203"]), smallest(["450202", "450302"]), smallest(["440100", "45"])
    ('450200', '450000', None)
    """
    codes = list(regions)
    for digits in (6, 4, 2):
        heads = {code[:digits] for code in codes}
        if len(heads) == 1:
            return heads.pop().ljust(6, "0")
    return None


def is_same_person(one: str, other: str) -> bool:
    """Return whether two names are one: case, width and spaces make no second person.

    >>> is_same_person("Zhao  Yi", " ｚｈａｏ yi"), is_same_person("zhao", "qian")
    (True, False)
    """
    return _plain(one) == _plain(other)


def _plain(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


class Obstacle(StrEnum):
    """Why somebody may not decide on a proposal, as errors name it."""

    DECIDED = "proposal_decided"
    EXPIRED = "proposal_expired"
    OWN = "own_proposal"


@dataclass(frozen=True, slots=True)
class Standing:
    """What of a proposal bears on who may decide on it."""

    proposer: str
    state: State
    expires_at: datetime

    def at(self, now: datetime) -> State:
        """Return what became of it: nobody marks it when its time is over."""
        if self.state is State.OPEN and self.expires_at <= now:
            return State.EXPIRED
        return self.state


def obstacle(standing: Standing, decider: str, to: State, now: datetime) -> Obstacle | None:
    """Return why `decider` may not bring a proposal `to` a state; None: they may.

    Whoever proposed may take it back themselves: that is a rejection.
    """
    match standing.at(now):
        case State.EXPIRED:
            return Obstacle.EXPIRED
        case State.APPROVED | State.REJECTED:
            return Obstacle.DECIDED
        case _:
            is_own = is_same_person(decider, standing.proposer)
            return Obstacle.OWN if is_own and to is State.APPROVED else None
