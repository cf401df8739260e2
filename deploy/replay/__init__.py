"""Computing a published model again from the log, and comparing bytes.

`recompute` decides and computes over any log; `log` reads the one in Kafka.
"""

from deploy.replay.log import KafkaLog
from deploy.replay.recompute import Initial, Progress, ReplayLog, ReplayResult, replay

__all__ = ["Initial", "KafkaLog", "Progress", "ReplayLog", "ReplayResult", "replay"]
