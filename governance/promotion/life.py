"""What may become of a variant, as a table: `TRANSITIONS` decides, `picture` draws it (Mermaid). Pure."""

from __future__ import annotations

from enum import StrEnum


class VariantState(StrEnum):
    """Where a variant stands on a class of processors."""

    BUILT = "BUILT"
    UNDECIDED = "UNDECIDED"
    HELD = "HELD"
    PROMOTED = "PROMOTED"
    SUPERSEDED = "SUPERSEDED"
    ROLLED_BACK = "ROLLED_BACK"
    AWAITING = "AWAITING"


class Step(StrEnum):
    """What happens to it."""

    HARM_SHOWN = "HARM_SHOWN"
    NOT_SHOWN = "NOT_SHOWN"
    ALL_WITHIN = "ALL_WITHIN"
    SIGNATURES_NEEDED = "SIGNATURES_NEEDED"
    OPERATORS_PROMOTE = "OPERATORS_PROMOTE"
    OPERATORS_HOLD = "OPERATORS_HOLD"
    NEWER_PROMOTED = "NEWER_PROMOTED"
    ROLL_BACK = "ROLL_BACK"
    ROLL_BACK_TO = "ROLL_BACK_TO"


TRANSITIONS: dict[tuple[VariantState, Step], VariantState] = {
    (VariantState.BUILT, Step.NOT_SHOWN): VariantState.UNDECIDED,
    (VariantState.BUILT, Step.HARM_SHOWN): VariantState.HELD,
    (VariantState.BUILT, Step.ALL_WITHIN): VariantState.PROMOTED,
    (VariantState.UNDECIDED, Step.NOT_SHOWN): VariantState.UNDECIDED,
    (VariantState.UNDECIDED, Step.HARM_SHOWN): VariantState.HELD,
    (VariantState.UNDECIDED, Step.ALL_WITHIN): VariantState.PROMOTED,
    (VariantState.BUILT, Step.SIGNATURES_NEEDED): VariantState.AWAITING,
    (VariantState.UNDECIDED, Step.SIGNATURES_NEEDED): VariantState.AWAITING,
    (VariantState.AWAITING, Step.OPERATORS_PROMOTE): VariantState.PROMOTED,
    (VariantState.AWAITING, Step.OPERATORS_HOLD): VariantState.HELD,
    (VariantState.AWAITING, Step.HARM_SHOWN): VariantState.HELD,
    (VariantState.AWAITING, Step.NOT_SHOWN): VariantState.UNDECIDED,
    (VariantState.AWAITING, Step.SIGNATURES_NEEDED): VariantState.AWAITING,
    (VariantState.AWAITING, Step.ALL_WITHIN): VariantState.PROMOTED,
    (VariantState.BUILT, Step.OPERATORS_HOLD): VariantState.HELD,
    (VariantState.UNDECIDED, Step.OPERATORS_HOLD): VariantState.HELD,
    (VariantState.PROMOTED, Step.OPERATORS_HOLD): VariantState.HELD,
    (VariantState.PROMOTED, Step.HARM_SHOWN): VariantState.HELD,
    (VariantState.PROMOTED, Step.NEWER_PROMOTED): VariantState.SUPERSEDED,
    (VariantState.PROMOTED, Step.ROLL_BACK): VariantState.ROLLED_BACK,
    (VariantState.SUPERSEDED, Step.ROLL_BACK_TO): VariantState.PROMOTED,
    (VariantState.SUPERSEDED, Step.HARM_SHOWN): VariantState.HELD,
}
"""All that may happen. Held is final for an artefact: whoever mends it builds another. Operators can hold, and go back
to what was promoted before; they cannot promote what was not shown to be within its margins. AWAITING: within them all,
and the policy wants signatures of operators; the gate decides on it again when the task's policy has changed, and what
was signed until then counts no more. SUPERSEDED is not recorded: of what is promoted the newest version serves,
and a rollback of it is one to what was promoted before."""


def after(state: VariantState, step: Step) -> VariantState:
    """The state after a step. Raises ValueError, which says what could happen instead."""
    if (state, step) not in TRANSITIONS:
        possible = ", ".join(sorted(possible for from_, possible in TRANSITIONS if from_ is state)) or "nothing"
        raise ValueError(f"{step} cannot happen to a variant that is {state}: {possible} can")
    return TRANSITIONS[state, step]


def picture() -> str:
    """The table as a Mermaid state diagram, for the documentation."""
    lines = ["stateDiagram-v2", "    [*] --> BUILT"]
    lines += [f"    {before} --> {then}: {step}" for (before, step), then in TRANSITIONS.items()]
    return "\n".join(lines) + "\n"
