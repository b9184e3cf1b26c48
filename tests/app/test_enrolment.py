"""Gateways are let in and shut out, whoever else does so at the same time."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

import db.gateways
from app import enrolment
from db.pool import Connection, Pool
from ingest import authority
from ingest.names import NameFault
from tests import factories


@pytest.mark.parametrize("name", ["gw 1/x", "", "x" * 33, "gw+"])
async def test_a_name_that_is_no_part_of_a_topic_is_refused_with_a_sentence(
    connection: Connection, tmp_path: Path, name: str
) -> None:
    now, unit = datetime.now(UTC), factories.unit_code()
    await factories.unit(connection)
    ours = authority.ensure(tmp_path, now)
    with pytest.raises(NameFault, match="1 to 32 of A-Z a-z 0-9 _ -"):
        await enrolment.certify(connection, ours, unit, name, now)
    with pytest.raises(NameFault, match="1 to 32 of A-Z a-z 0-9 _ -"):
        await enrolment.enrol(connection, "mqtt://nowhere", [(unit, name)])


async def test_a_former_certificate_holds_until_all_are_revoked(
    connection: Connection, tmp_path: Path
) -> None:
    now, unit = datetime.now(UTC), factories.unit_code()
    await factories.unit(connection)
    ours = authority.ensure(tmp_path, now)
    first = await enrolment.certify(connection, ours, unit, "gw1", now)
    second = await enrolment.certify(connection, ours, unit, "gw1", now + timedelta(days=1))
    expiries = [first.expires_at, second.expires_at]
    assert await db.gateways.list_certificates(connection, unit, "gw1", now) == [
        each.replace(microsecond=0) for each in expiries
    ]
    await enrolment.revoke_certificates(connection, ours, unit, "gw1", now)
    assert await db.gateways.list_certificates(connection, unit, "gw1", now) == []


async def test_two_who_revoke_at_once_both_stand_in_the_list(pool: Pool, tmp_path: Path) -> None:
    now, unit = datetime.now(UTC), factories.unit_code()
    ours = authority.ensure(tmp_path, now)
    async with pool.acquire() as one, pool.acquire() as other:
        await factories.unit(one)
        serials = {
            (await enrolment.certify(one, ours, unit, name, now)).serial for name in ("gw1", "gw2")
        }
        async with one.transaction():
            await enrolment.revoke_certificates(one, ours, unit, "gw1", now)
            second = asyncio.create_task(
                enrolment.revoke_certificates(other, ours, unit, "gw2", now)
            )
            await asyncio.sleep(0.3)
        await second
    listed = x509.load_pem_x509_crl((tmp_path / "crl.pem").read_bytes())
    assert {f"{each.serial_number:x}" for each in listed} == serials
