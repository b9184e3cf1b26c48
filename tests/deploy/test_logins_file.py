"""A broker on a full disk tears its file of logins and says nothing: the platform looks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy import local
from deploy.services import Services, Via
from ingest import credentials, logins_file
from ingest.logins_file import LoginsFileError
from tests import factories
from tests.conftest import INSTANCE, STATE_DIR
from tests.faults import small

FLEET = [("450200", factories.unit_code(), f"gw{number}") for number in range(40)]


@pytest.fixture(scope="module")
def crowded(services: Services) -> Iterator[tuple[Path, str]]:
    """A broker on a small disk: where that lies, and the URL of its administrator."""
    if services.via == Via.COMPOSE:
        pytest.skip("a small disk is mounted under a program of this machine, not of a container")
    home = (STATE_DIR / "services" / INSTANCE).resolve()
    is_private = services.via == Via.PRIVATE_ROOT
    pair = local.private(home, print) if is_private else local.native(home)
    with small.broker_on(pair.broker, services) as (disk, _, _, admin_url):
        yield disk, admin_url


def test_a_torn_file_is_named_and_heals_when_there_is_room(crowded: tuple[Path, str]) -> None:
    disk, admin_url = crowded
    file = disk / "dynamic-security.json"
    names = [login.username for login in credentials.grant(admin_url, FLEET)]
    logins_file.require_whole(file, names[-1], is_known=True)
    logins_file.require_room(file)
    small.fill(disk)
    with pytest.raises(LoginsFileError, match="make room first; nothing was changed"):
        logins_file.require_room(file)
    (login,) = credentials.grant(admin_url, [("450200", factories.unit_code(), "late")])
    with pytest.raises(LoginsFileError, match="do NOT restart the broker"):
        logins_file.require_whole(file, login.username, is_known=True)
    small.relieve(disk)
    logins_file.require_room(file)
    (again,) = credentials.grant(admin_url, [("450200", factories.unit_code(), "late")])
    for name in (*names, again.username):
        logins_file.require_whole(file, name, is_known=True)


def test_a_login_that_is_gone_or_never_was_is_told_apart(tmp_path: Path) -> None:
    file = tmp_path / "dynamic-security.json"
    file.write_text(json.dumps({"clients": [{"username": "U.gw1"}]}))
    logins_file.require_whole(file, "U.gw1", is_known=True)
    logins_file.require_whole(file, "U.gw2", is_known=False)
    with pytest.raises(LoginsFileError, match=r"lacks the login U\.gw2"):
        logins_file.require_whole(file, "U.gw2", is_known=True)
    with pytest.raises(LoginsFileError, match=r"still has the login U\.gw1"):
        logins_file.require_whole(file, "U.gw1", is_known=False)


def test_a_file_that_is_not_there_is_a_slip_of_the_pen(tmp_path: Path) -> None:
    for look in (
        logins_file.require_room,
        lambda path: logins_file.require_whole(path, "", is_known=True),
    ):
        with pytest.raises(LoginsFileError, match="NENGHAO_LOGINS_FILE cannot be looked at"):
            look(tmp_path / "missing.json")
