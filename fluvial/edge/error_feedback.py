"""What an update left out is added to the next one: error feedback, for encodings that omit elements.

    sent = encode(delta + residual);  residual = delta + residual - decoded(sent)

Source: Stich, Cordonnier and Jaggi, 2018, "Sparsified SGD with Memory", Algorithm 1; Karimireddy et al., 2019, "Error
Feedback Fixes SignSGD". The new residual counts only once the update is in a model, which its receipt says. Of an
update that was refused, left out or lost, what it would have carried is still owed, and the old residual stays. One
file a task, beside the outbox. It holds the residual before the update and after it, and which upload decides between
them: a crash between this file and the outbox leaves a residual for an upload that never was, and so the old one.

Shapes: D elements of the whole model.
"""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fluvial.edge.state_files import load_arrays, save_arrays
from fluvial.encoding import Encoded, TensorEncoding, limits
from fluvial.encoding.fitting import decoded, encode_shortened, norm_of
from fluvial.wire.records import Outcome, Receipt, Round

Vector = NDArray[np.float32]

_ANSWER_SECONDS = 5.0


def state_folder(outbox_path: Path) -> Path:
    """Where the participant of this outbox remembers what it needs between rounds."""
    return outbox_path.parent / f"{outbox_path.name}.state"


class ErrorFeedback:
    """The residuals of a participant's tasks, in a folder of its own; it need not exist yet."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def encode(self, encoding: TensorEncoding, round_: Round, delta_D: Vector, upload_id: str) -> Encoded:
        """The chunks of the delta and what is owed, and keeps what they leave out for when `upload_id` is in a model.

        Where the delta keeps the round's limits, so does the sum: it is cut to max_abs and shortened to max_norm, and
        what is cut stays owed. Raises ValueError for a residual of another size, and as `encode` of the encoding.
        """
        before = self._owed(round_.task, round_.round, delta_D.size)
        owed = delta_D + before
        carried, chunks = self._within_magnitude(owed, delta_D, round_), (round_.layout, round_.chunk_elements)
        if round_.max_norm > 0.0 and norm_of([delta_D]) <= limits.largest_norm(round_.max_norm):
            encoded = encode_shortened(encoding, carried, *chunks, round_.max_norm)
        else:
            encoded = encoding.encode(carried, *chunks)
        sent = np.concatenate(list(decoded(encoding, encoded, *chunks)))
        self._keep(round_.task, round_.round, before, owed - sent, upload_id)
        return encoded

    def answered(self, receipt: Receipt) -> None:
        """What became of an accepted update: in a model, its new residual counts; left out, the old one does. A round
        that failed decides nothing, its next attempt has the same update."""
        if receipt.outcome is Outcome.ROUND_FAILED or not _is_of(receipt.update_id, self._upload(receipt.task)):
            return
        counts = "after" if receipt.outcome is Outcome.INCLUDED else "before"
        kept = load_arrays(self._path(receipt.task), "round", counts)
        if kept is not None:
            self._keep(receipt.task, int(kept[0]), kept[1], kept[1], "")

    def wait(self, task: str, poll: Callable[[], object], is_over: Callable[[], bool]) -> None:
        """Poll for answers until the one that decides what is owed is there: it is written together with the round that
        comes next, but on another topic. An update that was refused has none, so this ends after some seconds."""
        deadline = time.monotonic() + _ANSWER_SECONDS
        while self._upload(task) and time.monotonic() < deadline and not is_over():
            poll()

    def _upload(self, task: str) -> str:
        """The upload whose answer is waited for; empty for none."""
        kept = load_arrays(self._path(task), "upload")
        return "" if kept is None else str(kept[0])

    def _owed(self, task: str, round_number: int, size: int) -> Vector:
        kept = load_arrays(self._path(task), "round", "before")
        if kept is None or round_number < int(kept[0]):  # the task has begun anew
            return np.zeros(size, np.float32)
        before: Vector = kept[1]
        if before.shape != (size,):
            raise ValueError(f"{self._path(task)} is of a model with {before.size} elements, this one has {size}")
        return before

    def _within_magnitude(self, owed: Vector, delta_D: Vector, round_: Round) -> Vector:
        most = np.float32(limits.largest_element(round_.max_abs))
        return np.clip(owed, -most, most) if np.abs(delta_D).max(initial=0.0) <= most else owed

    def _keep(self, task: str, round_number: int, before: Vector, after: Vector, upload_id: str) -> None:
        save_arrays(
            self._path(task), round=np.int64(round_number), before=before, after=after, upload=np.str_(upload_id)
        )

    def _path(self, task: str) -> Path:
        return self._folder / f"{task}.residual.npz"


def _is_of(update_id: str, upload_id: str) -> bool:
    """Whether the update is that of the upload, for its first attempt or a later one."""
    return bool(upload_id) and update_id.split(".")[0] == upload_id
