"""A module of any dtypes through the exact sum: the same updates give the same bits, in any order and any chunks."""

from collections.abc import Sequence

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from fluvial.edge.training.module_state import ModuleState
from fluvial.edge.training.tensor_values import DTYPES
from fluvial.encoding import encoder
from fluvial.encoding.span import spans
from models.aggregation.contribution import add_chunk
from models.aggregation.fixed_point import ChunkSum, finish

FRACTION_BITS = 30
SEEDS = st.integers(0, 2**31)
SIZES = st.integers(1, 80)


class Mixed(nn.Module):
    """A parameter of each dtype, and one that travels under two names."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        for name, dtype in DTYPES.items():
            values = torch.randn(3, 4, generator=generator, dtype=torch.float64).to(dtype)
            setattr(self, f"w_{name}", nn.Parameter(values))
        self.tied = self.w_float32


def bits(module: nn.Module) -> bytes:
    return b"".join(
        tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        for tensor in module.state_dict().values()
    )


def averaged(
    base: np.ndarray, deltas: Sequence[np.ndarray], weights: Sequence[int], state: ModuleState, size: int
) -> np.ndarray:
    """The next model, as shards make it: chunk by chunk, each an exact sum."""
    codec, chunks = encoder("float32"), list(spans(state.layout, size))
    totals = [ChunkSum(span.size, FRACTION_BITS) for span in chunks]
    for delta, weight in zip(deltas, weights, strict=True):
        encoded = codec.encode(delta, state.layout, size)
        for total, span, chunk in zip(totals, chunks, encoded.chunks, strict=True):
            add_chunk(total, chunk, encoding="float32", span=span, scales=encoded.scales, weight=weight)
    parts = [
        finish(base[span.start : span.start + span.size], total.values, sum(weights), FRACTION_BITS)
        for span, total in zip(chunks, totals, strict=True)
    ]
    return np.concatenate(parts)


@given(SEEDS, st.lists(st.tuples(SEEDS, st.integers(1, 100)), min_size=1, max_size=4), SIZES, st.data())
def test_order_and_chunks_make_no_bit_of_difference(
    seed: int, updates: list[tuple[int, int]], size: int, data: st.DataObject
) -> None:
    state = ModuleState(Mixed(seed))
    base = state.flatten()
    deltas = []
    for other, _ in updates:
        trained = ModuleState(Mixed(other))
        deltas.append(trained.difference(base))
    weights = [weight for _, weight in updates]
    model = averaged(base, deltas, weights, state, size)
    order = data.draw(st.permutations(range(len(updates))))
    again = averaged(
        base, [deltas[place] for place in order], [weights[place] for place in order], state, data.draw(SIZES)
    )
    assert again.tobytes() == model.tobytes()
    first, second = Mixed(seed), Mixed(seed)
    ModuleState(first).load(model)
    ModuleState(second).load(again)
    assert bits(first) == bits(second)


@given(SEEDS, SIZES)
def test_who_learned_nothing_changes_no_bit_of_any_dtype(seed: int, size: int) -> None:
    module = Mixed(seed)
    state, before = ModuleState(module), bits(module)
    base = state.flatten()
    model = averaged(base, [state.difference(base)], [7], state, size)
    state.load(model)
    assert bits(module) == before
    assert model.tobytes() == base.tobytes()
