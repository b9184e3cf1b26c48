"""Owns `nenghao gateways`: letting gateways in, shutting them out, listing them."""

from __future__ import annotations

import asyncio
import shlex
import subprocess
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

import db.gateways
from app import enrolment, session
from app.resolve import Addresses, Refusal
from db.gateways import GatewayRow
from db.pool import Pool
from ingest import authority, broker_url, credentials, kick, logins_file

SECRET_FILES = ("gateway.key", "login.txt", "signing.key")
RELOAD_S_MAX = 30
RELOADED_AFTER_S = 1.0
"""The broker reads its list between two rounds of its loop."""

console = Console()
gateways_app = typer.Typer(no_args_is_help=True, help="Gateways: logins, keys, certificates.")

UnitOption = Annotated[str, typer.Option(help="credit code of the unit")]
CityOption = Annotated[
    str | None, typer.Option(help="code of its city, to be sure: a unit of another one is refused")
]
GatewayOption = Annotated[str, typer.Option(help="name of the gateway, A-Z a-z 0-9 _ -")]


@gateways_app.command("enrol")
def gateways_enrol(
    context: typer.Context,
    unit: UnitOption,
    gateway: GatewayOption,
    city: CityOption = None,
    any_client_id: Annotated[
        bool, typer.Option("--any-client-id", help="for try-outs: do not bind the MQTT client id")
    ] = False,
    sparkplug: Annotated[
        bool, typer.Option("--sparkplug", help="with an authority: it speaks Sparkplug B, too")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="folder for login or certificate, and keys; asked for with an authority"),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="put new keys in the place of those in the folder")
    ] = False,
) -> None:
    """Let a gateway in. Its signing key and its login, or its certificate, are given this once.

    One that is enrolled already gets new ones: its former password ends at once, its former signing
    key after a day, its former certificate when it expires or all are revoked.
    """
    found = session.addresses(context)
    if out is not None:
        _require_free(out, force=force)
    if found.authority_dir is None:
        work = partial(_enrol, found, unit, gateway, any_client_id, out)
        session.with_pool(context, partial(_of_city, city, unit, work))
    elif out is None:
        raise Refusal("say where key and certificate shall be written: --out FOLDER")
    else:
        reload = found.broker_reload if sparkplug else None
        if sparkplug and reload is None:
            raise Refusal(
                "set NENGHAO_BROKER_RELOAD: the broker must read `acl` in the authority's folder "
                "anew, which is what its acl_file has to be"
            )
        work = partial(_certify, found.authority_dir, unit, gateway, out, reload)
        session.with_pool(context, partial(_of_city, city, unit, work))


async def _of_city(
    city: str | None, unit: str, work: Callable[[Pool], Awaitable[None]], pool: Pool
) -> None:
    """Do the work, if the unit is one of the city that was named, if one was."""
    if city is not None:
        async with pool.acquire() as connection:
            where = await db.gateways.fetch_city(connection, unit)
        if where not in (None, city):
            raise Refusal(f"unit {unit} is one of the city {where}, not of {city}")
    await work(pool)


def _require_free(out: Path, *, force: bool) -> None:
    """Make the folder; refuse to write over keys, which are nowhere else."""
    out.mkdir(parents=True, exist_ok=True)
    there = [name for name in SECRET_FILES if (out / name).exists()]
    if there and not force:
        raise Refusal(
            f"{out} holds {' and '.join(there)} already: name another folder, or --force to put "
            "new ones in their place"
        )


async def _enrol(
    found: Addresses, unit: str, gateway: str, any_client_id: bool, out: Path | None, pool: Pool
) -> None:
    if found.logins_file is not None:
        logins_file.require_room(found.logins_file)
    async with pool.acquire() as connection:
        (login,) = await enrolment.enrol(
            connection, found.broker_admin(), [(unit, gateway)], any_client_id=any_client_id
        )
        key = await enrolment.issue_key(connection, unit, gateway)
    told = (
        f"username:  {login.username}\npassword:  {login.password}\n"
        f"client id: {'any' if any_client_id else login.username}\n"
        f"topics:    nenghao/v1/{login.city}/{login.unit}/{login.gateway}/…"
    )
    if out is None:
        print(f"{told}\nsigning key: {key.hex()}")
    else:
        authority.write_private(out / "login.txt", f"{told}\n".encode())
        authority.write_private(out / "signing.key", key.hex().encode())
        print(f"written to {out}: login.txt signing.key")
    if found.logins_file is not None:  # the login holds already, and is shown this once
        logins_file.require_whole(found.logins_file, login.username, is_known=True)


