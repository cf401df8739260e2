"""A proof made from the topics convinces one who has the leaf and the log's key alone."""

import pytest

from fluvial.auditor.prove import prove
from fluvial.transparency.proof import verify_proof
from fluvial.wire.errors import VerificationError
from tests.unit.fluvial.auditor.world import honest_world


@pytest.mark.parametrize("sequence", [0, 5, 11])
def test_a_proof_from_the_topics_verifies_offline(sequence: int) -> None:
    world = honest_world()
    proof, leaf = prove(world, world.federation, sequence)
    assert leaf == world.kept[world.topics.audit][sequence].value
    index, checkpoint = verify_proof(proof, leaf, world.log_key)
    assert (index, checkpoint.size) == (sequence, 12)


def test_there_is_no_proof_of_what_is_not_signed() -> None:
    world = honest_world()
    with pytest.raises(VerificationError, match="there is no leaf 12"):
        prove(world, world.federation, 12)
    world.judge(world.update("anna", 3), "anna", 3)
    world.sequence()
    with pytest.raises(VerificationError, match="no checkpoint covers leaf 12 yet"):
        prove(world, world.federation, 12)


def test_there_is_no_proof_when_a_checkpoint_contradicts_the_leaves() -> None:
    world = honest_world()
    world.replace_value(world.topics.audit, 3, b"another leaf")
    with pytest.raises(VerificationError, match="7 leaves were signed, but the log holds 3"):
        prove(world, world.federation, 5)
