"""Owns what an incident is: what is silent at once, by unit, by city, or altogether.

Pure. The largest that there is is told of, and what it takes in is part of it; what is left when
some of it is heard again is told of by itself. Thresholds are those of the rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from math import ceil

from alerts.grace import COLLECT, Grace
from alerts.kinds.kind import Facts, UnitName
from alerts.kinds.outage.parameters import Outage
from db.outages import Site
from energy.periods import Span

SHOWN = 10
"""Units of an incident that are named; the rest are counted."""

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


@dataclass(frozen=True, slots=True)
class OutageFacts(Facts):
    """What is silent together. `measured` are meters of a unit, or gateways, of `total`; at
    `threshold` it is an incident. `grace`: it is the broker that we do not reach ourselves;
    `silence`: who was not heard for longer is silent.
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
    open. `gateways`: how many each city has; `scales`: those that can be told.
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
    count = sum(len(site.silent_gateways) for site in silent)
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
        rule.silence,
    )


def _cities(
    sites: Sequence[Site], gateways: Mapping[str, int], rule: Outage, now: datetime
) -> Iterator[OutageFacts]:
    by_city: dict[str, list[Site]] = {}
    for site in sites:
        if site.silent_gateways:
            by_city.setdefault(site.city, []).append(site)
    for city, total in sorted(gateways.items()):
        silent = by_city.get(city, [])
        yield OutageFacts(
            Scale.CITY,
            city,
            f"{city}/{PLACE}",
            silent,
            sum(len(site.silent_gateways) for site in silent),
            total,
            _threshold(rule.gateways_min, rule.city_share, total),
            _period(silent, rule, now),
            silence=rule.silence,
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
    heard = [site.heard_at for site in sites if site.heard_at is not None and site.heard_at < now]
    return Span(min(heard, default=now - rule.silence), now)
