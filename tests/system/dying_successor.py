"""A job that is killed while it takes stages over: `pipelines.main`, with an end of its own.

    python -m tests.system.dying_successor SPARED --settings FILE --stages STAGES --name NAME --take-over

SPARED: "all", or transactional ids with commas between them. The job writes its lease, fences what it finds beside
them, and is gone: nobody has said that the former holders are fenced.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from unittest import mock

from pipelines.flink.transactions import BrokersTransactions
from pipelines.main import main


def run(spared: str) -> None:
    fence = BrokersTransactions.fence

    def fence_and_die(self: BrokersTransactions, ids: Sequence[str]) -> None:
        fence(self, [] if spared == "all" else [known for known in ids if known not in spared.split(",")])
        os.kill(os.getpid(), signal.SIGKILL)

    with mock.patch.object(BrokersTransactions, "fence", fence_and_die):
        main()


if __name__ == "__main__":
    run(sys.argv.pop(1))
