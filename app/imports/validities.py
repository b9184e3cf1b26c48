"""Owns the check of a file of dated rows: after the import no two of a kind hold on one day."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from app.imports.sheet import Change, Findings, Key
from app.tables import Row
from energy import validity
from energy.validity import Dated

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    class DatedRecord(Dated, DataclassInstance, Protocol):
        """A record that holds from a day on."""


D = TypeVar("D", bound="DatedRecord")


class Validities(Generic[D]):
    """The rows of a file beside what is stored. `alike` says which of them may not overlap."""

    def __init__(self, key_of: Callable[[D], Key], alike: Callable[[D], Key]) -> None:
        self._key_of = key_of
        self._alike = alike
        self._rows: dict[Key, Row] = {}
        self._stored: Sequence[D] = ()
        self.added: dict[Key, tuple[D, Row]] = {}

    def remember(self, record: D, row: Row) -> None:
        """Remember the row of a record; that of a key that occurs twice is the first."""
        self._rows.setdefault(self._key_of(record), row)

    def compare(self, records: Sequence[D], stored: Sequence[D]) -> None:
        """Take the records of the file that are in order, and what is stored beside them."""
        self._stored = stored
        self.added = {
            key: (each, self._rows[key]) for each in records if (key := self._key_of(each))
        }

    def review(self, changes: Sequence[Change[D]], findings: Findings) -> list[D]:
        """Return what will be stored; put what would overlap into `findings`.

        A change keeps what its file has no column for, so it stands for its row.
        """
        for change in changes:
            self.added[self._key_of(change.new)] = (change.new, change.row)
        after = {self._key_of(record): record for record in self._stored}
        after |= {key: record for key, (record, _) in self.added.items()}
        groups: dict[Key, list[D]] = {}
        for record in after.values():
            groups.setdefault(self._alike(record), []).append(record)
        touched = {self._alike(record) for record, _ in self.added.values()}
        for alike in touched:
            if overlap := validity.first_overlap(groups[alike]):
                self._report(overlap, findings)
        return list(after.values())

    def _report(self, overlap: tuple[D, D], findings: Findings) -> None:
        earlier, later = overlap
        if earlier.valid_from == later.valid_from:
            remedy = "two cannot begin on one day"
        else:
            remedy = f"end that one in the same file, with valid_to {later.valid_from}"
        for one, other in ((later, earlier), (earlier, later)):
            if added := self.added.get(self._key_of(one)):
                end = "no end" if other.valid_to is None else f"valid_to {other.valid_to}"
                reason = f"overlaps the one that holds from {other.valid_from} ({end})"
                if one is later:
                    reason = f"{reason}; {remedy}"
                findings.problem(added[1], "valid_from", reason)
                return
