"""Running models where torch is not: on devices and servers that only infer. Needs onnxruntime
(`fluvial[inference]`)."""

from fluvial.inference.telemetry import turn_off

turn_off()
