"""Heads are kept once a day, and elsewhere: by them a tail that was cut off is found."""

from __future__ import annotations

import json
import random
from datetime import timedelta
from pathlib import Path

import pytest
from rich.console import Console

import db.heads
from app import verify
from app.resolve import Refusal
from ingest import heads, writer
from tests.app.books import verified
from tests.app.tamperings import cut_tail
from tests.ingest.conftest import NOW, Plant, reading


async def test_heads_are_kept_once_a_day_and_only_of_chains_that_grew(books: Plant) -> None:
    async with books.pool.acquire() as connection:
        assert await heads.note_once(connection, NOW) == 3
        await books.send(reading(-1, 3, "C01"), batch="next")
        assert await heads.note_once(connection, NOW + timedelta(hours=1)) == 0
        assert await heads.note_once(connection, NOW + timedelta(days=1)) == 1
        kept = await db.heads.list_kept(connection)
    assert [(each.day.isoformat(), each.chain) for each in kept] == [
        ("2026-11-22", "changes"),
        ("2026-11-22", "readings/one"),
        ("2026-11-22", "readings/two"),
        ("2026-11-23", "readings/two"),
    ]


async def test_a_witness_keeps_heads_in_a_file_and_finds_a_tail_that_was_cut(
    books: Plant, tmp_path: Path
) -> None:
    path = tmp_path / "heads.json"
    async with books.pool.acquire() as connection:
        path.write_text(db.heads.written(await verify.present(connection, NOW)), encoding="utf-8")
        witnessed = verify.read(path)
        held = await verified(connection, witnessed)
        assert held.findings == []
        await connection.execute("ALTER TABLE links DISABLE TRIGGER links_append_only")
        await cut_tail(connection, random.Random(1))
        assert (await verified(connection)).findings == []  # nothing in here tells
        report = await verified(connection, witnessed)
    (found,) = report.findings
    console = Console(record=True, width=200)
    verify.render_witnessed(held, len(witnessed), path.name, console)
    verify.render_witnessed(report, len(witnessed), path.name, console)
    assert "heads: 3 of the 3 in heads.json agree\nheads: 2 of the 3 " in console.export_text()
    verify.render(report, console)
    assert "its tail was cut off" in found.fault
    assert f"{found.chain}: broken at link {found.number}: " in console.export_text()


async def test_a_clock_that_is_put_back_backdates_no_link(books: Plant) -> None:
    """Time stands still along a chain, in one process and in the next."""
    books.holder = await writer.begin(books.pool, "two", lambda: NOW - timedelta(days=2))
    books.collector = books.new_collector()
    for number in (1, 2):
        await books.send(reading(-number, 1, "C01"), batch=f"back{number}")
    async with books.pool.acquire() as connection:
        at = await connection.fetch(
            "SELECT stored_at FROM links WHERE chain = 'two' ORDER BY number DESC LIMIT 3"
        )
        assert [row["stored_at"] for row in at] == [NOW, NOW, NOW]
        assert (await verified(connection)).findings == []


@pytest.mark.parametrize("text", ["", "{}", '[{"day": "2026-11-23"}]', '[{"chain": 1}]'])
def test_a_file_without_heads_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "heads.json"
    path.write_text(text)
    with pytest.raises(Refusal, match="holds no heads"):
        verify.read(path)


def test_json_of_heads_is_a_list_of_lines() -> None:
    assert json.loads(db.heads.written([])) == []
