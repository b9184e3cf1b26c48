"""Owns how a backtest goes through time: the instants, and how many of them are too many."""

from __future__ import annotations

from datetime import datetime, timedelta

from energy import periods
from energy.periods import HOUR, Span, Step

HOURLY_DAYS_MAX = 92
DAILY_DAYS_MAX = 400


class OutOfBoundsError(ValueError):
    """More would have to be gone through than one backtest may. The message says how to narrow."""


def hours(span: Span) -> list[datetime]:
    """Return the full hours at which a rule would have looked. Raises OutOfBoundsError."""
    return _ends(span, Step.HOUR, HOURLY_DAYS_MAX)


def days(span: Span) -> list[datetime]:
    """Return the ends of days at which a rule would have looked. Raises OutOfBoundsError."""
    return _ends(span, Step.DAY, DAILY_DAYS_MAX)


def _ends(span: Span, step: Step, days_max: int) -> list[datetime]:
    """Return the ends of whole buckets in `span`."""
    if span.ends_at - span.starts_at > timedelta(days=days_max):
        raise OutOfBoundsError(f"the period is longer than {days_max} days: ask for a shorter one")
    first = periods.ceiling(span.starts_at, step)
    return [
        ends_at
        for starts_at in periods.buckets(Span(first, max(span.ends_at, first + HOUR)), step)
        if (ends_at := periods.following(starts_at, step)) <= span.ends_at
    ]
