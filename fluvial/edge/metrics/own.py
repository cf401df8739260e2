"""A task's own metric, held to what a metric gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from fluvial.edge.metrics.measure import Metric
from fluvial.edge.packages.errors import FAULTS, in_words
from fluvial.edge.packages.examples import plain
from fluvial.edge.packages.surroundings import drawing_apart, process_kept

_LONGEST = 64
_SEED = 0


def own_metric(name: str, function: Metric) -> Metric:
    """The metric of that name, of copies, so that it changes nothing for others; what it draws (a bootstrap) from
    Python's and numpy's global generators is the same each time, but not what it draws from one that it makes without a
    seed, as `np.random.default_rng()` does, nor while another thread draws (see `drawing_apart`). It raises ValueError,
    naming itself, for whatever goes wrong in it, and for values that are no numbers."""

    def metric(predictions: NDArray[Any], targets: NDArray[Any]) -> float | Mapping[str, float]:
        try:
            with drawing_apart(_SEED), process_kept():
                found = function(predictions.copy(), targets.copy())
            if not isinstance(found, Mapping):
                return _number(found)
            return {_part(part): _number(value) for part, value in found.items()}
        except FAULTS as error:
            raise ValueError(f"the metric {name} fails: {in_words(error)}") from error

    return metric


def _number(value: Any) -> float:
    if isinstance(value, str):
        raise TypeError("a metric is a number, or several by name, not text")
    if hasattr(value, "shape"):
        value = plain(value)
        if value.size != 1:
            raise TypeError(f"a metric is a number, or several by name, not of shape {list(value.shape)}")
        value = value.item()
    return float(value)


def _part(name: object) -> str:
    """What stands behind the metric's name, in the log for ever."""
    text = str(name)
    if not text.isprintable() or not 0 < len(text) <= _LONGEST:
        raise ValueError(f"{text!r:.80} is no name of a value: up to {_LONGEST} printable characters are")
    return text
