"""Owns what keeps letters of an alert back: a silence, or an alert that tells of the same already.

Pure. Of an alert whose letters are kept back nothing else changes: it is judged, stored, shown. An
alert keeps another one's letters back only if it is written about to all whom those would have gone
to, and is not kept back by that one itself. So of several that tell of the same, one does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import TopologicalSorter

from alerts.desks import Desks
from alerts.kinds.kind import Judged, Rule, Same, check_of
from alerts.lifecycle import Reason, Transition
from db.alerts import AlertState, OpenAlert
from db.kept import Standing
from db.scope import Scope
from db.silences import HoldingSilence

NOT_YET = 0
"""Number of an alert that is opened in this very round."""

Edges = Mapping[tuple[int, int], frozenset[Same]]
"""Which rule keeps letters of which back, and what of."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What keeps letters back: the number of a silence, or rule and subject of an alert; neither:
    there is nobody to write to.
    """

    silenced_by: int | None = None
    inhibited_by: tuple[int, str] | None = None

    @property
    def is_nobody(self) -> bool:
        return self.silenced_by is None and self.inhibited_by is None

    @property
    def reason(self) -> str:
        """Return a sentence for the history of the alert."""
        if self.silenced_by is not None:
            return f"no letter: silence {self.silenced_by} keeps it back"
        if self.inhibited_by is None:
            return "no letter: no contact is there to write to, it leaves once there is one"
        return f"no letter: rule {self.inhibited_by[0]} tells of it with {self.inhibited_by[1]}"


class Silences:
    """The silences that hold, found by what they are about."""

    def __init__(self, holding: Iterable[HoldingSilence]) -> None:
        self._of_units: dict[int, list[HoldingSilence]] = {}
        self._of_places: dict[str, list[HoldingSilence]] = {}
        for each in holding:
            if each.unit_id is not None:
                self._of_units.setdefault(each.unit_id, []).append(each)
            else:
                self._of_places.setdefault(each.within, []).append(each)

    def over(self, alert: Standing) -> int | None:
        """Return the oldest silence that keeps letters of an alert back."""
        near = list(self._of_units.get(alert.unit_id, [])) if alert.unit_id is not None else []
        for digits in (2, 4, 6):
            near += self._of_places.get(alert.region[:digits], [])
        return min((each.silence_id for each in near if is_about(each, alert)), default=None)


def is_about(silence: HoldingSilence, alert: Standing) -> bool:
    """Return whether a silence holds of an alert."""
    return (
        alert.region.startswith(silence.within)
        and silence.rule_id in (None, alert.rule_id)
        and silence.unit_id in (None, alert.unit_id)
        and silence.subject in (None, alert.subject)
    )


def edges(rules: Sequence[Rule]) -> Edges:
    """Return which rules keep letters of which back. Two never do so of each other, in no circle:
    the rule of the wider region, or else the older one, goes first.
    """
    found: dict[tuple[int, int], frozenset[Same]] = {}
    below: dict[int, set[int]] = {rule.rule_id: set() for rule in rules}
    ordered = sorted(rules, key=lambda rule: (len(_within(rule)), rule.rule_id))
    for keeper in ordered:
        for other in ordered:
            ways = _ways(keeper, other)
            if not ways or keeper.rule_id in below[other.rule_id]:
                continue
            found[keeper.rule_id, other.rule_id] = ways
            if keeper is not other:
                reached = {other.rule_id, *below[other.rule_id]}
                for rule_id, under in below.items():
                    if rule_id == keeper.rule_id or keeper.rule_id in under:
                        under |= reached
    return found


def in_order(rules: Sequence[Rule], found: Edges) -> list[Rule]:
    """Return rules so that what keeps letters back is judged before what it keeps back."""
    above: dict[int, set[int]] = {rule.rule_id: set() for rule in rules}
    for keeper, other in found:
        if keeper != other:
            above[other].add(keeper)
    by_id = {rule.rule_id: rule for rule in rules}
    return [by_id[rule_id] for rule_id in TopologicalSorter(above).static_order()]


def _ways(keeper: Rule, other: Rule) -> frozenset[Same]:
    """Return of what `keeper` keeps letters of `other` back; a rule of its own: of what is within
    what it is about.
    """
    if not _within(other).startswith(_within(keeper)):
        return frozenset()  # somebody would hear nothing
    parameters = keeper.parameters
    ways = {each.same for each in parameters.keeps_back if each.is_of(other)}
    if keeper is other:
        return frozenset(ways & {Same.WITHIN})
    is_wider = _within(keeper) != _within(other)
    if is_wider and parameters.keeps_narrower_back and _topic(keeper) == _topic(other):
        ways.add(Same.SUBJECT)
    return frozenset(ways)


def _topic(rule: Rule) -> tuple[str, str | None]:
    return rule.kind, check_of(rule.parameters)


def _within(rule: Rule) -> str:
    return Scope.of_region(rule.region).region_prefix


@dataclass(slots=True)
class Keepers:
    """What keeps letters back in a round of the evaluator; alerts come and go as it is made."""

    silences: Silences
    edges: Edges
    desks: Desks | None = None
    """Whom letters go to; None: that is not asked."""

    fires: dict[tuple[int, str], Standing] = field(default_factory=dict)
    """Alerts that fire, by rule and subject."""

    takes_in: dict[tuple[int, str], frozenset[int]] = field(default_factory=dict)
    """Units that an alert tells of besides, as an outage does."""

    marked: dict[int, list[Standing]] = field(default_factory=dict)
    """Alerts that were kept back at the end of the round before, by rule."""

    _by_subject: dict[str, set[tuple[int, str]]] = field(default_factory=dict)
    _by_place: dict[int | str, set[tuple[int, str]]] = field(default_factory=dict)
    _by_unit: dict[int, set[tuple[int, str]]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        holding: Iterable[HoldingSilence],
        rules: Sequence[Rule],
        standing: Iterable[Standing],
        desks: Desks | None = None,
    ) -> Keepers:
        made = cls(Silences(holding), edges(rules), desks)
        for each in standing:
            if each.state == AlertState.FIRING:
                made._fires(each)
            if (each.silenced_by or each.inhibited_by) is not None or each.nobody_to_tell:
                made.marked.setdefault(each.rule_id, []).append(each)
        return made

    def over(self, alert: Standing) -> Kept | None:
        """Return what keeps letters of an alert back; None: nothing does."""
        silence_id = self.silences.over(alert)
        keeper = self._keeper(alert)
        if silence_id is None and keeper is None:
            return None
        return Kept(silence_id, None if keeper is None else (keeper.rule_id, keeper.subject))

    def before(self, alert: Standing, others: Collection[str] = ()) -> Kept | None:
        """Return what keeps back that an alert is told of: as `over`, or that nobody is there who
        would be written to, also in `others`.
        """
        kept = self.over(alert)
        if kept is not None or self.desks is None:
            return kept
        is_there = self.desks.has(alert.rule_id, alert.region, alert.level, others)
        return None if is_there else Kept()

    def let_go(self, rule_id: int) -> bool:
        """Return whether alerts of a rule were kept back, and are not any more.

        An amendment goes to who was told before, whether or not a beginning would reach anybody.
        """
        return any(
            (self.over if Reason.AMENDED in each.owed_anew else self.before)(each) is None
            for each in self.marked.get(rule_id, ())
        )

    def see(self, judged: Judged) -> None:
        """Note what units a subject takes in by what was found just now."""
        self._takes_in((judged.watched.rule_id, judged.watched.subject), judged.facts.takes_in)

    def add(self, alert: Standing, takes_in: frozenset[int]) -> None:
        """Note an alert that fires, with the units that it takes in."""
        self._fires(alert)
        self._takes_in((alert.rule_id, alert.subject), takes_in)

    def _takes_in(self, key: tuple[int, str], units: frozenset[int]) -> None:
        for unit_id in self.takes_in.pop(key, frozenset()):
            self._by_unit[unit_id].discard(key)
        if units:
            self.takes_in[key] = units
            for unit_id in units:
                self._by_unit.setdefault(unit_id, set()).add(key)

    def follow(self, judged: Judged, alert: OpenAlert | None, transition: Transition) -> None:
        """Note what became of an alert."""
        key = (judged.watched.rule_id, judged.watched.subject)
        if transition.state is AlertState.FIRING:
            self._fires(standing_of(judged, alert))
        else:
            self.drop(key)

    def drop(self, key: tuple[int, str]) -> None:
        """Note that an alert fires no more, by rule and subject."""
        if (gone := self.fires.pop(key, None)) is not None:
            self._by_subject[gone.subject].discard(key)
            self._by_place[place_of(gone)].discard(key)

    def _fires(self, alert: Standing) -> None:
        key = (alert.rule_id, alert.subject)
        self.fires[key] = alert
        self._by_subject.setdefault(alert.subject, set()).add(key)
        self._by_place.setdefault(place_of(alert), set()).add(key)

    def _keeper(self, alert: Standing) -> Standing | None:
        """Return the alert that tells of another one and is not itself kept back by a third."""
        nearest = min(self._candidates(alert), key=lambda each: _rank(each), default=None)
        if nearest is None:
            return None
        return self._keeper(nearest) or nearest

    def _candidates(self, alert: Standing) -> Iterable[Standing]:
        own = (alert.rule_id, alert.subject)
        for same, keys in self._near(alert):
            for key in keys:
                fires = self.fires.get(key)
                if fires is None or key == own or fires.level > alert.level:
                    continue
                if same not in self.edges.get((fires.rule_id, alert.rule_id), frozenset()):
                    continue
                if fires.rule_id != alert.rule_id or self.takes_in[key] > self._own(own):
                    yield fires

    def _near(self, alert: Standing) -> Iterable[tuple[Same, Iterable[tuple[int, str]]]]:
        yield Same.SUBJECT, self._by_subject.get(alert.subject, ())
        yield Same.PLACE, self._by_place.get(place_of(alert), ())
        own = self._own((alert.rule_id, alert.subject))
        units = own or (frozenset() if alert.unit_id is None else frozenset({alert.unit_id}))
        for unit_id in sorted(units)[:1]:  # who takes in all takes in the first
            keys = self._by_unit.get(unit_id, ())
            yield Same.WITHIN, [key for key in keys if units <= self.takes_in[key]]

    def _own(self, key: tuple[int, str]) -> frozenset[int]:
        return self.takes_in.get(key, frozenset())


def standing_of(judged: Judged, alert: OpenAlert | None) -> Standing:
    """Return a subject as it is judged."""
    watched = judged.watched
    level = judged.verdict.level
    if level is None:
        level = 0 if alert is None else alert.level
    return Standing(
        alert_id=NOT_YET if alert is None else alert.alert_id,
        rule_id=watched.rule_id,
        region=watched.region,
        unit_id=watched.unit_id,
        subject=watched.subject,
        state=AlertState.FIRING,
        level=level,
    )


def place_of(alert: Standing) -> int | str:
    """Return the unit that an alert is about, or its region."""
    return alert.region if alert.unit_id is None else alert.unit_id


def _rank(alert: Standing) -> tuple[int, int, str]:
    return alert.level, alert.rule_id, alert.subject
