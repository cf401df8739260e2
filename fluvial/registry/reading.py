"""Reading the topic `registry` into a view. A record that does not verify is skipped, so that it cannot hide the
genuine one before it."""

from collections.abc import Iterable

from fluvial.identity.federation import Federation
from fluvial.kafka import Message, Transport, read_all
from fluvial.registry.view import VerifiedRegistry
from fluvial.wire.errors import FluvialError
from fluvial.wire.foreign_text import logger
from fluvial.wire.tally import Tally

_LOGGER = logger(__name__)


def empty_view(federation: Federation) -> VerifiedRegistry:
    """A view that nothing is known in yet."""
    keys = bytes.fromhex(federation.operator_key), bytes.fromhex(federation.registrar_key)
    return VerifiedRegistry(*keys, federation.topics.scope)


def read_registry(transport: Transport, federation: Federation, timeout: float = 30.0) -> VerifiedRegistry:
    """The registry as it stands now. Raises TransportUnavailable."""
    return view_of(federation, read_all(transport, federation.topics.registry, timeout))


def view_of(federation: Federation, messages: Iterable[Message]) -> VerifiedRegistry:
    """What the topic's records come to."""
    view, skipped = empty_view(federation), tally()
    for message in messages:
        take(view, message, skipped)
    return view


def tally() -> Tally:
    """Of records that do not verify, for `take`."""
    return Tally(_LOGGER)


def take(view: VerifiedRegistry, message: Message, skipped: Tally) -> bool:
    """Take in one record of the topic. Whether anything changes. A tombstone, which nobody signs, changes nothing."""
    if message.value is None:
        return False
    key = (message.key or b"").decode(errors="replace")
    try:
        return view.apply(key, message.value)
    except FluvialError as error:
        skipped.add(f"registry/{message.partition}@{message.offset}", f"{key[:64]!r}: {error}")
        return False
