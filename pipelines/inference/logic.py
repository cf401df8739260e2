"""From requests to answers, batch by batch. Pure: models are functions, the clock is a number.

Examples of several requests are put together until a batch is full, run once, and parted again. A batch is answered by
one released artefact as a whole. What cannot be answered has an answer that says why; nothing is left without one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import prod

import numpy as np
from numpy.typing import NDArray

from fluvial.inference.tensors import DATATYPES, check_divisor, unpacked
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


def check_fits(request: InferenceRequest, shape: Sequence[int | None]) -> None:
    """Raises ValueError that says what of a request does not fit, its values apart. shape: of one example, None for any
    size."""
    given = tuple(request.shape)
    if not given or not 1 <= given[0] <= MAX_EXAMPLES:
        raise ValueError(f"a request holds 1 to {MAX_EXAMPLES} examples, this one has the shape {list(given)}")
    fits = len(given) == len(shape) + 1 and all(
        wanted in (None, size) for wanted, size in zip(shape, given[1:], strict=True)
    )
    if not fits:
        raise ValueError(f"an example of this model has the shape {list(shape)}, not {list(given[1:])}")
    kind = DATATYPES.get(request.datatype)
    if kind is None:
        raise ValueError(f"inputs of datatype {request.datatype[:20]} are not taken: {', '.join(DATATYPES)} are")
    if len(request.inputs) != kind.itemsize * prod(given):
        raise ValueError(f"{len(request.inputs)} bytes are no {request.datatype} of shape {list(given)}")
    if request.divisor != 1.0:
        check_divisor(request.divisor)


def inputs_of(requests: Iterable[InferenceRequest]) -> NDArray[np.float32]:
    """The inputs of requests that fit one model, float32[B, ...], whether finite or not. Those that follow one another
    and are alike are converted together. Raises ValueError where examples differ in their shapes."""
    parts = [
        unpacked(b"".join(request.inputs for request in alike), datatype, divisor).reshape(-1, *shape)
        for (datatype, divisor, shape), alike in groupby(
            requests, lambda request: (request.datatype, request.divisor, tuple(request.shape[1:]))
        )
    ]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def refusal(request: InferenceRequest, status: InferenceStatus, reason: str) -> InferenceAnswer:
    """The answer to a request that gets no outputs."""
    return InferenceAnswer(
        caller=request.caller, request_id=request.request_id, status=status, reason=reason[:300], shape=(), outputs=b""
    )


def answered(model: Model, asked: Sequence[Asked], max_batch: int) -> Iterator[tuple[Asked, InferenceAnswer]]:
    """Each request with its answer by this model, in whatever order; at most `max_batch` examples are run at once,
    unless one request alone holds more."""
    batch: list[Asked] = []
    size = 0
    for one in asked:
        try:
            check_fits(one.request, model.shape)
        except ValueError as error:
            yield one, refusal(one.request, InferenceStatus.BAD_INPUT, str(error))
            continue
        examples = one.request.shape[0]
        if batch and size + examples > max_batch:
            yield from _run(model, batch)
            batch, size = [], 0
        batch.append(one)
        size += examples
    if batch:
        yield from _run(model, batch)


def _run(model: Model, batch: Sequence[Asked]) -> Iterator[tuple[Asked, InferenceAnswer]]:
    try:
        inputs = inputs_of(one.request for one in batch)
        if not np.isfinite(inputs).all():
            raise ValueError("inputs must be finite")
        outputs = np.ascontiguousarray(model.run(inputs), "<f4")
        if len(outputs) != len(inputs):
            raise ValueError(f"the model gives {len(outputs)} outputs for {len(inputs)} examples")
    except ValueError as error:
        if len(batch) > 1:
            # One caller's inputs must not cost the others their answers.
            for alone in batch:
                yield from _run(model, [alone])
            return
        yield batch[0], refusal(batch[0].request, InferenceStatus.BAD_INPUT, str(error))
        return
    raw, shape, first = outputs.tobytes(), outputs.shape[1:], 0
    width = len(raw) // len(outputs)
    for one in batch:
        request, examples = one.request, one.request.shape[0]
        part = raw[first : first + examples * width]
        first += len(part)
        if len(part) > MAX_ANSWER_BYTES:
            why = f"{len(part)} bytes of outputs; an answer holds {MAX_ANSWER_BYTES}: ask for fewer examples at once"
            yield one, refusal(request, InferenceStatus.BAD_INPUT, why)
            continue
        yield (
            one,
            InferenceAnswer(
                caller=request.caller,
                request_id=request.request_id,
                status=InferenceStatus.ANSWERED,
                reason="",
                shape=(examples, *shape),
                outputs=part,
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
