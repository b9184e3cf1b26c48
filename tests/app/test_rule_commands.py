"""Operators list rules and test them on the past; rules from before versions keep what they say."""

from __future__ import annotations

import asyncpg
import psycopg
from typer.testing import CliRunner

import db.admin
import db.migrate
import db.rules
from app import cli
from deploy.services import Services
from tests.alerts.conftest import NOW


def test_rules_are_listed_and_backtested_by_operators(database_url: str) -> None:
    run = CliRunner()
    environment = {"NENGHAO_DATABASE_URL": database_url, "COLUMNS": "250"}
    listed = run.invoke(cli.app, ["rules", "list"], env=environment)
    assert "产品单耗超限" in listed.output, listed.output
    assert '"remind_h":24' in listed.output
    period = ["--since", "2026-01-01", "--until", "2026-01-03"]
    tested = run.invoke(cli.app, ["rules", "backtest", "1", *period], env=environment)
    assert tested.exit_code == 0, tested.output
    wrong = ["rules", "backtest", "1", *period, "--parameters", '{"window_h": 0}']
    refused = run.invoke(cli.app, wrong, env=environment)
    assert refused.exit_code != 0


def test_an_ended_rule_is_listed_as_such(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO rule_versions (rule_id, version, name, parameters, holds_from, stated_at, "
            "actor, reason) VALUES (1, 2, 'x', NULL, now(), now(), 'zhao', 'r')"
        )
    environment = {"NENGHAO_DATABASE_URL": database_url, "COLUMNS": "250"}
    listed = CliRunner().invoke(cli.app, ["rules", "list"], env=environment)
    assert "ended" in listed.output, listed.output


async def test_rules_from_before_versions_keep_what_they_say(services: Services) -> None:
    url = db.admin.recreate(services.database_url, "nenghao_before_versions")
    db.migrate.upgrade(url, "0027")
    connection = await asyncpg.connect(url)
    await connection.execute(
        """
        INSERT INTO rules (kind, name, enabled, parameters)
        VALUES ('product_intensity', 'off', false, '{"for_h": 1}');
        INSERT INTO alerts (rule_id, region, subject, level, state, period_starts_at,
                            period_ends_at, measured, threshold, uom, coverage, estimated_share,
                            reason, pending_at, updated_at)
        VALUES (2, '450200', 'x', 1, 'firing', '2026-01-01Z', '2026-01-02Z', 2, 1, 'kgce/t', 1, 0,
                'over', now(), now())
        """
    )
    db.migrate.upgrade(url)
    held = await db.rules.list_holding(connection, NOW)
    assert [(each.rule_id, each.name, each.version) for each in held if each.rule_id < 3] == [
        (1, "产品单耗超限", 1),
        (2, "地区能耗强度预警等级", 1),
    ]
    versions = await db.rules.list_versions(connection, 3)
    assert [each.parameters for each in versions] == ['{"for_h": 1}', None]
    assert await connection.fetchval("SELECT told_at IS NOT NULL FROM alerts")
    await connection.close()
    db.admin.drop(services.database_url, "nenghao_before_versions")
