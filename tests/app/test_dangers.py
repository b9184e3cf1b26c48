"""Configurations that lose or expose data are refused by name. [RELIABILITY 64]"""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

import db.durability
from app import cli, dangers
from app.dangers import Danger
from app.resolve import Refusal
from deploy import broker, certified

PASSWORDS = broker.settings(
    port=1883, address="127.0.0.1", plugin="/plugin.so", folder="/f", log="stdout"
)
CERTIFICATES = certified.settings(
    port=8883, address="0.0.0.0", inner_port=1884, inner_address="127.0.0.1",
    certificates="/c", folder="/f", log="stdout",
)  # fmt: skip


@pytest.mark.parametrize("text", [PASSWORDS, CERTIFICATES], ids=["passwords", "certificates"])
def test_our_own_profiles_are_not_dangerous(text: str) -> None:
    assert dangers.of_broker(text) == []


@pytest.mark.parametrize(
    ("before", "after", "danger"),
    [
        ("allow_anonymous false", "allow_anonymous true", Danger.ANONYMOUS),
        ("allow_anonymous false", "per_listener_settings true", Danger.PER_LISTENER),
        ("max_queued_messages 2000000", "max_queued_messages 0", Danger.QUEUE_UNLIMITED),
        ("max_queued_messages 2000000", "max_queued_messages 5000", Danger.QUEUE_SMALL),
        ("max_queued_messages 2000000", "", Danger.QUEUE_SMALL),
        ("max_queued_bytes 1073741824", "max_queued_bytes 1000000", Danger.QUEUE_BYTES_SMALL),
        ("persistence true", "persistence false", Danger.NOT_PERSISTENT),
        ("persistence true", "", Danger.NOT_PERSISTENT),
        ("persistence_location /f/", "", Danger.NO_PERSISTENCE_LOCATION),
        ("max_inflight_messages 500", "max_inflight_messages 1", Danger.IN_FLIGHT_SMALL),
        ("max_inflight_messages 500", "max_inflight_messages 0", Danger.IN_FLIGHT_UNLIMITED),
        ("max_packet_size 300000", "max_packet_size 65536", Danger.PACKET_SMALL),
        ("max_packet_size 300000", "", Danger.PACKET_UNLIMITED),
        ("listener 1884 127.0.0.1", "listener 1884", Danger.PLAIN_LISTENER),
        ("listener 1884 127.0.0.1", "listener 1884 0.0.0.0", Danger.PLAIN_LISTENER),
        ("certfile /c/server.pem", "", Danger.PLAIN_LISTENER),
        ("tls_version tlsv1.2", "tls_version tlsv1", Danger.OLD_TLS),
        ("password_file /f/passwords", "", Danger.NO_CREDENTIALS),
        ("acl_file /f/acl", "", Danger.NO_ACCESS_RULES),
        ("use_identity_as_username true\nuse_username_as_clientid true",
         "use_identity_as_username true", Danger.ID_NOT_BOUND),
        ("listener 1884 127.0.0.1\nuse_username_as_clientid true", "listener 1884 127.0.0.1",
         Danger.ID_NOT_BOUND),
        ("crlfile /c/crl.pem", "", Danger.NO_REVOCATIONS),
        ("max_connections 10000", "", Danger.CONNECTIONS_UNLIMITED),
        ("max_connections 10000", "max_connections -1", Danger.CONNECTIONS_UNLIMITED),
        ("autosave_interval 30", "persistent_client_expiration 7d", Danger.SESSIONS_EXPIRE),
        ("retain_available true", "retain_available false", Danger.NOT_RETAINED),
        ("retain_available true", "include_dir /etc/mosquitto/conf.d", Danger.NOT_WHOLE),
    ],
)  # fmt: skip
def test_a_dangerous_broker_is_refused_by_name(before: str, after: str, danger: Danger) -> None:
    assert before in CERTIFICATES
    found = dangers.of_broker(CERTIFICATES.replace(before, after, 1))
    assert [each.danger for each in found] == [danger]


def test_an_empty_file_is_full_of_dangers() -> None:
    found = {each.danger for each in dangers.of_broker("")}
    assert {Danger.ANONYMOUS, Danger.NO_LISTENER, Danger.NO_ACCESS_RULES} <= found


