"""Owns what was silent at an instant of the past, by when gateways were heard. Pure.

Of a gateway that was not heard for long before the period nothing is known until it is heard again:
it is part of no incident before that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.kinds import past
from alerts.kinds.past import OutOfBoundsError
from db.outages import Site
from db.past_outages import Mute, PastGateway, PastUnit, Pause
from energy.periods import Span

LOOK_BACK = timedelta(days=7)
"""So long before a period it is looked for when a gateway was heard last."""

DAYS_MAX = 31
INSTANTS_MAX = 5_000
"""Of one backtest: each time that something changed, and each hour."""

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Lapse:
    """A gateway was silent from when it had not been heard for too long, until it was; None: it
    still was at the end.
    """

    gateway: PastGateway
    heard_at: datetime
    starts_at: datetime
    ends_at: datetime | None

    def holds(self, at: datetime) -> bool:
        return self.starts_at < at and (self.ends_at is None or at < self.ends_at)


@dataclass(frozen=True, slots=True)
class History:
    """Gateways with since when each is known of, when they were silent, when meters were."""

    units: Sequence[PastUnit]
    known: Sequence[tuple[PastGateway, datetime]]
    lapses: Sequence[Lapse]
    mutes: Sequence[Mute]

    @classmethod
    def of(
        cls,
        units: Sequence[PastUnit],
        gateways: Iterable[PastGateway],
        pauses: Iterable[Pause],
        mutes: Sequence[Mute],
        looked_since: datetime,
        silence: timedelta,
    ) -> History:
        """Return what is known; `silence`: a gateway that was not heard for longer is silent."""
        by_gateway: dict[int, list[Pause]] = {}
        for pause in pauses:
            by_gateway.setdefault(pause.gateway_id, []).append(pause)
        known, lapses = [], []
        for each in gateways:
            own = by_gateway.get(each.gateway_id, [])
            if not own and each.last_seen_at < looked_since:  # it has been silent ever since
                own = [Pause(each.gateway_id, each.last_seen_at, None)]
            since = [pause.back_at for pause in own if pause.heard_at is None]
            if own:
                known.append((each, since[0] if since and since[0] else each.last_seen_at))
            lapses += [
                Lapse(each, pause.heard_at, pause.heard_at + silence, pause.back_at)
                for pause in own
                if pause.heard_at is not None
            ]
        return cls(units, known, lapses, mutes)

    def instants(self, span: Span) -> list[datetime]:
        """Return when a rule would have found something else, by the minute, and every full hour.

        Raises OutOfBoundsError.
        """
        if span.ends_at - span.starts_at > timedelta(days=DAYS_MAX):
            raise OutOfBoundsError(
                f"of outages at most {DAYS_MAX} days are gone through: ask for a shorter period"
            )
        changes = {_minute_after(at) for at in self._changes() if at is not None}
        found = {at for at in changes if span.starts_at <= at <= span.ends_at}
        found |= set(past.hours(span))
        if len(found) > INSTANTS_MAX:
            raise OutOfBoundsError(
                f"gateways fell silent and came back {len(found):,} times; at most "
                f"{INSTANTS_MAX:,} are gone through: ask for a shorter period, or a region"
            )
        return sorted(found)

    def gateways(self, at: datetime) -> dict[str, int]:
        """Return by city how many gateways had been heard and might speak."""
        of_unit = Counter(each.unit_id for each in self._speaking(at))
        found: Counter[str] = Counter()
        for unit in self.units:
            found[unit.city] += of_unit[unit.unit_id]
        return {city: count for city, count in sorted(found.items()) if count}

    def sites(self, at: datetime, units: Collection[str] = ()) -> list[Site]:
        """Return the units of which something was silent, and `units` in any case."""
        silent: dict[int, list[Lapse]] = {}
        for lapse in self._silent(at):
            silent.setdefault(lapse.gateway.unit_id, []).append(lapse)
        mute = Counter(
            each.unit_id
            for each in self.mutes
            if each.starts_at <= at and (each.ends_at is None or at < each.ends_at)
        )
        of_unit = Counter(each.unit_id for each in self._speaking(at))
        return [
            _site(each, of_unit[each.unit_id], silent.get(each.unit_id, []), mute[each.unit_id])
            for each in self.units
            if each.unit_id in silent or mute[each.unit_id] or each.unit in units
        ]

    def silent_units(self, at: datetime, region_prefix: str) -> frozenset[int]:
        """Return the units of a region some of whose gateways were silent."""
        silent = {lapse.gateway.unit_id for lapse in self._silent(at)}
        within = {each.unit_id for each in self.units if each.region.startswith(region_prefix)}
        return frozenset(silent & within)

    def _silent(self, at: datetime) -> Iterator[Lapse]:
        return (each for each in self.lapses if each.holds(at) and _may_speak(each.gateway, at))

    def _speaking(self, at: datetime) -> Iterator[PastGateway]:
        return (each for each, since in self.known if since <= at and _may_speak(each, at))

    def _changes(self) -> Iterator[datetime | None]:
        for lapse in self.lapses:
            yield from (lapse.starts_at, lapse.ends_at)
        for mute in self.mutes:
            yield from (mute.starts_at, mute.ends_at)


def _site(unit: PastUnit, gateways: int, silent: Sequence[Lapse], mute: int) -> Site:
    """Return a unit as it was; when it was heard last is told where all of it was silent."""
    is_whole = bool(silent) and len(silent) == gateways
    return Site(
        unit.unit_id,
        unit.unit,
        unit.name,
        unit.region,
        unit.city,
        gateways,
        sorted(each.gateway.gateway for each in silent),
        max(each.heard_at for each in silent) if is_whole else None,
        unit.meters,
        mute,
    )


def _may_speak(gateway: PastGateway, at: datetime) -> bool:
    return gateway.revoked_at is None or at < gateway.revoked_at


def _minute_after(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0) + MINUTE
