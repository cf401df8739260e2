import json
from pathlib import Path

from typer.testing import CliRunner

from deploy.commands.topics import app
from deploy.federation.keys import ServiceKeys
from fluvial.cli.common import Exit
from fluvial.identity.brokers import Brokers


def a_federation(tmp_path: Path) -> Path:
    keys = ServiceKeys.load_or_make(tmp_path / "keys")
    file = tmp_path / "federation.json"
    keys.federation(Brokers(bootstrap_servers="127.0.0.1:1"), topic_prefix="x.", partitions=3).save(file)
    return file


def show(tmp_path: Path, policy: str) -> tuple[int, str]:
    (tmp_path / "policy.yaml").write_text(policy)
    arguments = ["--federation", str(a_federation(tmp_path)), "--policy", str(tmp_path / "policy.yaml")]
    result = CliRunner().invoke(app, ["show", *arguments])
    return result.exit_code, result.output


def test_show_tells_what_would_be_created(tmp_path: Path) -> None:
    status, output = show(tmp_path, "{replication_factor: 3, min_insync_replicas: 2}")
    assert status == 0
    found = {topic["name"]: topic for topic in json.loads(output)}
    assert found["x.updates"]["partitions"] == 3
    assert found["x.updates"]["replication_factor"] == 3
    assert found["x.verdicts"]["config"]["min.insync.replicas"] == "2"


def test_a_policy_that_cannot_be_is_told(tmp_path: Path) -> None:
    status, output = show(tmp_path, "retention_days: {verdicts: 3}")
    assert status == Exit.USAGE
    assert "below evidence_days" in output
