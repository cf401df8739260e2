import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from deploy.security.certificates import Authority, days_left
from deploy.security.credentials import OWN_ROLES, Credentials
from fluvial.identity.federation import Federation
from fluvial.wire.files import write_private

FEDERATION = Federation(
    bootstrap_servers="127.0.0.1:9093",
    operator_key="aa" * 32,
    registrar_key="bb" * 32,
    aggregator_key="cc" * 32,
    log_key="study.example/audit+00000000+AQ==",
)
HOSTS = ("127.0.0.1",)


@pytest.fixture
def credentials(tmp_path: Path) -> Credentials:
    credentials = Credentials(tmp_path / "tls")
    credentials.prepare(HOSTS)
    return credentials


def test_a_stack_without_credentials_is_plain(tmp_path: Path) -> None:
    assert not Credentials(tmp_path / "tls").exist


def test_each_role_has_its_own_and_they_are_made_once(credentials: Credentials) -> None:
    names = {"ca.pem", "ca-key.pem", "broker.pem", "admin.pem", *(f"{role}.pem" for role in OWN_ROLES)}
    before = {file.name: file.read_bytes() for file in credentials.folder.iterdir()}
    assert before.keys() == names
    credentials.prepare(HOSTS)
    assert {file.name: file.read_bytes() for file in credentials.folder.iterdir()} == before


def test_what_expires_soon_is_made_anew(credentials: Credentials) -> None:
    file = credentials.folder / "jobs.pem"
    authority = Authority.load_or_make(credentials.folder)
    write_private(file, authority.issue("jobs", valid=timedelta(days=3)))
    kept = (credentials.folder / "broker.pem").read_bytes()
    credentials.prepare(HOSTS)
    assert days_left(file, datetime.now(UTC)) > 300
    assert (credentials.folder / "broker.pem").read_bytes() == kept


def test_a_folder_that_is_handed_out_holds_all_one_needs(credentials: Credentials, tmp_path: Path) -> None:
    folder = tmp_path / "for-clinic"
    credentials.hand_out_certificate(FEDERATION, "participant:clinic", folder, valid_days=1)
    moved = folder.rename(tmp_path / "at-clinic")
    security = Federation.load(moved / "federation.json").security
    assert security.protocol == "SSL"
    assert security.ca_file == moved / "ca.pem"
    assert security.certificate_file == security.key_file == moved / "client.pem"
    assert stat.S_IMODE((moved / "client.pem").stat().st_mode) == 0o600
    assert not (moved / "ca-key.pem").exists()


def test_who_made_a_key_keeps_it(credentials: Credentials, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    pem = request.public_bytes(serialization.Encoding.PEM)
    credentials.hand_out_certificate(FEDERATION, "participant:clinic", tmp_path / "out", valid_days=1, request=pem)
    assert b"PRIVATE" not in (tmp_path / "out" / "client.pem").read_bytes()
    assert Federation.load(tmp_path / "out" / "federation.json").security.key_file == tmp_path / "out" / "key.pem"


def test_a_password_lies_in_a_file_and_federation_json_names_it(credentials: Credentials, tmp_path: Path) -> None:
    password = credentials.hand_out_password(FEDERATION, "participant:clinic", tmp_path / "out", "127.0.0.1:9094")
    federation = Federation.load(tmp_path / "out" / "federation.json")
    assert federation.bootstrap_servers == "127.0.0.1:9094"
    assert federation.security.sasl_password() == password
    assert password not in (tmp_path / "out" / "federation.json").read_text()
    # Java takes the file as it is, so nothing but the password may be in it.
    assert (tmp_path / "out" / "password").read_text() == password
    assert len(password) >= 43
    assert stat.S_IMODE(os.stat(tmp_path / "out" / "password").st_mode) == 0o600
