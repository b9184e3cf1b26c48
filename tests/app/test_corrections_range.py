"""No way of stating a correction takes what a gateway's reading would be rejected for."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app import cli
from app.imports.kinds import Kind
from tests import cast
from tests.app.conftest import Stage
from tests.app.test_importing import CORRECTION, READ_AT, Desk, desk, insert_reading, meter_desk
from tests.app.test_importing import METER as METER_ROW

__all__ = ["desk", "meter_desk"]

METER = {"unit": cast.QIANS_UNIT, "meter": "E01", "time": "2026-11-01T00:00:00+00:00"}
TOLD = {
    -5.0: "a register cannot show less than zero",
    2e6: "the register wraps at 1000000.0",
    -3.4e38: "no meter shows -9007199254740992 or less",
}


@pytest.fixture
async def register(stage: Stage) -> None:
    """The meter of METER has a reading then, and wraps at a million; Qian may state facts."""
    await stage.pool.execute(
        """
        INSERT INTO readings (meter_id, read_at, raw_value, quality, received_at)
        SELECT meter_id, '2026-11-01Z', 1, 'good', now() FROM meters
        """
    )
    await stage.pool.execute("UPDATE meter_epochs SET rollover = 1000000")
    await stage.pool.execute("UPDATE api_keys SET may_state = label = 'qian'")


async def command(url: str, *words: str) -> str:
    """Return what a command says, or is refused with."""
    environment = {"NENGHAO_DATABASE_URL": url, "COLUMNS": "200"}
    ran = await asyncio.to_thread(CliRunner().invoke, cli.app, words, env=environment)
    return f"{ran.output} {ran.exception or ''}"


@pytest.mark.usefixtures("register")
async def test_what_a_meter_cannot_show_is_refused_whoever_states_it(
    stage: Stage, database_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "corrections.csv"
    options = [f"--{name}={text}" for name, text in METER.items()]
    for value, told in TOLD.items():
        kind = "interval" if value < -5 else "register"
        await stage.pool.execute("UPDATE meters SET kind = $1", kind)
        body = {"reason": "r", "corrections": [{**METER, "value": value}]}
        answer = await stage.ask(
            stage.cast.key("qian"), "/v1/corrections", method="POST", body=body
        )
        assert (answer.status_code, answer.json()["code"]) == (422, "value_out_of_range")
        assert told in answer.json()["detail"]
        file.write_text(f"unit,meter,time,value\n{','.join(METER.values())},{value}\n")
        add = [*options, f"--value={value}", "--reason=r"]
        assert told in await command(database_url, "corrections", "add", *add)
        assert told in await command(database_url, "import", "corrections", str(file), "--apply")
    assert await stage.pool.fetchval("SELECT count(*) FROM corrections") == 0
    assert await stage.pool.fetchval("SELECT count(*) FROM changes") == 0


async def test_what_will_be_held_is_told_before_a_file_of_corrections_is_written(
    meter_desk: Desk,
) -> None:
    await meter_desk.take(Kind.METERS, METER_ROW)
    for minutes in (0, 15):
        await insert_reading(meter_desk, READ_AT + timedelta(minutes=minutes))
    fallen = {**CORRECTION, "time": "2026-01-01T08:15:00+08:00", "value": "0.5"}
    (note,) = (await meter_desk.plan(Kind.CORRECTIONS, fallen)).notes
    assert (note.line, note.column) == (2, "value")
    assert "from 2026-01-01T08:00:00+08:00 to 2026-01-01T08:15:00+08:00 will be held" in note.text
    assert (await meter_desk.plan(Kind.CORRECTIONS, {**fallen, "value": "1.5"})).notes == []
