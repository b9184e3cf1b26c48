"""Owns which commands administrators have; the programs are those of `app/cli.py`.

Each is loaded when it is asked for: a collector that starts again must not load all of them first.
"""

from __future__ import annotations

from collections import UserDict
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

ELSEWHERE = {
    "services": "app.local:services_app",
    "keys": "app.administration:keys_app",
    "gateways": "app.gateways:gateways_app",
    "doubts": "app.doubts:doubts_app",
    "quarantine": "app.quarantine:quarantine_app",
    "factors": "app.factors:factors_app",
    "quality": "app.quality_commands:quality_app",
    "repairs": "app.quality_commands:repairs_app",
    "corrections": "app.corrections:corrections_app",
    "rules": "app.rule_commands:rules_app",
    "alerts": "app.alert_commands:alerts_app",
    "contacts": "app.contact_commands:contacts_app",
    "silences": "app.silence_commands:silences_app",
    "proposals": "app.proposals:proposals_app",
    "audit": "app.audit:audit_app",
    "verify": "app.verify:verify_app",
    "ready": "app.readiness:ready_command",
    "import": "app.administration:import_command",
    "export": "app.export_commands:export_app",
    "watchdog": "app.watchdog.command:watchdog_command",
    "withdraw": "app.withdrawals:withdraw_command",
}
"""Where each is, as `module:name`."""


class OnDemand(UserDict[str, Any]):
    """Commands by name; None: of one that nobody asked for yet."""

    def __getitem__(self, name: str) -> Any:
        if self.data[name] is None:
            self.data[name] = _loaded(name)
        return self.data[name]


class Commands(TyperGroup):
    """The commands of a program and those of administrators."""

    def __init__(self, *, commands: Mapping[str, Any], **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = OnDemand({**commands, **dict.fromkeys(ELSEWHERE)})

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]  # its own click
        return list(self.commands)


def _loaded(name: str) -> Any:
    module, _, attribute = ELSEWHERE[name].partition(":")
    found = getattr(import_module(module), attribute)
    if not isinstance(found, typer.Typer):
        alone = typer.Typer(add_completion=False)
        alone.command(name)(found)
        found = alone
    command = typer.main.get_command(found)
    command.name = name
    return command
