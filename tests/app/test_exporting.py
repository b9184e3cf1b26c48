"""An operator's export says what the HTTP interface says, and is a file or nothing at all."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psycopg
import pytest
from typer.testing import CliRunner, Result

from app import cli, export_calls, exporting
from app.exports import Format
from app.resolve import Refusal
from energy.factors import Unverified
from tests import cast, factories
from tests.app.conftest import NOW, Stage

SPAN = {"from": "2026-10-01T00:00:00+08:00", "to": "2026-11-01T00:00:00+08:00"}
MINE = {"unit": cast.QIANS_UNIT, **SPAN}
ASKED = {
    "readings": {**MINE, "meter": "E01"},
    "consumption": {**SPAN, "bucket": "day", "group_by": "unit,energy", "region": "450000"},
    "intensity": {**MINE, "product": "steel", "bucket": "day"},
    "alerts": {"region": "450200"},
}
READINGS = 1_100
"""More than a page of JSON holds."""


@pytest.fixture
async def filled(stage: Stage) -> Stage:
    """Qian's unit with readings of E01, a meter of output, and an alert."""
    async with stage.pool.acquire() as connection:
        unit_id, meter_id = await connection.fetchrow(  # type: ignore[misc]  # it is there
            "SELECT unit_id, meter_id FROM units JOIN meters USING (unit_id) WHERE unit = $1",
            cast.QIANS_UNIT,
        )
        await factories.meter(
            connection, unit_id, "P01", role="output", kind="interval", uom="kg", product="steel"
        )
        await connection.execute(
            """
            INSERT INTO readings (meter_id, read_at, raw_value, quality, received_at)
            SELECT $1, '2026-10-01 00:00+08'::timestamptz + number * INTERVAL '15 minutes', number,
                   'good', now()
              FROM generate_series(0, $2 - 1) AS number
            """,
            meter_id, READINGS,
        )  # fmt: skip
        await connection.execute(
            """
            INSERT INTO alerts (rule_id, region, unit_id, subject, level, state, period_starts_at,
                                period_ends_at, measured, threshold, uom, coverage,
                                estimated_share, reason, pending_at, updated_at)
            VALUES ($1, '450202', $2, '', 1, 'firing', '2026-11-01 00:00+08', '2026-11-02 00:00+08',
                    655.2, 635, 'kgce/t', 0.99, 0, '', '2026-11-02 00:00+08', '2026-11-02 00:00+08')
            """,
            await factories.rule(connection), unit_id,
        )  # fmt: skip
    return stage


async def exported(stage: Stage, noun: str, form: Format, **given: str) -> bytes:
    call = exporting.CALLS[noun]
    query = exporting.asked(call, given, form)
    with await exporting.answered(stage.pool, call, query, Unverified.NOTE, NOW) as file:
        file.seek(0)
        return file.read()


