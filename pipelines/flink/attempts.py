"""How often a task of the job was started before, in this submission."""

from __future__ import annotations

from typing import Any


def attempt_of(ctx: Any) -> int:
    """ctx: a runtime context. In thread mode PyFlink 2.3 does not say it itself. All tasks of a job start together."""
    embedded = getattr(ctx, "_runtime_context", None)
    if embedded is not None:
        return int(embedded.getTaskInfo().getAttemptNumber())
    get_attempt_number = getattr(ctx, "get_attempt_number", None)
    return 0 if get_attempt_number is None else int(get_attempt_number())
