"""What user code hands over, made plain before it is used: the weight and the delta of an update.

Training code counts with numpy and torch and computes on devices. Here its results become the values that records hold,
or a ValueError that names what is wrong, before anything is stored.

Shapes: D parameters.
"""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fluvial.edge.errors import TrainingFailed
from fluvial.wire.records import Round
from fluvial.wire.terms import terms_of

_PIECE = 1 << 18  # elements looked at together, so that a large delta needs no mask of its size


def plain_weight(weight: object, round_: Round) -> int:
    """The number of training examples, at most the round's max_weight; 0 for a round that is sat out.

    weight: an integer of Python, or one of numpy or torch, 0-d arrays too. Raises ValueError for all else, for truth
    values, which only look like integers, and for numbers below 0.
    """
    try:
        plain = whole_number(weight)
    except TypeError:
        raise ValueError(
            f"the weight must be the number of training examples, an integer, not {weight!r} of type "
            f"{type(weight).__name__}: count with int(...)"
        ) from None
    return min(plain, round_.max_weight)


def whole_number(weight: object) -> int:
    """A number of training examples, of Python, numpy or torch. Raises TypeError for what is no integer, ValueError for
    one below 0."""
    if isinstance(weight, bool) or str(getattr(weight, "dtype", "")).endswith("bool"):
        raise TypeError("a truth value is no number of examples")
    plain = operator.index(weight)  # type: ignore[arg-type]
    if plain < 0:
        raise ValueError(f"the weight must be the number of training examples, 0 or more, not {plain}")
    return plain


def plain_delta(delta_D: Any, round_: Round) -> NDArray[np.float32]:
    """The delta as float32[D] of numpy; tensors of torch are taken from their device, without their gradients.

    Raises ValueError for another type, shape or dtype, and for masked elements.
    """
    wanted = f"the delta must be float32[{round_.num_elements}]"
    if np.ma.is_masked(delta_D):  # type: ignore[no-untyped-call]
        raise ValueError(f"{wanted}, and this has masked elements, whose values nobody meant: fill them")
    try:
        array = np.asarray(delta_D.detach().cpu() if hasattr(delta_D, "detach") else delta_D)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{wanted}, not {type(delta_D).__name__}: {error}") from error
    if array.shape != (round_.num_elements,) or array.dtype != np.float32:
        raise ValueError(
            f"{wanted}, not {array.dtype}{list(array.shape)}: flatten it in the order of the round's layout, and "
            "convert it to float32"
        )
    return array


def finite_delta(delta_D: NDArray[np.float32]) -> NDArray[np.float32]:
    """The delta as it is. Raises TrainingFailed for one that is not finite, which no gate would take."""
    if not is_finite(delta_D):
        raise TrainingFailed("the delta is not all finite: training diverged; a smaller learning_rate may help")
    return delta_D


def _any(delta_D: NDArray[np.float32]) -> bool:
    """Whether an element is not zero: told by the first piece, as a rule."""
    return any(bool(delta_D[first : first + _PIECE].any()) for first in range(0, delta_D.size, _PIECE))


def is_finite(delta_D: NDArray[np.float32]) -> bool:
    """Whether all elements are finite; looks at a piece at a time, for the memory's sake."""
    pieces = (delta_D[first : first + _PIECE] for first in range(0, delta_D.size, _PIECE))
    return all(bool(np.isfinite(piece).all()) for piece in pieces)


def check_difference(
    delta_D: NDArray[np.float32], lent_D: NDArray[np.float32], base_model: Callable[[], NDArray[np.float32]]
) -> None:
    """Whether training changed the base that it was lent and then took its difference from that: it is all zeros.

    base_model: the base as it was; asked only for a delta of zeros. Raises ValueError.
    """
    if not _any(delta_D) and lent_D.tobytes() != base_model().tobytes():
        raise ValueError(
            "the delta is all zeros and the base model was changed in place: take the difference from a copy, "
            "base.copy(), that training does not change (torch.from_numpy shares memory)"
        )


def least_weight(round_: Round) -> int:
    """The fewest examples that the round takes; who has fewer sits it out."""
    return terms_of(round_).participation.min_examples


def plain_result(returned: object, round_: Round) -> tuple[Any, int]:
    """What a `Train` returned as (delta, weight), the weight made plain; (None, 0) for None, which sits the round out.

    Raises ValueError for what is no pair, and as `plain_weight`.
    """
    if returned is None:
        return None, 0
    if not isinstance(returned, tuple | list) or len(returned) != 2:
        raise ValueError(f"training must return (delta, weight), or None to sit the round out, not {returned!r:.80}")
    return returned[0], plain_weight(returned[1], round_)
