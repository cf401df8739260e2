"""From a chunk's bytes, as they lie in the log, into the exact sum: piece by piece, as its encoding gives them."""

from collections.abc import Sequence

from fluvial import encoding as encodings
from fluvial.encoding.partial_sum import weight_of
from fluvial.encoding.pieces import Floats, Piece, Scaled, Sparse, Sums
from fluvial.encoding.span import Span
from models.aggregation.fixed_point import ChunkSum


def add_chunk(
    total: ChunkSum,
    raw: bytes | memoryview,
    *,
    encoding: str,
    span: Span,
    scales: Sequence[float],
    weight: int,
    shift: int = 0,
) -> None:
    """Add weight * 2**-shift * the chunk that `raw` encodes, of the elements `span`.

    A negative weight takes an earlier addition back. A partial sum stands for its mean: where `weight` is a multiple of
    its own and there is no shift, as in a weighted mean, its integers enter undivided; otherwise its mean does, rounded
    to float32 like any update. Raises ValueError for an unknown encoding, and for bytes that do not fit the sum.
    """
    if span.size != total.values.size:
        raise ValueError(f"{span.size} elements are not those of a sum of {total.values.size}")
    for piece in encodings.get(encoding).pieces(raw, span, scales):
        _add(total, piece, weight, shift)


def _add(total: ChunkSum, piece: Piece, weight: int, shift: int) -> None:
    match piece:
        case Floats(start, values):
            total.add(values, weight, shift, start)
        case Scaled(start, codes, scale):
            total.add_scaled(codes, scale, weight, shift, start)
        case Sparse(indices, values):
            total.add_at(indices, values, weight, shift)
        case Sums(integers, scale):
            factor, rest = divmod(weight, weight_of(scale, total.fraction_bits))
            if rest or shift:
                total.add(piece.mean(), weight, shift)
            else:
                total.add_integers(integers, factor)
