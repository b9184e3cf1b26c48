"""Addresses of mail servers, and messages nobody can add a recipient or a header to."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default

import pytest

from alerts import smtp
from alerts.smtp import MailError, MailServerError, Security
from db.outbox import ClaimedLetter, NewLetter

LETTER = NewLetter(
    alert_id=7,
    message_id="<alert-7.20261123080500.9.3@nenghao.example>",
    thread_id="<alert-7.20261123080500@nenghao.example>",
    recipient_name="柳州市节能监察",
    recipient_email="liuzhou@desk.example",
    subject="【预警】水泥厂",
    body="正文\n" * 400,
)


def claimed(letter: NewLetter = LETTER) -> ClaimedLetter:
    return ClaimedLetter(1, 1, datetime(2026, 11, 23, 8, 5, tzinfo=UTC), letter)


@pytest.mark.parametrize(
    ("url", "security", "port"),
    [
        ("smtp://mail.example.cn", Security.PLAIN, 25),
        ("smtps://mail.example.cn", Security.TLS, 465),
        ("smtp+starttls://mail.example.cn", Security.STARTTLS, 587),
        ("smtp://mail.example.cn:2525", Security.PLAIN, 2525),
    ],
)
def test_a_url_says_how_to_reach_the_server(url: str, security: Security, port: int) -> None:
    found = smtp.parse(url)
    assert (found.security, found.port, found.username) == (security, port, None)


def test_user_and_password_may_be_percent_encoded() -> None:
    found = smtp.parse("smtps://desk%40example.cn:p%2Fss@mail.example.cn")
    assert (found.username, found.password) == ("desk@example.cn", "p/ss")


@pytest.mark.parametrize(
    "url",
    ["http://mail", "smtp://", "smtp://u:secret@mail:99999", "smtp://u:se/cret@mail", "secret"],
)
def test_what_is_no_address_is_refused_without_showing_the_password(url: str) -> None:
    with pytest.raises(ValueError, match="mail server") as caught:
        smtp.parse(url)
    assert "secret" not in str(caught.value)
    assert "cret" not in str(caught.value)


def test_a_message_says_what_it_is_and_which_thread_it_belongs_to() -> None:
    made = smtp.message(claimed(), "desk@nenghao.example")
    read = message_from_bytes(made.as_bytes(), policy=default)
    assert (read["Message-ID"], read["In-Reply-To"]) == (LETTER.message_id, LETTER.thread_id)
    assert read["References"] == LETTER.thread_id
    assert read["Auto-Submitted"] == "auto-generated"
    assert read["Subject"] == LETTER.subject
    assert read.get_content().splitlines() == LETTER.body.splitlines()


def test_every_try_is_the_same_message() -> None:
    tries = [smtp.message(claimed(), "desk@nenghao.example").as_bytes() for _ in range(2)]
    assert tries[0] == tries[1]


@pytest.mark.parametrize(
    "address", ["a@x.cn, evil@y.cn", "a@x.cn\r\nBcc: evil@y.cn", "<a@x.cn>", "a b@x.cn", "a", ""]
)
def test_what_is_not_one_address_gets_no_letter(address: str) -> None:
    with pytest.raises(MailError) as caught:
        smtp.message(claimed(_with(recipient_email=address)), "desk@nenghao.example")
    assert caught.value.permanent


def test_a_wrong_sender_is_not_the_letters_fault() -> None:
    with pytest.raises(MailServerError):
        smtp.message(claimed(), "nobody")


def test_no_text_begins_a_header() -> None:
    evil = _with(recipient_name='"x" <a@b>,\r\nBcc: evil@y.cn', subject="s\r\nBcc: evil@y.cn")
    read = message_from_bytes(smtp.message(claimed(evil), "desk@x.cn").as_bytes(), policy=default)
    assert read["Bcc"] is None
    assert [address.addr_spec for address in read["To"].addresses] == [LETTER.recipient_email]


def test_an_encoded_word_is_not_decoded_into_a_header() -> None:
    word = "Works =?utf-8?q?=0d=0aBcc:_evil=40y.cn=0d=0a=0d=0aPay?= here"
    made = smtp.message(claimed(_with(recipient_name=word, subject=word)), "desk@x.cn")
    head, _, body = made.as_bytes().partition(b"\r\n\r\n")
    assert b"Message-ID:" in head
    assert b"\r\nBcc" not in head
    assert b"evil" not in body


@pytest.mark.parametrize("address", ["desk@mail..gov.cn", "desk@gov.cn.", "a@b, c@d", ""])
def test_a_sender_that_is_no_address_is_said_at_once(address: str) -> None:
    with pytest.raises(smtp.MailServerError, match="sender"):
        smtp.sender(address)


def _with(**changes: str) -> NewLetter:
    return replace(LETTER, **changes)  # type: ignore[arg-type]  # only texts are changed
