"""`fluvial withdraw` and `fluvial rotate-key`: what an enrolled participant may change of its enrolment."""

from pathlib import Path
from typing import Annotated

import typer

from fluvial.cli.common import (
    DEFAULT_FEDERATION,
    Exit,
    FederationOption,
    console,
    fail,
    load_federation,
    reported,
    seconds_option,
)
from fluvial.cli.places import KeyOption, OutboxOption, key_path, outbox_path
from fluvial.edge import Participant
from fluvial.identity.keys import SigningKey

NameOption = Annotated[str, typer.Option("--name", help="The participant's name in the federation.")]
TimeoutOption = Annotated[float, seconds_option("--timeout", told="Seconds to wait for the answer.")]


@reported
def withdraw(
    agreement: Annotated[str, typer.Argument(help="The agreement that is signed no more.")],
    name: NameOption,
    key: KeyOption = None,
    outbox: OutboxOption = None,
    timeout: TimeoutOption = 60.0,
    federation: FederationOption = DEFAULT_FEDERATION,
) -> None:
    """Withdraw an agreement. It takes effect with the next round: none that is opened from then on takes anything of
    this participant, where it asks for the agreement. What was sent for an open round still counts, and models that its
    updates are in stay. The withdrawal is a leaf of the audit log."""
    key_file = _existing(key or key_path(name))
    with Participant(load_federation(federation), name, SigningKey.load(key_file), outbox or outbox_path(name)) as own:
        record = own.withdraw(agreement, timeout)
    signed = ", ".join(each.agreement for each in record.agreements) or "none"
    console.print(
        f"{name} has withdrawn {agreement}, which holds from the next round on; agreements: {signed}", markup=False
    )


@reported
def rotate_key(
    name: NameOption,
    key: KeyOption = None,
    outbox: OutboxOption = None,
    timeout: TimeoutOption = 60.0,
    federation: FederationOption = DEFAULT_FEDERATION,
) -> None:
    """Put a new key in the place of a participant's: the present one signs it, and is out of force from then on. Its
    file stays as NAME.pem.former. Stop `participate` first. Safe to repeat."""
    key_file = _existing(key or key_path(name))
    next_file, former_file = key_file.with_name(f"{key_file.name}.next"), key_file.with_name(f"{key_file.name}.former")
    present = SigningKey.load(key_file)
    if not next_file.exists():
        SigningKey.generate().save(next_file)
    with Participant(load_federation(federation), name, present, outbox or outbox_path(name)) as own:
        record = own.rotate_key(SigningKey.load(next_file), timeout)
    # The new key is in force: an interruption from here on is mended by running the command again.
    former_file.unlink(missing_ok=True)
    former_file.hardlink_to(key_file)
    next_file.replace(key_file)
    console.print(f"{name} has the key {record.public_key.hex()}; the former one is in {former_file}", markup=False)


def _existing(key_file: Path) -> Path:
    if not key_file.exists():
        fail(f"there is no key at {key_file}", "`fluvial enrol` makes it and enrols the participant.", Exit.USAGE)
    return key_file
