"""Owns the event stream of a process: one reader for all followers, each from its own place on.

Nothing is kept for a follower but the place it has reached and the page it is being given: one that
reconnects goes on where it was, and one that reads slowly waits for itself alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

import asyncpg
import structlog

import db.patience
import db.scope
import db.stream
from app.errors import ApiError, TooManyOpen, Unavailable
from db.pool import Pool
from db.scope import Scope
from db.stream import AcceptedBatch, AlertChange, Place

PLACED_AT_ONCE = 1_000
BACKLOG = 100_000
"""Positions that are gone through after an id; for an older one: fetch anew."""

NAMED_EVERY = 1_000
"""Positions after which a follower that nothing concerns is told where it is."""

WINDOW = 50
"""Positions that are looked through at once for a follower; a flush is one, of 125 messages."""

PAGE = 1_000
"""Batches that are read at once for a follower."""

HEARTBEAT_S = 15.0
UNCHECKED_S_MAX = 40.0
"""How long somebody may follow while that cannot be asked."""

log = structlog.get_logger("serve")

Happened: TypeAlias = AcceptedBatch | AlertChange


class Kind(StrEnum):
    """What can be followed."""

    READINGS = "readings"
    WARNINGS = "warnings"
    ALERTS = "alerts"


class Notice(StrEnum):
    """What a follower is told beside that."""

    OPEN = "open"  # from here on nothing is left out
    RESET = "reset"  # something was left out: fetch anew
    END = "end"  # nothing more comes on this connection


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody follows: of what they may see, what they ask for."""

    scope: Scope
    kinds: frozenset[Kind]
    region_prefix: str = ""
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """Something to send. With neither notice nor happening only the place has moved."""

    place: Place
    notice: Notice | None = None
    happened: Happened | None = None
    error: ApiError | None = None


@dataclass(slots=True, eq=False)
class Follower:
    """One connection. `may_follow` asks who it is anew; an ApiError says why they may no longer.

    `since` is the place they name, None: from now on. `place` is how far they were given what there
    is, None: they were told nothing yet.
    """

    holder: str
    question: Question
    may_follow: Callable[[], Awaitable[None]]
    since: Place | None
    place: Place | None = None
    named: Place | None = None
    checked_s: float = 0.0
    is_ended: bool = False
    page: asyncio.Queue[list[Told]] = field(default_factory=lambda: asyncio.Queue(1))

    def end(self, error: ApiError) -> None:
        """Say why nothing more comes. What they were not given yet comes when they come back."""
        self.is_ended = True
        while not self.page.empty():
            self.page.get_nowait()
        self.page.put_nowait([Told(self.named or Place(0), Notice.END, error=error)])

    async def told(self) -> AsyncIterator[Told | None]:
        """Yield what there is, until it ends; None where there is nothing for a while."""
        while True:
            try:
                async with asyncio.timeout(HEARTBEAT_S):
                    page = await self.page.get()
            except TimeoutError:
                yield None
                continue
            for each in page:
                yield each
                if each.notice is Notice.END:
                    return


