"""Owns what a region is told of an incident that takes in others, too: its own part, nothing else.

Pure. Who answers for all of it is told all of it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from alerts.kinds.kind import Facts, Part
from alerts.kinds.words import Occasion
from alerts.reach import full_name
from db.scope import Scope


def of(facts: Facts, region: str) -> Part | None:
    """Return what of `facts` lies in a region; None: it is told all."""
    return facts.part(Scope.of_region(region).region_prefix)


def told(
    occasion: Occasion, region: str, regions: Collection[str], names: Mapping[str, str]
) -> Occasion | None:
    """Return what is written about to the contacts of one of `regions`; None: nothing.

    A part says who else knows as far as they lie within the region, or take it in.
    """
    part = of(occasion.facts, region)
    if part is None:
        return occasion
    if part.is_empty and occasion.is_over:
        return None
    near = [each for each in regions if _is_near(each, region)]
    return replace(
        occasion,
        facts=part.facts,
        part_name=full_name(region, names),
        told=[names.get(each, each) for each in near],
        due_on=None,
        remedy_on=None,
    )


def _is_near(one: str, other: str) -> bool:
    """Return whether one of two regions takes the other in.

    >>> _is_near("450000", "450202"), _is_near("450202", "450200"), _is_near("450300", "450200")
    (True, True, False)
    """
    prefixes = (Scope.of_region(one).region_prefix, Scope.of_region(other).region_prefix)
    return one.startswith(prefixes[1]) or other.startswith(prefixes[0])
