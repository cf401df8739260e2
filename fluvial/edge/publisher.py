"""From a delta to a signed envelope in the log, by way of the outbox. The order is the contract:

1. encode and cut the delta; 2. keep everything in the outbox; 3. upload the chunks and keep each position; 4. sign the
   envelope that lists them and
keep it; 5. send it; 6. mark it sent. A crash between any two steps is continued by `complete`, which does what is
missing and nothing else.

Shapes: D parameters.
"""

import hashlib
import time
import uuid
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fluvial import encoding as encodings
from fluvial.admission.held_out import held_out_fits
from fluvial.edge.contribution import is_finite, least_weight, plain_delta
from fluvial.edge.error_feedback import ErrorFeedback
from fluvial.edge.events import ChunkAcknowledged, Discarded, Event, Published
from fluvial.edge.outbox import Outbox, OutboxChunk, OutboxEnvelope, Upload
from fluvial.edge.upload import WINDOW_BYTES, Uploader
from fluvial.encoding import Encoded
from fluvial.encoding.fitting import encode_within
from fluvial.encoding.span import spans
from fluvial.identity.envelope import seal
from fluvial.identity.keys import SigningKey
from fluvial.kafka import Position, Transport, TransportUnavailable
from fluvial.wire.framing import decode, encode
from fluvial.wire.records import (
    ChunkReference,
    HeldOutMetrics,
    ModelUpdate,
    Round,
    RoundStatus,
    TrainingReport,
    WindowMode,
)
from fluvial.wire.sampling import invited
from fluvial.wire.topics import Topics

INLINE_BYTES = 64 << 10
"""Largest encoded delta that travels inside its envelope."""

_SEND_SECONDS = 150.0