async def answer(stage: Stage, noun: str, **query: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {stage.cast.zhao}"}
    return await stage.client.get(f"/v1/{noun}", params=query, headers=headers)


async def test_an_export_says_what_the_call_answers(filled: Stage) -> None:
    for noun, asked in ASKED.items():
        said = await answer(filled, noun, **asked, format="csv")
        assert said.status_code == 200, said.text
        assert await exported(filled, noun, Format.CSV, **asked) == said.content
        lines = said.content.count(b"\n")
        assert lines > 1, noun

        body = json.loads(await exported(filled, noun, Format.JSON, **asked))
        page = (await answer(filled, noun, **asked)).json()
        assert len(body["items"]) == lines - 1
        assert body["items"][: len(page["items"])] == page["items"]
        assert body == {**page, "items": body["items"], "next": None}
    sheet = await exported(filled, "alerts", Format.XLSX)
    assert sheet.startswith(b"PK")


async def test_what_was_known_on_a_day_is_exported_too(filled: Stage) -> None:
    then = {**ASKED["consumption"], "as_known_on": "2026-10-15T00:00:00+08:00"}
    body = json.loads(await exported(filled, "consumption", Format.JSON, **then))
    assert body == (await answer(filled, "consumption", **then)).json()
    assert body != (await answer(filled, "consumption", **ASKED["consumption"])).json()


@pytest.mark.parametrize(
    ("noun", "given", "sentence"),
    [
        ("readings", {**ASKED["readings"], "meter": "E9"}, "there is no such meter"),
        ("readings", {**ASKED["readings"], "unit": "9" * 18}, "there is no unit 9999"),
        ("readings", {**ASKED["readings"], "from": "2026-10-01"}, "--from: is not an RFC 3339"),
        ("consumption", {**SPAN, "bucket": "week"}, "--bucket: should be '15m', 'hour'"),
        ("alerts", {"region": "110000"}, "--region: 110000 is not a region"),
    ],
)
async def test_what_cannot_be_answered_is_a_sentence(
    shown_stage: Stage, noun: str, given: dict[str, str], sentence: str
) -> None:
    with pytest.raises(Refusal, match=sentence):
        await exported(shown_stage, noun, Format.CSV, **given)


async def test_without_a_region_the_units_of_two_provinces_are_not_mixed(stage: Stage) -> None:
    async with stage.pool.acquire() as connection:
        await connection.execute("INSERT INTO regions VALUES ('440103', '荔湾区', NULL, 'county')")
        await factories.unit(connection, factories.unit_code(9), region="440103")
    with pytest.raises(Refusal, match="--region 440000, 450000"):
        await exported(stage, "alerts", Format.CSV)
    assert await exported(stage, "alerts", Format.CSV, region="450000")


# -- the command line -----------------------------------------------------------------------------


def nenghao(database_url: str, *words: str) -> Result:
    environment = {"NENGHAO_DATABASE_URL": database_url, "COLUMNS": "250"}
    return CliRunner().invoke(cli.app, words, env=environment)


def test_what_one_platform_exports_another_imports(database_url: str, tmp_path: Path) -> None:
    unit, file, out = "91450200MAEX000015", tmp_path / "readings.csv", tmp_path / "out.csv"
    hours = [datetime.now(UTC).replace(microsecond=0) - timedelta(hours=n) for n in range(1, 4)]
    rows = [f"{unit},E01,{hour:%FT%TZ},{10 - n}" for n, hour in enumerate(hours)]
    file.write_text("\n".join(["unit,meter,time,value", *rows, f"{unit},E9,{hours[0]:%FT%TZ},1"]))
    for kind in ("units", "meters"):
        told = nenghao(database_url, "import", kind, f"docs/examples/{kind}.csv", "--apply")
        assert told.exit_code == 0, told.output
    dry = nenghao(database_url, "import", "readings", str(file))
    assert (dry.exit_code, "a dry run: add --apply" in dry.output) == (1, True), dry.output
    told = nenghao(database_url, "import", "readings", str(file), "--apply", "--evidence", "No. 9")
    assert "4 received = 3 stored + 0 duplicate + 0 conflicting + 1 rejected" in told.output
    assert told.exit_code == 1

    span = ("--from", "2026-01-01T00:00:00Z", "--to", "2027-01-01T00:00:00Z")
    told = nenghao(
        database_url, "export", "readings", "--unit", unit, "--meter", "E01", *span, "-o", str(out)
    )
    assert told.exit_code == 0, told.output
    assert [each.name for each in tmp_path.iterdir() if "partial" in each.name] == []
    told = nenghao(database_url, "import", "readings", str(out), "--apply")
    assert (told.exit_code, "0 stored + 3 duplicate" in told.output) == (0, True), told.output

    with psycopg.connect(database_url) as connection:
        changes = connection.execute(
            "SELECT evidence FROM changes WHERE noun = 'readings' ORDER BY change_id"
        ).fetchall()
        noted = connection.execute(
            "SELECT route, unit, result, parameters::json ->> 'from' FROM audit"
            " WHERE route LIKE '% export %' ORDER BY entry_id"
        ).fetchall()
    assert changes[0][0].startswith("No. 9; readings.csv sha256:")
    assert noted == [("nenghao export readings", unit, said, span[1]) for said in ("begun", "done")]


def test_a_file_has_its_name_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "a.csv"
    target.write_text("old")
    with Path("/dev/full").open("wb") as broken, pytest.raises(OSError, match="read"):
        export_calls._write(broken, target)
    assert (target.read_text(), [*tmp_path.iterdir()]) == ("old", [target])


def test_an_export_goes_to_a_file_or_to_standard_output(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="no folder"):
        export_calls._refuse_unfit(tmp_path / "not" / "a.csv", Format.CSV)
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    with pytest.raises(Refusal, match="is no file"):
        export_calls._refuse_unfit(Path("/dev/null"), Format.CSV)
    assert export_calls._form(tmp_path / "a.XLSX") is Format.XLSX
    assert export_calls._form(tmp_path / "a.txt") is Format.CSV
