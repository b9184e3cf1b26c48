"""Owns what a gateway may be called: a name that is also a topic filter would open other topics."""

from __future__ import annotations

import re

_CITY = re.compile(r"[0-9]{6}")
_UNIT = re.compile(r"[0-9A-Z]{18}")
_GATEWAY = re.compile(r"[A-Za-z0-9_-]{1,32}")


class NameFault(ValueError):
    """A city, unit or gateway whose name cannot be part of a topic, or a city that is none."""


def check(city: str, unit: str, gateway: str) -> None:
    """Raise NameFault unless all three are well formed."""
    if not _CITY.fullmatch(city):
        raise NameFault(f"a city is six digits, not {city!r}")
    check_gateway(unit, gateway)


def check_gateway(unit: str, gateway: str) -> None:
    if not _UNIT.fullmatch(unit):
        raise NameFault(f"a unit is a credit code of 18 digits and capitals, not {unit!r}")
    if not _GATEWAY.fullmatch(gateway):
        raise NameFault(f"a gateway is 1 to 32 of A-Z a-z 0-9 _ -, not {gateway!r}")
