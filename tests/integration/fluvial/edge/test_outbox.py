"""The outbox and other processes."""

import subprocess
import sys
from pathlib import Path

from fluvial.edge.outbox import Outbox, Upload


def an_upload(round_number: int = 1, upload_id: str = "u1") -> Upload:
    return Upload(upload_id=upload_id, task="demo", round=round_number, base_digest=b"d" * 32, template=b"template")


def test_another_process_cannot_open_it_meanwhile(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o", "alice")
    program = (
        "from pathlib import Path; from fluvial.edge.outbox import Outbox; "
        f"Outbox(Path({str(tmp_path / 'o')!r}), 'alice')"
    )
    other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "OutboxUnavailable" in other.stderr
    outbox.close()
    assert subprocess.run([sys.executable, "-c", program], capture_output=True).returncode == 0


def test_a_write_that_fails_is_told_and_changes_nothing(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o", "alice")
    outbox.store(an_upload(), ())
    outbox.close()
    program = (
        "import resource, sys; from pathlib import Path; from fluvial.edge.outbox import Outbox\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
        "Outbox(Path(sys.argv[1]), 'alice').discard('u1')"
    )
    other = subprocess.run([sys.executable, "-c", program, str(tmp_path / "o")], capture_output=True, text=True)
    assert "OutboxUnavailable: the outbox" in other.stderr
    assert "in use" not in other.stderr
    assert Outbox(tmp_path / "o", "alice").uploads() == [an_upload()]
