"""Owns `nenghao import readings`: the rows of a file go the way of what gateways send.

The promise: a row is stored, a duplicate, conflicting or rejected, by the same rules and with the
same traces, and each is counted. It is stored batch by batch: whatever ends an import, the same
file is imported again and its rows that were stored are duplicates.
"""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice

import db.changes
import db.collectors
from app.imports import readings
from app.imports.kinds import READINGS
from app.imports.sheet import Progress
from app.resolve import Refusal
from app.tables import Row, Stream, TableError
from db.changes import Author, Fact
from db.pool import Pool
from ingest import files, writer
from ingest.batches import Piece
from ingest.collect import Assembler
from ingest.files import Batch
from ingest.payload import Reason, Rejection
from ingest.receipts import REJECTED_LISTED_MAX, Tally
from ingest.writer import Holder

CONFLICTS_LISTED_MAX = 50

FLUSH_ROWS = 5_000
"""Rows that are stored in one transaction."""

OTHER = "another file of readings is imported on this machine; wait until that has ended"
STOPPED = "what stands before that is stored; mend it and import the file again"

COLUMNS = {
    Reason.UNKNOWN_UNIT: "unit",
    Reason.UNKNOWN_METER: "meter",
    Reason.TIME_WITHOUT_OFFSET: "time",
    Reason.TIME_IN_FUTURE: "time",
    Reason.TIME_TOO_OLD: "time",
    Reason.VALUE_NOT_FINITE: "value",
    Reason.VALUE_OUT_OF_RANGE: "value",
}
"""The column that a reason is about; of others the detail begins with it."""

HINTS = {
    Reason.UNKNOWN_UNIT: "import the unit first, or mend its code",
    Reason.UNKNOWN_METER: "import the meter first, or mend its code",
    Reason.TIME_WITHOUT_OFFSET: "write it behind each time, or state it of all: --offset +08:00",
    Reason.TIME_TOO_OLD: "how far back is the meter's installed_at and --oldest-days",
}


@dataclass(frozen=True, slots=True)
class Terms:
    """How a file is read: whose clock its times are of ("": they say so), how old they may be."""

    offset: str
    oldest: timedelta
    clock: Callable[[], datetime]


@dataclass(slots=True)
class Outcome:
    """What became of the rows: received = stored + duplicate + conflicting + rejected.

    `listed` are the first that were rejected, and the first that conflict, each with its place.
    """

    file: str
    tally: Tally = field(default_factory=Tally)
    reasons: Counter[Reason] = field(default_factory=Counter)
    listed: list[str] = field(default_factory=list)
    conflicts_listed: int = 0

    def add(self, piece: Piece, batch: Batch, faults: dict[int, str]) -> None:
        ours, more = self.tally, piece.tally
        ours.received += more.received
        ours.stored += more.stored
        ours.duplicate += more.duplicate
        ours.conflicting += more.conflicting
        ours.rejected += more.rejected
        for each in piece.rejections:
            self.reasons[each.reason] += each.count
            if len(self.listed) - self.conflicts_listed < REJECTED_LISTED_MAX:
                self.listed.append(self._sentence(each, batch.lines, faults))
        self._list_conflicts(piece, batch.lines)

    def _list_conflicts(self, piece: Piece, lines: Sequence[int]) -> None:
        places = piece.places() if piece.conflicting else []
        for row in piece.conflicting[: CONFLICTS_LISTED_MAX - self.conflicts_listed]:
            place = places[row]
            reading = piece.said.readings[place]
            self.conflicts_listed += 1
            self.listed.append(
                f"{self.file}:{lines[piece.said.indexes[place]]} value: conflicting: "
                f"meter {reading.meter} {reading.time}: another value than {reading.value!r} stands"
            )

    def _sentence(self, each: Rejection, lines: Sequence[int], faults: dict[int, str]) -> str:
        line = lines[each.index or 0]
        detail = each.detail if each.index is None else faults.get(line, each.detail)
        column = COLUMNS.get(each.reason) or detail.split(maxsplit=1)[0]
        place = f"{self.file}:{line}" + (f" {column}" if column in readings.KNOWN else "")
        rows = f" ({each.count:,} rows from here on)" if each.count > 1 else ""
        return f"{place}: {each.reason}: {detail}{rows}"

    def summary(self) -> str:
        """Return all counts: the equation of a receipt, then each reason with what to do.

        >>> print(Outcome("f", Tally(2, 1, 0, 0, 1), Counter([Reason.UNKNOWN_UNIT])).summary())
        f: 2 received = 1 stored + 0 duplicate + 0 conflicting + 1 rejected
          1 unknown_unit: import the unit first, or mend its code
        """
        tally = self.tally
        lines = [
            f"{self.file}: {tally.received:,} received = {tally.stored:,} stored + "
            f"{tally.duplicate:,} duplicate + {tally.conflicting:,} conflicting + "
            f"{tally.rejected:,} rejected"
        ]
        for reason, count in self.reasons.most_common():
            hint = f": {HINTS[reason]}" if reason in HINTS else ""
            lines.append(f"  {count:,} {reason}{hint}")
        return "\n".join(lines)


async def rehearse(
    pool: Pool, stream: Stream, name: str, terms: Terms, progress: Progress
) -> Outcome:
    """Return what would become of the rows of a file; nothing is written.

    Rows that say the same further apart than a flush are not known for duplicates of each other.
    """
    return await _taken(pool, stream, name, terms, None, progress)


async def store(
    pool: Pool, stream: Stream, name: str, terms: Terms, author: Author, progress: Progress
) -> Outcome:
    """Store the rows of a file. Before the first, the ledger knows the file and who states it."""
    async with _holding(pool, terms.clock) as holder:
        said: db.changes.Content = {"file": name, "bytes": stream.size, "offset": terms.offset}
        async with pool.acquire() as connection, connection.transaction():
            fact = Fact(READINGS, stream.sha256, said)
            await db.changes.record(connection, author, [fact], terms.clock())
        try:
            return await _taken(pool, stream, name, terms, holder, progress)
        except TableError as error:
            raise Refusal(f"{error}; {STOPPED}") from error


@asynccontextmanager
async def _holding(pool: Pool, clock: Callable[[], datetime]) -> AsyncIterator[Holder]:
    """Lend the name that files are stored under on this machine: to one import at a time."""
    name = f"import-{socket.gethostname()}"
    async with pool.acquire() as connection:
        if not await db.collectors.try_lock(connection, name):
            raise Refusal(OTHER)
        yield await writer.begin(pool, name, clock)


async def _taken(
    pool: Pool,
    stream: Stream,
    name: str,
    terms: Terms,
    holder: Holder | None,
    progress: Progress,
) -> Outcome:
    """Let the rows in, flush by flush; no `holder`: none is stored."""
    assembler = Assembler(pool, oldest=terms.oldest, clock=terms.clock)
    outcome = Outcome(name)
    for rows in _flushes(stream.rows):
        lines = [readings.line(row, terms.offset) for row in rows]
        batches = files.batches(lines, stream.sha256, name, terms.clock())
        flush = await assembler.assemble([batch.delivery for batch in batches])
        if holder is None:
            await writer.rehearse(pool, flush)
        else:
            await writer.store(pool, holder, flush)
            assembler.take_back(flush)
        faults = {row.line: said for row in rows if (said := readings.fault(row))}
        for piece, batch in zip(flush.pieces, batches, strict=True):
            outcome.add(piece, batch, faults)
        progress(stream.read(), stream.size)
    return outcome


def _flushes(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while some := list(islice(rows, FLUSH_ROWS)):
        yield some
