"""Owns what a meter's readings say was used between them.

Energy is conserved: the advances between two readings of one register sum to its difference,
whatever lies between. What cannot be explained is held for review, never guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from math import inf
from typing import NamedTuple

from energy import instants, intervals
from energy.intervals import Intervals
from energy.registers import (
    WRAP_SHARE_MAX,
    Advance,
    Course,
    Doubt,
    DoubtReason,
    Epoch,
    EpochReason,
    Kind,
    Reading,
    epoch_at,
    of_register,
    step,
)

DIP_READINGS_MAX = 3
"""So many readings off the course in a row are a dip, zeros not counted; more are held."""


def course(
    kind: Kind,
    readings: Sequence[tuple[int, float]],
    epochs: Sequence[Epoch],
    due: Intervals,
) -> Course:
    """Return what `readings`, in order of time, say was used; `epochs` likewise in order."""
    epochs = of_register(epochs)
    match kind:
        case Kind.REGISTER:
            return register_course(readings, epochs)
        case Kind.INTERVAL:
            return Course(list(_interval_advances(readings, epochs, due)))
        case Kind.GAUGE:
            return Course(list(_gauge_advances(readings, epochs, due)))


def register_course(readings: Iterable[tuple[int, float]], epochs: Sequence[Epoch]) -> Course:
    """Return what a cumulative register used between its readings.

    A reading that no step explains is passed over until the register is back on its course: at
    most `DIP_READINGS_MAX` in a row, and any number of zeros, which a meter without voltage shows.
    If it never comes back, or later than that, the span is held; and the reading before it too, if
    that one stands out above both its neighbours: then either may be wrong. A wrap that the next
    reading refutes is passed over too. The course after two readings that are not in doubt depends
    on them alone, so that a part of a history can be settled anew. Steps of one hour that explain
    themselves are one advance.
    """
    found, run = Course(), list[Reading]()
    iterator = iter(readings)
    if (first := next(iterator, None)) is None:
        return found
    earlier: tuple[int, float] | None = None
    turn: _Turn | None = None
    since, anchor_at, anchor = first[0], first[0], first[1]
    base, hour_ends_at = anchor, (anchor_at // instants.HOUR + 1) * instants.HOUR
    scale, rate, ceiling, ends_at = _stretch(epochs, anchor_at)
    for at, value in iterator:
        quantity = (value - anchor) * scale
        is_plain = at < ends_at and not run and 0 <= quantity <= ceiling
        if is_plain and quantity <= rate * (at - anchor_at):
            if at > hour_ends_at:
                if since != anchor_at:
                    found.advances.append(Advance(since, anchor_at, (anchor - base) * scale))
                since, base = anchor_at, anchor
                # A step across an hour stays by itself: how it divides is an estimate.
                hour_ends_at = max((anchor_at // instants.HOUR + 1) * instants.HOUR, at)
        else:
            _close(found, since, base, earlier, Reading(anchor_at, anchor), scale)
            since, base = anchor_at, anchor
            before, after = Reading(anchor_at, anchor), Reading(at, value)
            if turn and turn.to == before and _refutes(turn, after, run, epochs):
                before, earlier = _take_back(found, turn, run), None
            count = len(found.advances)
            if not _accept(found, earlier, before, after, run, epochs):
                continue
            anchor_at, anchor = before
            turn = _turn(found, count, before, after, epochs)
            scale, rate, ceiling, ends_at = _stretch(epochs, at)
            since, base = at, value
            hour_ends_at = (at // instants.HOUR + 1) * instants.HOUR
        earlier, anchor_at, anchor = (anchor_at, anchor), at, value
    _close(found, since, base, earlier, Reading(anchor_at, anchor), scale)
    if run:
        _leave_open(found, earlier, Reading(anchor_at, anchor), run, epochs)
    return found


def _leave_open(
    found: Course,
    earlier: tuple[int, float] | None,
    anchor: Reading,
    run: Sequence[Reading],
    epochs: Sequence[Epoch],
) -> None:
    found.is_open = True
    reason = _why(anchor, run, epochs)
    _hold(found, earlier, anchor, run, run[-1].read_at, reason, epochs)


def _close(
    found: Course,
    since: int,
    base: float,
    earlier: tuple[int, float] | None,
    anchor: Reading,
    scale: float,
) -> None:
    """Add what is under way from `since` to `anchor`, its last step by itself: it may be held."""
    if since == anchor.read_at:
        return
    assert earlier is not None
    if earlier[0] > since:
        found.advances.append(Advance(since, earlier[0], (earlier[1] - base) * scale))
    found.advances.append(
        Advance(earlier[0], anchor.read_at, (anchor.raw_value - earlier[1]) * scale)
    )


def _stretch(epochs: Sequence[Epoch], at: int) -> tuple[float, float, float, float]:
    """Return scale, the rate [per µs] and the step up to which one is plain, and until when.

    A last digit more than the rate allows is credible too (`Epoch.most`), but looked at closely.
    """
    epoch = epoch_at(epochs, instants.moment(at))
    later = (instants.of(each.starts_at) for each in epochs)
    ends_at = min((each for each in later if each > at), default=inf)
    if epoch.rate_max is not None:
        return epoch.scale, epoch.rate_max / instants.HOUR, inf, ends_at
    return epoch.scale, inf, epoch.most(0, WRAP_SHARE_MAX) * epoch.scale, ends_at


def _accept(
    found: Course,
    earlier: tuple[int, float] | None,
    before: Reading,
    after: Reading,
    run: list[Reading],
    epochs: Sequence[Epoch],
) -> bool:
    """Add the pieces from `before` to `after`, or add `after` to the `run` of doubtful readings."""
    pieces, reason = _between(before, after, epochs)
    is_from_zero = reason is DoubtReason.TOO_FAST and before.raw_value == 0 and len(pieces) == 1
    if reason not in (None, DoubtReason.VALUES_MISSING) and not is_from_zero:
        run.append(after)
        return False
    if run and not _is_dip(run):
        _hold(found, earlier, before, run, after.read_at, DoubtReason.LASTED, epochs)
        run.clear()
        return True
    if run:
        found.doubts.append(_doubt(_why(before, run, epochs), run, is_held=False))
        run.clear()
    if reason is not None:
        found.doubts.append(Doubt(reason, before.read_at, after.read_at, 0, is_held=True))
    found.advances += pieces
    return True


class _Turn(NamedTuple):
    """A step that one reading alone says: over the rollover, or of a new register further than the
    old one ended. Its pieces are the advances from `first` on.
    """

    since: Reading
    to: Reading
    first: int


def _turn(
    found: Course, first: int, before: Reading, after: Reading, epochs: Sequence[Epoch]
) -> _Turn | None:
    """Return the step that was accepted just now, from the advance `first` on, if it is one."""
    is_known = len(found.advances) > first and found.advances[-1].quantity is not None
    return _Turn(before, after, first) if is_known and _is_turn(before, after, epochs) else None


def _is_turn(before: Reading, after: Reading, epochs: Sequence[Epoch]) -> bool:
    """Return whether `after` says that it led over the rollover, or past the end of a register.

    A `rate_max` says more than the next reading: then it is believed.
    """
    if epoch_at(epochs, instants.moment(after.read_at)).rate_max is not None:
        return False
    begun = _begun_between(before, after, epochs)
    ended_at = begun[-1].previous_last_value if begun else None
    return after.raw_value < before.raw_value if ended_at is None else after.raw_value >= ended_at


def _refutes(turn: _Turn, after: Reading, run: Sequence[Reading], epochs: Sequence[Epoch]) -> bool:
    """Return whether `after` goes on where the turn began, and not where it led to."""
    return (
        _between(turn.to, after, epochs)[1] not in (None, DoubtReason.VALUES_MISSING)
        and _between(turn.since, after, epochs)[1] is None
        and not _is_turn(turn.since, after, epochs)
        and _is_dip([turn.to, *run])
    )


def _take_back(found: Course, turn: _Turn, run: list[Reading]) -> Reading:
    """Put the reading that a turn led to off the course; return where it goes on from."""
    del found.advances[turn.first :]
    run.insert(0, turn.to)
    return turn.since


def _hold(
    found: Course,
    earlier: tuple[int, float] | None,
    anchor: Reading,
    run: Sequence[Reading],
    until: int,
    reason: DoubtReason,
    epochs: Sequence[Epoch],
) -> None:
    """Hold what was used from `anchor` `until` then; with it `anchor`, if it may be a spike."""
    starts_at, doubtful = anchor.read_at, [*run]
    if earlier is not None and anchor.raw_value > run[0].raw_value >= earlier[1]:
        last = found.advances[-1]
        if last.starts_at == earlier[0] and _between(Reading(*earlier), run[0], epochs)[1] is None:
            found.advances.pop()
            starts_at, doubtful = earlier[0], [anchor, *run]
    found.advances.append(Advance(starts_at, until, None))
    found.doubts.append(_doubt(reason, doubtful, is_held=True))


def _is_dip(run: Sequence[Reading]) -> bool:
    return sum(reading.raw_value != 0 for reading in run) <= DIP_READINGS_MAX


def _why(before: Reading, run: Sequence[Reading], epochs: Sequence[Epoch]) -> DoubtReason:
    return _between(before, run[0], epochs)[1] or DoubtReason.FELL


def _doubt(reason: DoubtReason, run: Sequence[Reading], *, is_held: bool) -> Doubt:
    return Doubt(reason, run[0].read_at, run[-1].read_at, len(run), is_held)


class _Point(NamedTuple):
    """What a register showed at an instant, None: nobody knows.

    `is_read`: a reading says so, not an epoch. `is_estimate`: it is taken to have counted evenly.
    """

    at: int
    value: float | None
    is_read: bool = False
    is_estimate: bool = False


def _between(
    before: Reading, after: Reading, epochs: Sequence[Epoch]
) -> tuple[list[Advance], DoubtReason | None]:
    """Return the pieces from `before` to `after`, cut where an epoch begins, and what is wrong."""
    epoch = epoch_at(epochs, instants.moment(before.read_at))
    begun = _begun_between(before, after, epochs)
    one, end = _Point(*before, is_read=True), _Point(*after, is_read=True)
    pieces: list[Advance] = []
    reason: DoubtReason | None = None
    for number, following in enumerate(begun):
        begins_at = instants.of(following.starts_at)
        last = first = _Point(begins_at, following.first_value)
        if following.reason is not EpochReason.MULTIPLIER:
            last = _Point(begins_at, following.previous_last_value)
        elif following.first_value is None:
            goal = _next_known(begun[number + 1 :], end)
            reason = _worse(reason, _fault_of_whole(epoch, one, goal))
            last = first = _evenly(epoch, one, goal, begins_at)
        piece, fault = _piece(one, last, epoch)
        pieces.append(piece)
        reason = _worse(reason, fault)
        one, epoch = first, following
    piece, fault = _piece(one, end, epoch)
    if end.at > one.at or fault not in (None, DoubtReason.VALUES_MISSING):
        pieces.append(piece)  # one in no time says nothing, and would name an hour of its own
    return pieces, _worse(reason, fault)


def _worse(one: DoubtReason | None, other: DoubtReason | None) -> DoubtReason | None:
    """Return what weighs more: a value that cannot be before one that is missing."""
    return other if one in (None, DoubtReason.VALUES_MISSING) and other is not None else one


def _piece(one: _Point, other: _Point, epoch: Epoch) -> tuple[Advance, DoubtReason | None]:
    forward, fault = _forward(one, other, epoch)
    quantity = None if forward is None else forward * epoch.scale
    is_estimate = fault is None and (one.is_estimate or other.is_estimate)
    return Advance(one.at, other.at, quantity, is_estimate), fault


def _forward(one: _Point, other: _Point, epoch: Epoch) -> tuple[float | None, DoubtReason | None]:
    """Return how far a register went in one epoch, or what is wrong with that.

    A zero that was read explains nothing by itself: neither that the register wrapped to it, nor,
    without `rate_max`, that it rose far from it.
    """
    if one.value is None or other.value is None:
        return None, DoubtReason.VALUES_MISSING
    forward = epoch.credible(one.value, other.value, other.at - one.at)
    if other.value < one.value and (forward is None or (other.is_read and other.value == 0)):
        return None, DoubtReason.FELL
    is_from_zero = one.is_read and one.value == 0
    if forward is None or (
        is_from_zero and forward > epoch.most(other.at - one.at, WRAP_SHARE_MAX)
    ):
        return None, DoubtReason.TOO_FAST
    return forward, None


def _next_known(begun: Sequence[Epoch], end: _Point) -> _Point:
    """Return what the register that counts now showed when the next of `begun` began, or at last.

    A new multiplier that nobody read it at says nothing of that.
    """
    for epoch in begun:
        if epoch.reason is not EpochReason.MULTIPLIER:
            return _Point(instants.of(epoch.starts_at), epoch.previous_last_value)
        if epoch.first_value is not None:
            return _Point(instants.of(epoch.starts_at), epoch.first_value)
    return end


def _fault_of_whole(epoch: Epoch, one: _Point, goal: _Point) -> DoubtReason | None:
    """Return what is wrong with a step over a new multiplier, besides the rates in its pieces."""
    fault = _forward(one, goal, epoch)[1]
    return None if epoch.rate_max is not None and fault is DoubtReason.TOO_FAST else fault


def _evenly(epoch: Epoch, one: _Point, goal: _Point, at: int) -> _Point:
    """Return what a register showed `at` then that counted evenly from one point to another.

    It wraps on the way where it has to.
    """
    if one.value is None or goal.value is None:
        return _Point(at, None)
    forward = step(one.value, goal.value, epoch.rollover)
    if forward is None:
        return _Point(at, None)
    if at == goal.at:
        return _Point(at, goal.value)
    showed = one.value + forward * ((at - one.at) / (goal.at - one.at))
    is_wrapped = epoch.rollover is not None and showed >= epoch.rollover
    if epoch.rollover is not None and is_wrapped:
        showed -= epoch.rollover
    if is_wrapped or goal.value >= one.value:
        showed = min(showed, goal.value)  # it may be rounded up
    return _Point(at, showed, is_estimate=True)


def _begun_between(before: Reading, after: Reading, epochs: Sequence[Epoch]) -> list[Epoch]:
    return [
        epoch
        for epoch in epochs
        if epoch.reason is not EpochReason.INSTALLED
        and before.read_at < instants.of(epoch.starts_at) <= after.read_at
    ]


def _interval_advances(
    readings: Sequence[tuple[int, float]], epochs: Sequence[Epoch], due: Intervals
) -> Iterator[Advance]:
    """Yield what an interval meter says: each value is the use of the interval it starts."""
    for starts_at, ends_at, value, epoch in _held_values(readings, epochs, due):
        yield Advance(starts_at, ends_at, value * epoch.scale)


def _gauge_advances(
    readings: Sequence[tuple[int, float]], epochs: Sequence[Epoch], due: Intervals
) -> Iterator[Advance]:
    """Yield the integral of an hourly rate: a value holds until the next, at most an interval."""
    for starts_at, ends_at, value, epoch in _held_values(readings, epochs, due):
        hours = (ends_at - starts_at) / instants.HOUR
        yield Advance(starts_at, ends_at, value * epoch.scale * hours)


def _held_values(
    readings: Sequence[tuple[int, float]], epochs: Sequence[Epoch], due: Intervals
) -> Iterator[tuple[int, int, float, Epoch]]:
    for (read_at, value), following in pairwise([*readings, None]):  # type: ignore[misc]  # ours
        ends_at = read_at + intervals.longest(due, read_at, read_at)
        if following is not None:
            ends_at = min(ends_at, following[0])
        yield read_at, ends_at, value, epoch_at(epochs, instants.moment(read_at))
