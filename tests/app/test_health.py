"""Machines learn whether the platform lives, can serve, and how it is."""

from __future__ import annotations

from tests.app.conftest import Stage


async def test_health_and_readiness_need_no_key(shown_stage: Stage) -> None:
    assert (await shown_stage.get("zhou", "/healthz")).json() == {"alive": True}
    ready = (await shown_stage.get("zhou", "/readyz")).json()
    assert ready["ready"] is True


async def test_readiness_names_the_collectors_and_does_not_depend_on_them(stage: Stage) -> None:
    await stage.pool.execute(
        """
        INSERT INTO heartbeats
        VALUES ('collect', 'c1', '2026-11-23 07:59:50Z', 'ready'),
               ('collect', 'c2', '2026-11-23 07:59:50Z', 'no_broker'),
               ('collect', 'c2@host', '2026-11-23 07:59:50Z', 'standby')
        """
    )
    ready = (await stage.get("zhou", "/readyz")).json()
    assert (ready["ready"], ready["collected"]) == (True, False)
    assert [each["state"] for each in ready["collectors"]] == ["ready", "no_broker", "standby"]
    text = (await stage.get("zhou", "/metrics")).text
    assert 'nenghao_collector_ready{collector="c1"} 1.0' in text
    assert 'nenghao_collector_ready{collector="c2"} 0.0' in text
    assert "c2@host" not in text.partition("nenghao_collector_ready{")[2]


async def test_collected_is_what_the_command_says(stage: Stage) -> None:
    """None at all is not; one that was told to stop is not waited for."""
    assert (await stage.get("zhou", "/readyz")).json()["collected"] is False
    await stage.pool.execute(
        """
        INSERT INTO heartbeats
        VALUES ('collect', 'c1', '2026-11-23 07:59:50Z', 'ready'),
               ('collect', 'c2', '2026-11-23 07:00:00Z', 'ended')
        """
    )
    assert (await stage.get("zhou", "/readyz")).json()["collected"] is True


async def test_a_schema_of_another_release_is_not_ready(stage: Stage) -> None:
    await stage.pool.execute("UPDATE alembic_version SET version_num = '0001'")
    answer = await stage.get("zhou", "/readyz")
    assert (answer.status_code, answer.json()["code"]) == (503, "schema_differs")
    assert "nenghao migrate" in answer.json()["detail"]
    assert answer.headers["retry-after"] == "5"


async def test_metrics_count_requests_by_route(stage: Stage) -> None:
    await stage.get("zhao", "/v1/units/a")
    await stage.get("zhao", "/v1/units/b")
    await stage.get("zhao", "/wp-login.php")
    text = (await stage.get("zhou", "/metrics")).text
    assert (
        'nenghao_http_requests_total{method="GET",route="/v1/units/{unit}",status="404"} 2.0'
        in text
    )
    assert 'route="unknown",status="404"} 1.0' in text
    assert "wp-login" not in text


async def test_metrics_show_what_the_database_knows(stage: Stage) -> None:
    await stage.pool.execute("INSERT INTO ingest_totals VALUES ('c', 10, 6, 1, 1, 2)")
    await stage.pool.execute(
        """
        INSERT INTO stale_ranges (unit_id, meter_id, starts_at, ends_at, marked_at)
        VALUES (1, 1, '2026-11-23Z', '2026-11-24Z', '2026-11-23 07:59Z')
        """
    )
    await stage.pool.execute(
        "INSERT INTO heartbeats VALUES ('settle', 'host-1', '2026-11-23 07:59:30Z', '')"
    )
    await stage.pool.execute(
        "INSERT INTO quarantine_size VALUES (true, '2026-11-23 07:59Z', 3, 2048, 4)"
    )
    await stage.pool.execute("INSERT INTO reconciliations VALUES ('2027-01-01Z', 9, 3, 1)")
    await stage.pool.execute(
        """
        INSERT INTO nightly_checks
        VALUES ('facts', '2026-11-22', '2026-11-22Z', 5, 'gone'),
               ('facts', '2026-11-23', '2026-11-23 07:59Z', 2, 'gone'),
               ('chains', '2026-11-23', '2026-11-23 07:58Z', 0, NULL),
               ('corrections', '2026-11-23', '2026-11-23 07:58Z', 0, NULL),
               ('corrections', '2026-11-24', '2026-11-24 07:58Z', 9, 'forged')
        """
    )
    text = (await stage.get("zhou", "/metrics")).text
    for line in (
        "nenghao_reconciliation_differences 3.0",
        "nenghao_reconciliation_unknown_units 1.0",
        "nenghao_verification_findings 2.0",
        "nenghao_verification_age_seconds 120.0",
        "nenghao_database_up 1.0",
        'nenghao_ingest_readings_total{outcome="received"} 10.0',
        'nenghao_ingest_readings_total{outcome="rejected"} 2.0',
        "nenghao_stale_ranges 1.0",
        "nenghao_stale_oldest_age_seconds 60.0",
        'nenghao_outbox_letters{state="failed"} 0.0',
        'nenghao_heartbeat_age_seconds{instance="host-1",program="settle"} 30.0',
        "nenghao_quarantine_bytes 2048.0",
        "nenghao_quarantine_unreplayed 4.0",
    ):
        assert line in text
