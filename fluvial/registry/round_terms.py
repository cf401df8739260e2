"""The terms under which a round is open, and what of a task's terms a later record may change. Pure."""

from __future__ import annotations

from typing import Any

from fluvial.wire.records import Round
from fluvial.wire.task_file import TaskFile, WindowSpec
from fluvial.wire.terms import Terms, stated

FOR_LIFE = ("model", "chunk_elements", "kept_versions", "limits", "window", "server_optimizer", "partial", "tunes")
"""Fields that hold from a task's creation to its end: chunks in the log, moments, and updates that wait for a later
round were made by them."""

UNSTATED = frozenset(
    {"task", "title", "model", "rounds", "deadline_seconds", "agreement", "licence", "package", "data", "loss"}
    | {"evaluation", "acceleration", "scoring", "tunes"}
)
"""Fields that a round does not state, or, of the agreement, by its name alone."""


def changed(before: TaskFile, after: TaskFile) -> TaskFile:
    """The terms after a task was registered again: the new ones, where they may change."""
    return after.model_copy(update={name: getattr(before, name) for name in FOR_LIFE})


def of_round(task_file: TaskFile, round_: Round) -> TaskFile:
    """The terms under which a round is open, whatever the task's file says by now. What a round does not state, such as
    the number of rounds (`UNSTATED`), is the file's; so are fraction bits that a parent prescribes.

    Raises ValueError or FluvialError where they contradict each other.
    """
    said = stated(round_)
    window, sampling = said.pop("window"), said.pop("sampling")
    said["server_optimizer"] = said["server_optimizer"] or None
    said["limits"]["fraction_bits"] = task_file.limits.fraction_bits
    del said["agreement"]
    if sampling["invited_fraction"] != task_file.sampling.invited_fraction:
        said["sampling"] = {"fraction": sampling["invited_fraction"]}
    if not _is_stated(task_file.window, window):
        said["window"] = {
            "mode": window["mode"],
            "grace_seconds": window["grace_ms"] / 1000,
            "max_staleness": window["max_staleness"],
            "staleness": window["staleness"] or {},
        }
    unless_said = Terms().model_dump(mode="json")
    return TaskFile.model_validate({**task_file.model_dump(mode="json"), **unless_said, **said})


def _is_stated(window: WindowSpec, said: dict[str, Any]) -> bool:
    return (window.mode, int(window.grace_seconds * 1000), window.max_staleness) == (
        said["mode"],
        said["grace_ms"],
        said["max_staleness"],
    )
