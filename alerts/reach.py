"""Owns which regions lie above one another, and how far up a rule writes. Pure."""

from __future__ import annotations

from db.scope import Scope


def upward(region: str) -> list[str]:
    """Return a GB/T 2260 code and those above it, the nearest first.

    >>> upward("450202"), upward("450200"), upward("450000")
    (['450202', '450200', '450000'], ['450200', '450000'], ['450000'])
    """
    return list(dict.fromkeys([region, f"{region[:4]}00", f"{region[:2]}0000"]))


def above(region: str, rule_region: str) -> str | None:
    """Return the next region up, if a rule of `rule_region` reaches it.

    >>> above("450202", "450000"), above("450202", "450202"), above("450000", "450000")
    ('450200', None, None)
    """
    within = Scope.of_region(rule_region).region_prefix
    return next((each for each in upward(region)[1:2] if each.startswith(within)), None)
