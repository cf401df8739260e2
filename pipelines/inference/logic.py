"""From requests to answers, batch by batch. Pure: models are functions, the clock is a number.

Examples of several requests are put together until a batch is full, run once, and parted again. A batch is answered by
one released artefact as a whole. What cannot be answered has an answer that says why; nothing is left without one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from fluvial.wire.records import InferenceAnswer, InferenceRequest, InferenceResults, InferenceStatus

MAX_EXAMPLES = 4_096
"""Examples that one request may hold."""

MAX_ANSWER_BYTES = 2 << 20
"""Outputs of one request, and of all answers in one record of results, which the broker takes up to 4 MiB of: one
request must not make a record that nobody takes."""

Run = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""float32[B, ...] to float32[B, ...]. Raises ValueError for inputs that do not fit the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A released artefact, loaded. shape: of one example. promotion, version, variant, artefact_sha256: as results name
    them."""

    run: Run
    shape: tuple[int | None, ...]
    promotion: int
    version: int
    variant: str
    artefact_sha256: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request whose signature was verified, and the broker time at which it lay in the log."""

    request: InferenceRequest
    arrived_ms: int


_ANSWER_BYTES = 1_024
"""Most that an answer takes beside its outputs: names, reason, shape."""


def inputs_of(request: InferenceRequest, shape: Sequence[int | None]) -> NDArray[np.float32]:
    """The request's inputs, float32[B, ...]. shape: of one example, None for any size. Raises ValueError that says what
    does not fit."""
    given = tuple(request.shape)
    if not given or not 1 <= given[0] <= MAX_EXAMPLES:
        raise ValueError(f"a request holds 1 to {MAX_EXAMPLES} examples, this one has the shape {list(given)}")
    fits = len(given) == len(shape) + 1 and all(
        wanted in (None, size) for wanted, size in zip(shape, given[1:], strict=True)
    )
    if not fits:
        raise ValueError(f"an example of this model has the shape {list(shape)}, not {list(given[1:])}")
    if len(request.inputs) != 4 * prod(given):
        raise ValueError(f"{len(request.inputs)} bytes are no float32 of shape {list(given)}")
    values = np.frombuffer(request.inputs, "<f4").reshape(given)
    if not np.isfinite(values).all():
        raise ValueError("inputs must be finite")
    return values.astype(np.float32, copy=False)


def refusal(request: InferenceRequest, status: InferenceStatus, reason: str) -> InferenceAnswer:
    """The answer to a request that gets no outputs."""
    return InferenceAnswer(
        caller=request.caller, request_id=request.request_id, status=status, reason=reason[:300], shape=(), outputs=b""
    )


def answered(model: Model, asked: Sequence[Asked], max_batch: int) -> Iterator[tuple[Asked, InferenceAnswer]]:
    """Each request with its answer by this model, in whatever order; at most `max_batch` examples are run at once,
    unless one request alone holds more."""
    batch: list[tuple[Asked, NDArray[np.float32]]] = []
    size = 0
    for one in asked:
        try:
            inputs = inputs_of(one.request, model.shape)
        except ValueError as error:
            yield one, refusal(one.request, InferenceStatus.BAD_INPUT, str(error))
            continue
        if batch and size + len(inputs) > max_batch:
            yield from _run(model, batch)
            batch, size = [], 0
        batch.append((one, inputs))
        size += len(inputs)
    if batch:
        yield from _run(model, batch)


def _run(model: Model, batch: Sequence[tuple[Asked, NDArray[np.float32]]]) -> Iterator[tuple[Asked, InferenceAnswer]]:
    try:
        outputs = model.run(np.concatenate([inputs for _, inputs in batch]))
    except ValueError as error:
        if len(batch) > 1:
            # One caller's inputs must not cost the others their answers.
            for alone in batch:
                yield from _run(model, [alone])
            return
        ((one, _),) = batch
        yield one, refusal(one.request, InferenceStatus.BAD_INPUT, str(error))
        return
    first = 0
    for one, inputs in batch:
        part = np.ascontiguousarray(outputs[first : first + len(inputs)], "<f4")
        first += len(inputs)
        if part.nbytes > MAX_ANSWER_BYTES:
            why = f"{part.nbytes} bytes of outputs; an answer holds {MAX_ANSWER_BYTES}: ask for fewer examples at once"
            yield one, refusal(one.request, InferenceStatus.BAD_INPUT, why)
            continue
        yield (
            one,
            InferenceAnswer(
                caller=one.request.caller,
                request_id=one.request.request_id,
                status=InferenceStatus.ANSWERED,
                reason="",
                shape=part.shape,
                outputs=part.tobytes(),
            ),
        )


def results(
    task: str, model: Model | None, answers: Iterable[tuple[Asked, InferenceAnswer]], now_ms: int, worker: str
) -> Iterator[tuple[int, InferenceResults]]:
    """Partition of topic results and record: one for each partition that callers read, and MAX_ANSWER_BYTES."""
    records: list[tuple[int, list[InferenceAnswer]]] = []
    open_: dict[int, tuple[list[InferenceAnswer], int]] = {}
    for asked, answer in answers:
        partition, size = asked.request.reply_partition, len(answer.outputs) + _ANSWER_BYTES
        together, filled = open_.get(partition, ([], MAX_ANSWER_BYTES))
        if filled + size > MAX_ANSWER_BYTES:
            together, filled = [], 0
            records.append((partition, together))
        together.append(answer)
        open_[partition] = together, filled + size
    for partition, of_partition in sorted(records, key=lambda record: record[0]):
        yield (
            partition,
            InferenceResults(
                task=task,
                promotion=0 if model is None else model.promotion,
                version=-1 if model is None else model.version,
                variant="" if model is None else model.variant,
                artefact_sha256=b"" if model is None else model.artefact_sha256,
                answers=tuple(of_partition),
                answered_ms=now_ms,
                worker=worker,
            ),
        )
