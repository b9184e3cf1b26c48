"""Owns what /metrics shows: requests by route, and what the database knows of the programs."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from db.intake import Totals
from db.metrics import Backlog, Heartbeat, Night
from db.quarantine import QuarantineSize
from ingest import readiness
from ingest.readiness import Readiness

LATENCY_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
UNKNOWN_ROUTE = "unknown"
"""Paths nobody offers share one label: a scanner must not fill the memory."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the database knows at the time of a scrape."""

    totals: Totals
    backlog: Backlog
    letters: Mapping[str, int]
    heartbeats: Sequence[Heartbeat]
    quarantine: QuarantineSize | None
    night: Night


class Metrics:
    """Counters of this process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "nenghao_http_requests",
            "Requests answered",
            ["method", "route", "status"],
            registry=self._registry,
        )
        self._latency = Histogram(
            "nenghao_http_request_seconds",
            "Time until the answer was sent",
            ["method", "route"],
            buckets=LATENCY_BUCKETS_S,
            registry=self._registry,
        )

        self._unnoted = Counter(
            "nenghao_audit_unnoted",
            "Refusals of unknown callers that came too often to be noted one by one",
            registry=self._registry,
        )

    def count_unnoted(self) -> None:
        self._unnoted.inc()

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        self._requests.labels(method, route, status).inc()
        self._latency.labels(method, route).observe(seconds)

    def exposition(self, facts: Facts | None, now: datetime) -> bytes:
        """Return the text Prometheus reads; `facts` None: the database does not answer."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_FactsCollector(facts, now))
        return generate_latest(self._registry) + generate_latest(registry)


class RequestCounter:
    """ASGI middleware that counts and times requests by the route that answered them."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500
        started = time.perf_counter()

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            route = getattr(scope.get("route"), "path", UNKNOWN_ROUTE)
            method = scope["method"] if route != UNKNOWN_ROUTE else "any"
            self._metrics.count(method, route, status, time.perf_counter() - started)


class _FactsCollector(Collector):
    """Turns what the database knows into metric families."""

    def __init__(self, facts: Facts | None, now: datetime) -> None:
        self._facts = facts
        self._now = now

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("nenghao_database_up", "Whether the database answers")
        up.add_metric([], 0 if self._facts is None else 1)
        yield up
        if self._facts is not None:
            yield from _families(self._facts, self._now)


def _families(facts: Facts, now: datetime) -> Iterable[Metric]:
    readings = CounterMetricFamily(
        "nenghao_ingest_readings",
        "Readings since the beginning: received = stored + duplicate + conflicting + rejected",
        labels=["outcome"],
    )
    for outcome, count in dataclasses.asdict(facts.totals).items():
        readings.add_metric([outcome], count)
    yield readings
    yield GaugeMetricFamily(
        "nenghao_stale_ranges", "Ranges that wait for settlement", value=facts.backlog.ranges
    )
    yield GaugeMetricFamily(
        "nenghao_stale_oldest_age_seconds",
        "How long the oldest range has waited for settlement",
        value=_age_s(facts.backlog.since, now),
    )
    letters = GaugeMetricFamily("nenghao_outbox_letters", "Letters by state", labels=["state"])
    for state, count in facts.letters.items():
        letters.add_metric([state], count)
    yield letters
    beats = GaugeMetricFamily(
        "nenghao_heartbeat_age_seconds",
        "Time since a program gave its last sign of life",
        labels=["program", "instance"],
    )
    for beat in facts.heartbeats:
        beats.add_metric([beat.program, beat.instance], _age_s(beat.beat_at, now))
    yield beats
    ready = GaugeMetricFamily(
        "nenghao_collector_ready", "Whether a collector collects", labels=["collector"]
    )
    for each in readiness.states(facts.heartbeats, now):
        if each.is_expected:
            ready.add_metric([each.collector], each.readiness is Readiness.READY)
    yield ready
    if facts.quarantine is not None:
        yield from _quarantine(facts.quarantine)
    yield from _of_night(facts.night, now)


def _quarantine(size: QuarantineSize) -> Iterable[Metric]:
    yield GaugeMetricFamily(
        "nenghao_quarantine_bytes",
        "Payload of rejected messages that are kept, as last measured",
        value=size.payload_bytes,
    )
    yield GaugeMetricFamily(
        "nenghao_quarantine_messages", "Rejected messages that are kept", value=size.messages
    )
    yield GaugeMetricFamily(
        "nenghao_quarantine_unreplayed",
        "Rejections that wait for a decision",
        value=size.unreplayed,
    )


def _of_night(night: Night, now: datetime) -> Iterable[Metric]:
    for name, meaning, value in (
        ("reconciliation_differences", "Sums that differed from the readings last night, repaired",
         night.differences),
        ("reconciliation_unknown_units", "Units that could not be reconciled last night",
         night.unknown_units),
        ("verification_findings", "What nightly verification found to be not as it was stored",
         night.findings),
        ("reconciliation_age_seconds", "Time since the last reconciliation was finished",
         _age_s(night.reconciled_at, now)),
        ("verification_age_seconds", "Time since that part of the verification was done which "
         "waits longest; weeks that take turns have that much more time",
         _age_s(night.verified_at, now)),
    ):  # fmt: skip
        yield GaugeMetricFamily(f"nenghao_{name}", meaning, value=value)


def _age_s(since: datetime | None, now: datetime) -> float:
    return 0.0 if since is None else max(0.0, (now - since).total_seconds())
