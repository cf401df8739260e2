"""How a stack opens its federation, over a broker that only says where it would be."""

import stat
from pathlib import Path

import pytest

from deploy.local import stack as module
from deploy.local.stack import Stack
from deploy.security import access, quotas
from deploy.security.rights import Role
from fluvial.identity.brokers import Brokers, Security


class Addressed:
    """Stands in for the broker."""

    def __init__(self, directory: Path, certificates: Path | None = None) -> None:
        self.certificates = certificates
        self.bootstrap_servers, self.password_servers = "127.0.0.1:9092", "127.0.0.1:9094"
        self.pid, self.has_started = None, False

    @property
    def brokers(self) -> Brokers:
        return Brokers(bootstrap_servers=self.bootstrap_servers)

    def begin(self, *, formatted: bool = True) -> None:
        pass

    def start(self) -> None:
        self.has_started = True

    def stop(self) -> None:
        self.has_started = False


@pytest.fixture
def granted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Role]]:
    granted: list[tuple[str, Role]] = []

    class Granting:
        def __init__(self, *_: object) -> None:
            pass

        def grant(self, principal: str, role: Role) -> None:
            granted.append((principal, role))

    monkeypatch.setattr(module, "Broker", Addressed)
    monkeypatch.setattr(module, "topic_exists", lambda *_: False)
    monkeypatch.setattr(module, "create_topics", lambda *_: None)
    monkeypatch.setattr(access, "Access", Granting)
    monkeypatch.setattr(quotas, "set_quotas", lambda *_: None)
    return granted


def test_a_plain_stack_grants_nothing_and_tells_addresses_alone(
    tmp_path: Path, granted: list[tuple[str, Role]]
) -> None:
    with Stack(tmp_path / "data", watch=False) as stack:
        assert stack.federation.brokers == Brokers(bootstrap_servers="127.0.0.1:9092")
        assert stack.directory.brokers("admin") == stack.federation.brokers
        assert stack.directory.running().password_servers == ""
    assert granted == []
    assert not stack.directory.credentials.exist


def test_whoever_has_a_copy_of_the_federations_file_is_thought_of_when_the_broker_moves(
    tmp_path: Path, granted: list[tuple[str, Role]], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    for _ in range(2):
        with Stack(tmp_path, watch=False, report=told.append):
            pass
    assert not [line for line in told if "warning" in line]

    class Moved(Addressed):
        def __init__(self, directory: Path, certificates: Path | None = None) -> None:
            super().__init__(directory, certificates)
            self.bootstrap_servers = "127.0.0.1:9192"

    monkeypatch.setattr(module, "Broker", Moved)
    with Stack(tmp_path, watch=False, report=told.append):
        pass
    (warning,) = [line for line in told if "warning" in line]
    assert "was at 127.0.0.1:9092 before" in warning
    assert "federation.json" in warning


def test_a_secure_stack_stays_so_and_its_operator_has_credentials(
    tmp_path: Path, granted: list[tuple[str, Role]]
) -> None:
    with Stack(tmp_path, watch=False, secure=True):
        pass
    with Stack(tmp_path, watch=False) as stack:
        assert stack.broker.certificates == tmp_path / "tls"
        own = tmp_path / "tls" / "operator.pem"
        assert stack.federation.security == Security(
            protocol="SSL", ca_file=tmp_path / "tls" / "ca.pem", certificate_file=own, key_file=own
        )
        assert stack.directory.running().password_servers == "127.0.0.1:9094"
    assert granted == [(role, role) for role in (Role.JOBS, Role.OPERATOR, Role.AUDITOR)] * 2


def test_a_new_data_directory_is_its_owners_alone(tmp_path: Path, granted: list[tuple[str, Role]]) -> None:
    with Stack(tmp_path / "new" / "data", watch=False):
        assert stat.S_IMODE((tmp_path / "new" / "data").stat().st_mode) == 0o700


def test_taskmanagers_begin_when_the_brokers_folder_is_there_and_do_not_wait_for_the_broker(
    tmp_path: Path, granted: list[tuple[str, Role]], monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []

    class Cluster:
        rest_url, job_manager_pid, task_manager_pids = "http://127.0.0.1:1", None, ()

        def __init__(self, directory: Path) -> None:
            pass

        def begin(self, task_managers: int) -> None:
            steps.append(f"JobManager and {task_managers} TaskManagers")

        def add_task_managers(self, count: int) -> None:
            steps.append(f"{count} TaskManagers")

        def start(self, task_managers: int) -> None:
            steps.append("ready")

        def stop(self) -> None:
            pass

    monkeypatch.setattr(module, "SessionCluster", Cluster)
    monkeypatch.setattr(Addressed, "begin", lambda _, formatted: steps.append("folder" if formatted else "begun"))
    monkeypatch.setattr(module, "create_topics", lambda *_: steps.append("topics"))
    with Stack(tmp_path, watch=False, task_managers=2):
        pass
    assert steps == ["JobManager and 0 TaskManagers", "folder", "2 TaskManagers", "topics", "ready"]