@pytest.mark.parametrize("name", ["fsync", "full_page_writes", "synchronous_commit"])
def test_a_database_that_forgets_is_refused(name: str) -> None:
    (found,) = dangers.of_database({name: "off"})
    assert found.danger is Danger.NOT_DURABLE
    assert name in found.sentence


def test_the_test_database_is_durable(database_url: str) -> None:
    settings = db.durability.fetch_settings(database_url)
    assert settings.keys() == {"fsync", "full_page_writes", "synchronous_commit"}
    assert dangers.of_database(settings) == []


LOCAL = "postgresql://nenghao:nenghao@127.0.0.1/nenghao"


@pytest.mark.parametrize(
    ("database", "broker_url", "window", "danger"),
    [
        (LOCAL, "mqtt://collector:Zm9vYmFy@10.0.0.5:1883", 500, Danger.PLAIN_BROKER),
        (LOCAL, "mqtts://collector:changeme@broker.example:8883", 500, Danger.COMMON_PASSWORD),
        (LOCAL, "mqtts://collector@broker.example:8883", 500, Danger.COMMON_PASSWORD),
        ("postgresql://n:Zm9vYmFy@db.example/n", "mqtt://127.0.0.1", 500, Danger.PLAIN_DATABASE),
        ("postgresql://n:postgres@db.example/n?sslmode=verify-full", "mqtt://127.0.0.1", 500,
         Danger.COMMON_PASSWORD),
        (LOCAL, "mqtt://localhost", 60_000, Danger.WINDOW_LARGE),
    ],
)  # fmt: skip
def test_a_dangerous_address_is_refused_by_name(
    database: str, broker_url: str, window: int, danger: Danger
) -> None:
    assert [each.danger for each in dangers.of_addresses(database, broker_url, window)] == [danger]


def test_this_machine_needs_no_tls() -> None:
    assert dangers.of_addresses(LOCAL, "mqtt://collector:x@localhost:1883", 500) == []


def test_a_login_that_could_do_more_than_look_is_a_danger() -> None:
    assert dangers.of_view_login([]) == []
    (found,) = dangers.of_view_login(["it is a superuser", "it may use readings"])
    assert found.danger is Danger.VIEW_LOGIN_EXCEEDS
    assert "it may use readings" in found.sentence


@pytest.mark.parametrize(("login", "told"), [("", "it is a superuser"), ("nobody:x@", "migrate")])
def test_the_interface_does_not_start_on_a_login_that_does_more_or_nothing(
    database_url: str, login: str, told: str
) -> None:
    _, _, place = database_url.rpartition("@")
    given = f"postgresql://{login}{place}" if login else database_url
    environment = {"NENGHAO_DATABASE_URL": database_url, "NENGHAO_VIEW_DATABASE_URL": given}
    refused = CliRunner().invoke(cli.app, ["serve"], env=environment)
    assert isinstance(refused.exception, Refusal)
    assert told in str(refused.exception)


def test_a_profile_is_written_that_is_not_dangerous_and_its_template_is_named(
    tmp_path: Path,
) -> None:
    out = tmp_path / "broker"
    authority = {"NENGHAO_AUTHORITY_DIR": str(tmp_path / "authority")}
    write = ["services", "profile", "--host", "broker.example.cn", "--out", str(out)]
    runner = CliRunner()
    assert runner.invoke(cli.app, write, env=authority).exit_code == 0
    assert {each.name for each in out.iterdir()} == {
        "mosquitto.conf", "acl", "ca.pem", "crl.pem", "server.pem", "server.key",
    }  # fmt: skip
    assert (out / "server.key").stat().st_mode & 0o777 == 0o600
    checked = runner.invoke(cli.app, ["services", "check", str(out / "mosquitto.conf")])
    assert checked.exit_code == 0
    (out / "mosquitto.conf").write_text("# ours")
    former = (out / "server.pem").read_bytes()
    assert "left as it is" in runner.invoke(cli.app, write, env=authority).output
    assert (out / "mosquitto.conf").read_text() == "# ours"
    assert (out / "server.pem").read_bytes() != former
    template = Path(certified.__file__).parent / "mosquitto" / "certificates.conf"
    refused = runner.invoke(cli.app, ["services", "check", str(template)])
    assert "is a template" in str(refused.exception)
