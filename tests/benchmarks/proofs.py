"""What proofs cost a participant: how far a model's leaf is behind its round, and what following the log takes.

    python -m tests.benchmarks.proofs [--rounds 20]

Stack, job with the stages validation, aggregation and audit, and six participants in this process, of whom one is asked
for each round's model with its proof. The tasks' models have a thousand parameters, so that a round has nothing to wait
for but the stages.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

from tests.system.small_federation import MEAN, NUM_PARTICIPANTS, SmallFederation


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    num_rounds = parser.parse_args().rounds
    behind, processor = [], []
    with tempfile.TemporaryDirectory() as folder, SmallFederation(Path(folder), parallelism=1) as federation:
        federation.job.start()
        federation.create_task("proofs", MEAN, rounds=num_rounds)
        for number in range(1, num_rounds + 1):
            round_ = federation.wait_for_round("proofs", number)
            began, used = time.monotonic(), time.thread_time()
            federation.participants[0].base_model(round_)
            behind.append(time.monotonic() - began)
            processor.append(time.thread_time() - used)
            federation.publish(round_, range(NUM_PARTICIPANTS))
        federation.wait_for_version("proofs", num_rounds)
        leaves = federation.read(federation.federation.topics.audit)
        notes = federation.read(federation.federation.topics.checkpoints)
    behind, processor = behind[2:], processor[2:]
    print(
        json.dumps(
            {
                "participants": NUM_PARTICIPANTS,
                "rounds": num_rounds,
                "seconds_behind_the_round": {
                    "median": round(statistics.median(behind), 3),
                    "most": round(max(behind), 3),
                },
                "processor_milliseconds_a_round": round(1000 * statistics.median(processor), 1),
                "leaves_a_round": round(len(leaves) / num_rounds, 1),
                "kilobytes_of_leaves_a_round": round(_bytes(leaves) / num_rounds / 1e3, 1),
                "kilobytes_of_checkpoints_a_round": round(_bytes(notes) / num_rounds / 1e3, 1),
            }
        )
    )


def _bytes(records: list) -> int:  # type: ignore[type-arg]
    return sum(len(each.value) + sum(len(name) + len(value) for name, value in each.headers) for each in records)


if __name__ == "__main__":
    main()
