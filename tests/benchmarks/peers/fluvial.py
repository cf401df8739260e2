"""Fluvial as `fluvial bench aggregate` runs it: a broker, a job, and a process for each participant.

It runs in the environment of the checkout, which is its own. Signatures, content checks, manifests and exactly-once
publication are part of every round.
"""

from __future__ import annotations

from pathlib import Path

from deploy.bench import aggregate
from deploy.local.errors import StackError
from fluvial import __version__
from tests.benchmarks.peers.rounds import PeerFailed, Report, Shape


class Fluvial:
    """See the module."""

    name = "fluvial"
    version = __version__

    def prepare(self, report: Report) -> None:
        pass

    def run(self, shape: Shape, num_rounds: int, directory: Path, time_limit: float, report: Report) -> list[float]:
        try:
            result = aggregate.run(
                directory,
                num_participants=shape.num_participants,
                megabytes=shape.megabytes,
                num_rounds=num_rounds,
                uploads="concurrent",
                report=lambda line: report(f"{self.name} {shape}: {line}"),
            )
        except (RuntimeError, TimeoutError, StackError) as error:
            raise PeerFailed(str(error)) from error
        if not result["replay"]["bit_exact"]:
            raise PeerFailed("the replay of the last version was not bit-exact")
        return [each["seconds"] for each in result["rounds"]]
