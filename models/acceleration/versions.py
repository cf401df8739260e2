"""Which versions built an artefact: whoever builds it again must have the same."""

from importlib.metadata import version

BUILDERS = ("torch", "onnx", "onnxscript", "onnxruntime")


def builder_versions() -> dict[str, str]:
    """Version of each package that has a say in an artefact's bytes."""
    return {name: version(name) for name in BUILDERS}
