"""Rounds of fine-tuning for a pruned variant: a task of its own, whose first model is the pruned one.

So the updates of these rounds pass the gate, the windows and the sums that all others do, and what the rounds have made
is replayed and audited like any model. The operator opens them, as the terms of the other task said beforehand.
"""

from __future__ import annotations

from contextlib import closing

from deploy.acts.tasks import CreatedTask, create_task
from deploy.federation.keys import ServiceKeys
from deploy.machine.jars import CHECKOUT
from fluvial.edge.manifests import read_manifests
from fluvial.edge.models import load_model
from fluvial.edge.packages import Packages
from fluvial.edge.registry import Registry
from fluvial.edge.training.task_code import TaskCode
from fluvial.identity.federation import Federation
from fluvial.kafka import Transport
from fluvial.registry.acts import ActRefused
from fluvial.wire.acceleration import FINE_TUNED, VariantSpec
from fluvial.wire.records import ModelManifest
from fluvial.wire.task_file import TaskFile
from fluvial.wire.tuning import TuningSpec
from models.acceleration.fine_tuned import FineTuned
from models.acceleration.pruned_structured import PrunedStructured
from models.acceleration.pruning import pruned_model


def open_rounds(
    transport: Transport,
    federation: Federation,
    keys: ServiceKeys,
    task: str,
    version: int,
    variant: str,
    packages: Packages,
    name: str = "",
) -> CreatedTask:
    """Create the task whose rounds tune a version's pruned model. name: of the task, by default made of all three.

    Raises ActRefused where the task's terms have no such variant, or there is no such version; ValueError for a model
    that cannot be pruned or does not travel whole; as `create_task` does."""
    with closing(Registry(transport, federation)) as registry:
        registry.refresh()
        record = registry.task(task)
    if record is None:
        raise ActRefused(f"there is no task {task}")
    parent = TaskFile.model_validate_json(record.specification)
    found = [each for each in read_manifests(transport, federation) if (each.task, each.version) == (task, version)]
    if not found:
        raise ActRefused(f"{task} has no version {version}")
    terms = _terms(parent, found[0], variant, name or f"{task}-{version}-{variant}"[:63])
    model = load_model(
        transport, federation.topics.model_blobs, found[0].chunks, found[0].model_digest, found[0].num_elements
    )
    assert terms.tunes is not None
    first = pruned_model(TaskCode.of(parent, packages, CHECKOUT), model, terms.tunes.fraction)
    return create_task(federation, keys, terms, packages, first=first, connected=transport)


def _terms(parent: TaskFile, manifest: ModelManifest, variant: str, name: str) -> TaskFile:
    """The terms of the rounds: those of the task, as far as they are not about its own rounds and variants."""
    spec = parent.acceleration
    wanted = None if spec is None else spec.variant(variant)
    if spec is None or wanted is None or wanted.recipe != FINE_TUNED:
        raise ActRefused(f"the terms of {parent.task} have no variant {variant} of recipe {FINE_TUNED}")
    recipe = FineTuned(**wanted.parameters)  # type: ignore[arg-type]
    pruned: VariantSpec | None = spec.variant(recipe.of)
    assert pruned is not None  # the terms see to it
    tunes = TuningSpec(
        task=parent.task,
        version=manifest.version,
        model_digest=manifest.model_digest.hex(),
        variant=variant,
        fraction=PrunedStructured(**pruned.parameters).fraction,  # type: ignore[arg-type]
    )
    own = spec.model_copy(update={"variants": [pruned, wanted], "participants_measure": False, "every": 1})
    changed = {
        "task": name,
        "title": f"{parent.title}: version {manifest.version}, pruned, is tuned",
        "rounds": recipe.rounds,
        "tunes": tunes.model_dump(mode="json"),
        "acceleration": own.model_dump(mode="json"),
    }
    return TaskFile.model_validate({**parent.model_dump(mode="json"), **changed})
