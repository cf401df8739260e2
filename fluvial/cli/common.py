"""What all verbs share: where the federation file is, human or JSON output, and how they end."""

import errno
import json
import math
import os
import sys
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, NoReturn, ParamSpec, TypeVar

import typer

from fluvial.cli.exits import Exit as Exit
from fluvial.cli.printing import Printer
from fluvial.cli.streams import silence_output
from fluvial.identity.federation import Federation
from fluvial.kafka.recovering import TOLD_SOON
from fluvial.wire.errors import FluvialError, TransportError
from fluvial.wire.files import at_home
from fluvial.wire.foreign_text import plain

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

DEFAULT_FEDERATION = Path(".fluvial/federation.json")

FederationOption = Annotated[
    Path,
    typer.Option(
        "--federation",
        envvar="FLUVIAL_FEDERATION",
        help="The federation's file: brokers and public keys, from its operator.",
    ),
]
PackageOption = Annotated[
    list[Path] | None,
    typer.Option("--package", help="Folder of a task package whose code may run here; may be repeated."),
]


_MOST_SECONDS = 366 * 86_400
_MOST_DAYS = 36_600


def seconds_option(*names: str, told: str) -> Any:
    """How long to wait, as long as every clock can count. told: the help."""
    return typer.Option(*names, min=0, max=_MOST_SECONDS, callback=_number, help=told)


def days_option(*names: str, told: str) -> Any:
    """How long something holds: a certificate's calendar ends with the year 9999. told: the help."""
    return typer.Option(*names, min=0.001, max=_MOST_DAYS, callback=_number, help=told)


def _number(value: float) -> float:
    if math.isnan(value):  # is within every range
        raise typer.BadParameter("not a number")
    return value


JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


_REMEDIES = {
    errno.ENOSPC: "The disk is full: make room there, or name another place.",
    errno.EDQUOT: "Your share of the disk is full: make room there, or name another place.",
    errno.EROFS: "Nothing can be written there: name another place.",
    errno.EACCES: "This user may not do that there: name another place, or ask for the right.",
    errno.ENOTDIR: "A part of the path is a file: name another place.",
    errno.EISDIR: "That is a folder: name a file in it.",
}

console, errors = Printer(), Printer(stderr=True)


def fail(message: str, hint: str = "", status: Exit = Exit.FAILURE) -> NoReturn:
    """Says what went wrong and what to do next, and ends the command."""
    errors.print(f"[bold red]error:[/] {_escape(plain(message))}")
    if hint:
        errors.print(f"  {_escape(plain(hint))}")
    raise typer.Exit(status)


def ask_consent(question: str) -> None:
    """Ask on standard error; the command ends unless the answer is yes, and where nobody answers with what to do."""
    try:
        agrees = typer.confirm(question, err=True)
    except typer.Abort:  # the end of the input, or Ctrl-C
        if sys.stdin is not None and sys.stdin.isatty():
            raise
        errors.print()
        fail("nobody answered, and nothing was done", "Without a question: --yes.")
    if not agrees:
        raise typer.Abort


def describe(error: OSError) -> tuple[str, str]:
    """What the system refused, in its words, and what to do."""
    if error.strerror is None:
        return str(error), ""
    if error.errno == errno.ENOENT and error.filename is None and not _has_folder():
        return "the folder that this was started in is gone", "Change to one that is there."
    message = f"{error.strerror}: {error.filename}" if error.filename is not None else error.strerror
    return message, _REMEDIES.get(error.errno or 0, "")


def _has_folder() -> bool:
    try:
        os.getcwd()
    except FileNotFoundError:
        return False
    return True


def load_federation(path: Path) -> Federation:
    """The federation's file; ends the command when it is missing or wrong."""
    path = at_home(path)
    try:
        return Federation.load(path)
    except FileNotFoundError:
        fail(
            f"there is no federation file at {path}",
            "Name it with --federation or FLUVIAL_FEDERATION; the operator of the federation gives it out. "
            "`fluvial up` begins one on this machine.",
            Exit.USAGE,
        )
    except ValueError as error:
        fail(f"{path} is not a federation file: {error}", status=Exit.USAGE)


def print_json(value: Mapping[str, Any] | list[Any]) -> None:
    """One JSON document on a line of its own, so that a stream of them can be read line by line."""
    sys.stdout.write(json_of(value) + "\n")
    sys.stdout.flush()


def json_of(value: Mapping[str, Any] | list[Any], indent: int | None = None) -> str:
    """JSON, with null for what is no number, as a metric may be: JSON has neither NaN nor infinity."""
    separators = None if indent else (",", ":")
    try:
        return json.dumps(value, indent=indent, separators=separators, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), indent=indent, separators=separators)


def _finite(value: Any) -> Any:
    match value:
        case float():
            return value if math.isfinite(value) else None
        case Mapping():
            return {key: _finite(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_finite(inner) for inner in value]
    return value


def reported(command: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Turns the library's errors into messages and exit statuses; anything else is a bug and keeps its traceback."""

    @wraps(command)
    def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        told_soon = TOLD_SOON.set(True)
        try:
            return command(*args, **kwargs)
        except FluvialError as error:
            retriable = getattr(error, "retriable", False)
            fail(
                str(error),
                _again(error) if retriable else "",
                # Who could not ask has no answer: a broker that refuses says nothing for or against a federation.
                Exit.UNAVAILABLE if retriable or isinstance(error, TransportError) else Exit.FAILURE,
            )
        except ValueError as error:
            fail(_in_words(error), status=Exit.USAGE)
        except BrokenPipeError:
            silence_output()
            raise typer.Exit(Exit.BROKEN_PIPE) from None
        except OSError as error:
            fail(*describe(error))
        except KeyboardInterrupt:
            errors.print("interrupted")
            raise typer.Exit(Exit.INTERRUPTED) from None
        finally:
            TOLD_SOON.reset(told_soon)

    return run


def _in_words(error: ValueError) -> str:
    """Pydantic's own text quotes the whole document, and names a page about pydantic."""
    pydantic = sys.modules.get("pydantic")  # nobody else raises its errors
    if pydantic is None or not isinstance(error, pydantic.ValidationError):
        return str(error)
    from fluvial.wire.wrong_fields import in_words

    return in_words(error, "task" if error.title == "TaskFile" else error.title)


def _again(error: FluvialError) -> str:
    if isinstance(error, TransportError):
        return (
            "Does the broker run, and is its address in the federation's file right? On this machine `fluvial status` "
            "says so, and `fluvial up` starts it. Trying again may help."
        )
    return "Trying again may help."


def shown(text: str) -> str:
    """Foreign text on one line of a page with markup."""
    return _escape(plain(text).replace("\n", r"\n"))


def _escape(text: str) -> str:
    from rich.markup import escape  # late: rich

    return escape(text)
