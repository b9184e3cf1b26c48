"""Owns `nenghao services`: the local database and broker, started, shown, stopped, removed."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

import db.migrate
from app import dangers, session
from app.resolve import Refusal
from deploy import certified
from deploy import services as local_services
from ingest import authority, probe

services_app = typer.Typer(no_args_is_help=True, help="The local database and broker.")


@services_app.command("up")
def services_up(context: typer.Context) -> None:
    """Start PostgreSQL + TimescaleDB and Mosquitto on free ports, and migrate."""
    state_dir = session.addresses(context).state_dir
    found = local_services.up(state_dir, report=_say)
    db.migrate.upgrade(found.database_url)
    _show_services(state_dir)


@services_app.command("down")
def services_down(context: typer.Context) -> None:
    """Stop them cleanly; their data stays."""
    local_services.down(session.addresses(context).state_dir, report=_say)


@services_app.command("remove")
def services_remove(context: typer.Context) -> None:
    """Stop them and delete them with all their data."""
    local_services.remove(session.addresses(context).state_dir, report=_say)


@services_app.command("status")
def services_status(context: typer.Context) -> None:
    """Say where they answer."""
    state_dir = session.addresses(context).state_dir
    if not _show_services(state_dir):
        _say(f"no local services run under {state_dir.resolve()}: `nenghao services up`")
        raise typer.Exit(1)


@services_app.command("check")
def services_check(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="a mosquitto.conf")],
) -> None:
    """Look for what loses or exposes data in a broker's configuration."""
    text = file.read_text(encoding="utf-8")
    if "${" in text:
        raise Refusal(
            f"{file} is a template; write one with `nenghao services profile` and check it"
        )
    found = dangers.of_broker(text)
    for each in found:
        print(each)
    if found:
        raise Refusal(f"{file} is dangerous: {len(found)} found")
    _say(f"{file}: nothing dangerous found")


@services_app.command("profile")
def services_profile(
    context: typer.Context,
    host: Annotated[list[str], typer.Option(help="what gateways call the broker; may be repeated")],
    out: Annotated[Path, typer.Option(help="the broker's folder: configuration, keys, its data")],
    port: Annotated[int, typer.Option(min=1, max=65_535, help="for gateways")] = 8883,
    inner_port: Annotated[int, typer.Option(min=1, max=65_535, help="for collectors")] = 1884,
) -> None:
    """Write what a broker needs whose gateways have certificates; again: a new server certificate.

    The authority in NENGHAO_AUTHORITY_DIR is made if there is none.
    """
    folder = session.addresses(context).authority_dir
    if folder is None:
        raise Refusal("set NENGHAO_AUTHORITY_DIR: the folder of the authority that signs")
    now = datetime.now(UTC)
    ours = authority.ensure(folder, now)
    if not (folder / "acl").exists():
        ours.write_access(certified.access_rules(), [])
    server = ours.issue_server(host, now)
    place = str(out.resolve())
    text = certified.settings(
        port=port, address="0.0.0.0", inner_port=inner_port, inner_address="127.0.0.1",
        certificates=place, folder=place, log="stderr",
    )  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    for name in ("ca.pem", "crl.pem", "acl"):
        (out / name).write_bytes((folder / name).read_bytes())
    (out / "server.pem").write_bytes(server.certificate)
    authority.write_private(out / "server.key", server.key)
    if (out / "mosquitto.conf").exists():
        _say(f"{out / 'mosquitto.conf'} is there already and was left as it is")
    else:
        (out / "mosquitto.conf").write_text(text, encoding="utf-8")
    _say(
        f"written to {out}; the server certificate is valid until {server.expires_at:%Y-%m-%d}. "
        f"Give each collector a login: mosquitto_passwd -c {out / 'passwords'} collector"
    )


@services_app.command("probe")
def services_probe(context: typer.Context) -> None:
    """Try whether the broker keeps what is sent while a collector is away."""
    found = session.addresses(context)
    came = probe.probe(found.broker(), found.broker_admin())
    if came < probe.MESSAGES:
        raise Refusal(
            f"{came} of {probe.MESSAGES} messages came back to a session that was away: this "
            "broker loses what it acknowledged; see `nenghao services check FILE`"
        )
    _say(f"{came} of {probe.MESSAGES} messages came back to a session that was away")


def _show_services(state_dir: Path) -> bool:
    """Print where the local services answer; False: they do not run."""
    found = local_services.status(state_dir)
    if found is None:
        return False
    print(f"NENGHAO_DATABASE_URL={found.database_url}")
    print(f"NENGHAO_MQTT_URL={found.mqtt_url}")
    print(f"NENGHAO_MQTT_ADMIN_URL={found.mqtt_admin_url}")
    _say(f"by {found.via}; every nenghao command finds them by itself")
    return True


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr)
