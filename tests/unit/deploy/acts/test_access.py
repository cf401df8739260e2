import os
from pathlib import Path

import pytest
from cryptography import x509

from deploy.acts import access
from deploy.federation.directory import DataDirectory, StackState
from deploy.federation.keys import ServiceKeys
from deploy.machine.errors import NotRunning, StackError
from deploy.machine.processes import ProcessIdentity
from fluvial.identity.brokers import Brokers
from fluvial.identity.federation import Federation


class Granting:
    """Stands in for the access lists of a broker."""

    def __init__(self, *_: object) -> None:
        self.passwords: dict[str, str] = {}

    def grant_participant(self, name: str, *, asks: bool = False) -> str:
        return f"participant:{name}"

    def grant_auditor(self, name: str) -> str:
        return f"auditor:{name}"

    def set_password(self, principal: str, password: str) -> None:
        self.passwords[principal] = password


def running(root: Path, *, secure: bool) -> DataDirectory:
    """A data directory whose stack is this process."""
    directory = DataDirectory(root)
    directory.root.mkdir(parents=True)
    if secure:
        directory.credentials.prepare(("127.0.0.1",))
    keys = ServiceKeys.load_or_make(directory.keys)
    brokers = Brokers(bootstrap_servers="127.0.0.1:9093")
    keys.federation(brokers, topic_prefix="x.", partitions=1).save(directory.federation_file)
    own = ProcessIdentity.find("supervisor", os.getpid())
    assert own is not None
    state = StackState(phase="running", supervisor=own, processes=(), password_servers="127.0.0.1:9094")
    directory.write_state(state)
    return directory


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataDirectory:
    monkeypatch.setattr(access, "Access", Granting)
    return running(tmp_path / "data", secure=True)


@pytest.mark.parametrize("by_password", [False, True])
def test_a_participant_is_given_a_folder(directory: DataDirectory, tmp_path: Path, by_password: bool) -> None:
    principal = access.grant_access(directory, "clinic", tmp_path / "out", valid_days=1, by_password=by_password)
    assert principal == "participant:clinic"
    given = Federation.load(tmp_path / "out" / "federation.json")
    assert given.bootstrap_servers == ("127.0.0.1:9094" if by_password else "127.0.0.1:9093")
    assert given.operator_key == directory.federation().operator_key


def test_an_auditor_is_let_in_as_such(directory: DataDirectory, tmp_path: Path) -> None:
    principal = access.grant_access(directory, "court", tmp_path / "out", valid_days=1, auditor=True)
    assert principal == "auditor:court"
    certificate = x509.load_pem_x509_certificates((tmp_path / "out" / "client.pem").read_bytes())[0]
    assert certificate.subject.rfc4514_string() == "UID=auditor:court"


def test_credentials_are_never_mixed_with_other_files(directory: DataDirectory, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "client.pem").write_text("somebody's")
    with pytest.raises(StackError, match="not empty"):
        access.grant_access(directory, "clinic", tmp_path / "out", valid_days=1)
    assert (tmp_path / "out" / "client.pem").read_text() == "somebody's"


def test_what_can_be_no_participant_is_let_in_nowhere(directory: DataDirectory, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be the name of a participant"):
        access.grant_access(directory, "two words", tmp_path / "out", valid_days=1)


def test_a_plain_stack_says_what_to_do(tmp_path: Path) -> None:
    directory = running(tmp_path / "data", secure=False)
    for act in (access.principals_with_access, lambda where: access.revoke_access(where, "clinic")):
        with pytest.raises(StackError, match="fluvial up --secure"):
            act(directory)


def test_a_stack_that_does_not_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotRunning):
        access.principals_with_access(DataDirectory(tmp_path))
