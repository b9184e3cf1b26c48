"""Owns the course of an import: each row checked, compared with what is stored, nothing written.

What the rows of a kind mean is the business of its `Sheet`.
"""

from __future__ import annotations

import dataclasses
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from pydantic import ValidationError

import db.withdrawals
from app.imports.fields import Line
from app.imports.kinds import Kind
from app.imports.plans import Entry, Note, Plan, Problem
from app.resolve import plain
from app.tables import Row, Table
from db.changes import Content, Fact
from db.pool import Connection
from energy.periods import LOCAL

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from pydantic_core import ErrorDetails

PROGRESS_ROWS = 500
Progress = Callable[[int, int], None]
"""Told how many rows of how many are checked."""

Key = tuple[str, ...]
L = TypeVar("L", bound=Line)
R = TypeVar("R", bound="DataclassInstance")

_CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Change(Generic[R]):
    """A stored record and what a row makes of it; `columns` are those that differ."""

    row: Row
    old: R
    new: R
    columns: frozenset[str]


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found while checking a file."""

    problems: list[Problem] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    def problem(self, row: Row, column: str, reason: str) -> None:
        self.problems.append(Problem(row.line, column, row.cells.get(column, ""), reason))

    def note(self, row: Row, column: str, text: str) -> None:
        self.notes.append(Note(row.line, column, row.cells.get(column, ""), text))


class Sheet(ABC, Generic[L, R]):
    """One kind of file. The fields of its `line` and of its records are named as its columns.

    A column that is no name in Python, `from`, is the alias of a field of the line.
    """

    kind: ClassVar[Kind]
    key: ClassVar[Key]
    """The columns that tell one record from another."""

    fields: ClassVar[Key] = ()
    """The fields of a record that do, where they are named otherwise."""

    line: type[L]

    @abstractmethod
    def record(self, line: L, row: Row, findings: Findings) -> R:
        """Return the record of `line`; what is wrong with it goes into `findings`."""

    @abstractmethod
    async def stored(self, connection: Connection, records: Sequence[R]) -> Sequence[R]:
        """Return what is stored under the keys of `records`; more does no harm."""

    async def standing(self, connection: Connection, units: Sequence[str]) -> Sequence[R]:
        """Return what holds now of `units`, or all that holds of a kind that is not kept by unit.

        Nothing but what is stored is looked at: it is the other half of what the ledger says.
        """
        return await self.stored(connection, [])

    @classmethod
    def is_by_unit(cls) -> bool:
        """Return whether each record is of one unit, whose code begins its subject."""
        return cls.key[0] == "unit"

    def remark(self, taken: Sequence[tuple[Row, R]], findings: Findings) -> None:
        """Put into `findings` what the author of these rows should know of all of them together.

        The records are as they would be after the import, unchanged ones too.
        """
        return

    async def review(
        self, connection: Connection, changes: Sequence[Change[R]], findings: Findings
    ) -> None:
        """Put into `findings` the changes that may not be made, or that have consequences."""
        return

    @abstractmethod
    async def store(
        self, connection: Connection, new: Sequence[R], changes: Sequence[Change[R]]
    ) -> None:
        """Write the records, whole files at once."""

    async def withdraw(self, connection: Connection, record: R) -> None:
        """Let a record hold no longer, and mark what was computed from it to be computed anew."""
        told = [getattr(record, name) for name in self.fields or self.key]
        await db.withdrawals.delete(connection, self.kind, told)

    def stated(self, record: R) -> R:
        """Return what the ledger of changes keeps of a record: of most kinds all, as it is."""
        return record

    def key_of(self, record: R) -> Key:
        return tuple(str(getattr(record, column)) for column in self.key)

    @classmethod
    def columns(cls) -> tuple[list[str], list[str]]:
        """Return the columns that a header must name, and those it may."""
        fields = [(each.alias or name, each) for name, each in cls.line.model_fields.items()]
        return (
            [name for name, each in fields if each.is_required()],
            [name for name, each in fields if not each.is_required()],
        )


async def draft(
    connection: Connection, sheet: Sheet[L, R], table: Table, file: str, progress: Progress
) -> Plan:
    """Return what importing `table` would do. A column the file lacks keeps its stored value."""
    findings = Findings()
    records = _checked(sheet, table, findings, progress)
    stored = await sheet.stored(connection, [record for _, record in records])
    by_key = {sheet.key_of(record): record for record in stored}
    absent = {column for group in sheet.columns() for column in group} - set(table.columns)
    new: list[tuple[Row, R]] = []
    changes: list[Change[R]] = []
    taken: list[tuple[Row, R]] = []
    for row, record in records:
        old = by_key.get(sheet.key_of(record))
        change = None if old is None else _change(row, old, record, absent)
        if old is None:
            new.append((row, record))
        elif change:
            changes.append(change)
        taken.append((row, change.new if change else old or record))
    sheet.remark(taken, findings)
    await sheet.review(connection, changes, findings)

    async def store(connection: Connection) -> None:
        await sheet.store(connection, [record for _, record in new], changes)

    return Plan(
        kind=sheet.kind,
        file=file,
        rows=len(table.rows),
        new=[_new_entry(sheet, row, record) for row, record in new],
        changed=[_changed_entry(sheet, change) for change in changes],
        unchanged=len(records) - len(new) - len(changes),
        problems=sorted(findings.problems, key=lambda problem: problem.line),
        notes=sorted(findings.notes, key=lambda note: note.line),
        facts=[
            *(_fact(sheet, record) for _, record in new),
            *(_fact(sheet, change.new) for change in changes),
        ],
        standing=[_fact(sheet, change.old) for change in changes],
        store=store,
    )


def _checked(
    sheet: Sheet[L, R], table: Table, findings: Findings, progress: Progress
) -> list[tuple[Row, R]]:
    """Return the rows without a problem and their records."""
    records: list[tuple[Row, R]] = []
    seen: dict[Key, int] = {}
    for number, row in enumerate(table.rows, start=1):
        record = _record(sheet, row, findings)
        if record is not None:
            first = seen.setdefault(sheet.key_of(record), row.line)
            if first == row.line:
                records.append((row, record))
            else:
                findings.problem(row, sheet.key[-1], f"is on line {first} already")
        if number % PROGRESS_ROWS == 0 or number == len(table.rows):
            progress(number, len(table.rows))
    return records


def _record(sheet: Sheet[L, R], row: Row, findings: Findings) -> R | None:
    before = len(findings.problems)
    for column, fault in row.faults.items():
        findings.problem(row, column, fault)
    for column, text in row.cells.items():
        if _CONTROL_CHARACTER.search(text):
            findings.problem(row, column, "holds a line break or another control character")
    if len(findings.problems) > before:
        return None
    try:
        line = sheet.line.model_validate({name: text for name, text in row.cells.items() if text})
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            findings.problem(row, str(detail["loc"][0]), _reason(detail))
        return None
    record = sheet.record(line, row, findings)
    return record if len(findings.problems) == before else None


def _reason(detail: ErrorDetails) -> str:
    match detail["type"]:
        case "missing":
            return "is required"
        case _:
            return plain(detail["msg"])


def _change(row: Row, old: R, record: R, absent: set[str]) -> Change[R] | None:
    kept = {column: getattr(old, column) for column in absent}
    new = dataclasses.replace(record, **kept)
    columns = frozenset(
        each.name
        for each in dataclasses.fields(new)
        if getattr(old, each.name) != getattr(new, each.name)
    )
    return Change(row, old, new, columns) if columns else None


def _fact(sheet: Sheet[L, R], record: R) -> Fact:
    return fact(sheet.kind, sheet.key_of(record), sheet.stated(record))


def fact(noun: str, key: Key, record: DataclassInstance) -> Fact:
    """Return what the ledger of changes keeps of a record."""
    content: Content = {}
    for each in dataclasses.fields(record):
        told = getattr(record, each.name)
        content[each.name] = told.isoformat() if isinstance(told, date) else told
    return Fact(noun, "/".join(key), content)


def _new_entry(sheet: Sheet[L, R], row: Row, record: R) -> Entry:
    fields = {
        each.name: ("", text)
        for each in dataclasses.fields(record)
        if each.name not in sheet.key and (text := _text(getattr(record, each.name)))
    }
    return Entry(row.line, " ".join(sheet.key_of(record)), fields)


def _changed_entry(sheet: Sheet[L, R], change: Change[R]) -> Entry:
    fields = {
        column: (_text(getattr(change.old, column)), _text(getattr(change.new, column)))
        for column in sorted(change.columns)
    }
    return Entry(change.row.line, " ".join(sheet.key_of(change.new)), fields)


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case datetime():
            return value.astimezone(LOCAL).isoformat()
        case float():
            return f"{value:.15g}"
        case _:
            return str(value)
