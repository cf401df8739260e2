"""The embedded certificate authority: it vouches for the broker and for whoever may connect to it (X.509, RFC 5280).

A certificate's subject is one attribute, UID (RFC 4519), whose value is the principal that Kafka's access lists name:
`operator`, `jobs`, `auditor`, `participant:<name>`, `auditor:<name>`. A file holds the private key (PKCS #8) and the
certificate behind it, because Java reads them from one; it is its owner's alone. The authority's key never leaves its
folder.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self
from urllib.parse import quote

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from fluvial.wire.files import write_private

CERTIFICATE_DAYS = 365.0
_AUTHORITY_DAYS = 3650.0
_CLOCK_MARGIN = timedelta(hours=1)
"""How far the clock of whoever checks may be behind."""


_USAGES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
    "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip


def participant_principal(name: str) -> str:
    """The principal of a participant. What a subject would have to escape, is percent-encoded."""
    return f"participant:{quote(name, safe='._:@-')}"


def auditor_principal(name: str) -> str:
    """The principal of an auditor who is let in by name."""
    return f"auditor:{quote(name, safe='._:@-')}"


class Authority:
    """A certificate authority: its certificate, which everybody is given, and its key."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self._certificate, self._key = certificate, key

    @classmethod
    def load_or_make(cls, folder: Path) -> Self:
        """The authority in a folder (`ca.pem`, `ca-key.pem`), made where there is none.

        Raises ValueError for other files, FileNotFoundError where its certificate lies without its key.
        """
        certificate_file, key_file = folder / "ca.pem", folder / "ca-key.pem"
        if not certificate_file.exists():
            authority = cls._make()
            write_private(key_file, _key_pem(authority._key))
            write_private(certificate_file, authority.pem)
            return authority
        key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError(f"{key_file} holds no key of an authority")
        return cls(x509.load_pem_x509_certificate(certificate_file.read_bytes()), key)

    @classmethod
    def _make(cls) -> Self:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Fluvial embedded authority")])
        builder = _builder(name, name, key.public_key(), timedelta(days=_AUTHORITY_DAYS))
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        return cls(builder.sign(key, hashes.SHA256()), key)

    @property
    def pem(self) -> bytes:
        """The authority's own certificate."""
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    def issue(self, principal: str, *, valid: timedelta, hosts: Sequence[str] = ()) -> bytes:
        """A new key and its certificate, as PEM. hosts: names and addresses, for a server; none for a client."""
        key = ec.generate_private_key(ec.SECP256R1())
        return _key_pem(key) + self._certify(principal, key.public_key(), valid, hosts)

    def sign(self, request_pem: bytes, principal: str, *, valid: timedelta) -> bytes:
        """A client's certificate for the key of a request (PKCS #10), as PEM: its private key stays where it was made.

        The request's other wishes, its subject too, are not granted. Raises ValueError for what is no request, or one
        that is not signed by its own key.
        """
        refused = "not a certificate request of an elliptic-curve key that is signed by this key"
        try:
            request = x509.load_pem_x509_csr(request_pem)
            public_key, is_signed = request.public_key(), request.is_signature_valid
        except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
            raise ValueError(refused) from error
        if not is_signed or not isinstance(public_key, ec.EllipticCurvePublicKey):
            raise ValueError(refused)
        return self._certify(principal, public_key, valid, ())

    def _certify(
        self, principal: str, public_key: ec.EllipticCurvePublicKey, valid: timedelta, hosts: Sequence[str]
    ) -> bytes:
        subject = x509.Name([x509.NameAttribute(NameOID.USER_ID, principal)])
        builder = _builder(subject, self._certificate.subject, public_key, valid)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_usage(digital_signature=True), critical=True)
        purposes = [ExtendedKeyUsageOID.CLIENT_AUTH, *([ExtendedKeyUsageOID.SERVER_AUTH] if hosts else [])]
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        own = self._key.public_key()
        builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(own), critical=False)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        if hosts:
            builder = builder.add_extension(x509.SubjectAlternativeName(list(map(_host, hosts))), critical=False)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def days_left(file: Path, now: datetime) -> float:
    """Days until the certificate in a file expires; none are left where there is no file, or no certificate in it."""
    try:
        certificate = x509.load_pem_x509_certificates(file.read_bytes())[0]
    except (OSError, ValueError, x509.InvalidVersion):
        return 0.0
    return (certificate.not_valid_after_utc - now) / timedelta(days=1)


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey, valid: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(now, now + valid) - _CLOCK_MARGIN)
        .not_valid_after(now + valid)
    )


def _usage(**granted: bool) -> x509.KeyUsage:
    return x509.KeyUsage(**{name: granted.get(name, False) for name in _USAGES})


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
