"""The sink of a job: exactly once, as long as the job holds its stages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyflink.datastream.connectors.base import DeliveryGuarantee, Sink
from pyflink.datastream.connectors.kafka import KafkaSink
from pyflink.java_gateway import get_gateway

from fluvial.wire.framing import decode, encode
from fluvial.wire.media_types import media_type
from fluvial.wire.records import Heartbeat, HolderState, Lease
from pipelines.config import Settings
from pipelines.flink.audit_frames import audit_frame
from pipelines.flink.jars import CLIENT_PACKAGE
from pipelines.flink.java_values import java_strings
from pipelines.flink.stage_mac import FILE as STAGE_KEY_FILE
from pipelines.leases.holding import SINK
from pipelines.leases.liveness import HEARTBEAT_MS
from pipelines.topology import PROVEN


def leased_sink(settings: Settings, job_name: str, topics: Sequence[str]) -> Sink:
    """The sink for sink frames that name these topics (`org.fluvial.flink.LeasedSink`). It must have one subtask.

    topics: attribute names of `Topics`.
    """
    gateway = get_gateway()
    return Sink(gateway.jvm.org.fluvial.flink.LeasedSink(_kafka_sink(settings, topics), _lease(settings, job_name)))


def _kafka_sink(settings: Settings, topics: Sequence[str]) -> Any:
    """The connector's own."""
    gateway = get_gateway()
    builder = (
        KafkaSink.builder()
        .set_delivery_guarantee(DeliveryGuarantee.EXACTLY_ONCE)
        # A restored sink aborts every open transaction under its prefix.
        .set_transactional_id_prefix(settings.held().transactional_id(settings.topic_prefix, SINK))
        .set_property("transaction.timeout.ms", str(settings.transaction_timeout_ms))
        .set_property("max.request.size", str(8 << 20))
        .set_property("linger.ms", "5")
        .set_property("batch.size", str(256 << 10))
    )
    for setting, value in settings.brokers.java(CLIENT_PACKAGE).items():
        builder.set_property(setting, value)
    written, proven = (
        [getattr(settings.topics, topic) for topic in names]
        for names in (topics, [topic for topic in topics if topic in PROVEN])
    )
    serializer = gateway.jvm.org.fluvial.flink.FrameSerializer(
        java_strings(written), java_strings(proven), stage_key_file(settings)
    )
    builder._j_builder.setRecordSerializer(serializer)
    naming = gateway.jvm.org.apache.flink.connector.kafka.sink.TransactionNamingStrategy
    builder._j_builder.setTransactionNamingStrategy(naming.POOLING)
    return builder.build().get_java_function()


def stage_key_file(settings: Settings) -> str:
    """Where the key lies by which stages prove what they write."""
    return str((settings.keys_dir / STAGE_KEY_FILE).resolve())


def _lease(settings: Settings, job_name: str) -> Any:
    """What the sink must know of the job's lease (`org.fluvial.flink.Lease`)."""
    holding, topics = settings.held(), settings.topics

    def says(state: HolderState) -> bytes:
        return encode(Heartbeat(epoch=holding.epoch, job=job_name, state=state))

    lease = get_gateway().jvm.org.fluvial.flink.Lease(
        settings.brokers.java(CLIENT_PACKAGE),
        topics.leases,
        holding.epoch,
        holding.offset,
        java_strings(holding.stages),
        media_type(Lease, topics.scope),
        bytes.fromhex(settings.aggregator_key),
        topics.heartbeats,
        says(HolderState.RUNNING),
        says(HolderState.TRANSACTION_LOST),
        HEARTBEAT_MS,
    )
    if holding.record:
        lease.tell(audit_frame(topics, decode(holding.record, Lease), holding.taken_ms))
    return lease
