"""Gateways are let in and shut out, whoever else does so at the same time."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from app import enrolment
from db.pool import Pool
from ingest import authority
from tests import factories


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
