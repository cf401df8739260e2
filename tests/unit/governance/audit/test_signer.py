"""The signer vouches for an unbroken log only, and never for two different ones."""

import pytest

from fluvial.identity.keys import SigningKey
from fluvial.transparency.chain import ChainEnd
from fluvial.transparency.checkpoint import open_checkpoint
from fluvial.transparency.merkle import EMPTY_ROOT, leaf_hash
from fluvial.transparency.note import NoteKey
from fluvial.transparency.signer_state import SignerState
from fluvial.transparency.tree import MerkleTree
from fluvial.wire.records import AuditEvent
from governance.audit import sequencer, signer
from governance.audit.signer import NotNext

KEY = SigningKey.generate()
LOG = NoteKey(name="log.example", public_key=KEY.public_key)


def make_leaves(count: int) -> list[bytes]:
    end, leaves = ChainEnd(), []
    for number in range(count):
        event = AuditEvent(id=str(number), source="/test", type="test", subject="", time_ms=0, data=b"")
        end, leaf = sequencer.append(end, event)
        leaves.append(leaf)
    return leaves


LEAVES = make_leaves(9)


def state_after(count: int) -> SignerState:
    state = SignerState()
    for number, leaf in enumerate(LEAVES[:count]):
        state = signer.append(state, 2 * number, leaf)
    return state


def test_a_checkpoint_has_the_root_of_all_leaves() -> None:
    tree = MerkleTree()
    for leaf in LEAVES:
        tree.append(leaf_hash(leaf))
    checkpoint = open_checkpoint(signer.checkpoint(state_after(9), KEY, "log.example"), LOG)
    assert (checkpoint.origin, checkpoint.size, checkpoint.root) == ("log.example", 9, tree.root())


def test_the_empty_log_can_be_signed() -> None:
    assert open_checkpoint(signer.checkpoint(SignerState(), KEY, "log.example"), LOG).root == EMPTY_ROOT


@pytest.mark.parametrize("crash_after", range(9))
def test_a_restarted_signer_signs_the_same_bytes(crash_after: int) -> None:
    """Leaves:  0 … | crash, state of the last checkpoint | … 8, in other transactions, hence at other offsets"""
    state = SignerState.load(state_after(crash_after).dump())
    assert state == state_after(crash_after)
    for number, leaf in enumerate(LEAVES[crash_after:], start=crash_after):
        state = signer.append(state, 3 * number, leaf)
    assert signer.checkpoint(state, KEY, "log.example") == signer.checkpoint(state_after(9), KEY, "log.example")


def test_a_gap_is_refused() -> None:
    with pytest.raises(NotNext, match="leaf 3 bears the sequence number 4") as refused:
        signer.append(state_after(3), 10, LEAVES[4])
    assert refused.value.ahead


def test_a_repeat_is_refused() -> None:
    with pytest.raises(NotNext, match="leaf 3 bears the sequence number 2") as refused:
        signer.append(state_after(3), 10, LEAVES[2])
    assert not refused.value.ahead


def test_an_offset_that_goes_back_is_refused() -> None:
    with pytest.raises(NotNext, match="offset 4 comes after offset 4"):
        signer.append(state_after(3), 4, LEAVES[3])


def test_a_leaf_of_another_history_is_refused() -> None:
    event = AuditEvent(id="other", source="/test", type="test", subject="", time_ms=0, data=b"")
    _, other = sequencer.append(ChainEnd(3, bytes(32)), event)
    with pytest.raises(NotNext, match="does not name the leaf before it") as refused:
        signer.append(state_after(3), 10, other)
    assert refused.value.ahead


def test_bytes_that_are_no_leaf_are_refused() -> None:
    for garbage in (b"", b"garbage", LEAVES[3][:-1], LEAVES[3] + b"\x00"):
        with pytest.raises(NotNext, match="is no SequencedEvent"):
            signer.append(state_after(3), 10, garbage)


def test_a_refused_leaf_leaves_the_state_alone() -> None:
    state = state_after(3)
    with pytest.raises(NotNext):
        signer.append(state, 10, LEAVES[4])
    assert signer.append(state, 10, LEAVES[3]).tree == state_after(4).tree


def test_only_a_stored_state_loads() -> None:
    stored = state_after(3).dump()
    for damaged in (b"", b"\x02" + stored[1:], stored[:-1], stored + b"\x00", stored[:41]):
        with pytest.raises(ValueError, match=r"not a stored signer state|compact range"):
            SignerState.load(damaged)
