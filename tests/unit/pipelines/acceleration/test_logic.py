"""Which versions get variants, and what is recorded of them."""

from fluvial.inference.timing import Timing
from fluvial.wire.records import GroupCounts, ModelManifest
from models.acceleration.workshop import Measured, Product
from pipelines.acceleration.logic import is_due, measurement_record, newest_complete, variant_record
from tests.unit.pipelines.promotion.builders import SPEC, a_variant

MANIFEST = ModelManifest(
    task="credit",
    version=8,
    parent_version=7,
    parent_digest=bytes(32),
    round=8,
    attempt=1,
    rule="{}",
    server_optimizer="",
    staleness="",
    fraction_bits=30,
    total_weight=1,
    layout=(),
    num_elements=0,
    chunk_elements=1,
    chunks=(),
    optimizer_chunks=(),
    model_digest=b"\x01" * 32,
    contributions=(),
    partial=False,
    created_ms=1,
)
TIMING = Timing(
    latency_p50_us=35.0,
    latency_p95_us=40.0,
    latency_p99_us=0.0,
    calls=500,
    throughput=1e5,
    batch=64,
    processor_us=10.0,
    peak_memory_bytes=1,
    joules=0.0,
)
PRODUCT = Product(
    name="int8",
    builders={"torch": "2.15.0", "onnx": "1.22.0"},
    deterministic=True,
    artefact_sha256="07" * 32,
    artefact_bytes=10,
    measured=Measured(
        runtime="onnxruntime 1.32.0",
        processor="AVX2",
        threads=1,
        data_sha256="08" * 32,
        num_examples=100,
        counts=(GroupCounts(metric="accuracy", group="all", both=98, harmed=1, helped=1, neither=0),),
        timing=TIMING,
    ),
)


def test_a_version_is_complete_with_every_variant_of_the_terms():
    variants = [a_variant("int8", 5), a_variant("onnx", 5), a_variant("int8", 8)]
    assert newest_complete(variants, "credit", SPEC) == 5
    assert newest_complete([*variants, a_variant("onnx", 8)], "credit", SPEC) == 8
    assert newest_complete(variants, "heart", SPEC) == 0


def test_a_variant_names_its_recipe_and_what_built_it():
    variant = variant_record(MANIFEST, SPEC, PRODUCT, (), 9)
    assert variant.recipe == '{"parameters":{},"recipe":"int8_static"}'
    assert variant.builders == '{"onnx":"1.22.0","torch":"2.15.0"}'
    assert variant.artefact_sha256 == b"\x07" * 32
    assert (variant.task, variant.version, variant.model_digest) == ("credit", 8, MANIFEST.model_digest)


def test_a_failure_is_recorded_and_not_measured():
    failed = Product(name="int8", builders={}, failure="no chain of layers")
    assert variant_record(MANIFEST, SPEC, failed, (), 9).failure == "no chain of layers"
    assert measurement_record(MANIFEST, failed, 9) is None


def test_a_measurement_carries_what_was_counted_and_timed():
    measurement = measurement_record(MANIFEST, PRODUCT, 9)
    assert measurement is not None
    (counts,) = measurement.counts
    assert (counts.both, counts.harmed, counts.helped, counts.neither) == (98, 1, 1, 0)
    assert (measurement.processor, measurement.data, measurement.latency_p50_us) == ("AVX2", "gate", 35.0)


def test_every_so_many_versions_get_variants_and_the_last_one_in_any_case():
    sparse = SPEC.model_copy(update={"every": 3})
    assert [version for version in range(1, 9) if is_due(sparse, version, rounds=8)] == [3, 6, 8]
    assert [version for version in range(1, 9) if is_due(sparse, version, rounds=0)] == [3, 6]
    assert all(is_due(SPEC, version, rounds=0) for version in range(1, 9))
