"""A large update costs little to refuse, and no honest one is refused for it."""

from dataclasses import replace

import pytest
from hypothesis import given

from fluvial.admission.case import Case
from fluvial.admission.claims import LARGE_BYTES, claims_too_many_chunks
from fluvial.admission.decisions import QUARANTINED
from fluvial.admission.framing import open_envelope
from fluvial.admission.judgement import Fault, Source
from fluvial.admission.payload import find_update
from fluvial.identity.envelope import seal
from fluvial.identity.keys import SigningKey
from fluvial.wire.framing import decode, encode
from fluvial.wire.records import ChunkReference, ModelUpdate, Reason
from tests.laws.mutations import mutated
from tests.steps import lines_run
from tests.unit.fluvial.auditor.world import an_update

KEY = SigningKey.from_seed(b"k" * 32)


def with_chunks(count: int, sha256: bytes, **changes: object) -> ModelUpdate:
    chunk = ChunkReference(partition=0, offset=0, length=0, sha256=sha256)
    return replace(an_update("anna", 1), **{"inline": None, "chunks": (chunk,) * count, **changes})  # type: ignore[arg-type]


def opened(update: ModelUpdate) -> Case:
    source = Source(topic="updates", partition=0, offset=0, timestamp_ms=0, key=b"anna")
    case = Case.of(seal(update, KEY, "anna"), source, QUARANTINED)
    assert open_envelope(case) is None
    return case


def fault_of(update: ModelUpdate) -> tuple[Fault | None, int]:
    """And how many lines of Python it took."""
    case = opened(update)
    found: list[Fault | None] = []
    lines = lines_run(lambda: found.append(find_update(case, {})))
    return found[0], lines


@pytest.mark.parametrize(
    ("sha256", "changes"),
    [(b"", {}), (b"x", {"scales": (1.0,) * 50}), (bytes(31), {"inline": bytes(99)}), (bytes(31), {"task": "t" * 100})],
)
def test_a_megabyte_of_references_without_digests_is_refused_at_once(sha256: bytes, changes: dict[str, object]) -> None:
    count = (1 << 20) // (4 + len(sha256)) - 200
    fault, lines = fault_of(with_chunks(count, sha256, **changes))
    assert fault == Fault(reason=Reason.DECODE)
    assert lines < 1_000 < count


@pytest.mark.parametrize("changes", [{}, {"scales": (1.0,) * 50}, {"inline": bytes(99)}, {"task": "t" * 100}])
@pytest.mark.parametrize("count", [1, LARGE_BYTES // 36, 20_000])
def test_as_many_as_there_are_bytes_for_are_decoded(count: int, changes: dict[str, object]) -> None:
    update = with_chunks(count, bytes(32), **changes)
    assert not claims_too_many_chunks(encode(update))
    assert find_update(opened(update), {}) is None


def test_a_large_inline_delta_is_no_claim() -> None:
    assert not claims_too_many_chunks(encode(replace(an_update("anna", 1), inline=bytes(2 * LARGE_BYTES))))


LARGE = encode(with_chunks(2_000, bytes(32)))


@given(mutated(LARGE))
def test_whatever_the_bytes_what_would_decode_to_digests_is_let_through(payload: bytes) -> None:
    claimed = claims_too_many_chunks(payload)
    try:
        update = decode(payload, ModelUpdate)
    except Exception:
        return
    assert not claimed or any(len(chunk.sha256) < 32 for chunk in update.chunks)
