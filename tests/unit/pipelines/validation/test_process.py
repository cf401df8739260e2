"""What a process has is made once for its subtasks, and ends with the last of them."""

from typing import Any

from pipelines.config import Settings
from pipelines.validation.catching_up import CatchingUp
from pipelines.validation.content_checks import ContentChecks
from pipelines.validation.known import Known
from pipelines.validation.process import Process, acquire, release
from pipelines.validation.trusted_records import TrustedRecords
from tests.unit.pipelines.validation.stage import SETTINGS


def test_subtasks_share_what_a_process_has_while_any_of_them_runs() -> None:
    made: list[Process] = []
    closed: list[Process] = []

    def make(settings: Settings) -> Process:
        checks = ContentChecks(lambda reference: (None, b""), lambda update, key: True)  # type: ignore[arg-type,return-value]
        process = Process(
            Known(trusted=TrustedRecords.of(settings)),
            checks,
            CatchingUp(lambda: None, 0),
            lambda: closed.append(process),
        )
        made.append(process)
        return process

    first, second = acquire(SETTINGS, make), acquire(SETTINGS, make)
    assert first is second
    release(SETTINGS)
    assert acquire(SETTINGS, make) is first
    another: Any = SETTINGS.model_copy(update={"submission": "another"})
    other = acquire(another, make)
    assert other is not first
    assert closed == []
    release(SETTINGS)
    release(SETTINGS)
    assert closed == [first]
    assert acquire(SETTINGS, make) is made[2]
    for settings in (another, SETTINGS):
        release(settings)
    assert closed == [first, other, made[2]]
