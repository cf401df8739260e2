"""Building a recorded variant again, to see whether it is what its record says.

Bytes are compared where the recipe is deterministic and the builders are the same versions; answers on the calibration
inputs otherwise."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from hashlib import sha256

import numpy as np
import torch
from numpy.typing import NDArray

from fluvial.edge.sessions import open_session
from fluvial.edge.training.module_state import ModuleState
from fluvial.inference.comparison import answers_of
from fluvial.wire.records import Variant
from models.acceleration.catalogue import parse_recipe
from models.acceleration.recipe import Subject
from models.acceleration.versions import builder_versions

LEAST_SAME_ANSWERS = 0.999
"""Share of calibration inputs that both artefacts must answer alike, where bytes cannot be compared: sums in another
order turn an answer that hung in the balance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """What came out. same_bytes: the artefact that was built here has the recorded digest. must_be_same_bytes: the
    recipe, whatever the record says of it, and builders promise it. other_builders: by package the recorded version and
    the one here. same_answers: share of calibration inputs that both answer alike; largest_difference: of any output.
    failure: why the recipe does not fit the model, here; empty if it does. expected_failure: the record's."""

    same_bytes: bool = False
    must_be_same_bytes: bool = True
    other_builders: Mapping[str, tuple[str, str]]
    same_answers: float = 0.0
    largest_difference: float = 0.0
    failure: str = ""
    expected_failure: str = ""

    @property
    def verified(self) -> bool:
        """Whether the record holds."""
        if self.failure or self.expected_failure:
            return bool(self.failure) and bool(self.expected_failure)
        return self.same_bytes or (not self.must_be_same_bytes and self.same_answers >= LEAST_SAME_ANSWERS)


def rebuild(
    variant: Variant,
    artefact: bytes,
    *,
    state: ModuleState,
    model: NDArray[np.float32],
    calibration: NDArray[np.float32],
) -> Rebuilt:
    """Build the variant again and compare. artefact: the recorded bytes, empty for a failure. state: of the task's
    module. model: float32[D], the
    version that it was made from. calibration: float32[B, ...].

    Raises ValueError for an artefact that has not the recorded digest, and for a model that does not fit the
    module."""
    if not variant.failure and sha256(artefact).digest() != variant.artefact_sha256:
        raise ValueError("the artefact's bytes are not those that its record names")
    torch.set_num_threads(1)
    state.load(model)
    module = state.module.eval()
    recorded, here = json.loads(variant.builders), builder_versions()
    others = {name: (recorded.get(name, "none"), version) for name, version in here.items()}
    others = {name: pair for name, pair in others.items() if pair[0] != pair[1]}
    recipe = json.loads(variant.recipe)
    try:
        built = parse_recipe(recipe["recipe"], recipe["parameters"]).build(
            Subject(module=module, calibration=calibration)
        )
    except ValueError as error:
        return Rebuilt(other_builders=others, failure=str(error), expected_failure=variant.failure)
    if variant.failure:
        return Rebuilt(other_builders=others, expected_failure=variant.failure)
    own = partial(deepcopy, module)
    outputs = [open_session(data, module=own).run_in_batches(calibration) for data in (artefact, built.data)]
    same_shape = outputs[0].shape == outputs[1].shape
    return Rebuilt(
        same_bytes=built.data == artefact,
        must_be_same_bytes=built.deterministic and not others,
        other_builders=others,
        same_answers=float((answers_of(outputs[0]) == answers_of(outputs[1])).mean()) if same_shape else 0.0,
        largest_difference=float(np.abs(outputs[0] - outputs[1]).max()) if same_shape else float("inf"),
    )
