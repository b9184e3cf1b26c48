"""Owns what a verdict on data quality is given: what the assessment stored, by subject.

Pure. Nothing is computed twice: silences, clocks and deadlines are those of the repair clock, flat
lines those of the suspicions, counts those of the days that were measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.kinds.data_quality.parameters import Check, DataQuality, Of, Scored
from alerts.kinds.kind import Facts, UnitName
from db.quality_facts import CertificateRow, FaultRow, FlatRow, GapRow
from db.scores import Counted
from energy import periods, quality
from energy.periods import LOCAL, Span, Step
from energy.quality import Index, Scheme
from energy.repairs import Fault, State, state
from energy.workdays import Deadline

DAY = timedelta(days=1)
CHECKED_WITHIN = timedelta(hours=26)
"""Each unit is assessed once a day at least (NENGHAO_ASSESS_EVERY_S): what was found before that is
not known to be so any more."""

DIGITS = {Of.COUNTY: 6, Of.CITY: 4, Of.PROVINCE: 2}
"""Digits of a code that tell regions apart."""


@dataclass(frozen=True, slots=True)
class QualityFacts(Facts):
    """What is known of `subject` in `period`: `measured` in the unit of measure of its check.

    None: it cannot be told, for `obstacle`. `since`, `until`: when it began, when it is due or
    runs out; `fault` and `index` of which it is. `in_order`: why it is, whatever was measured.
    """

    check: Check
    region: str
    unit: UnitName | None
    subject: str
    period: Span
    measured: float | None
    coverage: float = 1.0
    obstacle: str = ""
    since: datetime | None = None
    until: datetime | None = None
    fault: Fault | None = None
    index: Scored | None = None
    in_order: str = ""

    @property
    def about_unit(self) -> UnitName | None:
        return self.unit

    @property
    def key(self) -> str:
        """What an alert about it is told apart by."""
        whose = self.region if self.unit is None else self.unit.unit
        parts = (whose, self.subject, self.fault if self.check is Check.REPAIR else None)
        return "/".join(part for part in parts if part)


def faults(rows: Iterable[FaultRow], rule: DataQuality, now: datetime) -> list[QualityFacts]:
    """Return the faults of the repair clock: silences, clocks, or all with their deadlines."""
    return [_fault(row, rule.check, now) for row in rows if _is_due(row, now)]


def gaps(rows: Iterable[GapRow], span: Span) -> list[QualityFacts]:
    """Return the share of readings that meters lack in the whole days of `span`."""
    found = []
    for row in rows:
        lacks = 1 - row.present / row.due if row.due else None
        expected = round((span.ends_at - max(span.starts_at, row.counts_from)) / DAY)
        obstacle = ""
        if row.days < expected:
            obstacle = f"only {row.days} of {expected} days are measured yet"
        elif lacks is None:
            obstacle = "no reading was due"
        found.append(
            QualityFacts(
                Check.GAP,
                row.region,
                UnitName(row.unit_id, row.unit, row.unit_name),
                row.meter,
                span,
                lacks,
                coverage=row.present / row.due if row.due else 0.0,
                obstacle=obstacle,
            )
        )
    return found


def flats(rows: Iterable[FlatRow], span: Span) -> list[QualityFacts]:
    """Return how long meters stood still in `span`, by the newest suspicion; none: 0 intervals."""
    found = []
    for row in rows:
        checked_to = None if row.checked_day is None else row.checked_day + DAY
        obstacle = ""
        if row.intervals is None and (checked_to is None or checked_to < span.ends_at):
            obstacle = "its newest days are not checked yet"
        found.append(
            QualityFacts(
                Check.FLAT,
                row.region,
                UnitName(row.unit_id, row.unit, row.unit_name),
                row.meter,
                span,
                0.0 if row.intervals is None else float(row.intervals),
                obstacle=obstacle,
                since=row.starts_at,
                until=row.ends_at,
            )
        )
    return found


def verifications(rows: Iterable[CertificateRow], now: datetime) -> list[QualityFacts]:
    """Return how many days the verification of meters still holds; the last one counts as 0."""
    today = now.astimezone(LOCAL).date()
    found = []
    for row in rows:
        last = row.valid_until
        ends_at = datetime(last.year, last.month, last.day, tzinfo=LOCAL) + DAY
        found.append(
            QualityFacts(
                Check.VERIFICATION,
                row.region,
                UnitName(row.unit_id, row.unit, row.unit_name),
                row.meter,
                _today(now),
                float((last - today).days),
                until=ends_at,
            )
        )
    return found


def indices(
    rows: Sequence[Counted],
    unit_ids: Mapping[str, int],
    rule: DataQuality,
    scheme: Scheme,
    span: Span,
) -> list[QualityFacts]:
    """Return an index of units, or of regions: of the sums of their counts, not of shares."""
    groups: dict[str, list[Counted]] = {}
    for row in rows:
        digits = DIGITS.get(rule.of)
        key = row.unit if digits is None else row.region[:digits].ljust(6, "0")
        groups.setdefault(key, []).append(row)
    return [_index(key, group, unit_ids, rule, scheme, span) for key, group in groups.items()]


def days_before(now: datetime, days: int) -> Span:
    """Return the last whole days that are over."""
    ends_at = periods.floor(now, Step.DAY)
    return Span(ends_at - days * DAY, ends_at)


def _is_due(row: FaultRow, now: datetime) -> bool:
    """Return whether the unit is to deliver: a plant that is not commissioned yet is not."""
    begins = row.commissioned_on
    return begins is None or begins <= now.astimezone(LOCAL).date()


def _fault(row: FaultRow, check: Check, now: datetime) -> QualityFacts:
    is_over = row.repaired_at is not None and row.repaired_at <= now
    measured: float | None = None
    obstacle, in_order = "", "repaired" if is_over else ""
    checked_at = row.checked_at
    if checked_at is None or now - checked_at > CHECKED_WITHIN:
        obstacle = "the unit was not assessed lately: is `nenghao settle` running?"
    elif not row.gateways and not is_over:
        obstacle = "no gateway may speak for the unit"
    elif is_over and check is not Check.REPAIR:
        measured = 0.0
    elif check is Check.OFFLINE and row.interval_s is None:
        obstacle = "it is not registered any more"
    elif check is Check.OFFLINE:
        measured = float((now - row.opened_at) // timedelta(seconds=row.interval_s or 1) + 1)
    elif check is Check.CLOCK:
        measured = None if row.offset_s is None else abs(row.offset_s)
        obstacle = "" if row.offset_s is not None else "its offset is not known"
    else:
        measured, obstacle, in_order = _overdue(row, now)
    return QualityFacts(
        check,
        row.region,
        UnitName(row.unit_id, row.unit, row.unit_name),
        row.subject,
        Span(min(row.opened_at, now - timedelta(seconds=1)), now),
        measured,
        obstacle=obstacle,
        since=row.opened_at,
        until=row.due_at,
        fault=row.fault,
        in_order=in_order,
    )


def _overdue(row: FaultRow, now: datetime) -> tuple[float | None, str, str]:
    """Return by how many days a repair is overdue, what stands against telling, what settles it."""
    filed_at = row.filed_at if row.filed_at is not None and row.filed_at <= now else None
    repaired_at = (
        row.repaired_at if row.repaired_at is not None and row.repaired_at <= now else None
    )
    stands = state(Deadline(row.due_at), filed_at, repaired_at, now)
    late = None if row.due_at is None else (now - row.due_at) / DAY
    if stands in (State.REPAIRED, State.FILED):
        return (0.0 if late is None else late), "", stands.value
    if late is None:
        return None, "the working days of the year of its deadline are not published yet", ""
    return late, "", ""


def _index(
    key: str,
    group: Sequence[Counted],
    unit_ids: Mapping[str, int],
    rule: DataQuality,
    scheme: Scheme,
    span: Span,
) -> QualityFacts:
    first = group[0]
    tally = quality.pooled(one.tally for one in group)
    expected = sum(one.expected for one in group)
    scores = quality.scores(tally)
    if rule.index is Scored.COMPOSITE:
        composite = quality.composite(scores, scheme)
        value, why = composite.value, composite.reason
        missing = f" ({', '.join(composite.missing)})" if composite.missing else ""
    else:
        score = scores[Index(rule.index.value)]
        value, why, missing = score.value, score.reason, ""
    is_unit = rule.of is Of.UNIT
    return QualityFacts(
        Check.INDEX,
        first.region if is_unit else key,
        UnitName(unit_ids[key], first.unit, first.unit_name) if is_unit else None,
        rule.index,
        span,
        value,
        coverage=min(1.0, tally.meter_days / expected) if expected else 0.0,
        obstacle="" if why is None else f"{why}{missing}",
        index=rule.index,
    )


def _today(now: datetime) -> Span:
    return Span(periods.floor(now, Step.DAY), max(now, periods.floor(now, Step.DAY) + DAY))
