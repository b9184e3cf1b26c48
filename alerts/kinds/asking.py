"""Owns what a kind of rules can be asked: what it finds now, found then, and why no more."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Set
from typing import Protocol

from alerts.kinds.gone import Gone
from alerts.kinds.kind import Judged, Rule, Surroundings, Tick
from alerts.verdicts import Verdict
from db.pool import Connection
from db.scope import Scope
from energy.periods import Span


class Judge(Protocol):
    """Return what a rule finds now, for each subject it watches."""

    async def __call__(
        self, connection: Connection, rule: Rule, around: Surroundings, open_subjects: Set[str]
    ) -> list[Judged]: ...


class JudgeOf(Protocol):
    """Return what a rule finds now of the subjects that rest on units (credit codes)."""

    async def __call__(
        self,
        connection: Connection,
        rule: Rule,
        around: Surroundings,
        open_subjects: Set[str],
        units: Collection[str],
    ) -> list[Judged]: ...


class Ticks(Protocol):
    """Yield what a rule would have found in a past period, each time it would have looked.

    `open_subjects` are kept up to date by the caller: those whose alerts are open by then. Raises
    OutOfBoundsError where the period is more than one backtest may go through.
    """

    def __call__(
        self,
        connection: Connection,
        rule: Rule,
        scope: Scope,
        span: Span,
        around: Surroundings,
        open_subjects: Set[str],
    ) -> AsyncIterator[Tick]: ...


class JudgeClosed(Protocol):
    """Return what a rule finds now of some of the `periods` of subjects that it judged before."""

    async def __call__(
        self,
        connection: Connection,
        rule: Rule,
        around: Surroundings,
        periods: Collection[tuple[str, Span]],
    ) -> list[Judged]: ...


class LookBack(Protocol):
    """Return the windows before the one that was judged, oldest first; None: cannot be told."""

    async def __call__(
        self, connection: Connection, rule: Rule, judged: Judged, around: Surroundings
    ) -> list[tuple[Span, Verdict | None]]: ...


class WhyGone(Protocol):
    """Return why subjects are not found any more; one that is left out may be found again."""

    async def __call__(
        self, connection: Connection, rule: Rule, subjects: Collection[str], around: Surroundings
    ) -> Mapping[str, Gone]: ...
