"""What `create_task` refuses before it reaches a broker."""

from pathlib import Path

import pytest

from deploy.local.keys import ServiceKeys
from deploy.local.tasks import create_task
from fluvial.identity.brokers import Brokers
from fluvial.wire.task_file import TaskFile
from tests.unit.fluvial.edge.region.region_world import TASK_FILE


def test_a_partial_task_is_left_to_the_process_of_its_region(tmp_path: Path) -> None:
    keys = ServiceKeys.load_or_make(tmp_path)
    nowhere = keys.federation(Brokers(bootstrap_servers="127.0.0.1:1"), topic_prefix="x.", partitions=1)
    with pytest.raises(ValueError, match="fluvial region run"):
        create_task(nowhere, keys, TaskFile.model_validate(TASK_FILE))
