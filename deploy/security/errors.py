"""What can go wrong with rights and credentials."""

from __future__ import annotations

from fluvial.wire.errors import FluvialError


class AccessError(FluvialError):
    """The broker did not change its access lists as asked, or may not; the message says what to do."""
