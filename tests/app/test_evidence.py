"""One evidence file holds a figure and all it rests on, and proves itself."""

from __future__ import annotations

import io
import json
import zipfile

import pytest

from app import evidence_check
from tests.app.conftest import Stage
from tests.app.test_explain_call import CITY, METER, UNIT
from tests.app.test_explain_call import works as works


async def evidence(stage: Stage, name: str = "qian", **query: str) -> dict[str, bytes]:
    answer = await stage.get(name, "/v1/explain", **query, format="zip")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        return {entry: archive.read(entry) for entry in archive.namelist()}


@pytest.mark.parametrize("query", [METER, UNIT, CITY], ids=["meter", "unit", "city"])
async def test_a_file_proves_itself_from_its_tables_alone(
    works: Stage, query: dict[str, str]
) -> None:
    content = await evidence(works, **query)
    verdict = evidence_check.checked(content)
    assert verdict.faults == []
    told = json.loads(content["explanation.json"])["value"]["value"]
    assert verdict.recomputed == pytest.approx(told)
