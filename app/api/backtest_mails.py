"""Owns the mails in the answer of a backtest: what would have been sent, and its words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from pydantic import Field

from alerts import preview
from alerts.kinds.kind import Rule
from alerts.kinds.words import Language
from alerts.preview import Mail, Preview
from app.api.answers import Answer, LocalTime

MAILS_MAX = 50
"""Mails that are told one by one, with their words; more are counted."""


class SentMail(Answer):
    """A mail that would have been sent: a letter, or a digest of several."""

    at: LocalTime = Field(examples=["2026-11-23T08:00:00+08:00"])
    kind: Literal["letter", "digest"] = Field(examples=["letter"])
    tells: int = Field(description="letters that it holds", examples=[1])
    language: Language = Field(description="of its readers", examples=["zh"])
    recipients: dict[str, int] = Field(description="contacts by region", examples=[{"450200": 2}])
    subject: str | None = Field(
        description="null: its words are not kept, as there are too many letters",
        examples=["【预警】水泥厂：clinker 单耗 140 kgce/t，超过基准水平 117"],
    )
    text: str | None = Field(
        description="as plain text, without the picture, links and heads of the books",
        examples=["预警 · 一级：水泥厂：clinker 单耗 140 kgce/t，超过基准水平 117\n"],
    )


def told(
    mails: Iterable[Mail],
    found: Preview,
    rule: Rule,
    names: Mapping[str, str],
    language: Language | None,
) -> Iterator[SentMail]:
    """Yield mails with their words, in the language of their readers or in another."""
    for mail in mails:
        written = preview.words(mail, found, rule, names, language or mail.language)
        yield SentMail(
            at=mail.at,
            kind="letter" if len(mail.tells) == 1 else "digest",
            tells=len(mail.tells),
            language=mail.language,
            recipients=dict(mail.recipients),
            subject=None if written is None else written.subject,
            text=None if written is None else written.body,
        )
