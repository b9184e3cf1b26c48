"""Owns what a kind hands over for a letter, and how numbers, spans and names read in one.

Pure. Names come from files and may hold anything: nothing in them can begin a new line or header.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum

from alerts.kinds.gone import Gone
from alerts.kinds.kind import Facts, Kind
from alerts.lifecycle import Reason
from alerts.series import Series
from alerts.tasks import TaskKind
from alerts.verdicts import State, Verdict
from db.heads import KeptHead
from db.products import Product
from energy import levels
from energy.factors import Basis
from energy.periods import LOCAL, Span

NAME_LENGTH_MAX = 120

SHARE = "share"
"""The uom of verdicts whose figures are changes as shares, told in percent with their sign."""

PERCENT = "%"
"""The uom of verdicts whose figures are parts of a whole, in percent."""

SHARE_DIGITS_MAX = 9
"""Of a percentage: figures that are closer to their bound than that are computed the same."""


class Language(StrEnum):
    ZH = "zh"
    EN = "en"


@dataclass(frozen=True, slots=True)
class UnverifiedFactor:
    """A factor behind the energy of a letter that nobody verified; `uom` is of the carrier."""

    name_zh: str
    name_en: str
    kgce_per_uom: float
    uom: str
    edition: str


@dataclass(frozen=True, slots=True)
class Amended:
    """What a notice said that another one takes the place of: in the uom of the verdict.

    `told_at` None: when it was told is not known.
    """

    measured: float | None
    threshold: float | None
    was_over: bool
    told_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """What a letter says beside its verdict: of what it is, since when.

    `periods`: how many the letter is about, of which it shows one; `is_past`: it is not over any
    more; `newest`: what was found of the newest period, where its alert fires on though the one the
    letter shows is not over; `gone`: why nobody watches it any more. `owner` is the name of its
    unit, and `product` what that makes, where the facts do not say so.
    """

    subject: str
    periods: int = 1
    since_at: datetime | None = None
    is_past: bool = False
    newest: Verdict | None = None
    gone: Gone | None = None
    owner: str = ""
    product: Product | None = None


TOLD_ANEW = frozenset({Reason.AMENDED, Reason.RETRACTED, Reason.LATE})
"""Reasons of letters about periods that were judged again."""


@dataclass(frozen=True, slots=True)
class Occasion:
    """Why a letter is written. `region_name` is that of the unit, or the region itself.

    `kind` is that of the rule; `link` leads to the alert. `due_on`: when an answer is due,
    `remedy_on`: when its figures are to be in order. `told`: names of the regions whose contacts
    get the letter. `series`: the figure over the last windows. `amended`: what was told before, in
    a letter that amends it. `task`: what its level asks of a region, by `task_due_on`, the last day
    that is in time; None: not known. `heads`: those that were kept of the newest day. `part_name`:
    the region that is told only what lies there; None: all is told. `is_contested`: a contest
    waits for a decision.
    """

    kind: Kind
    reason: Reason
    verdict: Verdict
    facts: Facts
    region_name: str
    link: str
    unverified: Sequence[UnverifiedFactor] = ()
    note: Note | None = None
    rule_name: str = ""
    rule_version: int = 1
    due_on: date | None = None
    remedy_on: date | None = None
    told: Sequence[str] = ()
    series: Series | None = None
    amended: Amended | None = None
    task: TaskKind | None = None
    task_due_on: date | None = None
    heads: Sequence[KeptHead] = ()
    part_name: str | None = None
    is_contested: bool = False

    @property
    def is_over(self) -> bool:
        """Return whether what the letter is about still holds, or held in the period it shows."""
        if self.is_anew:
            return self.verdict.state is State.FIRING
        return self.reason not in (Reason.RESOLVED, Reason.UNWATCHED)

    @property
    def is_anew(self) -> bool:
        """Return whether it tells of a period judged again: what was so then, not what changed."""
        return self.amended is not None or self.reason in TOLD_ANEW

    @property
    def fires(self) -> bool:
        """Return whether its alert fires, by this period or by a newer one."""
        note = self.note
        if self.reason is Reason.AMENDED and note is not None and note.is_past:
            return False
        return self.is_over or (note is not None and note.newest is not None)


@dataclass(frozen=True, slots=True)
class Words:
    """What a letter says beyond what all letters say: of them the salutation, the link, the end.

    `subject` follows the reason; `opening` is a sentence; `figures` are labels with their values;
    `method` tells how the figure is computed, `formula` the same with the figures themselves.
    `asks`: what is asked of whoever is told while it is over, where it is not the usual; `explain`:
    what asks /v1/explain where the figure comes from. The first of the figures is what is judged.
    """

    subject: str
    opening: str
    figures: Sequence[tuple[str, str]]
    method: str
    formula: str = ""
    asks: Sequence[str] = ()
    explain: Mapping[str, str] = field(default_factory=dict)


CONFIRM_ZH = "确认：登记由谁负责，登记后不再提醒。"
CONFIRM_EN = "Confirm: have noted who takes care of it; nobody is reminded then."
"""What is asked first of whoever is told of what is over."""

BASIS_ZH = {Basis.CALORIFIC: "当量值", Basis.EQUIVALENT: "等价值"}
BASIS_EN = {Basis.CALORIFIC: "calorific value", Basis.EQUIVALENT: "equivalent value"}
MONTHS_EN = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
LEVEL_ZH = {levels.ROSE: "一级", levels.FELL_SHORT: "二级", levels.ON_TRACK: "三级"}


def level_zh(verdict: Verdict) -> str:
    """Return the Chinese name of the level of a verdict that has one."""
    assert verdict.level is not None
    return LEVEL_ZH[verdict.level]


def collapse(text: str, length_max: int = NAME_LENGTH_MAX) -> str:
    """Return `text` on one line, without control characters and without changes of direction.

    >>> collapse("Works\\r\\nBcc: evil@example.cn")
    'Works Bcc: evil@example.cn'
    """
    plain = "".join(
        " " if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") else character
        for character in text
    )
    line = " ".join(plain.split())
    line = line.replace("=?", "= ?")  # else the mail library would decode it, line breaks and all
    return line if len(line) <= length_max else line[: length_max - 1] + "…"


def number(value: float | None) -> str:
    """Return a number with as many digits as matter to a reader.

    >>> number(117.0), number(140.1234), number(-10.25), number(0.01234567), number(12000.5)
    ('117', '140.12', '-10.25', '0.01235', '12,000.5')
    """
    if value is None:
        return "—"
    if value and abs(value) < 1:
        return f"{value:.4g}"
    text = f"{value:,.2f}"
    return text.rstrip("0").rstrip(".")


def beside(value: float | None, threshold: float) -> tuple[str, str]:
    """Return both as text; a value that is not the threshold does not read like it.

    >>> beside(140.1234, 117.0), beside(117.0004, 117.0)
    (('140.12', '117'), ('117.0004', '117'))
    """
    shown = number(value)
    if value is not None and value != threshold and shown == number(threshold):
        shown = f"{value:.10g}"
    return shown, number(threshold)


def left_open(low: float, high: float, threshold: float) -> str:
    """Return why a value is not known: its bounds, beside the threshold that lies between them.

    >>> left_open(116.96, 117.04, 117.0)
    'missing readings leave it between 116.96 and 117.04'
    """
    bounds = " and ".join(beside(bound, threshold)[0] for bound in (low, high))
    return f"missing readings leave it between {bounds}"


def share(value: float | None, bound: float | None = None) -> str:
    """Return a share in percent; one that is not its bound does not read like it.

    >>> share(0.8), share(0.79996, 0.8), share(0.8, 0.8), share(None)
    ('80.0%', '79.996%', '80.0%', '—')
    """
    if value is None:
        return "—"
    told = (f"{value:.{digits}%}" for digits in range(1, SHARE_DIGITS_MAX))
    if bound is None or value == bound:
        return next(told)
    limits = (f"{bound:.{digits}%}" for digits in range(1, SHARE_DIGITS_MAX))
    apart = (each for each, limit in zip(told, limits, strict=True) if each != limit)
    return next(apart, f"{value:.{SHARE_DIGITS_MAX}%}")


def paired(value: float | None, threshold: float | None, uom: str) -> tuple[str, str]:
    """Return a value and its threshold as text; changes, of the uom SHARE, in percent.

    >>> paired(13_412.3, 13_350.0, "kWh/t"), paired(0.00943396, 0.0, SHARE)
    (('13,412.3', '13,350'), ('+0.943 %', '+0.000 %'))
    """
    if uom == SHARE:
        return percent(value), percent(threshold)
    if threshold is None:
        return number(value), number(threshold)
    return beside(value, threshold)


def percent(value: float | None) -> str:
    return "—" if value is None else f"{100 * value:+.3f} %"


def window(span: Span) -> str:
    """Return a window in local time; the end of a day is its 24:00.

    >>> from datetime import UTC, datetime
    >>> start = datetime(2026, 11, 23, 15, tzinfo=UTC)
    >>> window(Span(start, start + timedelta(hours=1)))
    '2026-11-23 23:00 — 24:00'
    """
    start = span.starts_at.astimezone(LOCAL)
    last = (span.ends_at - timedelta(minutes=1)).astimezone(LOCAL)
    end = span.ends_at.astimezone(LOCAL)
    clock = f"{end:%H:%M}" if end.date() == last.date() else "24:00"
    day = "" if last.date() == start.date() else f"{last:%Y-%m-%d} "
    return f"{start:%Y-%m-%d %H:%M} — {day}{clock}"


def months_en(first: tuple[int, int], last: tuple[int, int]) -> str:
    """Return months of a year, (year, month) each, in English.

    >>> months_en((2026, 1), (2026, 10)), months_en((2026, 3), (2026, 3))
    ('January to October 2026', 'March 2026')
    """
    (year, begins), (last_year, ends) = first, last
    if first == last:
        return f"{MONTHS_EN[ends - 1]} {last_year}"
    since = MONTHS_EN[begins - 1] if year == last_year else f"{MONTHS_EN[begins - 1]} {year}"
    return f"{since} to {MONTHS_EN[ends - 1]} {last_year}"


def moment(at: datetime) -> str:
    """Return an instant in local time, to the minute.

    >>> from datetime import UTC
    >>> moment(datetime(2026, 11, 23, 9, 5, tzinfo=UTC))
    '2026-11-23 17:05'
    """
    return f"{at.astimezone(LOCAL):%Y-%m-%d %H:%M}"


def rfc3339(at: datetime) -> str:
    """Return an instant as the interface takes it, in local time.

    >>> from datetime import UTC
    >>> rfc3339(datetime(2026, 11, 23, 9, tzinfo=UTC))
    '2026-11-23T17:00:00+08:00'
    """
    return at.astimezone(LOCAL).isoformat()
