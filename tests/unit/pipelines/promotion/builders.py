"""Variants and measurements of one task, for tests of promotion."""

from fluvial.wire.acceleration import AccelerationSpec
from fluvial.wire.records import GroupCounts, Measurement, Variant

SPEC = AccelerationSpec.model_validate(
    {
        "variants": [{"name": "int8", "recipe": "int8_static"}, {"name": "onnx", "recipe": "onnx_fp32"}],
        "calibration": "calibration.safetensors",
        "gate": "gate.safetensors",
        "class_names": {"1": "defaulters"},
        "group_names": {"age:50-80": "aged 50 to 80"},
        "policy": {"min_group": 200},
    }
)
ARTEFACT = b"\x07" * 32


def a_variant(name="int8", version=8, task="credit", failure=""):
    return Variant(
        task=task,
        version=version,
        model_digest=bytes(32),
        name=name,
        recipe="{}",
        builders="{}",
        calibration_sha256=bytes(32),
        artefact_sha256=ARTEFACT,
        artefact_bytes=10,
        deterministic=True,
        chunks=(),
        failure=failure,
        created_ms=1,
    )


def counts(metric, group, size, harmed=0, helped=0):
    return GroupCounts(metric=metric, group=group, both=size - harmed - helped, harmed=harmed, helped=helped, neither=0)


def everything(size, harmed=0):
    """All metrics of the policy, of everybody."""
    return tuple(counts(metric, "all", size, harmed) for metric in ("accuracy", "agreement", "recall:0", "recall:1"))


FINE = (
    counts("accuracy", "all", 12_000, 5, 7),
    counts("agreement", "all", 12_000, 12),
    counts("recall:0", "all", 9_000, 5, 2),
    counts("recall:1", "all", 3_000, 0, 5),
)
HARMFUL = (*FINE, counts("recall:1", "age:50-80", 266, 21))


def a_measurement(rows=FINE, name="int8", version=8, measurer="aggregator", data="gate", processor="AVX2", **changes):
    fields = {
        "task": "credit",
        "version": version,
        "variant": name,
        "artefact_sha256": ARTEFACT,
        "measurer": measurer,
        "data": data,
        "data_sha256": bytes(32),
        "runtime": "onnxruntime 1.32.0",
        "processor": processor,
        "threads": 1,
        "num_examples": 12_000,
        "counts": tuple(rows),
        "drops": (),
        "latency_p50_us": 35.0,
        "latency_p95_us": 40.0,
        "latency_p99_us": 0.0,
        "calls": 500,
        "throughput": 1e5,
        "batch": 64,
        "processor_us": 10.0,
        "peak_memory_bytes": 1,
        "joules": 0.0,
        "measured_ms": 5,
    }
    return Measurement(**{**fields, **changes})
