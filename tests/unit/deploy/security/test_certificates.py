import stat
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from deploy.security.certificates import Authority, days_left, participant_principal
from fluvial.wire.files import write_private

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.load_or_make(tmp_path_factory.mktemp("authority"))


def certificate_in(pem: bytes) -> x509.Certificate:
    return x509.load_pem_x509_certificates(pem)[0]


def test_an_authority_is_made_once_and_its_key_is_its_owners_alone(tmp_path: Path) -> None:
    first, second = (Authority.load_or_make(tmp_path / "tls") for _ in range(2))
    assert first.pem == second.pem
    assert stat.S_IMODE((tmp_path / "tls").stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "tls").iterdir()} == {0o600}


def test_an_authority_whose_key_was_taken_away_is_not_replaced(tmp_path: Path) -> None:
    before = Authority.load_or_make(tmp_path).pem
    (tmp_path / "ca-key.pem").unlink()
    with pytest.raises(FileNotFoundError):
        Authority.load_or_make(tmp_path)
    assert (tmp_path / "ca.pem").read_bytes() == before


def test_a_certificate_says_who_one_is_and_is_signed(authority: Authority) -> None:
    pem = authority.issue("participant:clinic", valid=DAY)
    certificate = certificate_in(pem)
    certificate.verify_directly_issued_by(certificate_in(authority.pem))
    assert certificate.subject.rfc4514_string() == "UID=participant:clinic"
    key = serialization.load_pem_private_key(pem, password=None)
    assert b"BEGIN PRIVATE KEY" in pem
    assert key.public_key() == certificate.public_key()


def test_only_a_server_may_act_as_one(authority: Authority) -> None:
    client = certificate_in(authority.issue("operator", valid=DAY))
    server = certificate_in(authority.issue("broker", valid=DAY, hosts=["127.0.0.1", "broker.example"]))
    purposes = [
        set(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
        for certificate in (client, server)
    ]
    assert purposes == [
        {ExtendedKeyUsageOID.CLIENT_AUTH},
        {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH},
    ]
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["broker.example"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]


def test_a_certificate_makes_nobody_an_authority(authority: Authority) -> None:
    certificate = certificate_in(authority.issue("operator", valid=DAY))
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def request(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> x509.CertificateSigningRequestBuilder:
    wish = x509.Name([x509.NameAttribute(NameOID.USER_ID, "admin")])
    return x509.CertificateSigningRequestBuilder().subject_name(wish)


def test_a_request_gets_a_certificate_for_its_key_and_not_the_name_it_wishes(authority: Authority) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = request(key).sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    signed = authority.sign(pem, "participant:clinic", valid=DAY)
    assert b"PRIVATE" not in signed
    certificate = certificate_in(signed)
    assert certificate.subject.rfc4514_string() == "UID=participant:clinic"
    assert certificate.public_key() == key.public_key()


def test_what_is_no_request_of_an_elliptic_curve_key_is_refused(authority: Authority) -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    pem = request(key).sign(key, None).public_bytes(serialization.Encoding.PEM)
    for wrong in (pem, b"nonsense"):
        with pytest.raises(ValueError):  # noqa: PT011 one of ours, one of the library's
            authority.sign(wrong, "participant:clinic", valid=DAY)


def test_a_request_of_a_version_that_there_is_not_is_refused(authority: Authority) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    der = request(key).sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    changed = der.replace(b"\x02\x01\x00", b"\x02\x01\x20", 1)  # the first INTEGER is its version
    pem = f"-----BEGIN CERTIFICATE REQUEST-----\n{b64encode(changed).decode()}\n-----END CERTIFICATE REQUEST-----\n"
    with pytest.raises(ValueError, match="not a certificate request"):
        authority.sign(pem.encode(), "participant:clinic", valid=DAY)


def test_the_days_left_are_told(authority: Authority, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    write_private(tmp_path / "a.pem", authority.issue("operator", valid=10 * DAY))
    write_private(tmp_path / "b.pem", authority.issue("operator", valid=-DAY))
    assert 9.9 < days_left(tmp_path / "a.pem", now) <= 10
    assert days_left(tmp_path / "b.pem", now) < 0
    assert days_left(tmp_path / "absent.pem", now) == 0.0


def test_a_name_that_a_subject_would_escape_is_encoded() -> None:
    assert participant_principal("clinic-1_a.b:c@d") == "participant:clinic-1_a.b:c@d"
    assert participant_principal("a+b") == "participant:a%2Bb"
