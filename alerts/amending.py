"""Owns what follows when a period that was judged is judged again, after its data changed.

Pure. What a letter said of a period is told anew where it was wrong; an alert without reason is
retracted; one that should have been opened then is opened late. UNKNOWN retracts nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from alerts.kinds.kind import Judged, Parameters
from alerts.lifecycle import LETTERS, Reason, held_for
from alerts.verdicts import State, Verdict
from db.alerts import AlertState
from db.amendments import Life
from db.judgements import Judgement

TOLERANCE = 0.01
"""Share of a value that it may change by without being told anew: no decision turns on less."""

TOLD = LETTERS | {Reason.LATE}
"""Events after which what was found of a period stands in letters."""


@dataclass(frozen=True, slots=True)
class Again:
    """A period judged again. `was`: what was found before; None: nothing was."""

    judged: Judged
    was: Judgement | None

    @property
    def verdict(self) -> Verdict:
        return self.judged.verdict

    @property
    def ends_at(self) -> datetime:
        return self.judged.verdict.period.ends_at


@dataclass(frozen=True, slots=True)
class Amendment:
    """An alert of which something else was found than was told, and in which period.

    `changed` are those of which something else was told; `again` is the one that opened the alert,
    or the first of them. `is_opening`: the alert may be without reason.
    """

    life: Life
    again: Again
    changed: Sequence[Again]
    is_opening: bool


@dataclass(frozen=True, slots=True)
class Late:
    """Periods over their threshold that nobody could know of in time; `worst` is one of them."""

    again: Sequence[Again]
    worst: Again


def differs(was: Judgement, verdict: Verdict, tolerance: float = TOLERANCE) -> bool:
    """Return whether something else is found now: another state, or value beyond tolerance.

    WARN is as good as OK here: neither is over.
    """
    if _is_over(was.state) != _is_over(verdict.state):
        return True
    if (was.state == State.UNKNOWN) != (verdict.state is State.UNKNOWN):
        return True
    if was.measured is None or verdict.measured is None:
        return False
    scale = max(abs(was.measured), abs(verdict.measured))
    return abs(was.measured - verdict.measured) > tolerance * scale


def amendments(
    judged_again: Iterable[Again], lives: Sequence[Life], newest_at: datetime
) -> list[Amendment]:
    """Return what has to be told anew, once for each alert that was not retracted.

    The period that ends at `newest_at` is what the lifecycle looks at: whether it is over is its.
    """
    by_id = {life.alert_id: life for life in lives if life.retracted_at is None}
    changed: dict[int, list[Again]] = {}
    for again in sorted(judged_again, key=lambda each: each.ends_at):
        was = again.was
        if was is None or was.alert_id not in by_id or was.led_to not in TOLD:
            continue
        is_same = _is_over(was.state) == _is_over(again.verdict.state)
        if differs(was, again.verdict) and (is_same or again.ends_at != newest_at):
            changed.setdefault(was.alert_id, []).append(again)
    return [_amendment(by_id[alert_id], some) for alert_id, some in changed.items()]


def late(
    judged_again: Iterable[Again],
    lives: Sequence[Life],
    rule: Parameters,
    first_at: datetime | None,
    newest_at: datetime,
) -> Late | None:
    """Return the periods of a subject for which an alert should have been opened; None: for none.

    Those of an alert are told of. The rule has watched the subject since the period that ended at
    `first_at`; None: never. That which ends at `newest_at` is no late one.
    """
    if first_at is None or any(map(_is_open, lives)):
        return None
    found = [
        each
        for each in sorted(judged_again, key=lambda each: each.ends_at)
        if first_at <= each.ends_at < newest_at
    ]
    runs: list[list[Again]] = [[]]
    for again in found:
        if again.verdict.state is State.FIRING and not _is_told(again, lives):
            runs[-1].append(again)
        elif again.verdict.state is not State.UNKNOWN and runs[-1]:
            runs.append([])
    held = [
        run
        for run in runs
        if run
        and any(map(_is_new, run))
        and held_for([each.ends_at for each in run], rule.stride) >= rule.hold
    ]
    over = [again for run in held for again in run]
    if not over:
        return None
    return Late(over, max(over, key=lambda each: _excess(each.verdict)))


def judgement(judged: Judged, mark: int = 0) -> Judgement:
    """Return what is kept of what was found."""
    watched, verdict = judged.watched, judged.verdict
    return Judgement(
        subject=watched.subject,
        period=verdict.period,
        unit_id=watched.unit_id,
        region=watched.region,
        state=verdict.state,
        measured=verdict.measured,
        threshold=verdict.threshold,
        rule_version=watched.version,
        mark=mark,
    )


def portion(judged_again: Iterable[Again], most: int) -> tuple[list[Again], list[Again]]:
    """Return what is told of now, of at most so many subjects of which something may have to be
    told, and what is put off.

    Whoever has nothing to be told anew is not counted.
    """
    now: list[Again] = []
    later: list[Again] = []
    for some in grouped(judged_again).values():
        is_told = any(map(is_news, some))
        if is_told and most <= 0:
            later += some
        else:
            most -= is_told
            now += some
    return now, later


def is_news(again: Again) -> bool:
    """Return whether something may have to be told of a period: it is over, or not as it was."""
    if again.was is None:
        return again.verdict.state is State.FIRING
    return differs(again.was, again.verdict)


def grouped(judged_again: Iterable[Again]) -> Mapping[str, list[Again]]:
    """Return periods by subject."""
    by_subject: dict[str, list[Again]] = {}
    for again in judged_again:
        by_subject.setdefault(again.judged.watched.subject, []).append(again)
    return by_subject


def _amendment(life: Life, changed: Sequence[Again]) -> Amendment:
    opening = [
        again
        for again in changed
        if again.ends_at == life.opened_by and again.verdict.state in _without_reason(again)
    ]
    return Amendment(life, (opening or changed)[0], changed, bool(opening))


def _without_reason(again: Again) -> tuple[State, ...]:
    """Return in which states a period gives no reason for what it opened: a notice is of WARN."""
    is_notice = again.was is not None and again.was.state == State.WARN
    return (State.OK,) if is_notice else (State.OK, State.WARN)


def _is_over(state: str) -> bool:
    return state == State.FIRING


def _is_open(life: Life) -> bool:
    return life.state is not AlertState.RESOLVED


def _is_new(again: Again) -> bool:
    """Return whether it was not known before that a period is over."""
    return again.was is None or not _is_over(again.was.state)


def _is_told(again: Again, lives: Sequence[Life]) -> bool:
    """Return whether a period is told of: by its own event, or within the life of an alert.

    A late alert is told of its own periods alone, one that was retracted of none any more.
    """
    retracted = {life.alert_id for life in lives if life.retracted_at is not None}
    if again.was is not None and again.was.alert_id not in (None, *retracted):
        return True
    return any(
        life.opened_by is not None
        and not life.is_late
        and life.retracted_at is None
        and life.opened_by <= again.ends_at
        and (life.resolved_by is None or again.ends_at <= life.resolved_by)
        for life in lives
    )


def _excess(verdict: Verdict) -> float:
    """Return how far a value is over its threshold, as a share where that can be told."""
    assert verdict.measured is not None
    threshold = verdict.threshold or 0.0
    return (verdict.measured - threshold) / (abs(threshold) or 1.0)
