"""Recipes by name, and how one is read from a task file: {"recipe": ..., parameters}."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from models.acceleration.fine_tuned import FineTuned
from models.acceleration.fp16 import Float16
from models.acceleration.fp16_storage import Float16Storage
from models.acceleration.int4_storage import Int4Storage
from models.acceleration.int8_dynamic import Int8Dynamic
from models.acceleration.int8_static import Int8Static
from models.acceleration.low_rank import LowRank
from models.acceleration.onnx_fp32 import OnnxFloat32
from models.acceleration.pruned_structured import PrunedStructured
from models.acceleration.pruned_unstructured import PrunedUnstructured
from models.acceleration.recipe import Recipe
from models.acceleration.torch_precision import TorchBfloat16, TorchFloat16, TorchFloat32

RECIPES: Mapping[str, Callable[..., Recipe]] = {
    recipe.name: recipe
    for recipe in (
        OnnxFloat32,
        Float16Storage,
        Float16,
        Int8Static,
        Int8Dynamic,
        Int4Storage,
        PrunedStructured,
        PrunedUnstructured,
        LowRank,
        FineTuned,
        TorchFloat32,
        TorchBfloat16,
        TorchFloat16,
    )
}


def parse_recipe(name: str, parameters: Mapping[str, Any]) -> Recipe:
    """The recipe of that name. Raises ValueError for an unknown one, and for parameters that do not fit it."""
    if name not in RECIPES:
        raise ValueError(f"unknown recipe {name!r}; known: {', '.join(RECIPES)}")
    try:
        return RECIPES[name](**parameters)
    except TypeError as error:
        raise ValueError(f"parameters {sorted(parameters)} do not fit the recipe {name}: {error}") from error
