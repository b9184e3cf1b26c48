"""Owns whether there is anybody to write to about an alert. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from alerts.reach import upward
from db.scope import Scope


@dataclass(frozen=True, slots=True)
class Desks:
    """The mildest level that contacts of each region ask for, and the region of each rule."""

    levels: Mapping[str, int] = field(default_factory=dict)
    reach: Mapping[int, str] = field(default_factory=dict)

    def nearest(self, rule_id: int, region: str) -> str | None:
        """Return the region that has contacts: this one or the next above, as far as a rule writes.

        >>> desks = Desks({"450000": 1, "450200": 2}, {1: "450000", 2: "450202"})
        >>> desks.nearest(1, "450202"), desks.nearest(1, "450300"), desks.nearest(2, "450202")
        ('450200', '450000', None)
        """
        within = Scope.of_region(self.reach.get(rule_id, region)).region_prefix
        reached = (each for each in upward(region) if each.startswith(within))
        return next((each for each in reached if each in self.levels), None)

    def has(self, rule_id: int, region: str, level: int, others: Collection[str] = ()) -> bool:
        """Return whether a rule's letter about a region goes to anybody: there, above, in `others`.

        >>> desks = Desks({"450000": 1, "450200": 2}, {1: "450000", 2: "450200"})
        >>> desks.has(1, "450202", 2), desks.has(1, "450202", 3), desks.has(2, "450300", 1)
        (True, False, False)
        """
        rule_region = self.reach.get(rule_id)
        if rule_region is None:  # it holds no more, and writes nothing
            return True
        within = Scope.of_region(rule_region).region_prefix
        return any(
            self.levels.get(each, 0) >= max(level, 1)
            for each in (*upward(region), *others)
            if each.startswith(within)
        )
