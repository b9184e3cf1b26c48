"""Owns what is asked of a backtest: over which period, by which rule, and in which words."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from alerts.kinds.words import Language
from app.api.answers import local_text
from app.api.parameters import PLAIN, Between, RegionCode
from app.api.rule_bodies import NAME_LENGTH_MAX, Proposed


class Asked(Between):
    """Over which period, of which region, and in which words."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    region: RegionCode | None = Field(
        default=None,
        description="GB/T 2260 code: only of what is within",
        examples=["450200"],
    )
    language: Language | None = Field(
        default=None,
        description="of the words of all mails; null: each in that of its readers",
        examples=["zh"],
    )

    def told(self) -> dict[str, str]:
        """Return what the audit log is to say: about where and when it is asked."""
        told = {"from": local_text(self.from_), "to": local_text(self.to)}
        return told if self.region is None else told | {"region": self.region}


class Question(Asked):
    """Also by which version."""

    proposed: Proposed | None = Field(
        default=None, description="in place of what the rule says; null: its newest version"
    )

    def told(self) -> dict[str, str]:
        return super().told() | ({} if self.proposed is None else {"proposed": "true"})


class NewQuestion(Asked):
    """Also by which rule, which nobody made yet."""

    acts_in: RegionCode = Field(
        description="GB/T 2260 code of the region that it would be made for", examples=["450200"]
    )
    rule: Proposed
    name: str = Field(
        default="…",
        min_length=1,
        max_length=NAME_LENGTH_MAX,
        pattern=PLAIN,
        description="as its letters would tell it",
        examples=["水泥单耗"],
    )

    def told(self) -> dict[str, str]:
        return super().told() | {"acts_in": self.acts_in, "proposed": "true"}
