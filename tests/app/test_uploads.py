"""A batch over HTTPS: signed, stored, and answered with its receipt after the commit."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta

import httpx
import pytest

from app.uploads import Patience
from ingest.payload import PAYLOAD_BYTES_MAX
from ingest.validate import signatures
from tests import factories
from tests.app.conftest import Stage, staged

UNIT = factories.unit_code(77)
KEY = b"k" * 32
PATH = f"/v1/readings/450200/{UNIT}/gw1"
TOPIC = f"nenghao/v1/450200/{UNIT}/gw1/readings"


@pytest.fixture
async def plant(stage: Stage) -> Stage:
    return await planted(stage)


@pytest.fixture
async def hasty(database_url: str) -> AsyncIterator[Stage]:
    """A plant whose platform waits for half a second, and reads a key again at once."""
    patience = Patience(commit_s_max=0.5, key_age_max=timedelta(seconds=-1))
    async with staged(database_url, patience=patience) as stage:
        yield await planted(stage)


async def planted(stage: Stage) -> Stage:
    """Register a unit with a meter and a gateway that signs."""
    async with stage.pool.acquire() as connection:
        unit_id = await factories.unit(connection, UNIT)
        gateway_id = await factories.gateway(connection, unit_id)
        await factories.meter(connection, unit_id)
        await connection.execute(
            "INSERT INTO gateway_keys (gateway_id, signing_key) VALUES ($1, $2)", gateway_id, KEY
        )
    return stage


def batch(number: int, minutes: int = 0) -> bytes:
    read_at = f"2026-11-23T07:{minutes:02}:00Z"
    one = {"meter": "E01", "time": read_at, "value": 100 + minutes}
    return json.dumps({"batch": f"b{number}", "readings": [one]}).encode()


async def upload(
    stage: Stage,
    body: bytes,
    *,
    path: str = PATH,
    signature: str | None = None,
    encoding: bytes = b"",
) -> httpx.Response:
    signed = signatures(TOPIC, body, [KEY])[0] if signature is None else signature
    headers = {b"Nenghao-Signature": signed.encode("latin-1")} if signed else {}
    if encoding:
        headers[b"Content-Encoding"] = encoding
    return await stage.client.post(path, content=body, headers=headers)


async def test_a_signed_batch_is_stored_and_answered_with_its_receipt(plant: Stage) -> None:
    answer = await upload(plant, batch(1))
    assert answer.status_code == 200, answer.text
    assert (answer.json()["batch"], answer.json()["stored"]) == ("b1", 1)
    assert (await upload(plant, batch(1))).json()["duplicate"] == 1
    assert await plant.pool.fetchval("SELECT count(*) FROM readings") == 1
    assert await plant.pool.fetchval("SELECT count(*) FROM stale_ranges") == 2


async def test_many_at_once_share_a_commit_and_each_gets_its_own_receipt(plant: Stage) -> None:
    answers = await asyncio.gather(*(upload(plant, batch(n, n)) for n in range(40)))
    assert [each.json()["batch"] for each in answers] == [f"b{n}" for n in range(40)]
    assert all(each.json()["stored"] == 1 for each in answers)


@pytest.mark.parametrize("signature", ["", "00" * 32, "x", "é"])
async def test_without_its_signature_nothing_is_taken(plant: Stage, signature: str) -> None:
    answer = await upload(plant, batch(1), signature=signature)
    assert (answer.status_code, answer.json()["code"]) == (401, "bad_signature")
    assert await plant.pool.fetchval("SELECT count(*) FROM ingest_totals") == 0


@pytest.mark.parametrize(
    "path",
    [f"/v1/readings/450200/{UNIT}/gw2", f"/v1/readings/450200/{factories.unit_code(5)}/gw1",
     f"/v1/readings/450300/{UNIT}/gw1"],
)  # fmt: skip
async def test_a_signature_holds_for_its_own_path_alone(plant: Stage, path: str) -> None:
    answer = await upload(plant, batch(1), path=path)
    assert (answer.status_code, answer.json()["code"]) == (401, "bad_signature")


async def test_a_body_over_the_limit_is_refused_before_it_is_read(plant: Stage) -> None:
    answer = await upload(plant, b"x" * (PAYLOAD_BYTES_MAX + 1))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


async def test_a_body_without_a_length_is_refused_as_soon_as_it_is_too_large(plant: Stage) -> None:
    """[RELIABILITY 46] It comes in chunks without end; others are served meanwhile."""
    chunk, sent = b"x" * 65_536, 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(1_000):
            sent += len(chunk)
            yield chunk
            await asyncio.sleep(0)

    bombs = [plant.client.post(PATH, content=endless()) for _ in range(10)]
    with tracked(mb_max=50):
        *refused, good = await asyncio.gather(*bombs, upload(plant, batch(1)))
    assert {(each.status_code, each.json()["code"]) for each in refused} == {(413, "too_large")}
    assert sent <= 10 * (PAYLOAD_BYTES_MAX + 2 * len(chunk))
    assert good.json()["stored"] == 1


@pytest.mark.parametrize("encoding", [b"gzip", b"deflate", b"br"])
async def test_a_compressed_body_is_never_unpacked(plant: Stage, encoding: bytes) -> None:
    """[RELIABILITY 46] 200 MB of zeros in 200 KB: kept as it came, and named."""
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(bytes(1_000_000)) for _ in range(200)) + packer.flush()
    assert len(bomb) < PAYLOAD_BYTES_MAX
    with tracked(mb_max=50):
        answer = await upload(plant, bomb, encoding=encoding)
    assert answer.json()["rejected"][0]["reason"] == "malformed_json"
    assert await plant.pool.fetchval("SELECT payload FROM quarantine_messages") == bomb


@contextmanager
def tracked(*, mb_max: int) -> Iterator[None]:
    """Fail if the block has taken more memory than `mb_max` at once."""
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak <= mb_max * 1_000_000


async def test_what_is_wrong_in_a_signed_batch_is_in_its_receipt(plant: Stage) -> None:
    answer = await upload(plant, b"{")
    assert answer.json()["rejected"][0]["reason"] == "malformed_json"
    assert await plant.pool.fetchval("SELECT count(*) FROM quarantine_messages") == 1


async def test_a_batch_that_cannot_be_stored_now_is_to_be_sent_again(hasty: Stage) -> None:
    async with hasty.pool.acquire() as blocker, blocker.transaction():
        await blocker.execute("LOCK TABLE ingest_totals IN ACCESS EXCLUSIVE MODE")
        answer = await upload(hasty, batch(1))
    assert (answer.status_code, answer.json()["code"]) == (503, "busy")
    assert answer.headers["retry-after"]


async def test_a_database_that_does_not_answer_holds_nobody(hasty: Stage) -> None:
    async with hasty.pool.acquire() as blocker, blocker.transaction():
        await blocker.execute("LOCK TABLE units IN ACCESS EXCLUSIVE MODE")
        async with asyncio.timeout(5):
            answer = await upload(hasty, batch(1))
    assert (answer.status_code, answer.json()["code"]) == (503, "busy")


async def test_a_new_key_holds_at_once(hasty: Stage) -> None:
    assert (await upload(hasty, batch(1))).status_code == 200
    await hasty.pool.execute("UPDATE gateway_keys SET signing_key = $1", b"n" * 32)
    body = batch(2, 1)
    answer = await upload(hasty, body, signature=signatures(TOPIC, body, [b"n" * 32])[0])
    assert answer.status_code == 200, answer.text


async def test_who_was_overtaken_begins_anew(plant: Stage) -> None:
    """Two processes of one name, as containers on the network of one host may be."""
    assert (await upload(plant, batch(1))).status_code == 200
    await plant.pool.execute("UPDATE ingest_totals SET epoch = epoch + 1")
    assert (await upload(plant, batch(2, 1))).status_code == 503
    assert (await upload(plant, batch(2, 1))).json()["stored"] == 1
