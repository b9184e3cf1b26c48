"""No way of stating a correction takes what a gateway's reading would be rejected for."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app import cli
from tests import cast
from tests.app.conftest import Stage

METER = {"unit": cast.QIANS_UNIT, "meter": "E01", "time": "2026-11-01T00:00:00+00:00"}
TOLD = {-5.0: "a register cannot show less than zero", 2e6: "the register wraps at 1000000.0"}


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
async def test_what_a_register_cannot_show_is_refused_whoever_states_it(
    stage: Stage, database_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "corrections.csv"
    options = [f"--{name}={text}" for name, text in METER.items()]
    for value, told in TOLD.items():
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
