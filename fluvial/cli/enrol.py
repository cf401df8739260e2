"""`fluvial enrol`: takes part for the first time, or signs a further agreement."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from fluvial.cli.common import (
    DEFAULT_FEDERATION,
    FederationOption,
    JsonOption,
    console,
    errors,
    fail,
    load_federation,
    print_json,
    reported,
    seconds_option,
)
from fluvial.cli.places import KeyOption, OutboxOption, key_path, outbox_path
from fluvial.edge import Participant
from fluvial.edge.enrolment import check_may_ask
from fluvial.edge.registry import Terms
from fluvial.identity.keys import SigningKey
from fluvial.wire.files import read_text
from fluvial.wire.foreign_text import plain
from fluvial.wire.names import check_participant
from fluvial.wire.records import SignedAgreement
from fluvial.wire.task_file import TaskFile


@reported
def enrol(
    name: Annotated[str, typer.Option("--name", help="The participant's name in the federation.")],
    token: Annotated[
        str,
        typer.Option(
            "--token",
            envvar="FLUVIAL_TOKEN",
            help="The one-time token that the operator gave out. Other users of the machine see arguments: better "
            "--token-file, or the variable.",
        ),
    ] = "",
    token_file: Annotated[
        Path | None, typer.Option("--token-file", help="File that holds the token; - is standard input.")
    ] = None,
    agreement: Annotated[
        list[str] | None, typer.Option("--agreement", help="An agreement to sign; repeat for several.")
    ] = None,
    task: Annotated[
        list[str] | None, typer.Option("--task", help="A task to take part in: signs its agreement.")
    ] = None,
    key: KeyOption = None,
    outbox: OutboxOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Sign without being shown the agreements.")] = False,
    timeout: Annotated[
        float,
        seconds_option("--timeout", told="Seconds to wait for the answer."),
    ] = 60.0,
    federation: FederationOption = DEFAULT_FEDERATION,
    json: JsonOption = False,
) -> None:
    """Enrol a participant: bind its name to its key, which is made when absent, and sign agreements."""
    check_participant(name)
    token = _token(token, token_file)
    parties = load_federation(federation)
    key_file = key or key_path(name)
    signing_key = _load_or_make(key_file)
    with Participant(parties, name, signing_key, outbox or outbox_path(name)) as participant:
        before = participant.entry()
        check_may_ask(before, name, signing_key, token)
        signed_before = before.agreements if before is not None else ()
        names = set(agreement or [])
        for chosen in task or []:
            names |= _agreements_of(participant, chosen)
        for terms in [participant.terms(wanted) for wanted in sorted(names)]:
            if SignedAgreement(agreement=terms.agreement.agreement, sha256=terms.sha256) not in signed_before:
                _ask(terms, yes)
        record = participant.enrol(token, sorted(names), timeout)
    if json:
        print_json(
            {
                "participant": record.participant,
                "public_key": record.public_key.hex(),
                "status": record.status.value,
                "was_enrolled": before is not None,
                "agreements": [signed.agreement for signed in record.agreements],
                "key": str(key_file),
            }
        )
    else:
        signed = ", ".join(signed.agreement for signed in record.agreements) or "none"
        done = "is enrolled" if before is None else "was enrolled already"
        further = ", and has signed further" if before is not None and record != before else ""
        unused = "; the token was not needed" if before is not None and token else ""
        console.print(
            f"{record.participant} {done}{further}; agreements: {signed}; key: {key_file}{unused}", markup=False
        )


def _token(given: str, file: Path | None) -> str:
    given = given.strip()  # a variable from a file may end in a line of Windows
    if file is None:
        return given
    try:
        token = (sys.stdin.read() if file == Path("-") else read_text(file)).strip()
    except ValueError as error:
        raise ValueError(f"{file} holds no token: {error}") from error
    if not token:
        raise ValueError(f"{file} holds no token")
    if given and given != token:
        raise ValueError("the token is given twice, and not the same: by --token or FLUVIAL_TOKEN, and by --token-file")
    return token


def _load_or_make(path: Path) -> SigningKey:
    if path.exists():
        return SigningKey.load(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    signing_key = SigningKey.generate()
    signing_key.save(path)
    return signing_key


def _agreements_of(participant: Participant, task: str) -> set[str]:
    specification = TaskFile.model_validate_json(participant.task(task).specification)
    return {specification.agreement.name} if specification.agreement else set()


def _ask(terms: Terms, yes: bool) -> None:
    if yes:
        return
    errors.print(f"Agreement {terms.agreement.agreement} (SHA-256 {terms.sha256.hex()}):\n", markup=False)
    errors.print(plain(terms.agreement.text), markup=False)
    if not sys.stdin.isatty():
        fail("signing an agreement needs consent", "Read it above; then run the command again with --yes.")
    typer.confirm("Sign it?", abort=True, err=True)
