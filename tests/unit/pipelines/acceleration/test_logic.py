"""Which versions get variants, and what is recorded of them."""

import json
from dataclasses import replace

from fluvial.inference.timing import Timing
from fluvial.wire.acceleration import VariantSpec
from fluvial.wire.records import GroupCounts, MetricDrop, ModelManifest
from fluvial.wire.task_file import TaskFile
from fluvial.wire.tuning import TuningSpec
from models.acceleration.workshop import Measured, Product
from pipelines.acceleration.logic import (
    is_due,
    measurement_record,
    newest_built,
    newest_complete,
    ordered,
    source_of,
    variant_record,
)
from tests.unit.pipelines.inference.test_serving import SPECIFICATION
from tests.unit.pipelines.promotion.builders import SPEC, a_variant

TASK = TaskFile.model_validate({**SPECIFICATION, "task": "credit"})
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
        drops=(MetricDrop(metric="auc", group="all", num_examples=100, value=0.9, drop=0.0, bound=0.01, p_value=1.0),),
        timing=TIMING,
    ),
)
SOURCE = source_of(MANIFEST, TASK)
TUNING = TASK.model_copy(
    update={
        "task": "credit-8-tuned",
        "rounds": 2,
        "tunes": TuningSpec(task="credit", version=8, model_digest="01" * 32, variant="tuned", fraction=0.5),
    }
)
TUNED_SPEC = SPEC.model_copy(
    update={
        "variants": [
            *SPEC.variants,
            VariantSpec(name="pruned", recipe="pruned_structured"),
            VariantSpec(name="tuned", recipe="fine_tuned", parameters={"of": "pruned"}),
        ]
    }
)


def test_a_version_is_complete_with_every_variant_of_the_terms():
    variants = [a_variant("int8", 5), a_variant("onnx", 5), a_variant("int8", 8)]
    assert newest_complete(variants, "credit", SPEC) == 5
    assert newest_complete([*variants, a_variant("onnx", 8)], "credit", SPEC) == 8
    assert newest_complete(variants, "heart", SPEC) == 0


def test_a_variant_names_its_recipe_and_what_built_it():
    variant = variant_record(SOURCE, SPEC, PRODUCT, (), 9)
    assert variant.recipe == '{"parameters":{},"recipe":"int8_static"}'
    assert variant.builders == '{"onnx":"1.22.0","torch":"2.15.0"}'
    assert variant.artefact_sha256 == b"\x07" * 32
    assert (variant.task, variant.version, variant.model_digest) == ("credit", 8, MANIFEST.model_digest)


def test_a_failure_is_recorded_and_not_measured():
    failed = Product(name="int8", builders={}, failure="no chain of layers")
    assert variant_record(SOURCE, SPEC, failed, (), 9).failure == "no chain of layers"
    assert measurement_record(SOURCE, failed, 9) is None


def test_a_measurement_carries_what_was_counted_and_timed():
    measurement = measurement_record(SOURCE, PRODUCT, 9)
    assert measurement is not None
    (counts,) = measurement.counts
    assert (counts.both, counts.harmed, counts.helped, counts.neither) == (98, 1, 1, 0)
    assert measurement.drops == PRODUCT.measured.drops
    assert (measurement.processor, measurement.data, measurement.latency_p50_us) == ("AVX2", "gate", 35.0)


def test_every_so_many_versions_get_variants_and_the_last_one_in_any_case():
    sparse = SPEC.model_copy(update={"every": 3})
    eight, endless = (TASK.model_copy(update={"rounds": rounds}) for rounds in (8, 0))
    assert [version for version in range(1, 9) if is_due(sparse, version, eight)] == [3, 6, 8]
    assert [version for version in range(1, 9) if is_due(sparse, version, endless)] == [3, 6]
    assert all(is_due(SPEC, version, endless) for version in range(1, 9))


def test_of_a_task_that_tunes_the_last_version_alone_is_built_and_is_the_other_tasks_variant():
    assert [version for version in range(1, 4) if is_due(TUNED_SPEC, version, TUNING)] == [2]
    assert [variant.name for variant in ordered(TUNING, TUNED_SPEC)] == ["tuned"]
    own = replace(MANIFEST, task="credit-8-tuned", version=2, model_digest=b"\x02" * 32)
    variant = variant_record(source_of(own, TUNING), TUNED_SPEC, replace(PRODUCT, name="tuned"), (), 9)
    assert (variant.task, variant.version, variant.model_digest) == ("credit", 8, b"\x01" * 32)
    assert json.loads(variant.recipe) == {
        "recipe": "fine_tuned",
        "parameters": {"of": "pruned"},
        "tuned": {"task": "credit-8-tuned", "version": 2, "model_digest": "02" * 32},
    }
    assert newest_built([], TUNING, TUNED_SPEC) == 0
    assert newest_built([variant], TUNING, TUNED_SPEC) == 2


def test_a_version_is_complete_without_what_only_rounds_can_make():
    variants = [a_variant(name, 5) for name in ("int8", "onnx", "pruned")]
    assert [variant.name for variant in ordered(TASK, TUNED_SPEC)] == ["int8", "onnx", "pruned"]
    assert newest_built(variants, TASK, TUNED_SPEC) == 5
