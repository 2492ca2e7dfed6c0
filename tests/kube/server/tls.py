"""The authority and the certificates of loopback servers: elliptic keys, once a process."""

from __future__ import annotations

import functools
import ipaddress
import ssl
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Certificate = Literal["good", "expired", "other-name"]


@dataclass(frozen=True, slots=True)
class Signed:
    """A certificate with its key, both PEM."""

    certificate: str
    key: str


class Authority:
    """Signs what the servers and clients of the tests show."""

    def __init__(self, name: str = "kubernetes") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = _builder(self._name, self._name, self._key.public_key(), days=30).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        self._certificate = builder.sign(self._key, hashes.SHA256())
        self.pem = self._certificate.public_bytes(serialization.Encoding.PEM).decode()

    def server(self, kind: Certificate = "good") -> Signed:
        """A certificate for 127.0.0.1, or one that no client may accept."""
        names: list[x509.GeneralName] = [x509.IPAddress(ipaddress.ip_address("10.0.0.1"))]
        if kind != "other-name":
            names = [
                x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
                x509.DNSName("localhost"),
                x509.DNSName("kubernetes"),
            ]
        return self._sign([("kube-apiserver", "")], names, days=-1 if kind == "expired" else 30)

    def client(self, name: str, *groups: str) -> Signed:
        """A client certificate: the user is its common name, its groups are organisations."""
        return self._sign([(name, ""), *(("", group) for group in groups)], [], days=30)

    def _sign(
        self, subject: list[tuple[str, str]], names: list[x509.GeneralName], *, days: int
    ) -> Signed:
        key = ec.generate_private_key(ec.SECP256R1())
        told = x509.Name(
            [
                x509.NameAttribute(NameOID.COMMON_NAME, common)
                if common
                else x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation)
                for common, organisation in subject
            ]
        )
        builder = _builder(told, self._name, key.public_key(), days=days)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        signed = builder.sign(self._key, hashes.SHA256())
        return Signed(
            signed.public_bytes(serialization.Encoding.PEM).decode(),
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ).decode(),
        )

    def context(self, kind: Certificate = "good") -> ssl.SSLContext:
        """For a server that also takes the client certificates of this authority."""
        signed = self.server(kind)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "both.pem")
            path.touch(mode=0o600)
            path.write_text(signed.certificate + signed.key, encoding="ascii")
            context.load_cert_chain(path)
        context.load_verify_locations(cadata=self.pem)
        context.verify_mode = ssl.CERT_OPTIONAL
        return context


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, *, days: int
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + timedelta(days=days))
    )


@functools.cache
def the_authority() -> Authority:
    """The one of this process."""
    return Authority()
