"""What somebody has already is not sent again, and large answers are compressed."""

from __future__ import annotations

import httpx
import pytest

from tests import cast
from tests.app.conftest import Stage


async def ask(
    stage: Stage, path: str = "/v1/units", name: str = "zhao", **headers: str
) -> httpx.Response:
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return await stage.client.get(
        path, headers={"Authorization": f"Bearer {stage.cast.key(name)}", **named}
    )


async def test_what_is_known_already_is_not_sent_again(shown_stage: Stage) -> None:
    first = await ask(shown_stage)
    again = await ask(shown_stage, If_None_Match=first.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["cache-control"] == "private, no-cache"


async def test_what_has_changed_is_sent(stage: Stage) -> None:
    first = await ask(stage)
    await stage.pool.execute("UPDATE units SET name = '改名' WHERE unit = $1", cast.QIANS_UNIT)
    again = await ask(stage, If_None_Match=first.headers["etag"])
    assert again.status_code == 200
    assert again.headers["etag"] != first.headers["etag"]


async def test_a_tag_is_no_way_in(shown_stage: Stage) -> None:
    tag = (await ask(shown_stage, f"/v1/units/{cast.QIANS_UNIT}")).headers["etag"]
    foreign = await ask(shown_stage, f"/v1/units/{cast.QIANS_UNIT}", "sun", If_None_Match=tag)
    assert foreign.status_code == 404
    nobody = await shown_stage.client.get("/v1/units", headers={"If-None-Match": "*"})
    assert (nobody.status_code, "etag" in nobody.headers) == (401, False)


@pytest.mark.parametrize(("encoding", "is_short"), [("gzip", True), ("identity", False)])
async def test_a_large_answer_is_compressed_for_whoever_takes_that(
    shown_stage: Stage, encoding: str, is_short: bool
) -> None:
    answer = await ask(shown_stage, "/openapi.json", Accept_Encoding=encoding)
    length = int(answer.headers["content-length"])
    assert (length < len(answer.content) / 3) is is_short
    assert answer.json()["openapi"]


async def test_the_tag_does_not_depend_on_compression(shown_stage: Stage) -> None:
    tags = {
        (await ask(shown_stage, Accept_Encoding=each)).headers["etag"]
        for each in ("gzip", "identity")
    }
    assert len(tags) == 1
