"""`nenghao settings` says what will really be used, and where it comes from."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from app import effective
from deploy.services import Services
from settings import Settings

LOCAL = Services(
    "postgresql://nenghao:secret@127.0.0.1:5432/nenghao",
    "mqtt://collector:secret@127.0.0.1:1883",
    "mqtt://admin:secret@127.0.0.1:1883",
    "chroot",
)
UNSET = {name: field.default for name, field in Settings.model_fields.items()}


def told(local: Services | None = None, **given: object) -> dict[str, tuple[str, str]]:
    sources = dict.fromkeys(given, "environment")
    rows = effective.rows(UNSET | given, sources, local, Path("var"))
    return {name: (value, source) for name, value, source in rows}


def test_local_services_are_shown_where_no_address_is_set() -> None:
    shown = told(LOCAL)
    where = f"local services under {Path.cwd() / 'var'}"
    assert shown["database_url"] == ("postgresql://nenghao:***@127.0.0.1:5432/nenghao", where)
    assert shown["mqtt_url"] == ("mqtt://collector:***@127.0.0.1:1883", where)
    assert shown["view_database_url"][0] == "postgresql://nenghao_view:***@127.0.0.1:5432/nenghao"
    assert shown["service_database_url"][1] == "derived from NENGHAO_DATABASE_URL"
    assert "secret" not in str(list(shown.values()))


def test_what_is_set_is_used_and_without_services_there_is_nothing() -> None:
    shown = told(LOCAL, mqtt_url=SecretStr("mqtts://c:secret@b"), http_port=80)
    assert shown["mqtt_url"] == ("mqtts://c:***@b", "environment")
    assert shown["http_port"] == ("80", "environment")
    assert told()["database_url"] == ("", effective.no_services(Path.cwd() / "var"))
    assert told()["http_host"] == ("127.0.0.1", "default")
    assert told(webhooks=SecretStr("secret"))["webhooks"][0] == effective.HIDDEN


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:se/secret@h/d", "postgresql://u:12/secret@h/d", "postgresql://u:1#secret@h",
        "postgresql://u:p@secret@h/d", "postgresql://u:1?secret@h/d", "host=h password=secret",
        "postgresql://u:secret", "postgresql://h/d?password=secret", "secret",
        "postgresql://u:secret@h:port/d",
    ],
)  # fmt: skip
def test_no_part_of_a_password_is_shown_however_it_is_written(url: str) -> None:
    assert "secret" not in effective.address(url)
