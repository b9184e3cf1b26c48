"""Owns what a verdict on two-high projects is given: the level of a region, and its projects.

Pure. Where energy per GDP rose, the review of two-high projects is suspended
(发改办环资〔2021〕629号).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from alerts.kinds.kind import Facts
from alerts.kinds.region_level.facts import RegionFacts
from alerts.kinds.two_high.parameters import TwoHigh
from db.scope import Scope
from db.two_high import TwoHighRow
from energy import two_high

WHOLE_PROVINCE = "0000"


@dataclass(frozen=True, slots=True)
class TwoHighFacts(Facts):
    """A region with the projects whose review is suspended if its level is high, the largest first.

    `excepted`: as large, under review, and planned nationally.
    """

    region: RegionFacts
    projects: Sequence[TwoHighRow]
    excepted: int


def regions(
    found: Iterable[RegionFacts], projects: Sequence[TwoHighRow], parameters: TwoHigh
) -> list[TwoHighFacts]:
    """Return cities and counties with their projects; a province as a whole has none of its own."""
    return [
        _region(region, projects, parameters)
        for region in found
        if not region.region.endswith(WHOLE_PROVINCE)
    ]


def _region(
    region: RegionFacts, projects: Sequence[TwoHighRow], parameters: TwoHigh
) -> TwoHighFacts:
    prefix = Scope.of_region(region.region).region_prefix
    ours = [row for row in projects if row.region.startswith(prefix)]
    suspended = [row for row in ours if _is_suspended(row, parameters, is_national=row.national)]
    as_large = [row for row in ours if _is_suspended(row, parameters, is_national=False)]
    return TwoHighFacts(
        region,
        sorted(suspended, key=lambda row: (-row.annual_tce, row.project)),
        len(as_large) - len(suspended),
    )


def _is_suspended(row: TwoHighRow, parameters: TwoHigh, *, is_national: bool) -> bool:
    return two_high.is_suspended(
        row.state, row.annual_tce, is_national=is_national, from_tce=parameters.from_tce
    )
