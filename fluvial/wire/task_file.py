"""The task file: what an operator writes to create a task, checked before anything else sees it.

YAML or JSON. The JSON form stands, signed, in the task's registry record; its JSON Schema is schemas/task.schema.json.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import isfinite
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from fluvial.encoding.names import NAMES
from fluvial.wire.acceleration import AccelerationSpec
from fluvial.wire.plain_values import GivenName, PlainValues
from fluvial.wire.scoring import ScoringSpec
from fluvial.wire.task_code import LossName, MetricName, Reference, is_reference
from fluvial.wire.terms import Terms
from fluvial.wire.tuning import TuningSpec
from fluvial.wire.wrong_fields import in_words

MAX_SUM_CHUNK_ELEMENTS = 131_072
"""Elements of a chunk of int64 that has 1 MiB."""


def _known_encoding(name: str) -> str:
    if name not in NAMES:
        raise ValueError(f"there are the encodings {', '.join(NAMES)}")
    return name


_Encoding = Annotated[str, AfterValidator(_known_encoding), Field(json_schema_extra={"enum": [*NAMES]})]


_2_63 = 1 << 63

Scalar = int | float | str | bool
ParameterValue = Scalar | list[Scalar]


class PackageSpec(PlainValues):
    """The folder with the task's own code. Its digest is filled in when the task is created, and pins it."""

    name: GivenName = Field(description="Of the folder, as the process's operator allows it by `--package`.")
    digest: str = Field(
        default="",
        pattern=r"^([0-9a-f]{64})?$",
        description="SHA-256 over its files; filled in when the task is created.",
    )


class ModelSpec(PlainValues):
    """The model: an architecture that is built in or a builder of the task's package, its parameters, and the
    seed of its initial weights.

    train: patterns of names; parameters that none of them names stay as they were made and do not travel. local:
    patterns of what stays with each participant. statistics: of normalisation over batches.
    """

    architecture: str = Field(default="", description="Name of one that is built in.")
    builder: Reference | None = Field(default=None, description="module:function of the package that makes the module.")
    parameters: dict[str, ParameterValue] = Field(
        default={}, description="What the architecture or builder is called with."
    )
    seed: int = Field(default=0, description="Of the initial weights, where no file has them.")
    weights: str = Field(
        default="", max_length=256, description="File of the package, safetensors, with weights to start from."
    )
    train: list[str] = Field(
        default=[],
        description="Patterns of the parameters that are trained and travel; empty: all that are not frozen.",
    )
    local: list[str] = Field(default=[], description="Patterns of the parameters that stay with each participant.")
    statistics: Literal["aggregate", "local", "frozen"] = Field(
        default="aggregate", description="What becomes of the running statistics of normalisation over batches."
    )
    base_sha256: str = Field(
        default="",
        pattern=r"^([0-9a-f]{64})?$",
        description="Digest of the weights that do not travel; filled in when the task is created.",
    )

    @model_validator(mode="after")
    def _is_one_of_two(self) -> ModelSpec:
        if bool(self.architecture) == bool(self.builder):
            raise ValueError("a model has an architecture, built in, or a builder, module:function of the package")
        return self


class DataSpec(PlainValues):
    """Loaders of the task's package: of a participant's examples and of those that it holds out (path, index), and of
    the evaluation set (folder of the package). Without them: data files (safetensors), and a share of each
    participant's examples."""

    participant: Reference | None = Field(default=None, description="module:function, of (path, index): its examples.")
    held_out: Reference | None = Field(
        default=None, description="module:function, of (path, index): those that it measures on and does not train on."
    )
    evaluation: Reference | None = Field(
        default=None, description="module:function, of the package's folder: the evaluation set."
    )


class RuleSpec(BaseModel):
    """The aggregation rule by name; further fields are the rule's own parameters, of a wrapper the `rule` inside."""

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)

    name: str = Field(default="weighted_mean", description="Of the rule.")


class Limits(PlainValues):
    """Bounds of an update. They also fix the precision of the exact sum."""

    max_abs: float = Field(gt=0, description="Largest absolute value of an element of a delta.")
    max_norm: float = Field(default=0.0, ge=0, description="Largest L2 norm of a delta; 0 for no limit.")
    max_weight: int = Field(gt=0, description="Largest weight of an update.")
    fraction_bits: int | None = Field(
        default=None,
        ge=0,
        le=62,
        description="Fraction bits of the exact sum, where a parent federation prescribes them; by default the most "
        "that fit.",
    )


