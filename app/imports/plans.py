"""Owns what an import would do, and what is wrong with its file, before anything is written."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from app.imports.kinds import Kind
from db.changes import Fact
from db.pool import Connection


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a row cannot be taken. `column` is "" where the row as a whole is meant."""

    line: int
    column: str
    value: str
    reason: str


@dataclass(frozen=True, slots=True)
class Note:
    """Something that a row is taken in spite of, and that its author should know."""

    line: int
    column: str
    value: str
    text: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A row that is new or changes something. `fields`: column → (old, new), the key left out."""

    line: int
    key: str
    fields: Mapping[str, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Plan:
    """What an import would do. `store` writes `new` and `changed`, inside a transaction.

    `facts` are the same as the ledger of changes keeps them, `standing` what they replace.
    """

    kind: Kind
    file: str
    rows: int
    new: Sequence[Entry]
    changed: Sequence[Entry]
    unchanged: int
    problems: Sequence[Problem]
    notes: Sequence[Note]
    facts: Sequence[Fact]
    standing: Sequence[Fact]
    store: Callable[[Connection], Awaitable[None]]
