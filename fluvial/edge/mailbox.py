"""What the federation answered to a participant: verdicts on its records, receipts for its accepted updates.

A verdict counts only when it names the position of a record that this participant sent: anybody can publish a record
under another's name, and the verdict on that forgery carries the same name. What was refused many at once (`OverRate`)
counts as a verdict on each.
"""

import time
from collections import deque
from collections.abc import Callable

from fluvial.admission.over_rate import offsets_of, verdict_on, verdicts_of
from fluvial.kafka import Position, Reader, Start, Transport
from fluvial.wire.errors import FluvialError, SchemaUnknown
from fluvial.wire.foreign_text import logger
from fluvial.wire.framing import decode_either
from fluvial.wire.records import OverRate, Receipt, Verdict
from fluvial.wire.tally import Tally
from fluvial.wire.topics import Topics

_LOGGER = logger(__name__)

LAST_ANSWERS_SECONDS = 10.0
"""How long whoever leaves waits for the proofs of its last answers: their leaves are signed a moment later."""

_POLL_SECONDS = 0.1
_MOST_HINTS = 4096
"""Anybody may write answers to a participant: more than these are not kept."""


class Mailbox:
    """Reads `verdicts` and `receipts` from a start onwards and keeps what concerns one participant.

    since: a broker time in milliseconds, or the end. on_receipt: is told of each receipt. is_proven: whether the audit
    log has a record; one that it does not have yet is a hint, and waits.
    """

    def __init__(
        self,
        transport: Transport,
        topics: Topics,
        participant: str,
        since: Start | int,
        on_receipt: Callable[[Receipt], None] = lambda receipt: None,
        is_proven: Callable[[Verdict | OverRate | Receipt], bool] = lambda record: True,
    ) -> None:
        self._on_receipt, self._is_proven = on_receipt, is_proven
        self._hints: list[Verdict | OverRate | Receipt] = []
        self._skipped = Tally(_LOGGER)
        self._unnamed: deque[OverRate] = deque(maxlen=_MOST_HINTS)
        self._participant = participant
        self._key = participant.encode()
        self._verdicts: dict[tuple[str, int, int], Verdict] = {}
        self._receipts: list[Receipt] = []
        self._readers: list[Reader] = []
        try:
            for topic in (topics.verdicts, topics.receipts):
                self._readers.append(transport.read(topic, since))
        except BaseException:
            self.close()
            raise

    @property
    def num_hints(self) -> int:
        """Answers that wait for their proof."""
        return len(self._hints)

    def poll(self, timeout: float) -> list[Verdict | Receipt]:
        """What has arrived for the participant, after at most `timeout` seconds."""
        hints, self._hints = self._hints, []
        for reader, kind in zip(self._readers, (Verdict, Receipt), strict=True):
            for message in reader.poll(timeout / len(self._readers)):
                if message.key not in (self._key, b"") or message.value is None:
                    continue
                try:
                    record: Verdict | OverRate | Receipt = decode_either(message.value, kind, OverRate)
                    if isinstance(record, OverRate):
                        offsets_of(record)
                except SchemaUnknown as error:
                    where = f"{kind.__name__.lower()}s/{message.partition}@{message.offset}"
                    self._skipped.add(where, f"a {kind.__name__} for {self._participant} is not understood: {error}")
                    continue
                except FluvialError:
                    continue
                if record.participant == self._participant or (isinstance(record, OverRate) and not record.participant):
                    hints.append(record)
        arrived: list[Verdict | Receipt] = []
        for record in hints[-_MOST_HINTS:]:
            if self._is_proven(record):
                arrived += self._keep(record)
            else:
                self._hints.append(record)
        return arrived

    def verdict_at(self, topic: str, position: Position, timeout: float = 0.0) -> Verdict | None:
        """The verdict on the record at a position of a topic; waits for it."""
        place = (topic, position.partition, position.offset)
        self._wait(timeout, lambda: self._known(place) is not None)
        return self._known(place)

    def receipts(self, timeout: float = 0.0) -> list[Receipt]:
        """All receipts so far, in the order of their arrival; with a timeout, waits until there is one more."""
        known = len(self._receipts)
        self._wait(timeout, lambda: len(self._receipts) > known)
        return list(self._receipts)

    def close(self) -> None:
        """Closes the readers."""
        for reader in self._readers:
            reader.close()

    def _keep(self, record: Verdict | OverRate | Receipt) -> list[Verdict | Receipt]:
        """What it tells this participant."""
        match record:
            case Verdict():
                self._verdicts[record.source_topic, record.source_partition, record.source_offset] = record
                return [record]
            case OverRate(participant=""):
                # Of others, as a rule; of this participant's where the gate had not heard of it yet.
                self._unnamed.append(record)
                return []
            case OverRate():
                return [told for verdict in verdicts_of(record) for told in self._keep(verdict)]
            case Receipt():
                self._receipts.append(record)
                self._on_receipt(record)
                return [record]

    def _known(self, place: tuple[str, int, int]) -> Verdict | None:
        found = self._verdicts.get(place)
        if found is None:
            for each in self._unnamed:
                of_partition = place[:2] == (each.source_topic, each.source_partition)
                if of_partition and any(place[2] in run for run in offsets_of(each)):
                    return verdict_on(each, place[2], self._participant)
        return found

    def _wait(self, timeout: float, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + timeout
        while not done():
            self.poll(min(_POLL_SECONDS, max(0.0, deadline - time.monotonic())))
            if time.monotonic() >= deadline:
                return
