"""Owns what follows when a period that was judged is judged again, after its data changed.

Pure. What a letter said of a period is told anew where it was wrong; an alert without reason is
retracted; one that should have been opened then is opened late. UNKNOWN retracts nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from alerts.kinds.kind import Judged, Parameters
from alerts.kinds.words import Amended, Note, paired
from alerts.lifecycle import LETTERS, Reason, held_for
from alerts.verdicts import State, Verdict
from db.alerts import AlertState
from db.amendments import Life
from db.judgements import Judgement

TOLERANCE = 0.01
"""Share of a value that it may change by without being told anew: no decision turns on less."""

TOLD = LETTERS | {Reason.LATE, Reason.AMENDED}
"""Events after which what was found of a period stands in letters."""


@dataclass(frozen=True, slots=True)
class Again:
    """A period judged again. `was`: what was found before; None: nothing was. `has_ceased`: it was
    over.
    """

    judged: Judged
    was: Judgement | None

    @property
    def verdict(self) -> Verdict:
        return self.judged.verdict

    @property
    def ends_at(self) -> datetime:
        return self.judged.verdict.period.ends_at

    @property
    def has_ceased(self) -> bool:
        was_over = self.was is not None and _is_over(self.was.state)
        return was_over and self.verdict.state is not State.FIRING


@dataclass(frozen=True, slots=True)
class Amendment:
    """An alert of which something else was found than was told, and in which period.

    `changed` are those of which something else was told; `again` is the one that opened the alert,
    or the first of them, or the last one that ceased to be over though nothing was told of it.
    `is_doubtful`: the alert may be without reason.
    """

    life: Life
    again: Again
    changed: Sequence[Again]
    is_doubtful: bool


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
    """Return what may have to be told anew, once for each alert that was not retracted.

    The period that ends at `newest_at` is what the lifecycle looks at: whether it is over is its.
    """
    by_id = {life.alert_id: life for life in lives if life.retracted_at is None}
    changed: dict[int, list[Again]] = {}
    ceased: dict[int, list[Again]] = {}
    for again in sorted(judged_again, key=lambda each: each.ends_at):
        was = again.was
        if was is None:
            continue
        is_same = _is_over(was.state) == _is_over(again.verdict.state)
        is_closed = again.ends_at != newest_at
        if was.alert_id in by_id and was.led_to in TOLD:
            if differs(was, again.verdict) and (is_same or is_closed):
                changed.setdefault(was.alert_id, []).append(again)
        elif again.has_ceased and is_closed:
            for life in by_id.values():
                if life.fired_at is not None and _holds(life, again.ends_at):
                    ceased.setdefault(life.alert_id, []).append(again)
    return [
        _amendment(by_id[alert_id], changed.get(alert_id, []), ceased.get(alert_id, []))
        for alert_id in {**changed, **ceased}
    ]


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


def note(amendment: Amendment, last: Judged | None) -> Note:
    """Return what a letter says of how its alert stands, by the newest period; `last` None: it is
    withdrawn.
    """
    life = amendment.life
    fires = last is not None and life.state is AlertState.FIRING
    is_over = amendment.again.verdict.state is State.FIRING
    return Note(
        life.subject,
        periods=len(amendment.changed),
        is_past=last is not None and not fires,
        newest=last.verdict if last is not None and fires and not is_over else None,
    )


def before(amendment: Amendment) -> Amended | None:
    """Return what was told of the period that a letter shows; None: nothing was of that one."""
    was, life = amendment.again.was, amendment.life
    if was is None or not amendment.changed:
        return None
    return Amended(was.measured, was.threshold, was_over=_is_over(was.state), told_at=life.told_at)


def was(again: Again) -> str:
    """Return what is said of a period in the history of its alert."""
    assert again.was is not None
    found = again.was
    measured, _ = paired(found.measured, found.threshold, again.verdict.uom)
    return f"its data changed: it was {found.state} at {measured}"


def grouped(judged_again: Iterable[Again]) -> Mapping[str, list[Again]]:
    """Return periods by subject."""
    by_subject: dict[str, list[Again]] = {}
    for again in judged_again:
        by_subject.setdefault(again.judged.watched.subject, []).append(again)
    return by_subject


def _amendment(life: Life, changed: Sequence[Again], ceased: Sequence[Again]) -> Amendment:
    opening = [
        again
        for again in changed
        if again.ends_at == life.opened_by and again.verdict.state in _without_reason(again)
    ]
    ceased = [*ceased, *(again for again in changed if again.has_ceased)]
    shown = (opening or changed or ceased[-1:])[0]
    return Amendment(life, shown, changed, bool(opening or ceased))


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
    return any(life.retracted_at is None and _holds(life, again.ends_at) for life in lives)


def _holds(life: Life, ends_at: datetime) -> bool:
    """Return whether a period lies within the life of an alert that was told of in time."""
    if life.opened_by is None or life.is_late or life.opened_by > ends_at:
        return False
    return life.resolved_by is None or ends_at <= life.resolved_by


def _excess(verdict: Verdict) -> float:
    """Return how far a value is over its threshold, as a share where that can be told."""
    assert verdict.measured is not None
    threshold = verdict.threshold or 0.0
    return (verdict.measured - threshold) / (abs(threshold) or 1.0)
