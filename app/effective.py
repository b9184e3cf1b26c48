"""Owns what `nenghao settings` says: what will really be used, and where it comes from.

No password is shown, and nothing of an address that cannot be taken apart for certain.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr
from rich.table import Table
from rich.text import Text

import db.logins
from app import session
from app.resolve import service_url
from deploy import services
from deploy.services import Services

HIDDEN = "**********"
OWNED = ("database_url", "mqtt_url", "mqtt_admin_url")
"""What the local services have, where it is not set."""

ADDRESSES = frozenset({*OWNED, "view_database_url", "service_database_url", "smtp_url"})
"""Secrets whose secret is the password: the rest of them may be shown."""


def sources(given: Collection[str], environment: Mapping[str, str]) -> dict[str, str]:
    """Return where each of the settings comes from that are `given`; an empty variable is none.

    >>> sources(["http_port", "mqtt_url"], {"NENGHAO_HTTP_PORT": "81", "NENGHAO_MQTT_URL": ""})
    {'http_port': 'environment', 'mqtt_url': 'file in NENGHAO_SECRETS_DIR'}
    """
    return {
        name: "environment"
        if environment.get(f"NENGHAO_{name.upper()}")
        else "file in NENGHAO_SECRETS_DIR"
        for name in given
    }


def table(
    values: Mapping[str, object],
    given: Mapping[str, str],
    meanings: Mapping[str, str],
    folder: Path,
) -> Table:
    """Return the table of all settings; `given`: where those come from that are set."""
    found = Table(session.key("variable"), "value", "from", "meaning")
    for name, value, source in rows(values, given, services.status(folder), folder):
        found.add_row(*map(Text, (f"NENGHAO_{name.upper()}", value, source, meanings[name])))
    return found


def rows(
    values: Mapping[str, object], given: Mapping[str, str], local: Services | None, folder: Path
) -> Iterator[tuple[str, str, str]]:
    """Yield name, value and where it comes from of each setting. `given`: of those that are set.

    `local`: the services that run under `folder`, None: none do.
    """
    place = folder.resolve()
    main = values["database_url"] or values["service_database_url"]
    database = _text(main) if main else local and local.database_url
    for name, value in values.items():
        if name in given:
            yield name, _shown(name, value), given[name]
        elif name == "database_url" and main:
            yield name, _shown(name, main), "NENGHAO_SERVICE_DATABASE_URL"
        elif name in OWNED:
            url = getattr(local, name, None)
            where = f"local services under {place}" if local else no_services(place)
            yield name, "" if url is None else address(url), where
        elif name == "view_database_url" and database:
            yield name, address(db.logins.derived(database)), "derived from NENGHAO_DATABASE_URL"
        elif name == "service_database_url" and database:
            url = service_url(database, None)
            yield name, address(url), "derived from NENGHAO_DATABASE_URL"
        else:
            yield name, _shown(name, value), "default"


def no_services(folder: Path) -> str:
    return f"not set, and no local services run under {folder}: `nenghao services up`"


def _shown(name: str, value: object) -> str:
    if isinstance(value, SecretStr):
        return address(value.get_secret_value()) if name in ADDRESSES else HIDDEN
    return "" if value is None else str(value)


def _text(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def address(url: str) -> str:
    """Return a URL with its password hidden; all of it where the password may be elsewhere.

    >>> address("postgresql://nenghao:secret@db.example:5432/nenghao")
    'postgresql://nenghao:***@db.example:5432/nenghao'
    >>> address("mqtt://u:se/cret@broker"), address("host=h password=secret")
    ('**********', '**********')
    """
    try:
        parts = urlsplit(url)
        place = parts.hostname if parts.port is None else f"{parts.hostname}:{parts.port}"
    except ValueError:
        return HIDDEN
    if not (parts.scheme and parts.hostname) or "@" in url.replace(f"@{place}", "", 1):
        return HIDDEN
    password = "" if parts.password is None else ":***"
    login = "" if parts.username is None else f"{parts.username}{password}@"
    return f"{parts.scheme}://{login}{place}{parts.path}"
