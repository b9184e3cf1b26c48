"""Owns which numbers a meter of any kind can show: what lies beyond is no reading."""

from __future__ import annotations

VALUE_MAX = 2.0**53
"""No meter shows this, or more, above zero or below it; in its own unit of measure.

From here on a double does not tell one whole number from the next. It is 900 times the electricity
that China uses in a year, in kWh. What devices send for "no value" lies beyond: DBL_MAX, FLT_MAX,
1e30, the greatest integers of 64 bits.
"""


def fault(value: float) -> str | None:
    """Return why no meter can have shown `value`, or None.

    >>> fault(-9e15) is None
    True
    >>> fault(1.7976931348623157e308)
    'no meter shows 9007199254740992 or more: is it what the device sends for no value?'
    """
    if -VALUE_MAX < value < VALUE_MAX:
        return None
    least = "" if value > 0 else "-"
    extent = "more" if value > 0 else "less"
    return (
        f"no meter shows {least}{VALUE_MAX:.0f} or {extent}: "
        "is it what the device sends for no value?"
    )
