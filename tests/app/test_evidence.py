"""One evidence file holds a figure and all it rests on, and proves itself."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
import typer

from app import evidence_check, evidence_file
from app.evidence_rows import EvidenceError
from app.resolve import Refusal
from tests.app.conftest import Stage
from tests.app.test_explain_call import CITY, METER, UNIT
from tests.app.test_explain_call import works as works

GOLDEN = Path(__file__).parent.parent / "golden" / "explanations"
DAY = {"from_": "2026-11-03T00:00:00+08:00", "to": "2026-11-04T00:00:00+08:00"}


async def zipped(stage: Stage, name: str = "qian", **query: str) -> bytes:
    answer = await stage.get(name, "/v1/explain", **query, format="zip")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/zip"
    return answer.content


def opened(archive: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(archive)) as entries:
        return {name: entries.read(name) for name in entries.namelist()}


async def evidence(stage: Stage, name: str = "qian", **query: str) -> dict[str, bytes]:
    return opened(await zipped(stage, name, **query))


def sealed(content: dict[str, bytes]) -> dict[str, bytes]:
    """Return the files with a manifest that fits them, as a forger would make it."""
    manifest = json.loads(content["manifest.json"])
    manifest["files"] = {
        name: {"sha256": hashlib.sha256(body).hexdigest(), "bytes": len(body)}
        for name, body in content.items()
        if name != "manifest.json"
    }
    return content | {"manifest.json": json.dumps(manifest).encode()}


def packed(folder: Path, content: dict[str, bytes]) -> Path:
    path = folder / "evidence.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, body in content.items():
            archive.writestr(name, body)
    return path


# -- what is in it ---------------------------------------------------------------------------------


@pytest.mark.parametrize("query", [METER, UNIT, CITY], ids=["meter", "unit", "city"])
async def test_a_file_proves_itself_from_its_tables_alone(
    works: Stage, query: dict[str, str]
) -> None:
    content = await evidence(works, **query)
    verdict = evidence_check.checked(content)
    assert verdict.faults == []
    told = json.loads(content["explanation.json"])["value"]["value"]
    assert verdict.recomputed == pytest.approx(told)


async def test_the_explanation_in_it_is_the_answer(works: Stage) -> None:
    content = await evidence(works, **METER)
    answer = await works.get("qian", "/v1/explain", **METER)
    assert json.loads(content["explanation.json"]) == answer.json()


async def test_it_says_when_and_for_whom_it_was_made_and_where_the_chains_stood(
    works: Stage,
) -> None:
    manifest = json.loads((await evidence(works, **METER))["manifest.json"])
    assert (manifest["made_at"], manifest["made_for"]) == ("2026-11-23T16:00:00+08:00", "qian")
    assert manifest["platform"] == f"nenghao {metadata.version('nenghao')}"
    assert manifest["question"].startswith("/v1/explain?figure=consumption&")
    heads = {each["chain"]: (each["links"], each["sha256"]) for each in manifest["heads"]}
    changes = await works.pool.fetchrow(
        "SELECT change_id, sha256 FROM changes ORDER BY change_id DESC LIMIT 1"
    )
    chains = await works.pool.fetch("SELECT collector, links, head FROM ingest_totals")
    assert changes is not None
    assert heads == {
        "changes": (changes["change_id"], changes["sha256"].hex()),
        **{f"readings/{row['collector']}": (row["links"], row["head"].hex()) for row in chains},
    }
    assert len(heads) == 3


async def test_the_same_question_makes_the_same_bytes(works: Stage) -> None:
    archive = await zipped(works, **UNIT)
    assert archive == await zipped(works, **UNIT)
    with zipfile.ZipFile(io.BytesIO(archive)) as entries:
        assert {entry.date_time for entry in entries.infolist()} == {(1980, 1, 1, 0, 0, 0)}


async def test_a_day_in_the_past_and_too_many_readings_prove_themselves_too(works: Stage) -> None:
    then = await evidence(works, **UNIT, as_known_on="2026-11-05T12:00:00+08:00")
    assert evidence_check.checked(then).faults == []
    await works.pool.execute("UPDATE meters SET interval_s = 1 WHERE meter = 'X01'")
    content = await evidence(works, **UNIT)
    assert len(content["readings.csv"].splitlines()) == 1
    assert evidence_check.checked(content).faults == []


# -- forged ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["readings.csv", "epochs.csv", "factors.csv", "explanation.json", "evidence.html"]
)
async def test_a_byte_that_was_changed_is_found(works: Stage, name: str) -> None:
    content = await evidence(works, **METER)
    content[name] = content[name].replace(b"1", b"2", 1)
    faults = evidence_check.checked(content).faults
    assert f"{name} is not what it was when the file was made" in faults


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("readings.csv", b"910.0", b"911.0"),
        ("readings.csv", b"182.5", b"172.5"),
        ("epochs.csv", b",20.0,", b",30.0,"),
        ("factors.csv", b"0.1229", b"0.1129"),
        ("corrections.csv", b"74.5", b"374.5"),
        ("explanation.json", b'"value": 0.64', b'"value": 0.54'),
        ("gaps.csv", b"350.0", b"10.0"),
        ("doubts.csv", b"fell", b"lasted"),
        ("meters.csv", b",kWh,kWh,", b",MWh,kWh,"),
    ],
)
async def test_a_forgery_with_a_manifest_that_fits_does_not_come_to_the_figure(
    works: Stage, name: str, old: bytes, new: bytes
) -> None:
    content = await evidence(works, **METER)
    assert old in content[name]
    content[name] = content[name].replace(old, new)
    faults = evidence_check.checked(sealed(content)).faults
    assert faults
    assert "manifest" not in str(faults)


async def test_a_file_that_is_missing_or_slipped_in_is_named(works: Stage) -> None:
    content = await evidence(works, **METER)
    del content["gaps.csv"]
    content["more.csv"] = b"a\r\n"
    faults = evidence_check.checked(content).faults
    assert {"gaps.csv is missing", "more.csv is not in the manifest"} <= {*faults}


@pytest.mark.tampers("a reading")
async def test_what_was_forged_as_a_whole_agrees_with_itself_and_is_not_called_proved(
    works: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file of another history is whole by itself: only the platform can tell it apart."""
    true = await evidence(works, **METER)
    await works.pool.execute("UPDATE readings SET raw_value = raw_value + 1 WHERE raw_value = 910")
    forged = await evidence(works, **METER)
    told = json.loads(forged["explanation.json"])
    told["value"]["value"] = told["check"]["recomputed"]
    forged["explanation.json"] = json.dumps(told).encode()
    assert forged["readings.csv"] != true["readings.csv"]
    evidence_file.evidence_command(packed(tmp_path, sealed(forged)))
    assert "NOT shown by the file alone" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("manifest.json", b"{}"),
        ("manifest.json", b"[]"),
        ("manifest.json", b"no json"),
        ("explanation.json", b"\xff"),
        ("readings.csv", b"\xff"),
    ],
)
async def test_what_is_no_evidence_is_refused(works: Stage, name: str, body: bytes) -> None:
    content = await evidence(works, **METER)
    with pytest.raises(EvidenceError):
        evidence_check.checked(content | {name: body})


