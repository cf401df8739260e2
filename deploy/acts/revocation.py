"""Revoking a participant: the operator's record in the registry, and the leaf of the audit log that tells of it."""

from __future__ import annotations

import time
from contextlib import closing

from confluent_kafka import KafkaException, Message

from deploy.federation.directory import DataDirectory
from deploy.federation.keys import ServiceKeys
from deploy.security.rights import Role
from fluvial.identity.brokers import Brokers
from fluvial.identity.envelope import seal
from fluvial.kafka import TransportUnavailable, connect
from fluvial.kafka.librdkafka import clients
from fluvial.registry.acts import OPERATOR, OperatorActs
from fluvial.wire.records import Participant
from pipelines.flink.audit_frames import participant_frame
from pipelines.flink.frames import SinkRecord, parse_sink
from pipelines.flink.stage_mac import StageMac

_SECONDS = 15.0


def revoke(directory: DataDirectory, name: str) -> Participant:
    """Take a participant's key out of force for good. The registry's record comes first: from then on nothing that the
    key signs is accepted. Raises as `OperatorActs.revoke`; TransportUnavailable also where the record stands and its
    event does not, which the message says."""
    federation, keys = directory.federation(), ServiceKeys.load_or_make(directory.keys)
    with closing(connect(federation.brokers, OPERATOR)) as transport:
        revoked = OperatorActs(transport, federation, keys.operator).revoke(name)
    # The same bytes as in the registry: Ed25519 has one signature for a message.
    sealed = seal(revoked, keys.operator, OPERATOR, federation.topics.scope)
    frame = participant_frame(federation.topics, sealed, time.time_ns() // 1_000_000)
    try:
        write_proven(directory.brokers(Role.JOBS), StageMac.load(directory.keys), parse_sink(frame))
    except KafkaException as error:
        raise TransportUnavailable(f"{name} is revoked, but the audit log was not told: {error}") from error
    return revoked


def write_proven(brokers: Brokers, mac: StageMac, record: SinkRecord) -> None:
    """Write a record as a stage does, and wait for it. Raises KafkaException."""
    failed: list[object] = []

    def delivered(error: object, _: Message) -> None:
        failed.extend([error] if error is not None else [])

    producer = clients.producer(brokers, OPERATOR)
    proof = mac.header(record.topic, record.key, record.value or b"", record.headers)
    headers = [*record.headers, proof]
    producer.produce(record.topic, record.value, record.key, headers=headers, on_delivery=delivered)
    if producer.flush(_SECONDS) or failed:
        raise KafkaException(failed[0] if failed else "no acknowledgement")