class Publisher:
    """Publishes one participant's updates."""

    def __init__(
        self,
        transport: Transport,
        outbox: Outbox,
        topics: Topics,
        participant: str,
        key: SigningKey,
        window_bytes: int = WINDOW_BYTES,
        feedback: ErrorFeedback | None = None,
    ) -> None:
        """feedback: remembers what encodings leave out; without it, that is lost."""
        self._transport = transport
        self._feedback = feedback
        self._outbox = outbox
        self._topics = topics
        self._participant = participant
        self._key = key
        self._uploader = Uploader(transport, outbox, topics.update_blobs, participant, window_bytes)

    def use_key(self, key: SigningKey) -> None:
        """Sign with this key from now on; what is signed already stays as it is."""
        self._key = key

    def store(
        self,
        round_: Round,
        delta_D: NDArray[np.float32],
        weight: int,
        encoding: str,
        trained: TrainingReport | None = None,
        measured: tuple[HeldOutMetrics, ...] = (),
    ) -> Upload:
        """Steps 1 and 2. trained: how; its bytes_sent is set here. measured: of the base model, on held-out examples.

        Raises ValueError for a delta, weight, encoding or measurement that the round cannot take, or when its update is
        out already.
        """
        if not held_out_fits(measured):
            raise ValueError("what was measured on held-out examples has no form that an update can tell it in")
        self._check(round_, weight, encoding)
        delta_D = plain_delta(delta_D, round_)
        _check_finite(delta_D)
        codec, upload_id = encodings.encoder(encoding), uuid.uuid4().hex
        if codec.omits and self._feedback is not None:
            encoded = self._feedback.encode(codec, round_, delta_D, upload_id)
        else:
            encoded = encode_within(codec, delta_D, round_.layout, round_.chunk_elements, round_.max_norm)
        return self._keep(round_, encoded, weight, encoding, upload_id, trained, measured)

    def store_encoded(self, round_: Round, encoded: Encoded, weight: int, encoding: str) -> Upload:
        """Step 2, for chunks that are encoded already. Raises ValueError as `store`."""
        self._check(round_, weight, encoding)
        bounds = [
            encodings.get(encoding).length_bounds(span.size) for span in spans(round_.layout, round_.chunk_elements)
        ]
        lengths = [len(chunk) for chunk in encoded.chunks]
        if len(lengths) != len(bounds) or any(
            not least <= length <= most for length, (least, most) in zip(lengths, bounds, strict=True)
        ):
            raise ValueError(f"{sum(lengths)} bytes are no {round_.num_elements} elements of {encoding}")
        return self._keep(round_, encoded, weight, encoding, uuid.uuid4().hex)

    def _check(self, round_: Round, weight: int, encoding: str) -> None:
        """What the participant itself can get wrong; whether the values are acceptable is the federation's to judge."""
        _check(round_, weight, encoding)
        if self._outbox.envelope_of(round_.task, round_.round, round_.attempt) is not None:
            raise ValueError(f"round {round_.round}, attempt {round_.attempt} of {round_.task} already has an update")

    def _keep(
        self,
        round_: Round,
        encoded: Encoded,
        weight: int,
        encoding: str,
        upload_id: str,
        trained: TrainingReport | None = None,
        measured: tuple[HeldOutMetrics, ...] = (),
    ) -> Upload:
        created_ms = time.time_ns() // 1_000_000
        template = unsigned_update(
            round_, self._participant, upload_id, encoded, weight, encoding, created_ms=created_ms
        )
        if trained is not None:
            size = sum(len(chunk) for chunk in encoded.chunks)
            template = replace(template, trained=(replace(trained, bytes_sent=size),))
        template = replace(template, measured=measured)
        upload = Upload(
            upload_id=upload_id,
            task=round_.task,
            round=round_.round,
            base_digest=round_.base_digest,
            template=encode(template),
        )
        chunks = [] if template.inline is not None else encoded.chunks
        self._outbox.store(upload, [(chunk, hashlib.sha256(chunk).digest()) for chunk in chunks])
        return upload

    def complete(self, round_: Round, upload: Upload, on_event: Callable[[Event], None]) -> str:
        """Steps 3 to 6, as far as they are missing for this attempt of the round. Returns the update's id.

        round_: the open one. An asynchronous round takes updates of earlier attempts and rounds, so there the update
        stays the one for which it was made. Raises TransportUnavailable (call again later) and TransportFailed.
        """
        attempt = round_.attempt if _is_synchronous(round_) else decode(upload.template, ModelUpdate).attempt
        envelope = self._outbox.envelope_of(upload.task, upload.round, attempt)
        num_uploaded = 0
        if envelope is None:
            num_uploaded = self._uploader.upload(
                upload,
                lambda kept, total: on_event(
                    ChunkAcknowledged(task=upload.task, round=upload.round, num_acknowledged=kept, num_chunks=total)
                ),
            )
            envelope = self._sign(upload, attempt)
            self._outbox.store_envelope(envelope)
        if envelope.position is None:
            position = self._send(envelope)
            self._outbox.mark_sent(envelope.update_id, position)
            on_event(
                Published(
                    task=envelope.task,
                    round=envelope.round,
                    attempt=envelope.attempt,
                    update_id=envelope.update_id,
                    partition=position.partition,
                    offset=position.offset,
                    num_uploaded=num_uploaded,
                )
            )
        return envelope.update_id

    def resume(self, round_: Round, on_event: Callable[[Event], None]) -> list[str]:
        """Lets go of stored uploads that the task's newest round does not take, completes the others.

        Returns the ids of those completed. Raises as `complete`.
        """
        if round_.status is RoundStatus.PAUSED:
            return []
        self.discard_before(round_, on_event)
        wanted = self.is_wanted(round_)
        return [
            self.complete(round_, upload, on_event)
            for upload in self._outbox.uploads(round_.task)
            if upload.round < round_.round or wanted
        ]

    def is_wanted(self, round_: Round) -> bool:
        """Whether the round is open, invites this participant and has no update of it."""
        return (
            round_.status is RoundStatus.OPEN
            and invited(self._participant, round_.seed, round_.invited_fraction)
            and not self.is_answered(round_)
        )

    def is_answered(self, round_: Round) -> bool:
        """Whether an update was sent for this attempt of the round; of an asynchronous round, for any attempt."""
        return self.answer(round_) is not None

    def answer(self, round_: Round) -> OutboxEnvelope | None:
        """What was sent for this attempt of the round; of an asynchronous round, for any attempt."""
        return next(
            (
                envelope
                for envelope in self._outbox.envelopes(round_.task, round_.round)
                if envelope.position is not None and (envelope.attempt == round_.attempt or not _is_synchronous(round_))
            ),
            None,
        )

    def stored(self, round_: Round) -> Upload | None:
        """The upload in the outbox that `complete` would send for this round, made for this base model."""
        upload = self._outbox.upload_of(round_.task, round_.round)
        return upload if upload is not None and upload.base_digest == round_.base_digest else None

    def discard_before(self, round_: Round, on_event: Callable[[Event], None]) -> None:
        """Lets go of the task's uploads that the open round does not take: for a round before it, or for another base
        model than it has. An asynchronous round takes those unsent that lag behind no more than it allows. While a task
        is paused nothing is let go.
        """
        if round_.status is RoundStatus.PAUSED:
            return
        for upload in self._outbox.uploads(round_.task):
            current = upload.round == round_.round and upload.base_digest == round_.base_digest
            if current and round_.status is RoundStatus.OPEN:
                continue
            sent = any(
                envelope.upload_id == upload.upload_id and envelope.position
                for envelope in self._outbox.envelopes(upload.task, upload.round)
            )
            lag = round_.round - upload.round
            if not sent and round_.status is RoundStatus.OPEN and 0 < lag <= round_.max_staleness:
                continue
            self._outbox.discard(upload.upload_id)
            if not sent:
                on_event(Discarded(task=upload.task, round=upload.round))

    def _sign(self, upload: Upload, attempt: int) -> OutboxEnvelope:
        template = decode(upload.template, ModelUpdate)
        chunks = tuple(_reference(chunk) for chunk in self._outbox.chunks(upload.upload_id))
        first = template.attempt == attempt
        update = replace(
            template,
            attempt=attempt,
            update_id=upload.upload_id if first else f"{upload.upload_id}.{attempt}",
            chunks=chunks,
        )
        return OutboxEnvelope(
            update_id=update.update_id,
            upload_id=upload.upload_id,
            task=update.task,
            round=update.round,
            attempt=update.attempt,
            value=seal(update, self._key, self._participant, self._topics.scope),
            position=None,
        )

    def _send(self, envelope: OutboxEnvelope) -> Position:
        if envelope.value is None:
            raise ValueError(f"the update {envelope.update_id} belongs to a round that is over")
        sent = self._transport.produce(self._topics.updates, envelope.value, key=self._participant.encode())
        try:
            return sent.result(_SEND_SECONDS)
        except TimeoutError as error:
            raise TransportUnavailable(f"{self._topics.updates}: no acknowledgement") from error