# -- on the command line ---------------------------------------------------------------------------


async def test_the_command_tells_what_it_found(
    works: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = await evidence(works, **METER)
    evidence_file.evidence_command(packed(tmp_path, content))
    told = capsys.readouterr().out
    assert "files agree with each other: the figure follows from the tables" in told
    assert "NOT shown by the file alone" in told
    assert "for qian by nenghao" in told
    content["readings.csv"] = content["readings.csv"].replace(b"910.0", b"911.0")
    with pytest.raises(typer.Exit):
        evidence_file.evidence_command(packed(tmp_path, sealed(content)))
    assert "the tables come to" in capsys.readouterr().out


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "evidence.zip"
    path.write_bytes(b"no archive")
    with pytest.raises(Refusal, match="cannot read"):
        evidence_file.read(path)


# -- as it reads -----------------------------------------------------------------------------------


async def test_what_people_typed_is_text_on_the_page(works: Stage) -> None:
    await works.pool.execute("UPDATE units SET name = '<script>alert(1)</script>'")
    page = (await evidence(works, **UNIT))["evidence.html"].decode()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


@pytest.mark.parametrize(("language", "word"), [("zh", "更正值"), ("en", "new value")])
async def test_the_page_is_in_the_language_that_is_asked_for(
    works: Stage, language: str, word: str
) -> None:
    page = (await evidence(works, **METER, lang=language))["evidence.html"].decode()
    assert word in page
    assert ("换" in page) == (language == "zh")


async def test_an_explanation_reads_like_its_golden_copy(works: Stage) -> None:
    content = await evidence(works, **{**METER, **DAY})
    version = f"nenghao {metadata.version('nenghao')}"
    page = content["evidence.html"].decode().replace(version, "nenghao VERSION")
    for name, text in (("explanation.json", content["explanation.json"].decode()),
                       ("evidence.html", page)):  # fmt: skip
        path = GOLDEN / name
        assert text == path.read_text(encoding="utf-8"), name


def test_a_figure_that_is_not_known_is_told_so() -> None:
    assert evidence_file._figure(None, "kWh") == "not known"
    assert evidence_file._figure(0.0, "kWh") == "0.0 kWh"
