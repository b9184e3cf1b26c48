"""[43] A secret is where it belongs, and in nothing that the platform says, logs or shows."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner

import db.pool
from alerts import smtp
from app import auth, cli, logs
from app.main import create_app
from deploy import services as local_services
from deploy.services import Services
from ingest import broker_url
from settings import Settings
from tests.app.conftest import NOW, Stage
from tests.conftest import INSTANCE, STATE_DIR

CANARY = "canary-5f2b9c"
"""Part of every secret that is handed out here."""

NOWHERE = "127.0.0.1:1"
ENVIRONMENT = {
    "NENGHAO_DATABASE_URL": f"postgresql://u:{CANARY}-db@{NOWHERE}/nenghao",
    "NENGHAO_VIEW_DATABASE_URL": f"postgresql://v:{CANARY}-view@{NOWHERE}/nenghao",
    "NENGHAO_SERVICE_DATABASE_URL": f"postgresql://s:{CANARY}-service@{NOWHERE}/nenghao",
    "NENGHAO_MQTT_URL": f"mqtt://collector:{CANARY}-mqtt@{NOWHERE}",
    "NENGHAO_MQTT_ADMIN_URL": f"mqtt://admin:{CANARY}-admin@{NOWHERE}",
    "NENGHAO_SMTP_URL": f"smtps://mail:{CANARY}-smtp@{NOWHERE}",
}
COMMANDS = (
    ["settings"], ["collect"], ["settle"], ["assess"], ["alert"], ["serve"], ["migrate"],
    ["keys", "list"], ["simulate"], ["gateways", "list"], ["verify"], ["ready"],
)  # fmt: skip


def said(*arguments: str) -> str:
    """Return all that a command of the real program says."""
    environment = {name: value for name, value in os.environ.items() if "NENGHAO" not in name}
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", *arguments],
        env=environment | ENVIRONMENT,
        capture_output=True,
        timeout=60,
        check=False,
    )
    return (done.stdout + done.stderr).decode()


def invoked(arguments: list[str], environment: dict[str, str]) -> str:
    """Return what a command says, and each exception behind it that a log would show."""
    done = CliRunner().invoke(cli.app, arguments, env=environment)
    told = [done.output]
    error: BaseException | None = done.exception
    while error is not None:
        told.append(f"{error!r} {error}")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n".join(told)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_command_says_a_secret_when_nothing_answers(command: list[str]) -> None:
    told = invoked(command, ENVIRONMENT)
    assert told.strip()
    assert CANARY not in told


MALFORMED = {
    "NENGHAO_DATABASE_URL": [f"mysql://u:{CANARY}@h/d", f"postgresql://u:{CANARY}@h:port/d",
                             f"postgresql://u:{CANARY}%zz@h/d", f"{CANARY}"],
    "NENGHAO_MQTT_URL": [f"mqtt://u:{CANARY}@h:port", f"http://u:{CANARY}@h", f"{CANARY}"],
    "NENGHAO_SMTP_URL": [f"smtp://u:{CANARY}@h:port", f"http://u:{CANARY}@h", f"{CANARY}"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("variable", "url"), [(name, url) for name, urls in MALFORMED.items() for url in urls]
)
def test_what_cannot_be_read_is_not_repeated(variable: str, url: str) -> None:
    command = "alert" if "SMTP" in variable else "collect"
    assert CANARY not in invoked([command], ENVIRONMENT | {variable: url})
    parse = {"NENGHAO_MQTT_URL": broker_url.parse, "NENGHAO_SMTP_URL": smtp.parse}.get(variable)
    if parse is not None:
        with pytest.raises(ValueError, match=r".") as refused:
            parse(url)
        assert CANARY not in str(refused.value)


def test_the_real_program_says_no_secret_either() -> None:
    told = said("collect")
    assert "127.0.0.1" in told
    assert CANARY not in told


@contextmanager
def logged() -> Iterator[None]:
    logs.configure()
    yield
    structlog.reset_defaults()


async def test_a_database_that_is_away_is_logged_without_its_password() -> None:
    with pytest.raises(OSError, match=r".") as refused:
        await db.pool.create_pool(ENVIRONMENT["NENGHAO_DATABASE_URL"])
    assert CANARY not in f"{refused.value!r}"


HEADERS = [
    {"Authorization": f"Bearer nh_{CANARY}"},
    {"Authorization": f"Bearer {CANARY}.{CANARY}.{CANARY}"},
    {"Authorization": f"Basic {CANARY}"},
    {"Authorization": CANARY},
]
PATHS = ("/v1/units", "/v1/units/x", "/v1/readings", "/nowhere", "/metrics", "/openapi.json",
         "/readyz", "/healthz", "/docs")  # fmt: skip


async def test_who_shows_a_wrong_key_or_token_is_not_quoted(
    possessed_stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    with logged():
        for headers in HEADERS:
            for path in PATHS:
                for method in ("GET", "POST", "PUT"):
                    answer = await possessed_stage.client.request(method, path, headers=headers)
                    assert CANARY not in answer.text + str(answer.headers), path
    assert CANARY not in "".join(capsys.readouterr())


async def test_a_right_key_is_in_no_answer_no_metric_and_no_log(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    async with stage.pool.acquire() as connection:
        key = await auth.create_key(
            connection, label="desk", region="450200", unit=None, expires_at=None, may_state=True
        )
    signature = {"Nenghao-Signature": f"{CANARY}"}
    with logged():
        texts = [(await stage.ask(key, path)).text for path in PATHS]
        await stage.pool.execute("ALTER TABLE units RENAME COLUMN name TO nom")  # our own fault
        texts.append((await stage.ask(key, "/v1/units")).text)
        broken = await stage.ask(key, "/v1/production", method="POST", body={"reason": key})
        texts.append(broken.text)
        unsigned = await stage.client.post(
            "/v1/readings/450200/x/gw1", content=CANARY, headers=signature
        )
        texts.append(unsigned.text)
        await stage.pool.execute("ALTER TABLE units RENAME COLUMN nom TO name")
    stored = await stage.pool.fetch("SELECT api_keys::text AS line FROM api_keys")
    texts += [row["line"] for row in stored]
    texts += capsys.readouterr()
    assert not [text for text in texts if key in text or key.removeprefix("nh_") in text]
    assert not [text for text in texts if CANARY in text]


async def test_the_description_and_the_settings_of_the_interface_hold_no_secret() -> None:
    settings = Settings.model_validate(
        {name.removeprefix("NENGHAO_").lower(): url for name, url in ENVIRONMENT.items()}
    )
    app = create_app(settings, ENVIRONMENT["NENGHAO_DATABASE_URL"], clock=lambda: NOW)
    for text in (str(app.openapi()), repr(settings), str(settings), settings.model_dump_json()):
        assert CANARY not in text
    with pytest.raises(OSError, match=r".") as refused:
        async with app.router.lifespan_context(app):
            await asyncio.sleep(0)
    assert CANARY not in repr(refused.value)


def test_files_that_hold_a_secret_are_their_owners_alone(services: Services) -> None:
    secrets = {
        url.rpartition("@")[0].rpartition(":")[2]
        for url in (services.database_url, services.mqtt_url, services.mqtt_admin_url)
    }
    home = STATE_DIR / "services" / INSTANCE
    found = [path for path in home.glob("*") if path.is_file() and holds(path, secrets)]
    assert home / "state.json" in found
    for path in found:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert local_services.status(STATE_DIR, instance=INSTANCE) is not None


def holds(path: Path, secrets: set[str]) -> bool:
    content = path.read_bytes()
    return any(secret.encode() in content for secret in secrets)


def test_the_services_are_told_their_passwords_by_no_command_line(services: Services) -> None:
    """[43] Whoever is on the machine reads the command line of every process."""
    secrets = {services.database_url.rpartition("@")[0].rpartition(":")[2].encode()}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
        except OSError:
            continue
        assert not any(secret in line for secret in secrets), path
