"""[52] HTML and a picture in a message: names that hold anything add nothing to it."""

from __future__ import annotations

import string
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from html.parser import HTMLParser
from pathlib import Path

import pytest

from alerts import chart, letter, smtp
from alerts.digest_page import compose_digest
from alerts.kinds.product_intensity.facts import Yardstick
from alerts.kinds.product_intensity.parameters import Against
from alerts.kinds.words import Language
from alerts.lifecycle import Reason
from alerts.page import Letter
from db.outbox import ClaimedLetter, NewLetter
from tests.alerts.occasions import DAY, LIMIT, OVER, UNVERIFIED, items, product
from tests.alerts.test_letter import LETTERS, UPDATE
from tests.app.test_nasty_values import NASTY

GOLDEN = Path(__file__).parent.parent / "golden" / "letters"
PIXEL = bytes.fromhex("89504e470d0a1a0a0000000d4948445200000001000000010000000037")
SITE = "https://nenghao.example/v1/"
EVIL = [
    *NASTY,
    '"><script>alert(1)</script>',
    "<img src=x onerror=alert(1)>",
    "'onmouseover='alert(1)",
    "{{ page }}{% raw %}",
    "]]><!--",
    "</title></style></table>",
    "javascript:alert(1)",
    "Works\r\nBcc: evil@example.cn\r\n\r\n<b>",
    "=?utf-8?q?=0d=0aBcc:_evil=40y.cn?=",
    "--=_alternative\n\nContent-Type: text/html",
    "\ud800",
    "\u2066" + string.printable,
]


def message(made: Letter, picture: bytes | None = None) -> bytes:
    letter_of = NewLetter(
        alert_id=7,
        message_id="<alert-7.20261123080500.9.3@nenghao.example>",
        thread_id="<alert-7.20261123080500@nenghao.example>",
        recipient_name="柳州市节能监察",
        recipient_email="liuzhou@desk.example",
        subject=made.subject,
        body=made.body,
        html=made.html,
        chart=picture or made.chart,
    )
    claimed = ClaimedLetter(1, 1, datetime(2026, 11, 23, 8, 5, tzinfo=UTC), letter_of)
    return smtp.message(claimed, "desk@nenghao.example").as_bytes()


def read(raw: bytes) -> EmailMessage:
    made = message_from_bytes(raw, policy=default)
    assert isinstance(made, EmailMessage)
    assert not made.defects
    return made


def test_what_is_sent_is_what_is_read() -> None:
    made = letter.compose(LETTERS["product_first"], Language.ZH)
    got = read(message(made))
    plain, page = got.get_body(("plain",)), got.get_body(("html",))
    assert plain is not None
    assert page is not None
    assert plain.get_content().splitlines() == made.body.splitlines()
    assert page.get_content().splitlines() == made.html.splitlines()
    (picture,) = [part for part in got.walk() if part.get_content_type() == "image/png"]
    assert picture.get_content() == made.chart
    assert picture["Content-ID"] == f"<{chart.content_id(made.chart or b'')}>"
    kinds = [part.get_content_type() for part in got.walk()]
    assert kinds == ["multipart/alternative", "text/plain", "multipart/related", "text/html",
                     "image/png"]  # fmt: skip


def test_every_try_is_the_same_message_and_no_line_is_too_long() -> None:
    made = letter.compose(LETTERS["product_first"], Language.ZH)
    first, second = message(made), message(made)
    assert first == second
    assert max(len(line) for line in first.split(b"\r\n")) <= 998
    assert b"\n" not in first.replace(b"\r\n", b"")


def test_a_message_says_that_nobody_wrote_it() -> None:
    got = read(message(letter.compose(LETTERS["region_first"], Language.EN)))
    assert got["Auto-Submitted"] == "auto-generated"
    assert got["Precedence"] == "list"
    assert got["List-Id"] == "<alerts.nenghao.example>"


@pytest.mark.parametrize("language", list(Language))
def test_a_message_looks_like_its_golden_copy(language: Language) -> None:
    made = letter.compose(LETTERS["product_first"], language)
    html = made.html.replace(chart.content_id(made.chart or b""), chart.content_id(PIXEL))
    raw = message(replace(made, html=html), PIXEL)
    path = GOLDEN / f"product_first.{language}.eml"
    if UPDATE:
        path.write_bytes(raw)
    assert raw == path.read_bytes()


class Tags(HTMLParser):
    """The tags of a page, where they lead, and what they would run."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.leads: list[str] = []
        self.runs: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.leads += [value or "" for name, value in attrs if name in ("href", "src")]
        self.runs += [name for name, _ in attrs if name.startswith("on")]


@pytest.mark.parametrize("language", list(Language))
def test_no_name_adds_a_tag_a_link_or_a_header(language: Language) -> None:
    clean = written("名", language)
    tags, headers = Counter(Tags(clean.html).tags), set(read(message(clean)).keys())
    for name in EVIL:
        made = written(name, language)
        found, got = Tags(made.html), read(message(made))
        assert Counter(found.tags) <= tags, name
        assert not found.runs, name
        assert all(lead.startswith((SITE, "cid:chart-")) for lead in found.leads), name
        assert set(got.keys()) == headers, name
        assert [each.addr_spec for each in got["To"].addresses] == ["liuzhou@desk.example"], name


def test_no_name_adds_a_tag_or_a_link_to_a_digest() -> None:
    tags = Tags(digest_of("名").html).tags
    for name in EVIL:
        found = Tags(digest_of(name).html)
        assert found.tags == tags, name
        assert not found.leads, name


def digest_of(name: str) -> Letter:
    """Return a digest in which everything that comes from a file is `name`, links too."""
    told = [
        replace(item, unit_name=name, about=name, rule_name=name, uom=name, link=name)
        for item in items(3)
    ]
    return compose_digest(name, OVER.window, told, Language.ZH, desk=name or "名", link=name)


def written(name: str, language: Language) -> Letter:
    """Return a letter in which everything that comes from a file is `name`."""
    subject = replace(OVER.subject, unit=name, unit_name=name, product=name)
    limit = replace(LIMIT, edition=name, source=name, uom=f"kgce/{name}")
    facts = replace(OVER, subject=subject, yardstick=Yardstick(117.0, Against.BASELINE, limit))
    factor = replace(UNVERIFIED[0], name_zh=name, name_en=name, uom=name, edition=name)
    occasion = replace(
        product(Reason.FIRST, facts),
        region_name=name,
        rule_name=name or "规则",
        told=[name],
        unverified=[factor],
        series=replace(DAY, uom=name),  # drawn once: its uom is in words alone
    )
    return letter.compose(occasion, language)
