"""Owns what an incident is: what is silent at once, by unit, by city, or altogether.

Pure. The largest that there is is told of, and what it takes in is part of it; what is left when
some of it is heard again is told of by itself. Thresholds are those of the rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from math import ceil

from alerts.grace import COLLECT, Grace
from alerts.kinds.kind import Facts, Part, UnitName
from alerts.kinds.outage.parameters import Outage
from db.outages import Site
from energy.periods import Span

SHOWN = 10
"""Units of an incident that are named; the rest are counted."""

MINUTE = timedelta(minutes=1)

BROKER = "broker"
PLACE = "gateways"


@dataclass(frozen=True, slots=True)
class Silence(Facts):
    """What is silent at an instant within `region`: what incidents are made of. `gateways`: how
    many each city has.
    """

    region: str
    sites: Sequence[Site]
    gateways: Mapping[str, int]


class Scale(StrEnum):
    """How far an incident reaches; each takes in those after it."""

    BROKER = "broker"
    CITY = "city"
    UNIT = "unit"


UOM = {Scale.BROKER: "gateways", Scale.CITY: "gateways", Scale.UNIT: "meters"}


@dataclass(frozen=True, slots=True)
class OutageFacts(Facts):
    """What is silent together. `measured` are meters of a unit, or gateways, of `total`; at
    `threshold` it is an incident. `grace`: it is the broker that we do not reach ourselves;
    `silence`: who was not heard for longer is silent. `gateways`: how many each county has, of an
    incident of several units.
    """

    scale: Scale
    region: str
    subject: str
    sites: Sequence[Site]
    measured: int
    total: int
    threshold: int
    period: Span
    grace: Grace | None = None
    silence: timedelta = timedelta(hours=1)
    gateways: Mapping[str, int] = field(default_factory=dict)

    @property
    def about_unit(self) -> UnitName | None:
        if self.scale is not Scale.UNIT:
            return None
        site = self.sites[0]
        return UnitName(site.unit_id, site.unit, site.unit_name)

    @property
    def is_our_own(self) -> bool:
        """Whether it is we who hear nothing: no grace excuses that."""
        return self.grace is not None

    @property
    def is_incident(self) -> bool:
        return self.measured >= self.threshold

    @property
    def takes_in(self) -> frozenset[int]:
        """The units that are part of it."""
        if not self.is_incident:
            return frozenset()
        return frozenset(site.unit_id for site in self.sites)

    @property
    def tells_regions(self) -> bool:
        return self.scale is not Scale.UNIT

    @property
    def regions(self) -> frozenset[str]:
        if self.scale is Scale.UNIT or not self.is_incident:
            return frozenset()
        return frozenset({each for site in self.sites for each in (site.region, site.city)})

    def part(self, prefix: str) -> Part | None:
        """Return what lies within a region that is not told of the whole: neither units nor counts
        of others are in it.
        """
        if not self.tells_regions or self.region.startswith(prefix):
            return None
        sites = [site for site in self.sites if site.region.startswith(prefix)]
        count = _count(sites)
        heard = _heard(sites)
        cut = replace(
            self,
            sites=sites,
            measured=count,
            total=_total(self.gateways, prefix),
            threshold=min(self.threshold, count),
            period=Span(min(heard, default=self.period.ends_at - MINUTE), self.period.ends_at),
            gateways={},
        )
        told = f"{count} of {cut.total} {UOM[self.scale]} here are silent, part of an incident"
        return Part(
            cut, float(count), float(cut.threshold), told + radius(cut), cut.period, not sites
        )

    @property
    def shown(self) -> Sequence[Site]:
        """Its units as far as they are named."""
        return self.sites[:SHOWN]

    @property
    def left_out(self) -> int:
        return len(self.sites) - len(self.shown)

    @property
    def meters(self) -> int:
        """Meters behind what is silent."""
        return sum(silent_meters(site) for site in self.sites)


def radius(facts: OutageFacts) -> str:
    """Return what an incident takes in, as far as it is named."""
    named = ", ".join(_named(site) for site in facts.shown)
    more = f" and {facts.left_out} more" if facts.left_out else ""
    return f": {named}{more}" if named else ""


def _named(site: Site) -> str:
    gateways = ", ".join(site.silent_gateways)
    behind = f"{silent_meters(site)} of {site.meters} meters"
    return f"{site.unit} ({gateways}; {behind})" if gateways else f"{site.unit} ({behind})"


def silent_meters(site: Site) -> int:
    """Return how many meters of a unit are silent: all, if none of its gateways is heard."""
    if site.gateways and len(site.silent_gateways) == site.gateways:
        return site.meters
    return site.silent_meters


def incidents(
    sites: Sequence[Site],
    gateways: Mapping[str, int],
    rule: Outage,
    region: str,
    open_subjects: Set[str],
    now: datetime,
    grace: Grace | None = None,
    scales: Set[Scale] = frozenset(Scale),
) -> list[OutageFacts]:
    """Return the incidents that there are, the largest first, and what became of those that are
    open. `gateways`: how many each county has; `scales`: those that can be told.
    """
    whole = _broker(sites, gateways, rule, region, now, grace)
    cities = list(_cities(sites, gateways, rule, now))
    units = list(_units(sites, rule, now))
    told: list[OutageFacts] = []
    taken: frozenset[int] = frozenset()
    for found in (whole, *cities, *units):
        if found.scale not in scales:
            continue
        is_part = bool(found.takes_in) and found.takes_in <= taken
        if (found.is_incident and not is_part) or found.subject in open_subjects:
            told.append(found)
            taken |= found.takes_in
    return told


def _broker(
    sites: Sequence[Site],
    gateways: Mapping[str, int],
    rule: Outage,
    region: str,
    now: datetime,
    grace: Grace | None,
) -> OutageFacts:
    silent = [site for site in sites if site.silent_gateways]
    count = _count(silent)
    total = sum(gateways.values())
    threshold = _threshold(rule.gateways_min, rule.broker_share, total)
    is_of_many = len({site.city for site in silent}) > 1
    ours = grace if _is_deaf(grace, rule, now) else None
    if ours is not None:
        threshold = min(threshold, count)  # whatever they do, we would not hear it
    elif not is_of_many:
        threshold = max(threshold, count + 1)
    return OutageFacts(
        Scale.BROKER,
        region,
        BROKER,
        silent,
        count,
        total,
        threshold,
        _period(silent, rule, now),
        ours,
        silence=rule.silence,
        gateways=gateways,
    )


def _cities(
    sites: Sequence[Site], gateways: Mapping[str, int], rule: Outage, now: datetime
) -> Iterator[OutageFacts]:
    by_city: dict[str, list[Site]] = {}
    for site in sites:
        if site.silent_gateways:
            by_city.setdefault(site.city, []).append(site)
    for city in sorted({f"{region[:4]}00" for region in gateways}):
        silent, total = by_city.get(city, []), _total(gateways, city[:4])
        yield OutageFacts(
            Scale.CITY,
            city,
            f"{city}/{PLACE}",
            silent,
            _count(silent),
            total,
            _threshold(rule.gateways_min, rule.city_share, total),
            _period(silent, rule, now),
            silence=rule.silence,
            gateways=gateways,
        )


def _units(sites: Iterable[Site], rule: Outage, now: datetime) -> Iterator[OutageFacts]:
    for site in sites:
        yield OutageFacts(
            Scale.UNIT,
            site.region,
            f"{site.unit}/{PLACE}",
            [site],
            silent_meters(site),
            site.meters,
            _threshold(rule.meters_min, rule.meters_share, site.meters),
            _period([site], rule, now),
            silence=rule.silence,
        )


def _is_deaf(grace: Grace | None, rule: Outage, now: datetime) -> bool:
    """Return whether our collectors have not reached the broker for as long as makes a silence."""
    if grace is None or grace.program != COLLECT or grace.back_at is not None:
        return False
    return now - grace.went_at >= rule.silence


def _threshold(least: int, share: float, total: int) -> int:
    return max(least, ceil(share * total))


def _period(sites: Sequence[Site], rule: Outage, now: datetime) -> Span:
    """Return since when the first of them was not heard, until now."""
    heard = [each for each in _heard(sites) if each < now]
    return Span(min(heard, default=now - rule.silence), now)


def _heard(sites: Iterable[Site]) -> list[datetime]:
    return [site.heard_at for site in sites if site.heard_at is not None]


def _count(sites: Iterable[Site]) -> int:
    return sum(len(site.silent_gateways) for site in sites)


def _total(gateways: Mapping[str, int], prefix: str) -> int:
    return sum(count for region, count in gateways.items() if region.startswith(prefix))
