"""Coordinate-wise reductions on an accelerator, through torch, with the bits of `coordinates`.

Sorting moves values and changes none, additions in float64 or int64 happen element by element in the same order, and
so does the one division; none of it is left to a kernel's own order. torch is loaded on first use: a cluster without
it aggregates on its processors. Shapes: K rows, n elements.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.aggregation.coordinates import Float64, Reduce, places
from models.aggregation.reduction import MeanAroundMedian, Reduction


def on_device(device: str) -> Reduce:
    """As `coordinates.reduce_rows`, computed on a torch device ("cuda", "cuda:1", or "cpu").

    Raises ValueError when torch is not installed or does not have the device.
    """
    try:
        import torch

        torch.empty(0, device=device)
    except (ImportError, RuntimeError, AssertionError) as error:
        raise ValueError(f"the device {device!r} cannot reduce: {error}") from error

    def reduce_rows(rows: NDArray[Any], reduction: Reduction, divisor: float = 1.0) -> Float64:
        count = reduction.num_added(len(rows))
        values = torch.from_numpy(rows).to(device)
        if values.is_floating_point() and not bool(torch.isfinite(values).all()):
            raise ValueError("update holds values that are not finite")
        wide = torch.float64 if values.is_floating_point() else torch.int64
        ordered = torch.sort(values, dim=0).values
        total = torch.zeros(rows.shape[1], dtype=wide, device=device)
        if isinstance(reduction, MeanAroundMedian):
            _add_around_median(total, ordered.to(wide), reduction.num_kept)
        else:
            for place in places(reduction, len(rows)):
                total += ordered[place]
        # A tensor: by a number, CUDA's kernels multiply with its rounded reciprocal, which is not the same bits.
        denominator = torch.tensor(count * divisor, dtype=torch.float64, device=device)
        quotient: Float64 = (total.to(torch.float64) / denominator).cpu().numpy().astype(np.float64, copy=False)
        return quotient

    return reduce_rows


def _add_around_median(total: Any, ordered: Any, num_kept: int) -> None:
    """As in `coordinates`, on tensors."""
    count = len(ordered)
    twice_median = ordered[(count - 1) // 2] + ordered[count // 2]
    start = total.new_zeros(total.shape).long()
    for leaving in range(count - num_kept):
        start += twice_median > ordered[leaving] + ordered[leaving + num_kept]
    for place, row in enumerate(ordered):
        total += row.where((place >= start) & (place < start + num_kept), 0)
