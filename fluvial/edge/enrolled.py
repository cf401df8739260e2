"""Whether a participant may take part at all, by its entry of the registry: told before anything is trained, since the
gate would refuse every update, round after round."""

from fluvial.edge.errors import NotEnrolled
from fluvial.wire.records import Participant, ParticipantStatus


def check_enrolled(entry: Participant | None, name: str, public_key: bytes) -> None:
    """entry: the registry's newest of that name. public_key: Ed25519, 32 bytes. Raises NotEnrolled."""
    if entry is None:
        raise NotEnrolled(
            f"{name} is not enrolled in this federation: `fluvial enrol --name {name}` does it, with the one-time "
            "token that the operator gives out"
        )
    if entry.public_key != public_key:
        raise NotEnrolled(
            f"{name} is enrolled with another key than this one: take the key's newest file, or enrol under a name of "
            "your own"
        )
    if entry.status is ParticipantStatus.REVOKED:
        raise NotEnrolled(f"the operator took the key of {name} out of force")
