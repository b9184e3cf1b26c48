"""Owns what a letter is made of, whatever it is about: its parts, in one language.

A kind of rule or a digest says what stands in the parts; `alerts/frame.py` makes text and HTML of
the same parts, so that the two never say different things. No part needs to be escaped or clean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from alerts.kinds.words import Language


@dataclass(frozen=True, slots=True)
class Letter:
    """What a recipient gets: `body` is plain text; `chart` a PNG that the HTML refers to."""

    subject: str
    body: str
    html: str = ""
    chart: bytes | None = None


class Tone(Enum):
    """How a letter looks at first sight: the colour of its bar. [CSS]"""

    WORST = "#b3261e"
    BAD = "#b25500"
    MILD = "#7a6200"
    FINE = "#1e6b3a"
    PLAIN = "#24527a"


@dataclass(frozen=True, slots=True)
class Fact:
    """A line of the table of figures. `stands_out`: it is what the letter is about."""

    label: str
    value: str
    note: str = ""
    stands_out: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """One of several things that a letter tells of, as a digest does. `url` may be empty.

    `beside`: what its figure is held against; `what`: what happened, under the badge.
    """

    badge: str
    what: str
    tone: Tone
    title: str
    figure: str
    beside: str
    lines: Sequence[str]
    url: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """A chart; `alt` says in words what it shows. `png` is at most `chart.BYTES_MAX`."""

    png: bytes
    caption: str
    alt: str


@dataclass(frozen=True, slots=True)
class Link:
    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Section:
    """Lines under a heading; numbered: one after the other is to be done; small: to be kept."""

    heading: str
    lines: Sequence[str]
    is_numbered: bool = False
    is_small: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """A letter in parts, in the order in which they are read. Empty parts are left out.

    `subject`: of the message. `badge` and `title`: what it is, and about whom. `changed`: what an
    amended notice said before and says now.
    """

    language: Language
    subject: str
    tone: Tone
    badge: str
    title: str
    lead: str
    greeting: str = ""
    changed: Sequence[Fact] = ()
    facts: Sequence[Fact] = ()
    items: Sequence[Item] = ()
    picture: Picture | None = None
    sections: Sequence[Section] = ()
    links: Sequence[Link] = ()
    foot: Sequence[str] = ()
