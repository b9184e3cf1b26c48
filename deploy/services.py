"""Owns `nenghao services`: PostgreSQL + TimescaleDB and Mosquitto on this machine.

In order: Docker Compose where an engine answers; the machine's own packages; a private Debian 13
root. Everything lies in `state_dir/services`; an instance keeps its data, ports and passwords.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from deploy import broker, compose, local, postgres, processes, root
from deploy.processes import ADDRESS, Report, ServicesError

__all__ = ["Services", "ServicesError", "Via", "discard", "down", "remove", "status", "up", "were"]


class Via(StrEnum):
    COMPOSE = "compose"
    NATIVE = "native"
    PRIVATE_ROOT = "private root"


@dataclass(frozen=True, slots=True)
class Services:
    """Where the services answer, and the logins they were set up with."""

    database_url: str = field(repr=False)
    mqtt_url: str = field(repr=False)
    mqtt_admin_url: str = field(repr=False)
    via: str


class Programs(Protocol):
    """A way to run both programs."""

    def start(
        self,
        postgres_port: int | None,
        broker_port: int | None,
        passwords: dict[str, str],
        report: Report,
    ) -> tuple[int, int]: ...
    def stop(self, report: Report) -> None: ...
    def discard(self) -> None: ...
    def is_running(self) -> bool: ...
    def has_data(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class State:
    """What outlives a stop. The passwords are random, 192 bits."""

    via: Via
    postgres_port: int | None
    mqtt_port: int | None
    passwords: dict[str, str] = field(repr=False)

    def services(self) -> Services:
        assert self.postgres_port is not None
        assert self.mqtt_port is not None
        owner, database = postgres.OWNER, postgres.DATABASE
        mqtt = {
            name: f"mqtt://{name}:{self.passwords[name]}@{ADDRESS}:{self.mqtt_port}"
            for name in (broker.COLLECTOR, broker.ADMIN)
        }
        return Services(
            database_url=f"postgresql://{owner}:{self.passwords[owner]}"
            f"@{ADDRESS}:{self.postgres_port}/{database}",
            mqtt_url=mqtt[broker.COLLECTOR],
            mqtt_admin_url=mqtt[broker.ADMIN],
            via=self.via.value,
        )


def up(state_dir: Path, *, report: Report, instance: str = "main") -> Services:
    """Make sure both services run, and return where. Safe to repeat, even twice at once.

    What was stopped comes back with its data and passwords, and its ports unless they were taken.
    """
    home = _home(state_dir, instance)
    with processes.turn(home / "lock", report):
        state = _read(home)
        if state is None:
            return _set_up(home, report).services()
        return _start(home, state, _programs(home, state.via, report), report).services()


def down(state_dir: Path, *, report: Report, instance: str = "main") -> None:
    """Stop both services cleanly and keep their data."""
    home = _home(state_dir, instance)
    if _read(home) is None:
        return
    with processes.turn(home / "lock", report):
        programs = _existing(home, report)
        if programs is not None:
            programs.stop(report)


def status(state_dir: Path, *, instance: str = "main") -> Services | None:
    """Return where both services run, or None when they do not both run."""
    home = _home(state_dir, instance)
    state = _read(home)
    if state is None or state.postgres_port is None or state.mqtt_port is None:
        return None
    try:
        programs = _existing(home, lambda _: None)
    except ServicesError:
        return None
    answering = all(processes.accepts(port) for port in (state.postgres_port, state.mqtt_port))
    return state.services() if answering and programs and programs.is_running() else None


def were(state_dir: Path, *, instance: str = "main") -> Services | None:
    """Return where both services ran last, without asking whether they do; None: they never did."""
    state = _read(_home(state_dir, instance))
    if state is None or state.postgres_port is None or state.mqtt_port is None:
        return None
    return state.services()


def discard(state_dir: Path, *, report: Report, instance: str) -> None:
    """Stop both services and delete their data."""
    home = _home(state_dir, instance)
    if not home.exists():
        return
    with processes.turn(home / "lock", report):
        programs = _existing(home, report)
        if programs is not None:
            programs.stop(report)
            programs.discard()
        processes.run(["rm", "-rf", "--one-file-system", str(home)])


def remove(state_dir: Path, *, report: Report) -> None:
    """Stop everything of `state_dir` and delete it: all instances, all data, the private root."""
    folder = state_dir.resolve() / "services"
    for state in folder.glob("*/state.json"):
        discard(state_dir, report=report, instance=state.parent.name)
    if folder.exists():
        root.remove(folder / "root")
        processes.run(["rm", "-rf", "--one-file-system", str(folder)])


def _home(state_dir: Path, instance: str) -> Path:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,31}", instance) or instance == "root":
        raise ServicesError(f"an instance is named with a-z, 0-9 and -, not {instance!r}")
    return state_dir.resolve() / "services" / instance


def _set_up(home: Path, report: Report) -> State:
    """Start both services the first way that works here, and remember which it was."""
    reasons = []
    for via in Via:
        try:
            programs = _programs(home, via, report)
            if programs.has_data():
                raise ServicesError(f"there is data of {home.name}, but {home}/state.json is gone")
        except ServicesError as error:
            reasons.append(f"{via}: {error}")
            continue
        try:
            return _start(home, _new_state(via), programs, report)
        except ServicesError as error:
            reasons.append(f"{via}: {error}")
            report(f"{via} did not work: {error}")
            _forget(home, programs)
    raise ServicesError(
        "PostgreSQL 17 + TimescaleDB and Mosquitto can be started in no way on this machine ("
        + "; ".join(reasons)
        + "). Set NENGHAO_DATABASE_URL and NENGHAO_MQTT_URL to servers you have, or start Docker, "
        "or on Debian install postgresql-17-timescaledb and mosquitto, or mmdebstrap and uidmap"
    )


def _start(home: Path, state: State, programs: Programs, report: Report) -> State:
    """Start what does not run yet. Passwords are written down first, ports as soon as known."""
    _write(home, state)
    postgres_port, mqtt_port = programs.start(
        state.postgres_port, state.mqtt_port, state.passwords, report
    )
    state = replace(state, postgres_port=postgres_port, mqtt_port=mqtt_port)
    _write(home, state)
    return state


def _forget(home: Path, programs: Programs) -> None:
    """Undo a first start that failed, so that the next way finds an empty place."""
    with suppress(ServicesError):
        programs.discard()
    (home / "state.json").unlink(missing_ok=True)


def _programs(home: Path, via: Via, report: Report) -> Programs:
    ways: dict[Via, Callable[[], Programs]] = {
        Via.COMPOSE: lambda: compose.composition(home / "compose"),
        Via.NATIVE: lambda: local.native(home),
        Via.PRIVATE_ROOT: lambda: local.private(home, report),
    }
    return ways[via]()


def _existing(home: Path, report: Report) -> Programs | None:
    """Return the way this instance was set up, or None if there is nothing left of it."""
    state = _read(home)
    if state is None or (state.via is Via.PRIVATE_ROOT and not local.has_root(home)):
        return None
    return _programs(home, state.via, report)


def _new_state(via: Via) -> State:
    names = (postgres.OWNER, broker.COLLECTOR, broker.ADMIN)
    return State(via, None, None, {name: secrets.token_urlsafe(24) for name in names})


def _read(home: Path) -> State | None:
    try:
        text = (home / "state.json").read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ServicesError(f"{home}/state.json cannot be read: {error.strerror}") from None
    try:
        stored = json.loads(text)
        return State(**(stored | {"via": Via(stored["via"])}))
    except (ValueError, KeyError, TypeError):
        raise ServicesError(f"{home}/state.json is damaged: restore it or remove {home}") from None


def _write(home: Path, state: State) -> None:
    partial = home / "state.json.new"
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(asdict(state), file, indent=1)
    partial.replace(home / "state.json")
