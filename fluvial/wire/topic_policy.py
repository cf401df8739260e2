"""What an operator may decide about the topics: how long records are kept, and on how many brokers."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, ValidationError, model_validator

from fluvial.wire.plain_values import PlainValues
from fluvial.wire.retention import DAYS
from fluvial.wire.wrong_fields import in_words

_DAY_MS = 86_400_000
EVIDENCE = ("verdicts", "receipts")
"""What became of whose update: with the audit log, which is kept for ever, the records that others rely on."""

EVIDENCE_DAYS = 183.0
"""Six months: Regulation (EU) 2024/1689, articles 19(1) and 26(6), asks at least that of logs of a high-risk system."""

_FEWEST_DAYS = 1.0


class TopicPolicy(PlainValues):
    """Decisions about the topics of a federation; the defaults are those of one broker on one machine."""

    retention_days: dict[str, float] = Field(
        default={},
        description="Days that records are kept, by topic (with - or _); at least one, and what is not named keeps its "
        "default.",
    )
    evidence_days: float = Field(
        default=EVIDENCE_DAYS, ge=_FEWEST_DAYS, description="Verdicts and receipts are kept at least so many days."
    )
    replication_factor: int = Field(
        default=1, ge=1, description="Brokers that keep each record; 3 in production. Of topics yet to be made."
    )
    min_insync_replicas: int = Field(
        default=1, ge=1, description="Brokers that must have a record before it counts as written; 2 in production."
    )

    @model_validator(mode="after")
    def _is_possible(self) -> TopicPolicy:
        for name, days in self.retention_days.items():
            if _attribute(name) not in DAYS:
                raise ValueError(
                    f"retention_days.{name} cannot be set: there are {', '.join(sorted(DAYS))}; the audit log, models "
                    "and what is decided on them are kept for ever, because they are verified from the first record on"
                )
            if days < _FEWEST_DAYS:
                raise ValueError(f"retention_days.{name} is {days:g}: rounds and outages need at least a day")
        for name in EVIDENCE:
            if (days := self.days(name)) < self.evidence_days:
                raise ValueError(
                    f"retention_days.{name} is {days:g}, below evidence_days, which is {self.evidence_days:g}: what "
                    "became of an update must stay provable for that long"
                )
            if days < self.days("updates"):
                raise ValueError(f"retention_days.{name} is {days:g}: updates, kept longer, would be judged anew")
        if self.min_insync_replicas > self.replication_factor:
            raise ValueError(
                f"min_insync_replicas {self.min_insync_replicas} is above replication_factor "
                f"{self.replication_factor}: nothing could be written"
            )
        return self

    def days(self, topic: str) -> float:
        """topic: attribute name of `Topics`, one of `DAYS`."""
        chosen = {_attribute(name): days for name, days in self.retention_days.items()}
        return chosen.get(topic, DAYS[topic])

    def retention_ms(self, topic: str) -> int:
        """topic: attribute name of `Topics`, one of `DAYS`."""
        return round(self.days(topic) * _DAY_MS)

    @classmethod
    def read(cls, path: Path) -> TopicPolicy:
        """The policy in a YAML or JSON file. Raises ValueError that names the file and what is wrong, OSError."""
        from fluvial.wire.document import read_document  # late: few commands read decisions, or YAML

        content = read_document(path)
        try:
            return cls.model_validate({} if content is None else content)
        except ValidationError as error:
            raise ValueError(f"{path}: {in_words(error, 'policy')}") from error


def _attribute(name: str) -> str:
    return name.replace("-", "_")
