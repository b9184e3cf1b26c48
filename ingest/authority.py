"""Owns the platform's own certificate authority: who a gateway is, told by its certificate.

The common name of a gateway's certificate is `{city}/{unit}/{gateway}`: the broker takes it as the
username, and its access pattern as the middle of the only topics that the gateway may use.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ingest import access, names

AUTHORITY_VALID = timedelta(days=3650)
SERVER_VALID = timedelta(days=397)
GATEWAY_VALID = timedelta(days=730)
KICK_VALID = timedelta(minutes=10)
"""Of the certificate with which the platform throws a revoked gateway out of its connection."""

CLOCK_SKEW = timedelta(minutes=5)
REVOCATIONS_VALID = timedelta(days=3650)
"""The broker refuses everybody once its list has expired: it is replaced, not waited for."""

NAME = "Nenghao gateways"


class AuthorityError(Exception):
    """The authority's folder cannot be used."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A key and its certificate, both PEM; `serial` in hex as the registry keeps it."""

    key: bytes = field(repr=False)
    certificate: bytes
    serial: str
    issued_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority in a folder: ca.key (mode 600), ca.pem, crl.pem."""

    folder: Path
    _key: ec.EllipticCurvePrivateKey = field(repr=False)
    _certificate: x509.Certificate

    @property
    def ca_pem(self) -> bytes:
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    def issue_gateway(
        self, city: str, unit: str, gateway: str, now: datetime, valid: timedelta = GATEWAY_VALID
    ) -> Issued:
        """Return a certificate with which a gateway may log in. Raises NameFault."""
        names.check(city, unit, gateway)
        usage = ExtendedKeyUsageOID.CLIENT_AUTH
        return self._issue(f"{city}/{unit}/{gateway}", usage, (), now, valid)

    def issue_server(self, hosts: Sequence[str], now: datetime) -> Issued:
        """Return a certificate for a broker that answers at `hosts`, names or addresses."""
        usage = ExtendedKeyUsageOID.SERVER_AUTH
        return self._issue(hosts[0], usage, hosts, now, SERVER_VALID)

    def write_revocations(self, revoked: Iterable[tuple[str, datetime]], now: datetime) -> None:
        """Write crl.pem: the certificates by serial, and when each was revoked."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self._certificate.subject)
            .last_update(now - CLOCK_SKEW)
            .next_update(now + REVOCATIONS_VALID)
        )
        for serial, revoked_at in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(int(serial, 16))
            builder = builder.add_revoked_certificate(entry.revocation_date(revoked_at).build())
        signed = builder.sign(self._key, hashes.SHA256())
        _write(self.folder / "crl.pem", signed.public_bytes(serialization.Encoding.PEM), 0o644)

    def write_access(self, standard: str, gateways: Iterable[access.Gateway]) -> None:
        """Write `acl`: what is in `acl.base`, `standard` to begin with, and lines of `gateways`."""
        base = self.folder / "acl.base"
        if not base.exists():
            _write(base, standard.encode(), 0o644)
        text = access.rules(base.read_text(encoding="utf-8"), gateways)
        _write(self.folder / "acl", text.encode(), 0o644)

    def _issue(
        self,
        name: str,
        usage: x509.ObjectIdentifier,
        hosts: Sequence[str],
        now: datetime,
        valid: timedelta,
    ) -> Issued:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            _builder(name, key.public_key(), now, valid)
            .issuer_name(self._certificate.subject)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
        )
        if hosts:
            shown = x509.SubjectAlternativeName([_host(each) for each in hosts])
            builder = builder.add_extension(shown, critical=False)
        made = builder.sign(self._key, hashes.SHA256())
        return Issued(
            _pem(key),
            made.public_bytes(serialization.Encoding.PEM),
            f"{made.serial_number:x}",
            made.not_valid_before_utc,
            made.not_valid_after_utc,
        )


def ensure(folder: Path, now: datetime) -> Authority:
    """Return the authority in `folder`; make it there if the folder has none."""
    key_file = folder / "ca.key"
    if not key_file.exists():
        _create(folder, now)
    try:
        key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
        certificate = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
    except (OSError, ValueError) as error:
        raise AuthorityError(f"the authority in {folder} cannot be read: {error}") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise AuthorityError(f"{key_file} is not a key of this program")
    return Authority(folder, key, certificate)


def _create(folder: Path, now: datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    made = _builder(NAME, key.public_key(), now, AUTHORITY_VALID)
    certificate = (
        made.issuer_name(_name(NAME))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        _write(folder / "ca.pem", pem, 0o644)
        _write(folder / "ca.key", _pem(key), 0o600)
    except OSError as error:
        raise AuthorityError(f"{folder} cannot be written: {error.strerror}") from None
    Authority(folder, key, certificate).write_revocations([], now)


def _builder(
    name: str, public_key: ec.EllipticCurvePublicKey, now: datetime, valid: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + valid)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def hand_over(folder: Path, ours: Authority, issued: Issued, signing_key: bytes) -> None:
    """Write what a gateway needs to `folder`; the keys can be read by their owner alone."""
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "ca.pem", ours.ca_pem, 0o644)
    _write(folder / "gateway.pem", issued.certificate, 0o644)
    write_private(folder / "gateway.key", issued.key)
    write_private(folder / "signing.key", signing_key.hex().encode())


def write_private(path: Path, content: bytes) -> None:
    """Write a file that its owner alone can read."""
    _write(path, content, 0o600)


def _write(path: Path, content: bytes, mode: int) -> None:
    partial = path.with_suffix(path.suffix + ".new")
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(content)
    partial.replace(path)
