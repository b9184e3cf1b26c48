"""[RELIABILITY 59] The audit log is copied off the host as it grows, and the copy proves itself."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import db.audit
from app import audit_copy, cli
from app.audit_copy import CopyFile, check
from app.resolve import Refusal
from db.pool import Pool
from energy.ledger import Head
from tests.app import audits


async def copied(pool: Pool, path: Path) -> list[dict[str, Any]]:
    """Copy what there is; return what the copy holds."""
    file = CopyFile(path)
    try:
        head = await audit_copy.beginning(pool, 0, file.head())
        async with aclosing(audit_copy.turns(pool, head)) as turns:
            async for lines in turns:
                if not lines:
                    break
                file.add(lines)
    finally:
        file.close()
    return [json.loads(each) for each in path.read_bytes().splitlines()]  # noqa: ASYNC240


async def note(pool: Pool, *numbers: int) -> None:
    async with pool.acquire() as connection:
        await db.audit.note(connection, [audits.entry(number) for number in numbers])


def proved(path: Path) -> audit_copy.Checked:
    with path.open("rb") as lines:
        return check(lines)


async def test_a_copy_holds_every_entry_and_goes_on_where_it_ended(
    pool: Pool, tmp_path: Path
) -> None:
    path = tmp_path / "audit.jsonl"
    await note(pool, 1, 2, 3)
    assert [each["row_count"] for each in await copied(pool, path)] == [1, 2, 3]
    await note(pool, 4, 5)
    told = await copied(pool, path)
    assert [(each["number"], each["request_id"]) for each in told] == [
        (number, f"{number:016x}") for number in range(1, 6)
    ]
    async with pool.acquire() as connection:
        head = await db.audit.fetch_head(connection)
    found = proved(path)
    assert (found.first, found.entries, found.head, found.fault) == (1, 5, head, None)


async def test_a_line_that_was_cut_short_is_written_anew(pool: Pool, tmp_path: Path) -> None:
    """The process is killed amid a line, or the disk is full."""
    path = tmp_path / "audit.jsonl"
    await note(pool, 1, 2)
    await copied(pool, path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-40])
    await copied(pool, path)
    assert path.read_bytes() == whole


TAMPERINGS = {
    "changed": lambda lines: [lines[0], lines[1].replace(b"/v1/units", b"/v1/meters"), *lines[2:]],
    "taken out": lambda lines: [lines[0], *lines[2:]],
    "exchanged": lambda lines: [lines[1], lines[0], *lines[2:]],
    "put in": lambda lines: [*lines[:2], lines[1], *lines[2:]],
    "of another file": lambda lines: [*lines[:2], b"hello", *lines[2:]],
}


@pytest.mark.parametrize("tampering", TAMPERINGS)
async def test_a_copy_that_was_touched_is_found_without_the_database(
    pool: Pool, tmp_path: Path, tampering: str
) -> None:
    path = tmp_path / "audit.jsonl"
    await note(pool, *range(1, 6))
    await copied(pool, path)
    touched = TAMPERINGS[tampering](path.read_bytes().splitlines())
    found = check(touched)
    assert found.fault is not None
    assert found.fault.startswith(("line 2", "line 3", "line 1"))
    assert check(path.read_bytes().splitlines()[2:]).fault is None  # any line may be the first


@pytest.mark.tampers("the audit log, as its owner could")
@pytest.mark.parametrize("is_running", [True, False])
async def test_a_log_that_was_cut_or_changed_parts_from_its_copy(
    pool: Pool, tmp_path: Path, is_running: bool
) -> None:
    path = tmp_path / "audit.jsonl"
    await note(pool, 1, 2, 3)
    told = await copied(pool, path)
    async with pool.acquire() as connection:
        await audits.unlock(connection)
        await connection.execute("DELETE FROM audit_links WHERE number = 3")
        await connection.execute("DELETE FROM audit WHERE row_count = 3")
    await note(pool, 4, 5)
    head = Head(3, bytes.fromhex(told[-1]["sha256"]))
    going_on = anext(audit_copy.turns(pool, head)) if is_running else copied(pool, path)
    with pytest.raises(Refusal, match=r"does not continue the copy: link [34]"):
        await going_on
    assert proved(path).fault is None


async def test_two_do_not_write_one_copy(tmp_path: Path) -> None:
    file = CopyFile(tmp_path / "audit.jsonl")
    with pytest.raises(Refusal, match="another `nenghao audit follow`"):
        CopyFile(tmp_path / "audit.jsonl")
    file.close()


async def test_what_is_noted_is_copied_within_seconds(database_url: str, tmp_path: Path) -> None:
    """As a program, ended by SIGTERM; also while no `settle` makes links."""
    path = tmp_path / "audit.jsonl"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "app.cli", "audit", "follow", "--into", str(path),
        env={**os.environ, "NENGHAO_DATABASE_URL": database_url},
    )  # fmt: skip
    try:
        async with asyncio.timeout(40):
            while not path.exists() or b"audit follow" not in path.read_bytes():
                await asyncio.sleep(0.05)
    finally:
        process.terminate()
        code = await process.wait()
    assert code == 0
    run = CliRunner()
    proof = await asyncio.to_thread(run.invoke, cli.app, ["audit", "verify", str(path)])
    assert "links 1 to 1 follow from one another" in proof.output, proof.output
    path.write_bytes(path.read_bytes().replace(b"begun", b"done"))
    proof = await asyncio.to_thread(run.invoke, cli.app, ["audit", "verify", str(path)])
    assert (proof.exit_code, "line 1: link 1 does not follow" in proof.output) == (1, True)
