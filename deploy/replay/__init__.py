"""Computing a published model again from the log, and comparing bytes.

`recompute` decides and computes over any log, `evidence` and `deltas` read what it needs; `log` is the one in Kafka.
"""

from deploy.replay.evidence import ReplayLog
from deploy.replay.log import KafkaLog
from deploy.replay.recompute import Initial, Progress, ReplayResult, replay

__all__ = ["Initial", "KafkaLog", "Progress", "ReplayLog", "ReplayResult", "replay"]