class Stream:
    """All followers of a process. `views` is of a login that only looks.

    It is read every `read_s`; every `check_s` it is asked whether who follows still may.
    """

    def __init__(
        self,
        pool: Pool,
        views: Pool,
        *,
        followers_max: int,
        per_holder: int,
        read_s: float,
        check_s: float,
    ) -> None:
        self._pool = pool
        self._views = views
        self._followers_max = followers_max
        self._per_holder = per_holder
        self._read_s = read_s
        self._check_s = check_s
        self._followers: set[Follower] = set()
        self._newest: int | None = None
        self._is_closed = False

    @contextmanager
    def followed(self, follower: Follower) -> Iterator[Follower]:
        """Let somebody follow meanwhile. Raises TooManyOpen or Unavailable."""
        if sum(each.holder == follower.holder for each in self._followers) >= self._per_holder:
            raise TooManyOpen(
                "too_many_streams",
                f"{self._per_holder} streams are open with this key. Close one, or follow more "
                "with one.",
            )
        if len(self._followers) >= self._followers_max:
            detail = "As many follow the stream as this process has room for. Try again later."
            raise Unavailable("busy", detail)
        if self._newest is None or self._is_closed:
            raise Unavailable("stream_not_ready", "The stream is not ready. Try again later.")
        follower.since = follower.since or Place(self._newest)
        follower.checked_s = _now_s()
        self._followers.add(follower)
        try:
            yield follower
        finally:
            self._followers.discard(follower)

    def close(self) -> None:
        """End all at once: the process ends."""
        self._is_closed = True
        for follower in self._followers:
            follower.end(Unavailable("stopping", "This server stops. Connect again."))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Read and check for all followers meanwhile."""
        tasks = {asyncio.create_task(self._read()), asyncio.create_task(self._check())}
        try:
            yield
        finally:
            self.close()
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _read(self) -> None:
        is_away = False
        while True:
            try:
                is_behind = await self._read_once()
                is_away = False
            except Exception as error:
                if not db.patience.is_retryable(error):
                    log.error("stream_broken", exc_info=error)
                elif not is_away:
                    log.warning("stream_waits", error=repr(error))
                is_away, is_behind = True, False
            await asyncio.sleep(0 if is_behind else self._read_s)

    async def _read_once(self) -> bool:
        """Give each follower a page of what is new; return whether one is still behind."""
        newest = self._newest = await self._order()
        is_behind = False
        for follower in list(self._followers):
            if follower.page.empty() and not follower.is_ended:
                page = await self._page(follower, newest)
                if page and not follower.is_ended:
                    follower.page.put_nowait(page)
                is_behind |= follower.place != Place(newest)
        return is_behind

    async def _order(self) -> int:
        """Give positions to what is new, unless another process does; return the newest."""
        async with self._pool.acquire() as connection:
            try:
                async with connection.transaction():
                    if await db.stream.try_lock(connection):
                        await db.stream.place_arrivals(connection, PLACED_AT_ONCE)
                        await db.stream.place_alert_events(connection, PLACED_AT_ONCE)
            except asyncpg.ReadOnlySQLTransactionError:
                pass  # a copy of the database: what another process gave arrives here too
            return await db.stream.fetch_newest(connection)

    async def _page(self, follower: Follower, newest: int) -> list[Told]:
        page: list[Told] = []
        place = follower.place
        if place is None or newest - place.position > BACKLOG:
            page.append(self._begun(follower, newest))
            place = page[0].place
        upto = min(newest, place.position + WINDOW)
        if place != Place(upto):
            found = await self._happened(follower.question, place, upto)
            page += [Told(Place(each.position, each.ordinal), happened=each) for each in found]
            place = page[-1].place if len(found) == PAGE else Place(upto)
        follower.place = place
        if not page and follower.named and place.position - follower.named.position >= NAMED_EVERY:
            page.append(Told(place))
        if page:
            follower.named = page[-1].place
        return page

    def _begun(self, follower: Follower, newest: int) -> Told:
        """Return what a follower is told first, or when it was left too far behind."""
        since = follower.place or follower.since
        if since is not None and 0 <= newest - since.position <= BACKLOG:
            return Told(since, Notice.OPEN)
        return Told(Place(newest), Notice.RESET)

    async def _happened(self, question: Question, after: Place, upto: int) -> list[Happened]:
        """Return what is visible after a place, a page at most.

        Alerts are no more than positions; only batches can be more than a page.
        """
        scope, prefix, unit = question.scope, question.region_prefix, question.unit
        found: list[Happened] = []
        async with self._views.acquire() as connection, connection.transaction(readonly=True):
            await db.scope.enter(connection, scope)
            if Kind.READINGS in question.kinds:
                found += await db.stream.list_batches(
                    connection, scope, after=after, upto=upto, region_prefix=prefix, unit=unit,
                    limit=PAGE,
                )  # fmt: skip
            if question.kinds != {Kind.READINGS}:
                changes = await db.stream.list_alert_changes(
                    connection, scope, after=after, upto=upto, region_prefix=prefix, unit=unit
                )
                found += [each for each in changes if kind_of(each) in question.kinds]
        return sorted(found, key=lambda each: (each.position, each.ordinal))[:PAGE]

    async def _check(self) -> None:
        while True:
            await self._check_once()
            await asyncio.sleep(min(1, self._check_s))

    async def _check_once(self) -> None:
        """End those who may no longer follow, or of whom that is not known for too long."""
        for follower in list(self._followers):
            if _now_s() - follower.checked_s < self._check_s or follower.is_ended:
                continue
            try:
                await follower.may_follow()
            except ApiError as error:
                if not isinstance(error, Unavailable):
                    follower.end(error)
            except Exception as error:
                if not db.patience.is_retryable(error):
                    log.error("stream_unchecked", exc_info=error)
            else:
                follower.checked_s = _now_s()
            self._end_unchecked()

    def _end_unchecked(self) -> None:
        for follower in self._followers:
            if _now_s() - follower.checked_s > UNCHECKED_S_MAX and not follower.is_ended:
                detail = "Whether this key still holds could not be asked. Connect again."
                follower.end(Unavailable("unchecked", detail))


def _now_s() -> float:
    return asyncio.get_running_loop().time()


def kind_of(happened: Happened) -> Kind:
    """Return as what it is followed: levels of regions are warnings, the rest are alerts."""
    if isinstance(happened, AcceptedBatch):
        return Kind.READINGS
    return Kind.WARNINGS if happened.rule_kind == "region_level" else Kind.ALERTS
