"""Owns how the parts of a letter become plain text and HTML.

Pure. Names come from files and may hold anything: each text is put on one line and, in HTML,
escaped; what is no web address is no link.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING

from markupsafe import Markup

from alerts import chart
from alerts.kinds.words import Language, collapse
from alerts.page import Fact, Letter, Page, Section

if TYPE_CHECKING:  # a program that writes no letter loads no templates
    from jinja2 import Template

SUBJECT_LENGTH_MAX = 200
LINE_LENGTH_MAX = 1_000
URL_LENGTH_MAX = 2_000
_WEB_ADDRESS = re.compile(r"https?://[!#-;=?-Z\[\]_a-z~]+", re.ASCII)

COLON = {Language.ZH: "：", Language.EN: ": "}
BRACKETS = {Language.ZH: "（{}）", Language.EN: " ({})"}
CHART = {Language.ZH: "图", Language.EN: "Chart"}


def write(page: Page) -> Letter:
    """Return the letter that is made of the parts."""
    picture = page.picture
    html = _template().render(
        page=page,
        web=is_web_address,
        picture_id="" if picture is None else chart.content_id(picture.png),
    )
    return Letter(
        subject=collapse(page.subject, SUBJECT_LENGTH_MAX),
        body="\n".join(_text(page)) + "\n",
        html=html,
        chart=None if picture is None else picture.png,
    )


def is_web_address(url: str) -> bool:
    """Return whether a letter may lead there.

    >>> is_web_address("https://nenghao.example/v1/alerts/7"), is_web_address("javascript:a()")
    (True, False)
    """
    return len(url) <= URL_LENGTH_MAX and _WEB_ADDRESS.fullmatch(url) is not None


def _line(text: str) -> str:
    return collapse(text, LINE_LENGTH_MAX)


def _text(page: Page) -> Iterator[str]:
    """Yield the lines of the plain text; a blank one before each part."""
    yield _line(f"{page.badge}{COLON[page.language]}{page.title}")
    if page.greeting:
        yield from ("", _line(page.greeting))
    yield from ("", _line(page.lead))
    for facts in (page.changed, page.facts):
        if facts:
            yield ""
            yield from _facts(facts, page.language)
    yield from _items(page)
    if page.picture is not None:
        yield from ("", _line(CHART[page.language] + COLON[page.language] + page.picture.alt))
    for section in page.sections:
        yield from ("", _line(section.heading), *_lines(section))
    links = [link for link in page.links if is_web_address(link.url)]
    if links:
        yield ""
        yield from (_line(link.label) + COLON[page.language] + link.url for link in links)
    yield ""
    yield from (_line(line) for line in page.foot)


def _facts(facts: Sequence[Fact], language: Language) -> Iterator[str]:
    for fact in facts:
        note = BRACKETS[language].format(fact.note) if fact.note else ""
        yield _line(fact.label + COLON[language] + fact.value + note)


def _items(page: Page) -> Iterator[str]:
    for number, item in enumerate(page.items, start=1):
        yield ""
        against = BRACKETS[page.language].format(item.beside) if item.beside else ""
        badge = f"{item.badge} {item.what}".strip()
        told = f"{number}. [{badge}] {item.title}{COLON[page.language]}{item.figure}{against}"
        yield _line(told)
        yield from (f"   {_line(line)}" for line in item.lines)
        if is_web_address(item.url):
            yield f"   {item.url}"


def _lines(section: Section) -> Iterator[str]:
    for number, line in enumerate(section.lines, start=1):
        yield _line(f"{number}. {line}" if section.is_numbered else line)


@lru_cache(maxsize=1)
def _template() -> Template:
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    pages = Environment(
        autoescape=True,
        loader=FunctionLoader(_load),
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return pages.get_template("letter.html")


def _shown(value: object) -> object:
    """Return what stands in the HTML for a value: texts on one line, before they are escaped."""
    is_plain = isinstance(value, str) and not isinstance(value, Markup)
    return _line(str(value)) if is_plain else value


def _load(name: str) -> str:
    return (resources.files("alerts") / "templates" / name).read_text(encoding="utf-8")
