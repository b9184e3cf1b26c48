"""What the user can mend is a sentence that says what, where, and what to do; never a traceback."""

from __future__ import annotations

import psycopg
import pytest

import db.admin
from deploy.services import Services
from tests.end_to_end.conftest import Programs, eventually

NOWHERE = "postgresql://a:secret@127.0.0.1:1/x"
COMMANDS = [("collect",), ("settle",), ("assess",), ("alert",), ("serve",), ("all",), ("migrate",),
            ("keys", "list"), ("gateways", "list")]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_database_that_is_down_is_named(programs: Programs, command: tuple[str, ...]) -> None:
    programs.environment["NENGHAO_DATABASE_URL"] = NOWHERE
    said = programs.run(*command, code=2)
    assert "127.0.0.1:1/x" in said
    assert "nenghao services up" in said
    assert "secret" not in said
    assert "Traceback" not in said


def test_a_database_without_the_schema_is_named(programs: Programs, services: Services) -> None:
    url = db.admin.recreate(services.database_url, "nenghao_empty")
    programs.environment["NENGHAO_DATABASE_URL"] = url
    assert "`nenghao migrate`" in programs.run("settle", code=2)
    db.admin.drop(services.database_url, "nenghao_empty")


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("NENGHAO_DATABSE_URL", "x", "no such setting: NENGHAO_DATABSE_URL"),
        ("NENGHAO_HTTP_PORT", "99999", "NENGHAO_HTTP_PORT"),
        ("NENGHAO_SMTP_URL", "http://x", "NENGHAO_SMTP_URL"),
        ("NENGHAO_MAIL_FROM", "desk@mail..gov.cn", "NENGHAO_MAIL_FROM"),
        ("NENGHAO_DATABASE_URL", "not an address", "postgresql://user:password@host"),
        ("NENGHAO_DATABASE_URL", "mysql://a:secret@b/c", "postgresql://user:password@host"),
    ],
)
def test_a_wrong_setting_is_named(
    programs: Programs, variable: str, value: str, expected: str
) -> None:
    programs.environment[variable] = value
    said = programs.run("alert", code=2)
    assert expected in said
    assert "Traceback" not in said
    assert "secret" not in said


def test_a_file_of_logins_that_cannot_be_looked_at_is_named(programs: Programs) -> None:
    programs.environment["NENGHAO_LOGINS_FILE"] = "/nowhere/dynamic-security.json"
    said = programs.run("gateways", "enrol", "--unit", "x", "--gateway", "gw1", code=2)
    assert "NENGHAO_LOGINS_FILE" in said
    assert "Traceback" not in said


def test_no_collector_starts_beside_a_dangerous_broker(programs: Programs) -> None:
    file = programs.folder / "mosquitto.conf"
    programs.environment["NENGHAO_BROKER_CONF"] = str(file)
    assert f"NENGHAO_BROKER_CONF: {file}" in programs.run("collect", code=2)
    file.write_text("per_listener_settings true\ninclude_dir /etc/mosquitto/conf.d\n")
    said = programs.run("collect", code=2)
    assert "per_listener: " in said
    assert "not_whole: " in said


def test_a_broker_that_is_down_is_named_and_the_collector_goes_on_trying(
    programs: Programs,
) -> None:
    programs.environment["NENGHAO_MQTT_URL"] = "mqtt://a:secret@127.0.0.1:1"
    collector = programs.start("collect")
    log = programs.folder / "collect.log"
    eventually(lambda: "broker_unreachable" in log.read_text(encoding="utf-8"))
    assert "127.0.0.1:1" in log.read_text(encoding="utf-8")
    assert collector.poll() is None


@pytest.mark.parametrize("command", ["collect", "serve"])
def test_a_database_that_forgets_is_refused(
    programs: Programs, database_url: str, command: str
) -> None:
    """[RELIABILITY 64] Nothing is receipted, over MQTT or HTTPS, where it could be lost."""
    name = database_url.rpartition("/")[2]
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    said = programs.run(command, code=2)
    assert "not_durable" in said
    assert "synchronous_commit" in said
