"""Owns what the ledger of changes is told of a rule, and the rules that a platform begins with."""

from __future__ import annotations

import json
from collections.abc import Mapping

from db.changes import Content
from db.rules import StoredVersion

SINCE = "1999-12-31T16:00:00+00:00"
"""The shipped rules hold from before all data."""

SHIPPED: Mapping[str, Content] = {
    "1/1": {
        "rule_id": 1,
        "version": 1,
        "kind": "product_intensity",
        "region": "450000",
        "name": "产品单耗超限",
        "parameters": {
            "window_h": 1,
            "for_h": 0,
            "clear_ratio": 0.98,
            "basis": "calorific",
            "against": "limit",
        },
        "holds_from": SINCE,
    },
    "2/1": {
        "rule_id": 2,
        "version": 1,
        "kind": "region_level",
        "region": "450000",
        "name": "地区能耗强度预警等级",
        "parameters": {"letters_from_level": 1},
        "holds_from": SINCE,
    },
}
"""What a release brought, by rule and version: nobody stated it, and it needs no statement."""


def content(stored: StoredVersion) -> Content:
    """Return what the ledger of changes is told of a version."""
    parameters = None if stored.parameters is None else json.loads(stored.parameters)
    return {
        "rule_id": stored.rule_id,
        "version": stored.version,
        "kind": str(stored.kind),
        "region": stored.region,
        "name": stored.name,
        "parameters": parameters,
        "holds_from": stored.holds_from.isoformat(),
    }
