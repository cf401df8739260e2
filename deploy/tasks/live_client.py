"""What the real-time examples of the tasks share: who asks which federation."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from fluvial.cli.common import DEFAULT_FEDERATION
from fluvial.cli.places import key_path
from fluvial.identity.federation import Federation
from fluvial.identity.keys import SigningKey
from fluvial.inference.client import Client
from fluvial.wire.errors import FluvialError


def arguments_of(parser: argparse.ArgumentParser, task: str) -> argparse.Namespace:
    """The arguments, with those of every example. task: the name of the task where none is given."""
    parser.add_argument("--name", required=True, help="the enrolled participant that asks")
    parser.add_argument("--key", type=Path, help="its private key; without it .fluvial/keys/NAME.pem")
    parser.add_argument("--federation", type=Path, default=DEFAULT_FEDERATION)
    parser.add_argument("--task", default=task)
    return parser.parse_args()


def client_of(arguments: argparse.Namespace) -> Client:
    """Raises ValueError, OSError, FluvialError."""
    key = SigningKey.load(arguments.key or key_path(arguments.name))
    return Client(Federation.load(arguments.federation), arguments.name, key)


def run(main: Callable[[], None]) -> None:
    """Run it; Ctrl-C ends it without a word, what is wrong with the input is said in one line."""
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
    except (FluvialError, ValueError, OSError) as error:
        sys.exit(f"error: {error}")