class StalenessSpec(PlainValues):
    """How an update that was trained on an older model is weighted, s being the rounds it lags behind.

    constant: 1. polynomial: (1 + s) ** -exponent. hinge: 1 up to `delay`, then 1 / (exponent * (s - delay) + 1).
    """

    name: Literal["constant", "polynomial", "hinge"] = Field(default="polynomial", description="Of the formula.")
    exponent: float = Field(default=0.5, gt=0, le=16, description="How fast the weight falls with the rounds.")
    delay: int = Field(default=0, ge=0, description="Rounds of lag that cost nothing; of hinge alone.")


class WindowSpec(PlainValues):
    """Which updates a round takes, and what closes it.

    synchronous: updates of the round itself; the target closes it, or the deadline with a quorum. buffered: the target
    closes it, or the deadline with a quorum, with updates trained for any of the last `max_staleness` rounds or for
    itself. tumbling: the same updates, but broker time alone closes it, at whole multiples of `deadline_seconds`; those
    beyond the target wait for the next window. A buffered or tumbling round without its quorum goes on as its next
    attempt and keeps what it has.
    """

    mode: Literal["synchronous", "buffered", "tumbling"] = Field(
        default="synchronous", description="What closes a round, and which updates it takes: see above."
    )
    grace_seconds: float = Field(
        default=0.0, ge=0, description="How long after the deadline a round without its quorum still takes updates."
    )
    max_staleness: int = Field(default=0, ge=0, le=63, description="Rounds that an update may lag behind.")
    staleness: StalenessSpec = StalenessSpec()

    @model_validator(mode="after")
    def _fits_the_mode(self) -> WindowSpec:
        if self.mode == "synchronous" and self.max_staleness:
            raise ValueError("max_staleness is for the modes buffered and tumbling; a synchronous round takes its own")
        if self.mode != "synchronous" and self.grace_seconds:
            raise ValueError(f"grace_seconds is for synchronous rounds; a {self.mode} one keeps what it has")
        return self


class SamplingSpec(PlainValues):
    """Which participants a round invites: by a public seed, so that anyone can recompute it.

    fraction: expected share of the enrolled participants that a round needs. over_invitation: how many times as many
    are invited, because some will not answer.
    """

    fraction: float = Field(
        default=1.0, gt=0, le=1, description="Expected share of the enrolled participants that a round needs."
    )
    over_invitation: float = Field(
        default=1.0, ge=1, le=100, description="How many times as many are invited, because some will not answer."
    )

    @property
    def invited_fraction(self) -> float:
        """Share that is invited, at most 1."""
        return min(1.0, self.fraction * self.over_invitation)


class ServerOptimizerSpec(BaseModel):
    """What turns the aggregate into the next model, by name; further fields are the optimizer's own parameters."""

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)

    name: str = Field(description="Of the optimizer.")


class AgreementSpec(PlainValues):
    """Terms that a participant must have signed."""

    name: GivenName = Field(description="What a participant signs stands under this name; another text needs another.")
    text: str = Field(min_length=1, description="What is shown to whoever enrols, and signed.")
    valid_days: int = Field(default=365, gt=0, le=100_000_000_000, description="How long a signature counts.")


class TrainingSpec(PlainValues):
    """How participants train; fields beyond these go to the trainer as they are."""

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)

    epochs: int = Field(default=1, ge=1, description="Passes over a participant's examples in a round.")
    batch_size: int = Field(default=32, ge=1, description="Examples of one step.")
    learning_rate: float = Field(default=0.1, gt=0, description="Of stochastic gradient descent.")
    momentum: float = Field(default=0.0, ge=0, lt=1, description="Share of the former step that goes on.")
    weight_decay: float = Field(default=0.0, ge=0, description="L2 penalty on the parameters.")

    @property
    def trainer(self) -> str:
        """The trainer of the package that the further field `trainer` names; empty for the one that is built in."""
        return str((self.model_extra or {}).get("trainer", ""))

    @model_validator(mode="after")
    def _trainer_is_code(self) -> TrainingSpec:
        if "trainer" in (self.model_extra or {}) and not is_reference(self.trainer):
            raise ValueError(f"trainer is module:function of the task's package, not {self.trainer!r}")
        return self