async def _certify(
    folder: Path, unit: str, gateway: str, out: Path, reload: str | None, pool: Pool
) -> None:
    """Hand over a certificate; with `reload` the gateway speaks Sparkplug, too."""
    now = datetime.now(UTC)
    ours = authority.ensure(folder, now)
    async with pool.acquire() as connection:
        former = await db.gateways.list_certificates(connection, unit, gateway, now)
        issued = await enrolment.certify(
            connection, ours, unit, gateway, now, speaks_sparkplug=reload is not None
        )
        key = await enrolment.issue_key(connection, unit, gateway)
    authority.hand_over(out, ours, issued, key)
    if reload is not None:
        await asyncio.to_thread(_reload, reload)
    print(f"written to {out}: ca.pem gateway.pem gateway.key signing.key")
    print(f"serial {issued.serial}, valid until {issued.expires_at:%Y-%m-%d}")
    if former:
        print(
            f"{len(former)} former certificates go on holding, the last until "
            f"{former[-1]:%Y-%m-%d}; if a key was lost: `nenghao gateways revoke` ends them all, "
            "then enrol again"
        )


@gateways_app.command("revoke")
def gateways_revoke(
    context: typer.Context, unit: UnitOption, gateway: GatewayOption, city: CityOption = None
) -> None:
    """Shut a gateway out; its live connection is cut."""
    found = session.addresses(context)
    if found.authority_dir is None:
        work = partial(_revoke, found, unit, gateway)
        session.with_pool(context, partial(_of_city, city, unit, work))
        return
    if found.gateway_broker_url is None or found.broker_reload is None:
        raise Refusal(
            "set NENGHAO_GATEWAY_BROKER_URL and NENGHAO_BROKER_RELOAD: the broker must read the "
            "list of revoked certificates anew, and the live connection be cut"
        )
    work = partial(_revoke_certificates, found, unit, gateway)
    session.with_pool(context, partial(_of_city, city, unit, work))


async def _revoke(found: Addresses, unit: str, gateway: str, pool: Pool) -> None:
    async with pool.acquire() as connection:  # a full disk is no reason to leave it in
        await enrolment.revoke(connection, found.broker_admin(), unit, gateway)
    if found.logins_file is not None:
        name = credentials.username(unit, gateway)
        logins_file.require_whole(found.logins_file, name, is_known=False)
    print(f"gateway {gateway} of unit {unit} is shut out: its login and its signing keys are ended")


async def _revoke_certificates(found: Addresses, unit: str, gateway: str, pool: Pool) -> None:
    assert found.authority_dir is not None
    assert found.gateway_broker_url is not None
    assert found.broker_reload is not None
    now = datetime.now(UTC)
    ours = authority.ensure(found.authority_dir, now)
    broker = broker_url.parse(found.gateway_broker_url)
    async with pool.acquire() as connection:
        name = await enrolment.revoke_certificates(connection, ours, unit, gateway, now)
    await asyncio.to_thread(_reload, found.broker_reload)
    await asyncio.to_thread(kick.kick, ours, broker.host, broker.port, name, now)
    print(
        f"gateway {gateway} of unit {unit} is shut out: its certificates are revoked, its signing "
        "keys ended, its live connection cut"
    )


def _reload(command: str) -> None:
    """Have the broker read its list of revoked certificates anew."""
    try:
        subprocess.run(shlex.split(command), check=True, timeout=RELOAD_S_MAX)
    except (OSError, subprocess.SubprocessError) as error:
        raise Refusal(f"NENGHAO_BROKER_RELOAD failed, revoke again: {error}") from None
    time.sleep(RELOADED_AFTER_S)


@gateways_app.command("list")
def gateways_list(
    context: typer.Context,
    city: Annotated[str | None, typer.Option(help="only those of this city")] = None,
    unit: Annotated[str | None, typer.Option(help="only those of this unit")] = None,
    gateway: Annotated[str | None, typer.Option(help="only those of this name")] = None,
) -> None:
    """List the gateways and when each was last heard."""

    async def work(pool: Pool) -> list[GatewayRow]:
        async with pool.acquire() as connection:
            return await db.gateways.list_all(connection)

    wanted = [
        row
        for row in session.with_pool(context, work)
        if city in (None, row.city) and unit in (None, row.unit) and gateway in (None, row.gateway)
    ]
    session.show(console, table(wanted))


def table(rows: Sequence[GatewayRow]) -> Table:
    made = Table("city", session.unit_column(), session.key("gateway"), "connection", "last seen",
                 "signature required", "certified until", "revoked")  # fmt: skip
    for row in rows:
        cells = (row.city, row.unit, row.gateway, row.connection, row.last_seen_at,
                 "yes" if row.signature_required else "no", row.certified_until,
                 row.revoked_at)  # fmt: skip
        made.add_row(*map(session.cell, cells))
    return made
