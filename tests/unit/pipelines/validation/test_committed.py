"""What a process knows is read once for its subtasks, and anew when they start again."""

from typing import Any

from pipelines.config import Settings
from pipelines.validation.committed import acquire, release
from pipelines.validation.known import Known
from pipelines.validation.trusted_records import TrustedRecords
from tests.unit.pipelines.validation.stage import SETTINGS


def test_subtasks_share_what_is_known_while_any_of_them_runs() -> None:
    reads: list[Settings] = []

    def read(settings: Settings) -> Known:
        reads.append(settings)
        return Known(trusted=TrustedRecords.of(settings))

    first, second = acquire(SETTINGS, read), acquire(SETTINGS, read)
    assert first is second
    release(SETTINGS)
    assert acquire(SETTINGS, read) is first
    other: Any = SETTINGS.model_copy(update={"submission": "another"})
    assert acquire(other, read) is not first
    for settings in (SETTINGS, SETTINGS, other):
        release(settings)
    assert acquire(SETTINGS, read) is not first
    release(SETTINGS)
    assert len(reads) == 3
