"""Computing a published model again from the log, and comparing bytes; or without somebody, and comparing models.

`evidence` and `deltas` read what a version rests on, `aggregate` is the arithmetic of a round, `versions` goes from
version to version. `recompute` compares bytes, `counterfactual` leaves participants out; `log` is the log in Kafka.
"""

from pipelines.replay.counterfactual import Counterfactual, counterfactual
from pipelines.replay.evidence import ReplayLog
from pipelines.replay.log import KafkaLog, kafka_log
from pipelines.replay.recompute import Progress, ReplayResult, replay
from pipelines.replay.versions import Initial

__all__ = [
    "Counterfactual",
    "Initial",
    "KafkaLog",
    "Progress",
    "ReplayLog",
    "ReplayResult",
    "counterfactual",
    "kafka_log",
    "replay",
]