def unsigned_update(
    round_: Round, participant: str, update_id: str, encoded: Encoded, weight: int, encoding: str, *, created_ms: int
) -> ModelUpdate:
    """What an envelope says of an encoded delta, before its chunks have a place: a small one of one chunk is inside."""
    inline = len(encoded.chunks) == 1 and len(encoded.chunks[0]) <= INLINE_BYTES
    return ModelUpdate(
        task=round_.task,
        round=round_.round,
        attempt=round_.attempt,
        participant=participant,
        update_id=update_id,
        base_version=round_.base_version,
        base_digest=round_.base_digest,
        weight=weight,
        encoding=encoding,
        layout_digest=round_.layout_digest,
        scales=encoded.scales,
        inline=bytes(encoded.chunks[0]) if inline else None,
        chunks=(),
        created_ms=created_ms,
    )


def _is_synchronous(round_: Round) -> bool:
    return round_.window is WindowMode.SYNCHRONOUS


def _reference(chunk: OutboxChunk) -> ChunkReference:
    if chunk.partition is None or chunk.offset is None:
        raise RuntimeError(f"chunk {chunk.chunk} is not acknowledged: an envelope may not refer to it")
    return ChunkReference(partition=chunk.partition, offset=chunk.offset, length=chunk.length, sha256=chunk.sha256)


def _check_finite(delta_D: NDArray[np.float32]) -> None:
    if not is_finite(delta_D):
        raise ValueError("the delta has values that are not finite: did training diverge?")


def _check(round_: Round, weight: int, encoding: str) -> None:
    if round_.status is not RoundStatus.OPEN:
        raise ValueError(f"round {round_.round} of {round_.task} is not open")
    least = least_weight(round_)
    if not least <= weight <= round_.max_weight:
        raise ValueError(f"the weight must be between {least} and {round_.max_weight}, not {weight}")
    check_encoding(round_, encoding)


def check_encoding(round_: Round, encoding: str) -> None:
    """Raises ValueError for an encoding that the round does not take."""
    if encoding not in round_.encodings:
        raise ValueError(f"the round takes the encodings {', '.join(round_.encodings)}, not {encoding}")
