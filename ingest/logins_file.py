"""Owns whether the broker's file of logins, dynamic-security.json, has room and is whole.

Mosquitto 2.0.21 writes it anew at each change and does not look whether the disk took it: half a
file replaces the whole one, the broker says "done", and after its next start nobody has a login.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from ingest.credentials import CredentialsError

ROOM_BYTES_MIN = 1024 * 1024
"""Room beside two copies of the file: the broker writes a new one and renames it."""


class LoginsFileError(CredentialsError):
    """The file has no room, is torn, or cannot be looked at."""


def require_room(path: Path) -> None:
    """Raise LoginsFileError unless the disk of the file has room for writing it anew."""
    try:
        needed = 2 * path.stat().st_size + ROOM_BYTES_MIN
        free = shutil.disk_usage(path.parent).free
    except OSError as error:
        raise LoginsFileError(f"NENGHAO_LOGINS_FILE cannot be looked at: {error}") from None
    if free < needed:
        raise LoginsFileError(
            f"the disk under {path.parent} has {free} bytes left, the broker needs {needed} to "
            "write its logins anew: make room first; nothing was changed"
        )


def require_whole(path: Path, username: str, *, is_known: bool) -> None:
    """Raise LoginsFileError unless the file can be read back and has the login, or has it not."""
    try:
        clients = json.loads(path.read_bytes())["clients"]
        names = {client["username"] for client in clients}
    except OSError as error:
        raise LoginsFileError(f"NENGHAO_LOGINS_FILE cannot be looked at: {error}") from None
    except (ValueError, LookupError, TypeError) as error:
        raise LoginsFileError(
            f"the broker has torn {path} ({error}): is its disk full? It still knows all logins "
            "and writes them whole at the next change. Make room, then enrol a gateway again, and "
            "do NOT restart the broker before that"
        ) from None
    if (username in names) is not is_known:
        raise LoginsFileError(
            f"{path} {'lacks' if is_known else 'still has'} the login {username}: is it the file "
            "of this broker, and has its disk room?"
        )
