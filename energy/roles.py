"""Owns what a meter is for: which ones make up the consumption of a unit, and with what sign."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What a meter stands for in the accounts of its unit (GB/T 2589-2020, boundary of a unit)."""

    BOUNDARY = "boundary"
    SUB = "sub"
    OUTPUT = "output"
    FEEDSTOCK = "feedstock"
    RENEWABLE = "renewable"
    EXPORT = "export"


COUNTING = (Role.BOUNDARY, Role.EXPORT)
"""The consumption of a unit is its boundary meters less its export meters."""