class EvaluationSpec(PlainValues):
    """What each published model is measured on, and by."""

    data: str = Field(
        default="",
        description="File of the evaluation set, in the package or relative to the checkout of whoever runs jobs or "
        "replays; one elsewhere (an absolute path, `..`) is theirs alone: no participant opens it. None where "
        "data.evaluation names a loader.",
    )
    metrics: list[MetricName] = Field(
        min_length=1, description="Names of built-in metrics, or module:function of the package."
    )
    batch_size: int = Field(default=512, ge=1, description="Examples that are measured at a time.")


class TaskFile(Terms):
    """A task of a federation."""

    task: GivenName = Field(description="Name of the task, in topics, commands and records.")
    title: str = Field(description="What the task is, in a line for people.")
    model: ModelSpec
    rounds: int = Field(
        ge=0,
        description="Rounds of the task; 0 creates it without opening one. Of a partial task 0: its region's process "
        "opens the rounds that its parent has.",
    )
    quorum: int = Field(ge=1, description="Least number of updates that makes a model.")
    target: int = Field(ge=1, description="Number of updates that closes a round at once.")
    deadline_seconds: float = Field(
        gt=0, description="After its opening a round closes at the latest, by the brokers' clock."
    )
    rule: RuleSpec = RuleSpec()
    server_optimizer: ServerOptimizerSpec | None = None
    window: WindowSpec = WindowSpec()
    sampling: SamplingSpec = SamplingSpec()
    partial: bool = Field(
        default=False, description="Publish each round's exact sum for a parent federation, instead of a model."
    )
    limits: Limits
    encodings: list[_Encoding] = Field(
        default=["float32"],
        min_length=1,
        description="In which an update may travel; a participant chooses one of them.",
    )
    chunk_elements: int = Field(default=262_144, ge=1, le=262_144, description="Elements per chunk; 262144 are 1 MiB.")
    kept_versions: int = Field(default=16, ge=2, description="Versions whose chunks are kept.")
    agreement: AgreementSpec | None = None
    licence: str = Field(
        default="",
        max_length=64,
        pattern=r"^[A-Za-z0-9.+() -]*$",
        description="Of the models, as an SPDX identifier: apache-2.0, cc-by-4.0. It stands in their model cards.",
    )
    package: PackageSpec | None = None
    data: DataSpec = DataSpec()
    loss: LossName = Field(
        default="cross_entropy", description="Name of a built-in loss, or module:function of the package."
    )
    training: TrainingSpec = TrainingSpec()
    evaluation: EvaluationSpec | None = None
    acceleration: AccelerationSpec | None = None
    scoring: ScoringSpec | None = None
    tunes: TuningSpec | None = None

    @model_validator(mode="after")
    def _code_is_of_the_package(self) -> TaskFile:
        references = self.references()
        if self.package is None and (references or self.model.weights):
            named = ", ".join([*references, *([self.model.weights] if self.model.weights else [])])
            raise ValueError(f"the task names {named}, so it needs `package: {{name: ...}}`, whose they are")
        for reference in references:
            module = reference.partition(":")[0].partition(".")[0]
            if self.package is not None and module != self.package.name.replace("-", "_"):
                raise ValueError(f"{reference} is not in the task's package {self.package.name}")
        if self.evaluation is not None and bool(self.evaluation.data) == bool(self.data.evaluation):
            raise ValueError("the evaluation set is either a file, evaluation.data, or a loader's, data.evaluation")
        if self.data.held_out and not self.held_out.metrics:
            raise ValueError("data.held_out needs `held_out` with its metrics")
        if self.data.evaluation and self.evaluation is None:
            raise ValueError("data.evaluation needs `evaluation` with its metrics")
        return self

    def references(self) -> tuple[str, ...]:
        """All that the file names of its package's code, as module:name."""
        metrics = [*(self.evaluation.metrics if self.evaluation else []), *self.held_out.metrics]
        loaders = self.data.participant, self.data.held_out, self.data.evaluation
        sets = (self.acceleration.calibration, self.acceleration.gate) if self.acceleration else ()
        named = (self.model.builder, *loaders, self.loss, self.training.trainer, *metrics, *sets)
        return tuple(dict.fromkeys(name for name in named if name and is_reference(name)))

    @model_validator(mode="after")
    def _sums_fit_their_records(self) -> TaskFile:
        if (self.partial or "partial_sum" in self.encodings) and self.chunk_elements > MAX_SUM_CHUNK_ELEMENTS:
            raise ValueError(
                f"chunk_elements is {self.chunk_elements}, but exact sums have 8 bytes an element: with `partial` "
                f"or the encoding partial_sum at most {MAX_SUM_CHUNK_ELEMENTS} are a chunk of 1 MiB"
            )
        return self

    @model_validator(mode="after")
    def _partial_follows_its_parent(self) -> TaskFile:
        if not self.partial:
            return self
        wrong = [
            reason
            for reason, holds in (
                ("limits.fraction_bits must be given: those of the parent's rounds", self.limits.fraction_bits is None),
                ("window.mode must be synchronous", self.window.mode != "synchronous"),
                ("server_optimizer belongs to the parent", self.server_optimizer is not None),
                ("evaluation belongs to the parent", self.evaluation is not None),
                ("held_out belongs to the parent", bool(self.held_out.metrics)),
                ("approval belongs to the parent", self.approval != type(self.approval)()),
                ("acceleration belongs to the parent", self.acceleration is not None),
                ("scoring belongs to the parent", self.scoring is not None),
            )
            if holds
        ]
        if wrong:
            raise ValueError(f"a partial task publishes exact sums for a parent federation: {'; '.join(wrong)}")
        return self

    @model_validator(mode="after")
    def _what_is_tuned_travels_whole(self) -> TaskFile:
        """What stays with a builder or a participant is of the model before it was pruned, and would not fit."""
        if self.tunes is None:
            return self
        if self.partial or self.model.train or self.model.local or self.model.statistics != "aggregate":
            raise ValueError("tunes: only a model that travels whole can be fine-tuned after pruning")
        if self.tunes.task == self.task:
            raise ValueError("tunes: a task cannot fine-tune its own model")
        return self

    @model_validator(mode="after")
    def _some_weight_is_taken(self) -> TaskFile:
        least, most = self.participation.min_examples, self.limits.max_weight
        if least > most:
            raise ValueError(f"participation.min_examples {least} is above limits.max_weight {most}: none would do")
        return self

    @model_validator(mode="after")
    def _numbers_are_finite(self) -> TaskFile:
        """In fields that are the parameters of rules, optimizers, trainers and models too, which have no type here."""
        wrong = [f"{field} must be a finite number of 64 bits" for field in _beyond(self.model_dump(), "")]
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    @model_validator(mode="after")
    def _quorum_within_target(self) -> TaskFile:
        if self.quorum > self.target:
            raise ValueError(f"quorum {self.quorum} is above target {self.target}: no round could close by its target")
        return self

    def specification(self) -> str:
        """The JSON that is signed. What releases before packages do not know stands in it only where it is in force, so
        that they read every other task."""
        newer = {"package", "data", "loss", "held_out", "tunes", "licence", "approval"}
        newer_of_model = {"builder", "weights", "train", "local", "statistics", "base_sha256"}
        content = self.model_dump(mode="json")
        for part, model, names in ((content, self, newer), (content["model"], self.model, newer_of_model)):
            for name in names:
                if getattr(model, name) == type(model).model_fields[name].default:
                    del part[name]
        return json.dumps(content, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def read(cls, path: Path) -> TaskFile:
        """The task in a YAML or JSON file. Raises ValueError that names the file and each wrong field."""
        from fluvial.wire.document import read_document  # late: most task files come from the registry, as JSON

        content = read_document(path)
        if not isinstance(content, dict):
            raise ValueError(f"{path} holds no task: it must be a mapping with `task`, `model`, `rounds`, ...")
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            raise ValueError(f"{path}: {in_words(error, 'task')}") from error


def _beyond(value: Any, field: str) -> Iterator[str]:
    """Names of the fields in a document whose numbers are infinite or none, or whole and larger than any record and any
    other language holds."""
    if (isinstance(value, float) and not isfinite(value)) or (
        isinstance(value, int) and not -_2_63 <= value < 2 * _2_63
    ):
        yield field
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _beyond(inner, f"{field}.{key}" if field else str(key))
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):
            yield from _beyond(inner, f"{field}.{index}")
