"""Owns who evaluates: one at a time by a lock, and its term, which fences off those before it.

A lock says who may; the term makes sure. One that was frozen and lost its lock finds its term over
in the very statement that would store: the trigger `refuse_fenced` of migration 0042 looks, under a
lock of the row, so no statement can forget to ask.
"""

from __future__ import annotations

from datetime import datetime

from db.pool import Connection

LOCK_KEY = 0x616C6572  # "aler": advisory lock of the one evaluator

FENCED = "NH001"
"""SQLSTATE of what an evaluator whose term is over tries to store."""

NAME = "alert"


async def try_lock(connection: Connection) -> bool:
    """Become the one evaluator, until `unlock` or the end of the session; False: another is."""
    locked: bool = await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK_KEY)
    return locked


async def unlock(connection: Connection) -> None:
    await connection.execute("SELECT pg_advisory_unlock($1)", LOCK_KEY)


async def break_lock(connection: Connection, silent_s: float) -> bool:
    """End the session that holds the lock of the evaluator if it has asked nothing for so long.

    One whose statement still runs is at work; one that does not take the answer is not.
    """
    broken: bool = await connection.fetchval(
        """
        SELECT coalesce(bool_or(pg_terminate_backend(pid)), false)
          FROM pg_locks
          JOIN pg_stat_activity USING (pid)
         WHERE locktype = 'advisory'
           AND query_start < clock_timestamp() - make_interval(secs => $2)
           AND (state <> 'active' OR wait_event_type = 'Client')
           AND granted
           AND objsubid = 1
           AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
           AND classid::bigint << 32 | objid::bigint = $1
        """,
        LOCK_KEY,
        silent_s,
    )
    return broken


async def begin_term(connection: Connection) -> int:
    """Begin to evaluate. What earlier evaluators store is refused from now on."""
    epoch: int = await connection.fetchval(
        """
        INSERT INTO evaluators AS held (name, epoch)
        VALUES ($1, 1)
            ON CONFLICT (name)
            DO UPDATE SET epoch = held.epoch + 1, began_at = now()
        RETURNING epoch
        """,
        NAME,
    )
    return epoch


async def end_term(connection: Connection, epoch: int) -> None:
    """Note that all rules were judged in a term."""
    await connection.execute(
        "UPDATE evaluators SET ended_at = now() WHERE name = $1 AND epoch = $2", NAME, epoch
    )


async def fetch_ended_at(connection: Connection) -> datetime | None:
    """Return when all rules had been judged last; None: never yet."""
    ended_at: datetime | None = await connection.fetchval("SELECT max(ended_at) FROM evaluators")
    return ended_at


async def enter_term(connection: Connection, epoch: int | None) -> None:
    """Let what this session stores be that of a term; None: of no evaluator."""
    await connection.execute(
        "SELECT set_config('nenghao.evaluator', $1, false)", "" if epoch is None else str(epoch)
    )
