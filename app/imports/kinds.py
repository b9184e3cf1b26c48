"""Owns the kinds of file that `nenghao import` takes."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal


class Kind(StrEnum):
    """What the rows of a file are."""

    UNITS = "units"
    METERS = "meters"
    EPOCHS = "epochs"
    CONTACTS = "contacts"
    LIMITS = "limits"
    FIGURES = "figures"
    TARGETS = "targets"
    FACTORS = "factors"
    CALORIFIC_VALUES = "calorific_values"
    PRODUCTION = "production"
    CAPACITIES = "capacities"
    VERIFICATIONS = "verifications"
    VALUE_LIMITS = "value_limits"
    MONTHLY_FILINGS = "monthly_filings"
    QUALITY_SCHEMES = "quality_schemes"
    PARKS = "parks"
    BUDGETS = "budgets"
    LEVELS = "levels"
    SCHEMES = "schemes"
    CARBON_FACTORS = "carbon_factors"
    GRIDS = "grids"
    CORRECTIONS = "corrections"
    STOCKS = "stocks"
    TRADES = "trades"
    PROJECTS = "projects"
    CERTIFICATES = "certificates"
    NON_FOSSIL = "non_fossil"
    TWO_HIGH = "two_high"


Readings = Literal["readings"]

READINGS: Readings = "readings"
"""What else `nenghao import` takes: no facts that somebody states, but what meters said."""
