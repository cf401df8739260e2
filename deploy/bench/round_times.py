"""When things happened in a round, and the figures that follow.

All times are seconds since the epoch on one machine: the broker's append times, and this process's clock for what a
consumer of committed records sees. Sizes are 10^6 bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundTimes:
    """One round.

    opened: its base model was visible. downloaded: the last participant had verified the base model. first_chunk: the
    first participant began to upload. uploaded: the last chunk was acknowledged. first_envelope, last_envelope: the
    broker's times of the first and last envelope. published: a consumer of committed records had the new manifest.
    cpu_seconds: processor time by role from log to model; of concurrent uploads, of the whole round.
    """

    round: int
    update_bytes: int
    opened: float
    downloaded: float
    first_chunk: float
    uploaded: float
    first_envelope: float
    last_envelope: float
    published: float
    cpu_seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """The whole round: from one model's visibility to the next one's."""
        return self.published - self.opened

    @property
    def aggregate_seconds(self) -> float:
        """From the first envelope in the log to the published model."""
        return self.published - self.first_envelope

    @property
    def megabytes_per_second(self) -> float:
        """Update bytes from log to published model, over `aggregate_seconds`."""
        return self.update_bytes / 1e6 / self.aggregate_seconds

    @property
    def megabytes_per_second_from_upload(self) -> float:
        """Update bytes over the time from the first chunk's upload to the published model."""
        return self.update_bytes / 1e6 / (self.published - self.first_chunk)

    def to_dict(self) -> dict[str, Any]:
        return {
            "round": self.round,
            "seconds": self.seconds,
            "download_seconds": self.downloaded - self.opened,
            "upload_seconds": self.uploaded - self.first_chunk,
            "aggregate_seconds": self.aggregate_seconds,
            "seconds_after_last_envelope": self.published - self.last_envelope,
            "megabytes_per_second": self.megabytes_per_second,
            "megabytes_per_second_from_upload": self.megabytes_per_second_from_upload,
            "cpu_seconds": {role: round(seconds, 2) for role, seconds in self.cpu_seconds.items()},
        }


def summary(rounds: list[RoundTimes]) -> dict[str, Any]:
    """Medians over the rounds, which one slow first round does not move, and each round's own figures."""
    return {
        "seconds_per_round": median(each.seconds for each in rounds),
        "megabytes_per_second": median(each.megabytes_per_second for each in rounds),
        "megabytes_per_second_from_upload": median(each.megabytes_per_second_from_upload for each in rounds),
        "rounds": [each.to_dict() for each in rounds],
    }
