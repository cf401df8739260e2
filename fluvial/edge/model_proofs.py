"""Whether a round begins on the model that the audit log has: asked before anybody trains on it.

Whoever signs models can sign two. A leaf under a signed checkpoint is one and the same for everybody. The first model
is in no leaf: the operator vouches for it with the task, as a region does for each model that it takes from its parent.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from fluvial.edge.errors import NotProvenYet
from fluvial.edge.proven_log import ProvenLog
from fluvial.wire.errors import VerificationError
from fluvial.wire.records import Round, Task

_POLL_SECONDS = 0.2
_PROOF_SECONDS = 20.0
_ASK_AGAIN_SECONDS = 1.0


class ModelProofs:
    """log: of the federation that opens the rounds. task: as the operator has signed it now, None for none; reads the
    registry, so it is asked seldom. is_stopped: ends the wait."""

    def __init__(self, log: ProvenLog, task: Callable[[str], Task | None], is_stopped: Callable[[], bool]) -> None:
        self._log, self._task, self._is_stopped = log, task, is_stopped
        self._first: dict[str, tuple[int, bytes]] = {}

    def check(self, round_: Round) -> None:
        """Waits for the proof. Raises VerificationError where a leaf tells of another model, NotProvenYet where none
        tells of this one, TransportUnavailable."""
        base = round_.base_version, round_.base_digest
        if self._log.model_digest(round_.task, round_.base_version) == round_.base_digest:
            return
        if self._first.get(round_.task) == base or (
            self._may_be_the_first(round_) and self._first_model(round_.task) == base
        ):
            return
        self._log.reach(round_.opened_ms)
        began, asked = time.monotonic(), False
        while (digest := self._log.model_digest(round_.task, round_.base_version)) is None:
            if self._log.has_opened(round_):
                self._log.reach(0)  # what its round was opened with was told before
            waited = time.monotonic() - began
            if waited >= _ASK_AGAIN_SECONDS and not asked:
                asked = True
                if self._first_model(round_.task) == base:
                    return
            if waited >= _PROOF_SECONDS or self._is_stopped():
                raise NotProvenYet(_why(round_, self._log))
            self._log.poll(_POLL_SECONDS)
        if digest != round_.base_digest and self._first_model(round_.task) != base:
            raise VerificationError(
                f"round {round_.round} of {round_.task} begins on another model than the audit log has as version "
                f"{round_.base_version}"
            )

    def _may_be_the_first(self, round_: Round) -> bool:
        known = self._first.get(round_.task)
        return known is None or known[0] == round_.base_version

    def _first_model(self, name: str) -> tuple[int, bytes] | None:
        if (task := self._task(name)) is None:
            return None
        self._first[name] = task.base_version, task.base_digest
        return self._first[name]


def _why(round_: Round, log: ProvenLog) -> str:
    behind = "it is behind, or its stage `audit` does not run"
    log_is = behind if log.is_signed else "no checkpoint of it is signed: does its stage `audit` run?"
    return (
        f"the audit log does not tell of version {round_.base_version} of {round_.task} yet ({log_is}); nothing is "
        "trained on it before. `--unproven`, in a program proven=False, takes part without proofs"
    )
