"""Which artefact serves."""

from dataclasses import replace

from fluvial.inference.releases import Releases
from fluvial.wire.records import PromotionDecision
from tests.unit.deploy.demo.test_variants import a_promotion
from tests.unit.pipelines.promotion.builders import a_variant

ORDER = ["int8", "onnx"]


def promoted(sequence, version=8, name="onnx", decision=PromotionDecision.PROMOTED, processor="AVX2"):
    return replace(
        a_promotion(), sequence=sequence, version=version, variant=name, decision=decision, processor=processor
    )


def releases(*promotions, variants=((8, "int8"), (8, "onnx"), (9, "onnx"))):
    made = Releases()
    for version, name in variants:
        made.add_variant(a_variant(name, version))
    for promotion in promotions:
        made.add_promotion(promotion)
    return made


def here(*places):
    """The places of a machine, runtime and class by turns, the preferred one first."""
    pairs = list(zip(places[::2], places[1::2], strict=True))
    return lambda runtime, processor: pairs.index(place) if (place := (runtime, processor)) in pairs else None


def serving(made):
    found = made.candidates("credit", here("onnxruntime", "AVX2"), ORDER)
    return (found[0].promotion.version, found[0].promotion.variant) if found else None


def test_without_a_promotion_nothing_serves():
    assert serving(releases()) is None
    assert serving(releases(promoted(1, decision=PromotionDecision.HELD))) is None


def test_of_a_version_the_preferred_variant_serves_and_of_versions_the_newest():
    assert serving(releases(promoted(1), promoted(2, name="int8"))) == (8, "int8")
    assert serving(releases(promoted(1, name="int8"), promoted(2, version=9))) == (9, "onnx")


def test_a_promotion_for_another_class_of_processors_serves_nobody_here():
    assert serving(releases(promoted(1, processor="NEON"))) is None


def test_a_promotion_for_another_version_of_the_runtime_serves_nobody_here():
    made = releases(replace(promoted(1), runtime="onnxruntime 1.31.0"))
    assert serving(made) is None
    assert made.candidates("credit", here("onnxruntime 1.31.0", "AVX2"), ORDER)


def test_of_one_variant_the_device_that_is_preferred_serves_and_the_newest_version_before_any_device():
    on_cuda = replace(promoted(3, name="int8"), runtime="torch 2 cuda 13 bfloat16", processor="CUDA_9_0")
    made = releases(promoted(1), promoted(2, name="int8"), on_cuda)
    both = here("torch 2 cuda 13 bfloat16", "CUDA_9_0", "onnxruntime", "AVX2")
    ranked = [each.promotion.sequence for each in made.candidates("credit", both, ORDER)]
    assert ranked == [3, 2, 1]
    made.add_promotion(promoted(4, version=9))
    assert [each.promotion.sequence for each in made.candidates("credit", both, ORDER)] == [4, 3, 2, 1]


def test_what_is_rolled_back_serves_no_more_and_what_was_before_serves_again():
    made = releases(promoted(1), promoted(2, version=9))
    assert made.add_promotion(promoted(3, version=9, decision=PromotionDecision.ROLLED_BACK))
    assert serving(made) == (8, "onnx")


def test_an_old_decision_that_comes_again_changes_nothing():
    made = releases(promoted(1), promoted(3, decision=PromotionDecision.ROLLED_BACK))
    assert not made.add_promotion(promoted(1))
    assert serving(made) is None


def test_a_promotion_of_other_bytes_than_the_variants_serves_nothing():
    made = Releases()
    made.add_variant(replace(a_variant("onnx"), artefact_sha256=b"\x09" * 32))
    made.add_promotion(promoted(1))
    assert serving(made) is None
