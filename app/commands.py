"""Owns which commands administrators have; the programs are those of `app/cli.py`."""

from __future__ import annotations

import typer

from app import (
    administration,
    audit,
    contact_commands,
    corrections,
    doubts,
    evidence_file,
    factors,
    gateways,
    local,
    proposals,
    quality_commands,
    quarantine,
    readiness,
    rule_commands,
    rule_tests,
    silence_commands,
    verify,
    withdrawals,
)
from app.watchdog import command as watchdog


def add_to(app: typer.Typer) -> None:
    app.add_typer(local.services_app, name="services")
    app.add_typer(administration.keys_app, name="keys")
    app.add_typer(gateways.gateways_app, name="gateways")
    app.add_typer(doubts.doubts_app, name="doubts")
    app.add_typer(quarantine.quarantine_app, name="quarantine")
    app.add_typer(factors.factors_app, name="factors")
    app.add_typer(quality_commands.quality_app, name="quality")
    app.add_typer(quality_commands.repairs_app, name="repairs")
    app.add_typer(corrections.corrections_app, name="corrections")
    app.add_typer(rule_commands.rules_app, name="rules")
    rule_commands.rules_app.command("test")(rule_tests.test_command)
    app.add_typer(contact_commands.contacts_app, name="contacts")
    app.add_typer(silence_commands.silences_app, name="silences")
    app.add_typer(proposals.proposals_app, name="proposals")
    app.add_typer(audit.audit_app, name="audit")
    app.add_typer(verify.verify_app, name="verify")
    verify.verify_app.command("evidence")(evidence_file.evidence_command)
    app.command("ready")(readiness.ready_command)
    app.command("import")(administration.import_command)
    app.command("watchdog")(watchdog.watchdog_command)
    app.command("withdraw")(withdrawals.withdraw_command)
