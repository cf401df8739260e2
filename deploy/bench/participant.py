"""A participant of `fluvial bench aggregate`, one process each: real downloads, uploads and envelopes, no training.

It talks in lines. Out, JSON: {"event": ..., "round": ..., "time": seconds since the epoch}, the events being ready,
downloaded, uploading, uploaded, published; and failed, with a message. In: "start" after ready; and with --hold one
"publish" for each round, for which the envelope waits, so that uploading and aggregating can be measured apart.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fluvial.edge import Participant
from fluvial.edge.events import ChunkAcknowledged, Event
from fluvial.identity.federation import Federation
from fluvial.identity.keys import SigningKey
from fluvial.wire.records import Round


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--federation", type=Path, required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--key", type=Path, required=True)
    parser.add_argument("--outbox", type=Path, required=True)
    parser.add_argument("--task", required=True)
    parser.add_argument("--elements", type=int, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--hold", action="store_true")
    arguments = parser.parse_args()
    delta_D = random_delta(arguments.name, arguments.elements)
    key = SigningKey.load(arguments.key)
    with Participant(Federation.load(arguments.federation), arguments.name, key, arguments.outbox) as participant:
        report("ready", 0)
        wait_for("start")
        try:
            contribute(participant, arguments.task, delta_D, num_rounds=arguments.rounds, hold=arguments.hold)
        except Exception as error:
            report("failed", 0, message=f"{type(error).__name__}: {error}")
            raise


def contribute(
    participant: Participant, task: str, delta_D: npt.NDArray[np.float32], *, num_rounds: int, hold: bool
) -> None:
    """Takes part in that many rounds, each attempt's update being the same random one."""
    for number, round_ in enumerate(participant.rounds(task), start=1):
        participant.base_model(round_)
        report("downloaded", round_.round)
        report("uploading", round_.round)

        def on_event(event: Event, round_: Round = round_) -> None:
            if isinstance(event, ChunkAcknowledged) and event.num_acknowledged == event.num_chunks:
                report("uploaded", round_.round)
                if hold:
                    wait_for("publish")

        participant.publish(round_, delta_D, weight=1, on_event=on_event)
        report("published", round_.round)
        if number == num_rounds:
            return


def random_delta(name: str, num_elements: int) -> npt.NDArray[np.float32]:
    """float32[D] of small normal numbers, another one for each name."""
    seed = int.from_bytes(name.encode())
    return np.random.default_rng(seed).standard_normal(num_elements, np.float32) * np.float32(1e-3)


def report(event: str, round_number: int, **more: str) -> None:
    line = {"event": event, "round": round_number, "time": time.time(), **more}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def wait_for(command: str) -> None:
    """Ends the process quietly when the other side has gone."""
    line = sys.stdin.readline()
    if line.strip() != command:
        raise SystemExit(0 if not line else f"expected {command}, not {line!r}")


if __name__ == "__main__":
    main()
