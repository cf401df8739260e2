"""What can go wrong between a client and the brokers, continuing the tree of fluvial.wire.errors:

TransportError
├── TransportUnavailable    the broker is away or too slow (retriable)
└── TransportFailed         the broker refuses: no such topic, no permission, a record too large
"""

from typing import ClassVar

from fluvial.wire.errors import TransportError


class TransportUnavailable(TransportError):
    """The broker cannot be reached, or did not answer in time."""


class TransportFailed(TransportError):
    """The broker refused; repeating does not help."""

    retriable: ClassVar[bool] = False
