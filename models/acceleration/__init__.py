"""Accelerated variants of a published model: one recipe a file, each a function of model, parameters and calibration
data.

An artefact is an ONNX file: devices and servers run it with one runtime and without torch. What is stored small
(float16, four bits, zeros left out) is unpacked by the graph itself, once, when the runtime loads it. Those of
`torch_precision` are for accelerators, and torch runs them.
"""

import fluvial.inference  # noqa: F401 (first: it turns onnxruntime's telemetry off)
from models.acceleration.catalogue import RECIPES, parse_recipe
from models.acceleration.recipe import Artefact, Recipe, Subject

__all__ = ["RECIPES", "Artefact", "Recipe", "Subject", "parse_recipe"]
