"""Step 11, content: who uploaded a chunk.

A chunk is the participant's whose name is its Kafka key. Who names another's chunk in its own envelope would have that
update counted twice, and take part without training; so it is refused. First come, first served would be no rule:
chunks lie in the log before the envelope that names them, and whoever were quick could take them from their owner.

Participants of former releases keyed a chunk by their upload, whose id their update bears. Such a chunk, and one
without a key, is bound to nobody: whoever names it may have copied it. That somebody uploads another's bytes once more
cannot be told from an honest delta that happens to be the same (all zeros), and is left to the rules.
"""

from __future__ import annotations

from collections.abc import Callable

from fluvial.wire.records import ModelUpdate


def is_own_chunk(update: ModelUpdate, key: bytes | None, is_participant: Callable[[str], bool]) -> bool:
    """Whether a chunk with this Kafka key may be part of the update. is_participant: whether the registry has a
    participant of this name."""
    if key is None:
        return True
    uploader = key.decode("utf-8", "replace")
    if uploader == update.participant:
        return True
    of_the_upload = update.update_id == uploader or update.update_id.startswith(f"{uploader}.")
    return of_the_upload and not is_participant(uploader)
