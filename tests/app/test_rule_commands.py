"""Operators list rules and test them on the past; rules from before versions keep what they say."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from pathlib import Path

import asyncpg
import psycopg
from typer.testing import CliRunner

import db.admin
import db.migrate
import db.rules
from app import cli
from deploy.services import Services
from tests.alerts.conftest import NOW, Works
from tests.alerts.conftest import works as works


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


def test_a_rule_that_nobody_made_yet_is_tried_from_a_file(
    database_url: str, tmp_path: Path
) -> None:
    environment = {"NENGHAO_DATABASE_URL": database_url, "COLUMNS": "250"}
    command = ["rules", "backtest", "--since", "2026-01-01", "--until", "2026-01-03", "--file"]
    path = tmp_path / "rule.json"
    said = {"kind": "region_level", "region": "450200", "parameters": {"scheme": "national"}}
    path.write_text(json.dumps(said), encoding="utf-8")
    tried = CliRunner().invoke(cli.app, [*command, str(path)], env=environment)
    assert tried.exit_code == 0, tried.output
    said["parameters"] = {"scheme": "natonal"}
    path.write_text(json.dumps(said), encoding="utf-8")
    refused = CliRunner().invoke(cli.app, [*command, str(path)], env=environment)
    assert "is it national?" in str(refused.exception)


async def test_operators_are_told_what_the_evaluator_finds_without_factors_nobody_verified(
    works: Works, database_url: str
) -> None:
    """What a kgoe is worth in coal is such a factor: refused, nothing can be said."""
    await works.pool.execute("UPDATE limits SET uom = 'kgoe/t', baseline = 1")
    await works.made(140.0)
    command = ["rules", "backtest", "1", "--since", "2026-11-23", "--until", "2026-11-24"]
    found = {}
    for policy in ("note", "refuse"):
        environment = {
            "NENGHAO_DATABASE_URL": database_url,
            "NENGHAO_UNVERIFIED_FACTORS": policy,
            "COLUMNS": "250",
        }
        invoke = partial(CliRunner().invoke, cli.app, command, env=environment)
        done = await asyncio.to_thread(invoke)
        assert done.exit_code == 0, (done.output, done.exception)
        found[policy] = "first" in done.output
    assert found == {"note": True, "refuse": False}


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
