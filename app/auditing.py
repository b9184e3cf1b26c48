"""Owns what the audit log is told: who asks, for what, with what result. Pure.

Never a body and never a secret: what is no parameter of a call is named without its value, and
what looks like a key or a token is left out wherever it stands.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from db.audit import Entry, Result
from energy import ledger

if TYPE_CHECKING:
    from app.auth import Holder

COMMAND = "command"
"""The method of what is done by the command line."""

TEXT_LENGTH_MAX = 200
PARAMETERS_MAX = 40
LEFT_OUT = "…"
SECRET = re.compile(
    r"nh_[\w-]{8,}|(?<![\w-])[\w-]{10,}\.[\w-]{10,}\.[\w-]{8,}|(?i:bearer|basic)\s+\S+"
)
"""An API key, a token of three parts, what is sent as Authorization.

Tried where a word begins and nowhere in it: a long text would take seconds.
"""

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
"""The database takes no NUL; a terminal would obey others."""


@dataclass(slots=True)
class Asked:
    """What is known of a request so far; who asks is found out on the way.

    `noted` is the status that the transaction of a change has noted already, `promised` the one
    that it will answer with, where it is not the usual one of the call. `of_body` is what a
    question in a body asks about, by name: a body itself is never told.
    """

    request_id: str
    source: str
    method: str
    identity: str = ""
    label: str = ""
    role: str | None = None
    scope: str | None = None
    noted: int | None = None
    promised: int | None = None
    of_body: dict[str, str] = field(default_factory=dict)

    def know(self, holder: Holder) -> None:
        """Take in who asks, once that is known."""
        by_key = holder.key_id is not None
        self.identity = f"key {holder.key_id}" if by_key else plain(holder.label)
        self.label = plain(holder.label)
        self.role = holder.role
        self.scope = holder.scope.text

    def claim(self, city: str, unit: str, gateway: str) -> None:
        """Take in which gateway it is, once its signature held."""
        self.identity = f"gateway {unit}/{gateway}"
        self.role = "gateway"
        self.scope = f"{city[:4]}/{unit}"

    def entry(
        self,
        route: str,
        parameters: str,
        unit: str | None,
        status: int | None,
        *,
        code: str | None = None,
        rows: int | None = None,
    ) -> Entry:
        """Return what is noted of its result; `status` None: that it begins."""
        return Entry(
            request_id=self.request_id,
            identity=self.identity,
            label=self.label,
            role=self.role,
            scope=self.scope,
            source=self.source,
            method=self.method,
            route=route,
            parameters=parameters,
            unit=unit,
            result=Result.BEGUN if status is None else result_of(status),
            status=status,
            code=code,
            row_count=rows,
        )


def result_of(status: int) -> Result:
    """Return the result that an HTTP status stands for.

    >>> [str(result_of(status)) for status in (200, 304, 404, 429, 503)]
    ['done', 'done', 'refused', 'refused', 'failed']
    """
    if status >= 500:
        return Result.FAILED
    return Result.DONE if status < 400 else Result.REFUSED


def parameters(given: Iterable[tuple[str, object]], known: Collection[str]) -> str:
    """Return what was asked for as JSON. Of what is not among the `known`, only the name is told.

    >>> parameters([("unit", "91…"), ("q", "nh_" + "a" * 43), ("pw", "hunter2")], {"unit", "q"})
    '{"pw":"…","q":"…","unit":"91…"}'
    """
    told = {
        plain(name): plain(str(value)) if name in known else LEFT_OUT
        for name, value in list(given)[:PARAMETERS_MAX]
    }
    return ledger.canonical(told)


def plain(text: str) -> str:
    """Return a text that the database takes, not too long, without what looks like a secret.

    >>> plain("Bearer abc"), plain("a" * 300) == "a" * 200 + "…"
    ('…', True)
    """
    text = CONTROL.sub("�", text.encode(errors="replace").decode())
    text = SECRET.sub(LEFT_OUT, text)
    return text if len(text) <= TEXT_LENGTH_MAX else text[:TEXT_LENGTH_MAX] + LEFT_OUT
