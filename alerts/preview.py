"""Owns which mails the letters of a backtest would have become, and what they would have said.

Pure. What leaves at once, what is gathered and how many an hour holds is decided as ever
(`alerts/digest.py`); a letter that waits leaves when its window is over.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from alerts import digest, digest_page, letter
from alerts.digest import Held, Told
from alerts.digest_page import DigestItem, compose_digest
from alerts.kinds import subjects
from alerts.kinds.kind import Judged, Rule
from alerts.kinds.words import Language, Occasion
from alerts.lifecycle import Transition
from alerts.page import Letter
from alerts.reach import full_name
from db.alerts import AlertState
from db.outbox import Recipient

TELLINGS_MAX = 5_000
"""Letters whose words are kept; mails with others are counted."""


@dataclass(frozen=True, slots=True)
class Telling:
    """What a letter tells: of the how many-th alert, and what happened to it at which level."""

    alert: int
    level: int
    judged: Judged
    transition: Transition
    occasion: Occasion


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail to contacts who read one language: a letter, or a digest of several.

    `tells`: numbers of the letters; `recipients`: how many contacts, by region.
    """

    at: datetime
    city: str | None
    language: Language
    tells: tuple[int, ...]
    recipients: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Reader:
    """Whose letters may be one, as in `db.digests.Reader`."""

    address: str
    channel: str
    language: str


@dataclass(slots=True)
class Preview:
    """The outbox of a backtest. Time goes forward; nothing is stored."""

    tellings: list[Telling] = field(default_factory=list)
    letters: int = 0
    alerts: dict[str, int] = field(default_factory=dict)
    ended: dict[int, datetime] = field(default_factory=dict)
    _told: dict[str, list[Told]] = field(default_factory=dict)
    _held: dict[_Reader, list[Held]] = field(default_factory=dict)
    _due: list[tuple[datetime, int, _Reader]] = field(default_factory=list)
    _sent: dict[tuple[datetime, str | None, Language, tuple[int, ...]], Counter[str]] = field(
        default_factory=dict
    )
    _regions: dict[str, str] = field(default_factory=dict)
    _count: int = 0
    _waits: int = 0

    def follow(self, judged: Judged, transition: Transition, *, is_new: bool) -> None:
        """Note that an alert began or went on, or that it ended."""
        subject = judged.watched.subject
        if is_new:
            self._count += 1
            self.alerts[subject] = self._count
        if transition.state is AlertState.RESOLVED:
            self.ended[self.alerts[subject]] = transition.at

    def post(
        self,
        recipients: Sequence[Recipient],
        judged: Judged,
        transition: Transition,
        occasion: Occasion,
        level: int,
    ) -> None:
        """Let a letter leave to each of its recipients, at once or when its window is over."""
        at, city = transition.at, digest.city_of(judged.watched.region)
        self.pass_time(at)
        number, self.letters = self.letters, self.letters + 1
        if number < TELLINGS_MAX:
            alert = self.alerts[judged.watched.subject]
            self.tellings.append(Telling(alert, level, judged, transition, occasion))
        for each in recipients:
            reader = _Reader(each.email, each.channel, each.language)
            self._regions[each.email] = each.region
            told = self._told.setdefault(reader.address, [])
            from_when = digest.earliest(city, told, at)
            held = self._held.setdefault(reader, [])
            if from_when > at or any(other.city == city for other in held):
                held.append(Held(number, city))
                self._wait(reader, from_when)
            else:
                self._send(reader, at, city, (number,))

    def pass_time(self, now: datetime) -> None:
        """Let leave what has been held long enough by then."""
        while self._due and self._due[0][0] <= now:
            at, _, reader = heapq.heappop(self._due)
            for bundle in digest.gather(self._held[reader], self._told[reader.address], at):
                taken = set(bundle.letter_ids)
                self._held[reader] = [h for h in self._held[reader] if h.letter_id not in taken]
                self._send(reader, at, bundle.city, tuple(bundle.letter_ids))
            for city in {each.city for each in self._held[reader]}:
                self._wait(reader, digest.earliest(city, self._told[reader.address], at))

    def mails(self) -> list[Mail]:
        """Return all mails, in order; what is held leaves."""
        while self._due:
            self.pass_time(self._due[0][0])
        return [
            Mail(at, city, language, tells, recipients)
            for (at, city, language, tells), recipients in sorted(
                self._sent.items(), key=lambda each: (each[0][0], each[0][3], each[0][2])
            )
        ]

    def _wait(self, reader: _Reader, until: datetime) -> None:
        self._waits += 1
        heapq.heappush(self._due, (until, self._waits, reader))

    def _send(
        self, reader: _Reader, at: datetime, city: str | None, letters: tuple[int, ...]
    ) -> None:
        told = [each for each in self._told[reader.address] if each.at > at - digest.HOUR]
        self._told[reader.address] = [*told, Told(city, at)]
        key = (at, city, Language(reader.language), letters)
        self._sent.setdefault(key, Counter())[self._regions[reader.address]] += 1


def words(
    mail: Mail, preview: Preview, rule: Rule, names: Mapping[str, str], language: Language
) -> Letter | None:
    """Return what a mail would have said; None: the words of one of its letters are not kept."""
    if mail.tells[-1] >= len(preview.tellings):
        return None
    told = [preview.tellings[number] for number in mail.tells]
    desks = letter.PHRASES[language].comma.join(full_name(each, names) for each in mail.recipients)
    if len(told) == 1:
        return letter.compose(told[0].occasion, language, desks)
    newest = {each.alert: each for each in told}
    items = [_item(each, mail, preview, rule, names, language) for each in newest.values()]
    name = digest_page.place(mail.city, names, language)
    window = digest_page.window(told[0].transition.at, mail.at)
    return compose_digest(name, window, items, language, desk=desks)


def _item(
    told: Telling,
    mail: Mail,
    preview: Preview,
    rule: Rule,
    names: Mapping[str, str],
    language: Language,
) -> DigestItem:
    judged, verdict, occasion = told.judged, told.judged.verdict, told.occasion
    unit, region = judged.facts.about_unit, judged.watched.region
    ended = preview.ended.get(told.alert)
    return DigestItem(
        alert_id=told.alert,
        reason=told.transition.reason,
        level=told.level,
        rule_name=rule.name,
        region_name=names.get(region, region),
        unit_name=None if unit is None else unit.name,
        about=subjects.said(judged.watched.subject, language, judged.facts.about_product),
        measured=verdict.measured,
        threshold=verdict.threshold,
        uom=verdict.uom,
        window=verdict.period,
        link="",
        is_open=ended is None or ended > mail.at,
        due_on=occasion.due_on,
        remedy_on=occasion.remedy_on,
        has_task=occasion.task is not None,
        task_due_on=occasion.task_due_on,
    )
