"""Owns whether an intensity is provisional, final or restated, and what it still waits for."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

COVERAGE_MIN = 0.9
"""Completeness that the national upload rules of 2019 ask for: 90 %."""


class State(StrEnum):
    """How firm a figure is."""

    PROVISIONAL = "provisional"
    FINAL = "final"
    RESTATED = "restated"
    """Final, and it was final before with another output, or value of it, or another energy."""


class Restated(StrEnum):
    """What of a restated figure was another one when it was final before."""

    OUTPUT = "output"
    """Output, or the value of it, was stated otherwise."""
    ENERGY = "energy"
    """Readings came late or were corrected, or a register, meter or factor is another one."""


class Cause(StrEnum):
    """What makes a figure provisional."""

    PERIOD_OPEN = "period_open"
    ENERGY_UNKNOWN = "energy_unknown"
    COVERAGE_LOW = "coverage_low"
    STEP_HELD = "step_held"
    NOT_STATED = "not_stated"
    """Output, or the value of it, was not stated for all of the period."""
    OUTPUT_DIFFERS = "output_differs"
    """Metered and stated output are further apart than 5 %."""


def causes(
    *,
    is_open: bool,
    is_energy_known: bool,
    coverage: float | None,
    is_held: bool,
    is_stated: bool,
    differs: bool,
) -> list[Cause]:
    """Return what a figure still waits for, in the order in which to see to it.

    Coverage of exactly 90 % is enough; coverage that is not known is not.

    >>> causes(is_open=False, is_energy_known=True, coverage=0.9, is_held=False, is_stated=True,
    ...        differs=False)
    []
    """
    found = {
        Cause.PERIOD_OPEN: is_open,
        Cause.ENERGY_UNKNOWN: not is_energy_known,
        Cause.COVERAGE_LOW: coverage is None or coverage < COVERAGE_MIN,
        Cause.STEP_HELD: is_held,
        Cause.NOT_STATED: not is_stated,
        Cause.OUTPUT_DIFFERS: differs,
    }
    return [cause for cause, holds in found.items() if holds]


def restated_by(
    waiting_for: Collection[Cause], *, versions: int, energy_changed: bool
) -> list[Restated]:
    """Return what restated a figure; nothing did while it waits for something.

    `versions` different outputs were stated in full; `energy_changed` while one of them was.

    >>> restated_by([], versions=2, energy_changed=True)
    [<Restated.OUTPUT: 'output'>, <Restated.ENERGY: 'energy'>]
    >>> restated_by([Cause.STEP_HELD], versions=2, energy_changed=True)
    []
    """
    if waiting_for:
        return []
    found = {Restated.OUTPUT: versions > 1, Restated.ENERGY: energy_changed}
    return [restated for restated, holds in found.items() if holds]


def state(waiting_for: Collection[Cause], restated_by: Collection[Restated]) -> State:
    """Return the state of a figure.

    >>> state([], []), state([], [Restated.ENERGY]), state([Cause.STEP_HELD], [])
    (<State.FINAL: 'final'>, <State.RESTATED: 'restated'>, <State.PROVISIONAL: 'provisional'>)
    """
    if waiting_for:
        return State.PROVISIONAL
    return State.RESTATED if restated_by else State.FINAL
