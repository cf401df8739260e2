"""Who is invited to a round: decided by a public seed, so that anyone can compute it and nobody can choose it.

The seed follows from the round and its base model, which nobody knows before the round before it is over. A
participant is invited if the first eight bytes of SHA-256(seed || name), as a big-endian integer, are below
floor(fraction * 2**64): each by itself, so nobody needs the list of the others.
"""

from fractions import Fraction
from hashlib import sha256


def round_seed(task: str, round_number: int, attempt: int, base_digest: bytes) -> bytes:
    """Seed of one attempt of a round, 32 bytes. base_digest: of the model that the round trains from, 32 bytes."""
    return sha256(f"fluvial/sampling/{task}/{round_number}/{attempt}/".encode() + base_digest).digest()


def invited(participant: str, seed: bytes, invited_fraction: float) -> bool:
    """Whether the seed invites the participant. invited_fraction: expected share of participants; 1 invites all."""
    place = int.from_bytes(sha256(seed + participant.encode()).digest()[:8], "big")
    return place < int(Fraction(invited_fraction) * 2**64)
