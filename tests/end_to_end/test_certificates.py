"""`nenghao gateways` with an authority: a certificate is handed over, and revoked while in use."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import psycopg

from deploy.services import Services
from ingest.authority import Issued
from tests import factories
from tests.deploy.certificates import CertifiedPeer, running
from tests.end_to_end.conftest import Programs

UNIT = factories.unit_code(31)
WHO = ("--unit", UNIT, "--gateway", "gw1")


def test_a_gateway_is_certified_heard_and_shut_out(
    services: Services, programs: Programs, database_url: str, tmp_path: Path
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO units (unit, name, region, industry) VALUES (%s, 'x', '450202', 'C3120')",
            (UNIT,),
        )
    with running(services, tmp_path, "test") as certified:
        programs.environment |= {
            "NENGHAO_AUTHORITY_DIR": str(certified.authority.folder),
            "NENGHAO_GATEWAY_BROKER_URL": f"mqtts://127.0.0.1:{certified.port}",
            "NENGHAO_BROKER_RELOAD": certified.reload_command(),
        }
        out = tmp_path / "gw1"
        programs.run("gateways", "enrol", *WHO, "--out", str(out), "--sparkplug")
        assert [(out / name).stat().st_mode & 0o777 for name in ("gateway.key", "signing.key")] == [
            0o600,
            0o600,
        ]
        said = programs.run("gateways", "enrol", *WHO, "--out", str(out), "--sparkplug", code=2)
        assert "gateway.key and signing.key already" in said
        peer = CertifiedPeer(certified, handed_over(out))
        assert peer.connect() == "Success"
        topic = f"nenghao/v1/450200/{UNIT}/gw1/readings"
        assert peer.publish(topic) in ("Success", "No matching subscribers")
        birth = f"spBv1.0/{UNIT}/NBIRTH/gw1"
        assert peer.publish(birth) in ("Success", "No matching subscribers")
        assert peer.publish(birth.replace("gw1", "gw2")) == "Not authorized"
        assert f"{datetime.now(UTC).year + 2}" in programs.run("gateways", "list")

        assert "is shut out" in programs.run("gateways", "revoke", *WHO)
        assert peer.gone.get(timeout=60) == "Session taken over"
        again = CertifiedPeer(certified, handed_over(out))
        assert again.connect() != "Success"
        again.client.loop_stop()
        peer.client.loop_stop()
        assert f"/{UNIT}/gw1" not in (certified.authority.folder / "acl").read_text()
    with psycopg.connect(database_url) as connection:
        left = connection.execute(
            "SELECT count(*) FROM gateway_keys WHERE valid_until IS NULL OR valid_until > now()"
        ).fetchone()
    assert left == (0,)


def handed_over(out: Path) -> Issued:
    """Return what was written to the folder of a gateway."""
    now = datetime.now(UTC)
    key, certificate = (out / "gateway.key").read_bytes(), (out / "gateway.pem").read_bytes()
    return Issued(key, certificate, "handed-over", now, now)
