"""Every environment variable, its range and its meaning; prefix NENGHAO_.

Values are passed to the programs; only the command line and app/main.py read this module.
A secret can also come from a file: a folder of files named like the variables in
NENGHAO_SECRETS_DIR.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from energy.factors import Unverified


class Settings(BaseSettings):
    """What every program may need. A program that lacks something it needs says so by name."""

    model_config = SettingsConfigDict(
        env_prefix="NENGHAO_",
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        secrets_dir=os.environ.get("NENGHAO_SECRETS_DIR"),
    )

    state_dir: Path = Field(
        default=Path("var"), description="folder for the local services, their data and the demo"
    )
    database_url: SecretStr | None = Field(
        default=None,
        description="PostgreSQL with TimescaleDB, postgresql://user:password@host:port/database; "
        "empty: the local services",
    )
    view_database_url: SecretStr | None = Field(
        default=None,
        description="login that only looks, for what `serve` reads: nenghao_view, or a member of "
        "it; empty: nenghao_view with a password derived from that of NENGHAO_DATABASE_URL",
    )
    service_database_url: SecretStr | None = Field(
        default=None,
        description="login of the programs and commands, which changes no trace: nenghao_service, "
        "or a member of it; empty: nenghao_service with a password derived from that of "
        "NENGHAO_DATABASE_URL, which is then for `migrate` alone",
    )
    database_timeout_s: float = Field(
        default=10, ge=1, le=600, description="longest wait for one database statement [s]"
    )
    questions_at_once: int = Field(
        default=4,
        ge=1,
        le=64,
        description="questions that `serve` lets the database answer at a time; the others wait. "
        "More than the cores of the database take from collectors, and answer nothing sooner",
    )
    mqtt_url: SecretStr | None = Field(
        default=None,
        description="broker login of the collector, mqtt://user:password@host:port or mqtts://…; "
        "empty: the local services",
    )
    mqtt_admin_url: SecretStr | None = Field(
        default=None,
        description="broker login that may enrol gateways (dynamic security); "
        "empty: the local services",
    )
    logins_file: Path | None = Field(
        default=None,
        description="the broker's dynamic-security.json, where this machine can read it: has it "
        "room, and is it whole, when gateways are enrolled or revoked?",
    )
    authority_dir: Path | None = Field(
        default=None,
        description="folder of the platform's certificate authority; set: gateways are enrolled "
        "with certificates",
    )
    gateway_broker_url: str | None = Field(
        default=None,
        description="where gateways with certificates connect, mqtts://host:port",
    )
    broker_reload: str | None = Field(
        default=None,
        description="command that makes the broker read crl.pem anew, such as "
        "`docker kill -s HUP mosquitto`",
    )
    collector: str = Field(
        default="collector",
        pattern="^[A-Za-z0-9_-]{1,64}$",
        description="name of this collector: its MQTT client id and its row of totals",
    )
    receive_maximum: int = Field(
        default=500, ge=1, le=65_535, description="unacknowledged MQTT deliveries at most"
    )
    broker_queue_messages: int = Field(
        default=2_000_000,
        ge=1,
        description="max_queued_messages of the broker: alarms at 50 % and 80 % of it",
    )
    broker_queue_bytes: int = Field(
        default=1024**3,
        ge=1,
        description="max_queued_bytes of the broker: alarms at 50 % and 80 % of it [B]",
    )
    request_pause_s: float = Field(
        default=60, ge=1, le=86_400, description="pause between rounds of asking for gaps [s]"
    )
    broker_conf: Path | None = Field(
        default=None,
        description="configuration of the broker, where it is on this machine: `collect` looks at "
        "it first and does not start on a dangerous one",
    )
    disk_paths: str | None = Field(
        default=None,
        description="folders whose disks `collect` watches, with : between, such as those of the "
        "database and the broker on its machine; empty: the state folder",
    )
    quarantine_days: int = Field(
        default=400, ge=1, le=36_500, description="`settle` deletes older rejected messages [d]"
    )
    quarantine_mib_max: int = Field(
        default=10_240,
        ge=1,
        le=10_000_000,
        description="above it `settle` deletes rejected messages that were replayed, and says so "
        "when that does not help [MiB]",
    )
    arrivals_days: int = Field(
        default=801,
        ge=1,
        le=100_000,
        description="`settle` forgets older arrivals (which message brought which readings) unless "
        "a conflict refers to them; not less than NENGHAO_OLDEST_READING_DAYS and "
        "NENGHAO_QUARANTINE_DAYS together and a day [d]",
    )
    audit_days: int = Field(
        default=1_096,
        ge=184,
        le=36_500,
        description="`settle` removes older entries of the audit log, behind a kept head [d]",
    )
    oldest_reading_days: int = Field(
        default=400, ge=1, le=36_500, description="older readings are rejected (time_too_old) [d]"
    )
    smtp_url: SecretStr | None = Field(
        default=None,
        description="mail server, smtp://host:port, smtps://user:password@host:port or "
        "smtp+starttls://…; without it letters wait in the outbox",
    )
    mail_from: str = Field(
        default="nenghao@localhost", description="sender address of warning letters"
    )
    webhooks: SecretStr | None = Field(
        default=None,
        description='webhooks by the name that contacts have: {"lz": {"channel": "dingtalk", '
        '"url": "https://…", "secret": "SEC…"}}; `webhook`, `wecom`, `dingtalk` or `feishu`',
    )
    webhook_hosts: str = Field(
        default="",
        description="hosts that webhooks may reach, with commas, and networks of those that are "
        "not public, such as 10.2.0.0/16; empty: none",
    )
    public_url: str = Field(
        default="http://127.0.0.1:8000", description="address of the HTTP interface in letters"
    )
    http_host: str = Field(default="127.0.0.1", description="address the HTTP interface binds")
    http_port: int = Field(
        default=8000, ge=0, le=65_535, description="port of the HTTP interface; 0: any free one"
    )
    requests_per_minute: int = Field(
        default=1_200,
        ge=1,
        le=1_000_000_000,
        description="requests of one holder of a key, for each process that serves",
    )
    uploads_per_minute: int = Field(
        default=600, ge=1, le=1_000_000_000, description="batches of one gateway over HTTPS"
    )
    refusals_per_minute: int = Field(
        default=30,
        ge=1,
        le=1_000_000_000,
        description="wrong keys and signatures from one address; then only keys that held go on",
    )
    request_timeout_s: float = Field(
        default=60, ge=1, le=3_600, description="longest wait of a request for its answer [s]"
    )
    streams_max: int = Field(
        default=200, ge=1, le=10_000, description="followers of /v1/stream of a process"
    )
    streams_per_holder: int = Field(
        default=5, ge=1, le=10_000, description="followers of /v1/stream with one key"
    )
    oidc_issuer: str | None = Field(
        default=None,
        pattern=r"^(https://|http://(127\.0\.0\.1|localhost)[:/])",
        description="OpenID provider whose access tokens `serve` takes beside API keys, as it "
        "calls itself; https off this machine",
    )
    oidc_audience: str | None = Field(
        default=None, description="whom those tokens must be made for: this platform's name there"
    )
    oidc_role_claim: str = Field(
        default="nenghao_role",
        min_length=1,
        description="claim with the role, a text or a list; a path such as realm_access.roles",
    )
    oidc_region_claim: str = Field(
        default="nenghao_region", min_length=1, description="claim with the GB/T 2260 code"
    )
    oidc_unit_claim: str = Field(
        default="nenghao_unit",
        min_length=1,
        description="claim with the credit code, for the role enterprise",
    )
    oidc_plain_tokens: bool = Field(
        default=False,
        description="take tokens of type JWT too, of a provider older than RFC 9068; their "
        "audience must then be no client's id",
    )
    second_approver: Literal["required", "off"] = Field(
        default="off",
        description="`required`: factors, targets, limits, corrections and every withdrawal hold "
        "once a second person approved them; `off`: at once, and the ledger says that nobody "
        "approved. A site with more than one person sets `required`",
    )
    proposal_days: int = Field(
        default=14, ge=1, le=365, description="a proposal nobody decided on expires after it [d]"
    )
    settle_pause_s: float = Field(
        default=1, ge=0.05, le=60, description="pause of settlement when nothing is stale [s]"
    )
    unverified_factors: Unverified = Field(
        default=Unverified.NOTE,
        description="factors that nobody verified against their source: `note`, used and named "
        "with every figure; `refuse`, not used. The same for settle, alert and serve; after a "
        "change: nenghao factors revalue",
    )
    assess_pause_s: float = Field(
        default=5, ge=0.05, le=600, description="pause of assessment when no unit is due [s]"
    )
    assess_every_s: int = Field(
        default=3600, ge=60, le=86_400, description="how often each unit is assessed [s]"
    )
    alert_pause_s: float = Field(
        default=2, ge=0.05, le=600, description="pause between two evaluations of the rules [s]"
    )
    amend_days: int = Field(
        default=35,
        ge=1,
        le=90,
        description="periods that ended within it are judged again when their data change; what "
        "was found of older ones stands [d]",
    )
    watchdog_smtp_url: SecretStr | None = Field(
        default=None,
        description="mail server by which `watchdog` tells; another than NENGHAO_SMTP_URL",
    )
    watchdog_mail_from: str = Field(
        default="nenghao-watchdog@localhost", description="sender of what the watchdog writes"
    )
    watchdog_mail_to: str = Field(
        default="", description="addresses that the watchdog writes to, with , between"
    )
    watchdog_webhook_url: SecretStr | None = Field(
        default=None,
        description="where the watchdog posts what it tells; the address holds a robot's key",
    )
    watchdog_webhook_channel: Literal["wecom", "dingtalk", "feishu", "webhook"] = Field(
        default="wecom",
        description="what takes it there: a robot, whose own answer says whether it did, or "
        "webhook, as a contact's",
    )
    watchdog_webhook_secret: SecretStr | None = Field(
        default=None,
        description="what dingtalk, feishu and webhook sign with; without it a robot is not signed "
        "to and goes by its keyword",
    )
    watchdog_place: str = Field(
        default="", description="what the watchdog calls this platform, such as a province"
    )
    watchdog_web_url: str | None = Field(
        default=None, description="address of the HTTP interface that the watchdog knocks at"
    )
    grace_min: float = Field(
        default=30,
        ge=1,
        le=1_440,
        description="how long after our own outage silence is held against nobody [min]",
    )
    coverage_floor: float = Field(
        default=0.75,
        ge=0,
        le=1,
        description="below this share of expected readings a verdict is UNKNOWN",
    )

    @property
    def watchdog(
        self,
    ) -> tuple[
        SecretStr | None,
        str,
        str,
        SecretStr | None,
        str,
        SecretStr | None,
        str,
        SecretStr | None,
        str | None,
    ]:
        """Return what `app.watchdog.watch.Watch` is made of, in its order."""
        return (
            self.watchdog_smtp_url,
            self.watchdog_mail_from,
            self.watchdog_mail_to,
            self.watchdog_webhook_url,
            self.watchdog_webhook_channel,
            self.watchdog_webhook_secret,
            self.watchdog_place,
            self.smtp_url,
            self.watchdog_web_url,
        )
