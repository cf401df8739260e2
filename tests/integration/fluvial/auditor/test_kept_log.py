"""What an audit that was killed leaves of the log that it keeps."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fluvial.auditor.kept_log import KeptLog
from fluvial.auditor.report import Report
from fluvial.auditor.verify import verify
from tests.unit.fluvial.auditor.world import World, honest_world


def audited(world: World, file: Path) -> Report:
    with KeptLog(file, world.federation) as kept:
        return verify(world, world.federation, now_ms=world.now_ms, kept=kept)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "audit.state"


_KILLED = """
import os, sys
from pathlib import Path
from fluvial.auditor import shelf
shelf.CACHE_BYTES = 1 << 16
from fluvial.auditor.kept_log import KeptLog
from fluvial.identity.federation import Federation
file = Path(sys.argv[1])
kept = KeptLog(file, Federation.from_json(sys.argv[3]))
relation = shelf.Relation(kept.shelf, "seen")
for number in range(4_000):
    relation.add(b"%d" % number, bytes(100))
assert file.stat().st_size > int(sys.argv[2])
os._exit(9)
"""


@pytest.mark.parametrize("before", ["nothing", "an audit"])
def test_what_an_audit_that_was_killed_has_written_is_taken_back(file: Path, before: str) -> None:
    world = honest_world()
    if before == "an audit":
        assert audited(world, file).verified
    size = file.stat().st_size if file.exists() else 0
    arguments = str(file), str(size), world.federation.to_json()
    killed = subprocess.run([sys.executable, "-c", _KILLED, *arguments], capture_output=True, text=True)
    assert killed.returncode == 9, killed.stderr
    report = audited(world, file)
    assert report.verified
    assert report.since == (0 if before == "nothing" else 12)
