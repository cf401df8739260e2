"""What runs an artefact: onnxruntime, or torch with the task's own module. Its bytes tell."""

from fluvial.edge.safetensors import metadata_of

TORCH_FORMAT = "fluvial.torch/1"
COMPUTES_IN, INPUTS = "computes_in", "inputs"
"""Names in the header of an artefact that torch runs: the type, and the shape of one input as JSON."""


def runs_in_torch(artefact: bytes) -> bool:
    """Whether an artefact is one that torch runs; others are ONNX models."""
    return metadata_of(artefact).get("format") == TORCH_FORMAT


def is_measured_on(artefact: bytes, device: str) -> bool:
    """Whether anybody measures an artefact on a device, cpu or cuda. What torch runs is for accelerators alone: on
    processors the same model is faster in onnxruntime, and a verdict on them would let it serve there."""
    return device == "cuda" or not runs_in_torch(artefact)
