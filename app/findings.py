"""Owns what checks find: what does not hold, and what was looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

Progress = Callable[[str, int, int], None]
"""Told of which check how many steps of how many are done."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that does not hold. `number` is that of the link, None where there is none."""

    chain: str
    number: int | None
    fault: str


@dataclass(slots=True)
class Report:
    """What was checked: links by chain, how many heads of a witness agree, notes on what cannot be,
    findings.
    """

    links: dict[str, int] = field(default_factory=dict)
    agreeing: int = 0
    notes: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def first(self, chain: str) -> Finding | None:
        """Return the first broken link of a chain, or None."""
        found = [each for each in self.findings if each.chain == chain]
        return min(found, key=lambda each: each.number or 0, default=None)
