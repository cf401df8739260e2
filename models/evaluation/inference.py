"""Measures models of a task on its evaluation set, on the device that the configuration chooses."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fluvial.edge.metrics import Measured, measure, measure_groups
from fluvial.edge.metrics.measure import Metric
from fluvial.edge.metrics.own import own_metric
from fluvial.edge.packages.errors import FAULTS
from fluvial.edge.packages.examples import Examples
from fluvial.edge.training.device import choose_device
from fluvial.edge.training.losses import Loss, of_arrays
from fluvial.edge.training.module_state import ModuleState
from fluvial.edge.training.predictions import predict
from models.evaluation.measurable import check_groups, check_predicted


class Evaluator:
    """Measures models of one task on one evaluation set; the module is built once."""

    def __init__(
        self,
        state: ModuleState,
        examples: Examples,
        metrics: Sequence[str],
        *,
        loss: str | Loss = "cross_entropy",
        own: Mapping[str, Metric] | None = None,
        device: str = "auto",
        batch_size: int = 512,
    ) -> None:
        """loss: what the metric `loss` is, by name or the task's own. own: the task's own metrics by the names that
        stand in `metrics`. Raises ValueError as `choose_device` does, and for examples that do not fit the module or
        the metrics."""
        self.device = choose_device(device)
        self._state, self._examples, self._metrics = state, examples, tuple(metrics)
        self._loss = loss if isinstance(loss, str) else own_metric("loss", of_arrays(loss))
        self._own = dict(own or {})
        self._batch_size = batch_size
        check_groups(examples)
        self._check_fit()

    @property
    def num_examples(self) -> int:
        """Examples of the evaluation set."""
        return len(self._examples)

    def measure(self, model: NDArray[np.float32]) -> dict[str, float]:
        """Metrics of the flat model float32[D]. Raises ValueError if it does not fit the module, or if a metric is not
        finite."""
        return self._measure(self._predict(model))

    def measure_with_groups(self, model: NDArray[np.float32]) -> Measured:
        """The same, and the metrics of each group that the evaluation set tells apart. Raises as `measure`."""
        predictions = self._predict(model)
        overall = self._measure(predictions)
        groups = measure_groups(
            predictions,
            self._examples.targets,
            self._examples.groups,
            self._metrics,
            loss=self._loss,
            own=self._own,
        )
        return Measured(metrics=overall, groups=groups)

    def _predict(self, model: NDArray[np.float32]) -> NDArray[Any]:
        self._state.load(model)
        return predict(self._state.module, self._examples, device=self.device, batch_size=self._batch_size)

    def _measure(self, predictions: NDArray[Any]) -> dict[str, float]:
        return measure(predictions, self._examples.targets, self._metrics, loss=self._loss, own=self._own)

    def _check_fit(self) -> None:
        """Whether shapes, classes and metrics fit does not depend on the weights: those that the module has will do."""
        first = self._examples.first()
        try:
            predictions = predict(self._state.module, first, device=self.device)
        except FAULTS as error:  # whatever torch and the module make of shapes and parameters that they cannot use
            raise ValueError(f"{first.described()} do not fit the module: {error}") from error
        self._state.check_kept()
        if predictions.ndim < 1 or len(predictions) != 1:
            raise ValueError(f"the module predicts {list(predictions.shape)} of one example, not a row")
        row, dtype = predictions.shape[1:], predictions.dtype
        check_predicted(self._examples, row, self._metrics, loss=self._loss, own=self._own, dtype=dtype)
