"""onnxruntime (1.32 on Linux, too) tells its makers how it is used, over the network and from its import on. What runs
beside data that never leaves a participant tells nobody anything."""

import os

VARIABLE = "ORT_DISABLE_TELEMETRY"


def turn_off() -> None:
    """For this process and those that it starts. To be called before onnxruntime is imported; who sets the variable
    decides for himself."""
    os.environ.setdefault(VARIABLE, "1")
