"""A row of Qian's unit, or of the county it lies in, in everything that is cut to a scope."""

from __future__ import annotations

import json

from db.pool import Connection
from tests import cast, factories

HEARD_OF_UNITS = (
    "units", "meters", "epochs", "calorific_values", "production", "capacities", "verifications",
    "value_limits", "monthly_filings", "corrections", "stocks", "trades", "repairs",
)  # fmt: skip
HEARD_OF_REGIONS = ("figures", "targets", "non_fossil")
NOT_HEARD = ("contacts", "certificates", "budgets", "parks", "projects", "two_high")

STATEMENT = json.dumps(
    {"unit": cast.QIANS_UNIT, "product": "steel", "starts_at": "2026-10-31T16:00:00+00:00",
     "ends_at": "2026-11-01T16:00:00+00:00", "quantity": 1, "uom": "t", "output_value_cny": 1,
     "value_added_cny": 1}
)  # fmt: skip

ROWS = """
INSERT INTO readings VALUES (:m, '2026-11-01Z', 1, 'good', now());
INSERT INTO conflicts VALUES (:m, '2026-11-01Z', 2, 'good', now(), 't', 'b');
INSERT INTO corrections VALUES (:m, '2026-11-01Z', 1);
INSERT INTO doubts VALUES (:m, '2026-11-01 01:00Z', '2026-11-01 02:00Z', 'fell', 1, false);
INSERT INTO meter_consumption VALUES (:m, 'hour', '2026-11-01Z', 1, 0, 4, false, 1, 1);
INSERT INTO unit_consumption VALUES (:u, 'electricity', 'day', '2026-11-01Z', 1, 0, 4, false, 1, 1);
INSERT INTO area_consumption
VALUES ('450202', 'C31', 'electricity', 'day', '2026-11-01Z', 1, 0, 4, false, 1, 1);
INSERT INTO quality_days
VALUES (:m, '2026-11-01Z', 1, 1, 1, 1, 1, 1, 'in_force', true, 0, NULL, now());
INSERT INTO quality_unit_days
VALUES (:u, '2026-11-01Z', 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 's', NULL, now());
INSERT INTO quality_checks VALUES (:u, now(), '2026-11-01');
INSERT INTO stale_ranges (unit_id, meter_id, starts_at, ends_at)
VALUES (:u, :m, '2026-11-01Z', '2026-11-01 01:00Z');
INSERT INTO gateways (unit_id, gateway) VALUES (:u, 'gw1');
INSERT INTO arrivals
SELECT 1, ARRAY[gateway_id], ARRAY[now()], ARRAY['\\x00'::bytea], ARRAY['b'], ARRAY[1],
       nextval('stream_positions')
  FROM gateways WHERE unit_id = :u;
INSERT INTO calorific_values
VALUES (:u, 'raw_coal', 'b', '2026-01-01', NULL, 20.9, 'MJ/kg', 0.7, 's');
INSERT INTO factors (carrier, basis, unit_id, kgce_per_uom, valid_from, edition, source, verified)
VALUES ('raw_coal', 'calorific', :u, 0.7, '2026-01-01', 'e', 's', false);
INSERT INTO capacities VALUES (:u, 'cement_clinker', 1000, 't', '2020-01-01', 's');
INSERT INTO production
VALUES (:u, 'steel', '2026-11-01 00:00+08', '2026-11-02 00:00+08', 1, 't', 1, 1);
INSERT INTO energy_restatements
VALUES (:u, 'day', '2026-11-01 00:00+08', 'steel', 'quantity', 'total');
INSERT INTO monthly_filings
VALUES (:u, 'electricity', '2026-10-01', 1, 'kWh', 1, '2026-10-01', '2026-11-01', 's');
INSERT INTO repairs (unit_id, subject, fault, opened_at, due_at)
VALUES (:u, 'E01', 'silence', now(), now());
INSERT INTO suspicions (kind, unit_id, subject, starts_at, ends_at, sureness, evidence, found_at,
                        seen_at)
VALUES ('flat_line', :u, 'E01', '2026-11-01Z', '2026-11-02Z', 'likely', '{}', now(), now());
INSERT INTO stocks VALUES (:u, 'raw_coal', '2026-11-01', 1, 't', 'e');
INSERT INTO trades
VALUES (:u, 'raw_coal', '2026-11-01', '2026-12-01', 1, NULL, NULL, NULL, 't', 'e');
INSERT INTO projects VALUES ('p', :u, 'n', '450202', 'a', '2026-01-01', NULL, 1, NULL);
INSERT INTO parks VALUES ('k', 'n');
INSERT INTO park_units VALUES ('k', :u);
INSERT INTO energy_budgets (owner_kind, owner, starts_on, ends_on, amount_tce, basis, source)
VALUES ('unit', ':code', '2026-01-01', '2027-01-01', 2400, 'calorific', 's'),
       ('park', 'k', '2026-01-01', '2027-01-01', 2400, 'calorific', 's');
INSERT INTO verifications VALUES (:m, '2026-01-01', '2027-01-01', 'b', 'c');
INSERT INTO value_limits VALUES (:m, 0, 1, 's');
INSERT INTO region_figures (region, year, through_month, source) VALUES ('450202', 2026, 9, 's');
INSERT INTO region_targets (region, year, required_rate, source) VALUES ('450202', 2026, 0.1, 's');
INSERT INTO non_fossil VALUES ('450202', 2020, 'wind', 1, 's');
INSERT INTO two_high_projects VALUES ('p', 'n', 'o', '450202', 'existing', 1, false, 's');
INSERT INTO certificates
VALUES ('c', 'wind', 1, '2026-01-01', '450000', :u, NULL, '2026-02-01', NULL, NULL, NULL, 's');
INSERT INTO quarantine_messages
VALUES ('\\x01', 'nenghao/v1/450200/:code/gw1/readings', '\\x00', now());
INSERT INTO quarantine (sha256, reason, detail, reading_count, received_at)
VALUES ('\\x01', 'unknown_meter', 'd', 1, now());
INSERT INTO contacts (region, name, email, language, minimum_level)
VALUES ('450202', 'n', 'e', 'zh', 3);
INSERT INTO rules (kind, region) VALUES ('product_intensity', '450202');
INSERT INTO rule_versions
SELECT rule_id, 1, 'r', '{}', '2026-01-01Z', '2026-01-01Z', 'a', 'r' FROM rules WHERE rule_id > 2;
INSERT INTO silences (region, rule_id, unit_id, subject, starts_at, ends_at, is_grave, waits,
                      stated_at, actor, reason)
SELECT '450202', 3, :u, NULL, '2026-11-23Z', '2026-11-24Z', true, true, '2026-11-23Z', 'a', 'r';
INSERT INTO silences (region, subject, starts_at, ends_at, is_grave, waits, stated_at, actor,
                      reason, acts_in)
VALUES ('450000', '450202/2026', '2026-11-23Z', '2026-11-24Z', true, true, '2026-11-23Z', 'a', 'r',
        '450202');
INSERT INTO silence_events SELECT silence_id, 'approved', now(), 'b', 'r' FROM silences;
INSERT INTO alerts (rule_id, region, unit_id, subject, level, state, period_starts_at,
                    period_ends_at, measured, threshold, uom, coverage, estimated_share, reason,
                    pending_at, updated_at)
SELECT rule_id, '450202', :u, 'x', 1, 'firing', '2026-11-01 00:00+08', '2026-11-02 00:00+08', 2, 1,
       'kgce/t', 1, 0, 'above', now(), now()
  FROM rules
 WHERE rule_id > 2;
INSERT INTO alert_events (alert_id, happened_at, kind, reason, actor)
SELECT alert_id, now(), 'comment', 'r', 'a' FROM alerts;
INSERT INTO alert_parts (event_id, region, alert_id, measured, threshold, reason, period_starts_at,
                         period_ends_at)
SELECT event_id, '450202', alert_id, 1, 1, 'r', now(), now() FROM alert_events;
INSERT INTO judgements (rule_id, subject, starts_at, ends_at, unit_id, region, state, rule_version,
                        mark, judged_at)
SELECT rule_id, subject, period_starts_at, period_ends_at, unit_id, region, 'firing', rule_version,
       0, now()
  FROM alerts;
INSERT INTO standings (rule_id, subject, unit_id, region, state, since_at, starts_at, ends_at, uom,
                       coverage, estimated_share, reason, rule_version, judged_at)
SELECT rule_id, subject, unit_id, region, 'firing', now(), period_starts_at, period_ends_at, uom,
       coverage, estimated_share, reason, rule_version, now()
  FROM alerts;
INSERT INTO alert_cases (alert_id, assigned_to, assignee) SELECT alert_id, 'a', 'a' FROM alerts;
INSERT INTO tasks (alert_id, kind, opened_at, cities, untold, due_at)
SELECT alert_id, 'level_1_cities', now(), '{450202}', '{}', '2026-12-19Z' FROM alerts;
INSERT INTO audit (noted_at, request_id, identity, label, role, scope, source, method, route,
                   parameters, unit, result, status, row_count)
VALUES ('2026-11-01Z', 'r', 'key 4', 'li', 'enterprise', '450202/:code', '10.0.0.1', 'GET',
        '/v1/units/{unit}', '{}', ':code', 'done', 200, 1);
INSERT INTO links VALUES ('c', 1, 1, now(), now(), 1, decode(repeat('00', 32), 'hex'),
                          decode(repeat('00', 32), 'hex'));
INSERT INTO proposals (deed, kind, region, unit, name, payload, sha256, effect, effect_sha256,
                       proposer, reason, evidence, proposed_at, expires_at)
VALUES ('withdrawal', 'production', '450202', ':code', ':code/steel/2026-11-01', 'p', sha256('p'),
        '{"facts": 1, "shown": []}', sha256('e'), 'a', 'r', 'e', now(), '2100-01-01Z');
INSERT INTO changes
SELECT row_number() OVER () + 1000000, now(), 'a', 'r', 'e', noun, subject,
       CASE noun WHEN 'production' THEN ':statement' ELSE '{}' END,
       decode(repeat('00', 32), 'hex')
  FROM (SELECT unnest(:of_units::text[]), ':code/E77'
         UNION ALL
        SELECT unnest(:of_regions::text[]), '450202/2026'
         UNION ALL
        SELECT unnest(:not_heard::text[]), '450202/:code'
         UNION ALL
        VALUES ('factors', 'raw_coal/calorific/:code/2026-01-01')) AS told (noun, subject)
"""


async def enter(connection: Connection) -> None:
    """Give all of this to Qian's first unit, whose region is 450202."""
    row = await connection.fetchrow(
        """
        SELECT unit_id, meter_id
          FROM units
          JOIN meters USING (unit_id)
         WHERE unit = $1
           AND meter = 'E01'
        """,
        cast.QIANS_UNIT,
    )
    assert row is not None
    values = {
        ":of_units": _array(HEARD_OF_UNITS),
        ":of_regions": _array(HEARD_OF_REGIONS),
        ":not_heard": _array(NOT_HEARD),
        ":statement": STATEMENT,
        ":code": cast.QIANS_UNIT,
        ":u": str(row["unit_id"]),
        ":m": str(row["meter_id"]),
    }
    await factories.meter(
        connection, row["unit_id"], "P01", kind="interval", role="output", uom="t", product="steel"
    )
    statements = ROWS
    for name, value in values.items():
        statements = statements.replace(name, value)
    await connection.execute(statements)


def _array(nouns: tuple[str, ...]) -> str:
    return f"'{{{','.join(nouns)}}}'"
