"""Owns which regions lie above one another, and how far up a rule writes. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from db.scope import Scope


def upward(region: str) -> list[str]:
    """Return a GB/T 2260 code and those above it, the nearest first.

    >>> upward("450202"), upward("450200"), upward("450000")
    (['450202', '450200', '450000'], ['450200', '450000'], ['450000'])
    """
    return list(dict.fromkeys([region, f"{region[:4]}00", f"{region[:2]}0000"]))


def full_name(region: str, names: Mapping[str, str]) -> str:
    """Return what a region is called, a county with its city: other cities have one of its name.

    >>> names = {"450000": "广西壮族自治区", "450200": "柳州市", "450202": "城中区"}
    >>> full_name("450202", names), full_name("450200", names), full_name("450300", names)
    ('柳州市城中区', '柳州市', '450300')
    """
    name = names.get(region, region)
    city = "" if region.endswith("00") else names.get(f"{region[:4]}00", "")
    return city + name


def of_incident(
    region: str, takes_in: Iterable[str], told: Iterable[str], *, has_widened: bool
) -> list[str]:
    """Return whom a letter about an incident goes to: its region, those above, those it takes in.

    `told`: those it took in before; when it has widened only the others are written to.

    >>> of_incident("450000", ["450300", "450200"], ["450200"], has_widened=True)
    ['450300']
    >>> of_incident("450000", ["450300"], ["450200"], has_widened=False)
    ['450000', '450200', '450300']
    """
    new = sorted(set(takes_in) - set(told))
    return new if has_widened else list(dict.fromkeys([*upward(region), *sorted({*told, *new})]))


def above(region: str, rule_region: str, staffed: Collection[str] = ()) -> str | None:
    """Return the next region up that has contacts (is `staffed`), of those that a rule of
    `rule_region` reaches; where none has, the next one up.

    >>> above("450202", "450000"), above("450202", "450202"), above("450000", "450000")
    ('450200', None, None)
    >>> above("450202", "450000", {"450000"}), above("450202", "450200", {"450000"})
    ('450000', '450200')
    """
    within = Scope.of_region(rule_region).region_prefix
    up = [each for each in upward(region)[1:] if each.startswith(within)]
    return next((each for each in up if each in staffed), up[0] if up else None)
