"""What can go wrong between a client and the brokers, continuing the tree of fluvial.wire.errors:

TransportError
├── TransportUnavailable    the broker is away or too slow (retriable)
│   └── ConnectionLost      this client is of no more use; a new one may be (handled inside this package)
└── TransportFailed         the broker refuses: no such topic, no permission, a record too large
"""

from typing import ClassVar

from fluvial.wire.errors import TransportError


class TransportUnavailable(TransportError):
    """The broker cannot be reached, or did not answer in time."""


class ConnectionLost(TransportUnavailable):
    """The client cannot go on, but a new one may: it reads certificates and passwords anew, and starts clean.

    refused: the broker did not take this one.
    """

    def __init__(self, message: str, *, refused: bool = False) -> None:
        super().__init__(message)
        self.refused = refused


class TransportFailed(TransportError):
    """The broker refused; repeating does not help."""

    retriable: ClassVar[bool] = False


def permission_denied(topic: str, error: object) -> TransportFailed:
    """The broker knows this client, and does not let it do that."""
    where = f" on {topic}" if topic else ""
    return TransportFailed(f"permission denied{where}: ask the operator for the rights of these credentials ({error})")
