"""A job graph in the making: stages ask it for sources, and hand it what they emit.

A topic that several stages read is read once. The stages of a job share one exactly-once sink with one subtask, so
what a checkpoint covers (verdicts, events, models, the next round, leaves) becomes visible in one transaction, or not
at all: the log never holds a part of a checkpoint. What an operator with one subtask emits keeps its order.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from pyflink.common import Types, WatermarkStrategy
from pyflink.datastream import (
    DataStream,
    FlatMapFunction,
    KeyedProcessFunction,
    KeyedStream,
    OutputTag,
    StreamExecutionEnvironment,
)
from pyflink.datastream.connectors.kafka import (
    KafkaOffsetResetStrategy,
    KafkaOffsetsInitializer,
    KafkaSource,
    KafkaTopicPartition,
)
from pyflink.java_gateway import get_gateway

from pipelines.config import Settings
from pipelines.flink.bundles import LANES, Kind, lane_keys
from pipelines.flink.guard import Form, guarded
from pipelines.flink.jars import CLIENT_PACKAGE
from pipelines.flink.java_values import java_strings
from pipelines.flink.leased_sink import leased_sink, stage_key_file
from pipelines.flink.log_reader import bounds
from pipelines.flink.offsets import starting_offsets
from pipelines.topology import PROVEN, STAGES

BYTES = Types.PRIMITIVE_ARRAY(Types.BYTE())

_KEYED_BYTES = Types.ROW([Types.STRING(), BYTES])
_BUNDLE_RECORDS = 1024
_BUNDLE_BYTES = 1 << 20
_BUNDLE_MS = 5
_UNHURRIED = 3


class Graph:
    """The graph of one job. `stages`: names of the stages that are composed in it."""

    def __init__(
        self, environment: StreamExecutionEnvironment, settings: Settings, job_name: str, stages: list[str]
    ) -> None:
        self.environment = environment
        self.settings = settings
        self.stages = stages
        self._job_name = job_name
        self._sources: dict[str, tuple[Mapping[int, int] | None, DataStream]] = {}
        self._emitted: list[DataStream] = []
        self._handed_over: dict[str, DataStream] = {}

    def source(self, topic: str, start: Mapping[int, int] | None = None) -> DataStream:
        """Source frames (`pipelines.flink.frames`) of a topic: committed records only, and of topics that stages read
        of one another (`pipelines.topology.PROVEN`) those alone that a stage wrote.

        topic: attribute name of `Topics`, for example "update_blobs". start: where a job without state begins, by
        partition; from the earliest record on where nothing is said. Who gives a start tells what of it retention has
        taken (`pipelines.flink.offsets.gaps`): the source itself goes on with what is there. Raises ValueError when
        the topic was asked for with another start.
        """
        if topic not in self._sources:
            self._sources[topic] = start, self._kafka_source(topic, start)
        asked, stream = self._sources[topic]
        if asked != start:
            raise ValueError(f"the stages of this job begin to read {topic} at different places")
        return stream

    def bundled_source(
        self,
        topic: str,
        keys: list[str] | None = None,
        start: Mapping[int, int] | None = None,
        *,
        num_lanes: int = LANES,
        max_records: int = _BUNDLE_RECORDS,
        max_delay_ms: int = _BUNDLE_MS,
        for_answers: bool = False,
    ) -> KeyedStream:
        """Bundles (`pipelines.flink.bundles`) of a topic's source frames, keyed by lane: what has the same Kafka key is
        on the same lane, in its order. keys: Flink's keys of the lanes; without them there are `num_lanes`.
        start: see `source`. max_records, max_delay_ms: what closes a bundle, over all lanes.

        for_answers: whoever waits for what the operator does outside of Flink waits for no network buffer to fill, and
        each of its lanes gets an empty bundle before every checkpoint (`org.fluvial.flink.GatherFrames`)."""
        limits = {"max_records": max_records, "max_delay_ms": max_delay_ms}
        gathered = self.gathered_source(topic, start, **limits, marks_barriers=for_answers)
        return self.by_lane(gathered, keys, num_lanes=num_lanes, for_answers=for_answers)

    def gathered_source(
        self,
        topic: str,
        start: Mapping[int, int] | None = None,
        *,
        max_records: int = _BUNDLE_RECORDS,
        max_delay_ms: int = _BUNDLE_MS,
        marks_barriers: bool = False,
    ) -> DataStream:
        """Bundles of a topic's source frames, in the order in which they are read. marks_barriers: an empty one comes
        before every checkpoint."""
        gather = get_gateway().jvm.org.fluvial.flink.GatherFrames(
            max_records, _BUNDLE_BYTES, max_delay_ms, marks_barriers
        )
        source = self.source(topic, start)._j_data_stream
        return DataStream(source.transform(f"gather-{_dashed(topic)}", BYTES.get_java_type_info(), gather))

    def by_lane(
        self,
        bundles: DataStream,
        keys: list[str] | None = None,
        *,
        num_lanes: int = LANES,
        for_answers: bool = False,
    ) -> KeyedStream:
        """Bundles of source frames, parted and keyed by lane. Arguments as for `bundled_source`."""
        chosen = lane_keys(self.environment.get_max_parallelism(), num_lanes) if keys is None else keys
        part = get_gateway().jvm.org.fluvial.flink.PartLanes(java_strings(chosen), for_answers)
        parted = bundles._j_data_stream.flatMap(part, _KEYED_BYTES.get_java_type_info()).name("part-lanes")
        if for_answers:
            parted.setBufferTimeout(0)
        return _keyed(parted)

    def messages(self, topic: str, name: str, read: FlatMapFunction) -> DataStream:
        """The messages (`pipelines.flink.messages`) that a function makes of a topic's source frames. name: in the
        graph."""
        return self.source(topic).flat_map(guarded(read, name, self.settings, Form.RECORD), BYTES).name(name)

    def process(self, messages: DataStream, name: str, operator: KeyedProcessFunction) -> DataStream:
        """What an operator makes of messages, keyed by their key. name: in the graph, and of the operator's state."""
        keyed = self._by_key(messages)
        return keyed.process(guarded(operator, name, self.settings, Form.MESSAGE), BYTES).name(name).uid(name)

    def _by_key(self, messages: DataStream) -> KeyedStream:
        """In Java: PyFlink's `key_by` would call Python for each message."""
        rows = messages._j_data_stream.map(
            get_gateway().jvm.org.fluvial.flink.KeyMessages(), _KEYED_BYTES.get_java_type_info()
        )
        return _keyed(rows.name("key-messages"))

    def side_output(self, stream: DataStream, tag: OutputTag) -> DataStream:
        """What an operator gives under a tag. PyFlink's own puts a function of Python behind it that does nothing: one
        more operator, and each message crosses twice."""
        return DataStream(stream._j_data_stream.getSideOutput(tag.get_java_output_tag()))

    def unbundled(self, stream: DataStream, kind: Kind) -> DataStream:
        """The items of the bundles of that kind, and whatever else in the stream is no bundle."""
        items = stream._j_data_stream.flatMap(
            get_gateway().jvm.org.fluvial.flink.Unbundle(int(kind)), BYTES.get_java_type_info()
        )
        return DataStream(items.name(f"unbundle-{kind.name.lower()}"))

    def of_kind(self, stream: DataStream, kind: Kind) -> DataStream:
        """The bundles of that kind, whole, and whatever else in the stream is no bundle."""
        kept = stream._j_data_stream.filter(get_gateway().jvm.org.fluvial.flink.OfKind(int(kind)))
        return DataStream(kept.name(f"only-{kind.name.lower()}"))

    def hand_over(self, topic: str, stream: DataStream) -> None:
        """Give a stream straight to the stage of this job that would otherwise read `topic`."""
        self._handed_over[topic] = stream

    def handed_over(self, topic: str) -> DataStream | None:
        """The stream that an earlier stage of this job handed over, or None."""
        return self._handed_over.get(topic)

    def read_in_this_job(self, topic: str) -> bool:
        return any(topic in STAGES[stage].reads for stage in self.stages)

    def emit(self, stream: DataStream) -> None:
        """Write sink frames (`pipelines.flink.frames`), or bundles of them, exactly once. Each subtask's records keep
        their order."""
        self._emitted.append(stream)

    def finish(self) -> None:
        """Attach the sink; call once, after all stages. Raises ValueError when no stage emits anything."""
        if not self._emitted:
            raise ValueError("no stage of this job emits anything")
        first, *others = self._emitted
        # Bundles are parted by the sink's writer alone: fewer elements cross, and none is copied.
        records = self.of_kind(first.union(*others) if others else first, Kind.SINK).set_parallelism(1)
        stream = self._committed_on_demand(records).set_parallelism(1)
        writes = {attribute for stage in self.stages for attribute in STAGES[stage].writes}
        sink = leased_sink(self.settings, self._job_name, sorted(writes))
        stream.sink_to(sink).name("kafka").uid("sink").set_parallelism(1)

    def _committed_on_demand(self, records: DataStream) -> DataStream:
        """The records, for which a checkpoint begins a moment after the first of them. For models and rounds at once:
        all participants wait for them."""
        urgent = java_strings([self.settings.topics.models, self.settings.topics.rounds])
        factory = get_gateway().jvm.org.fluvial.flink.CommitOnDemand.Factory(
            commit_interval_ms(self.stages, self.settings.checkpoint_interval_ms), urgent
        )
        j_records = records._j_data_stream.transform("commit-on-demand", BYTES.get_java_type_info(), factory)
        return DataStream(j_records).uid("commit-on-demand")

    def _kafka_source(self, topic: str, start: Mapping[int, int] | None) -> DataStream:
        name = getattr(self.settings.topics, topic)
        builder = (
            KafkaSource.builder()
            .set_topics(name)
            .set_group_id(f"{self.settings.topic_prefix}{self._job_name}")
            .set_starting_offsets(self._starting_offsets(name, start))
            .set_property("isolation.level", "read_committed")
            .set_property("max.partition.fetch.bytes", str(4 << 20))
            .set_property("fetch.max.wait.ms", "500")
            .set_property("partition.discovery.interval.ms", "-1")
            .set_property("client.id.prefix", f"{self._job_name}-{topic}")
        )
        for setting, value in self.settings.brokers.java(CLIENT_PACKAGE).items():
            builder.set_property(setting, value)
        key_file = stage_key_file(self.settings) if topic in PROVEN else None
        builder._j_builder.setDeserializer(get_gateway().jvm.org.fluvial.flink.FrameDeserializer(key_file))
        stream = self.environment.from_source(builder.build(), WatermarkStrategy.no_watermarks(), _dashed(topic), BYTES)
        return stream.uid(f"source-{topic}")

    def _starting_offsets(self, topic: str, start: Mapping[int, int] | None) -> KafkaOffsetsInitializer:
        if start is None:
            return KafkaOffsetsInitializer.earliest()
        # All partitions are named: for others Flink would ask what the group committed once.
        offsets = starting_offsets(bounds(self.settings.brokers, topic), start)
        return KafkaOffsetsInitializer.offsets(
            {KafkaTopicPartition(topic, partition): offset for partition, offset in offsets.items()},
            KafkaOffsetResetStrategy.EARLIEST,
        )


def commit_interval_ms(stages: Collection[str], checkpoint_interval_ms: int) -> int:
    """Between the checkpoints of a job that are not urgent. Where rounds are all that a job does, nothing waits for its
    verdicts but who reads them, while each checkpoint takes some hundredths of a second from the round."""
    return checkpoint_interval_ms * (_UNHURRIED if set(stages) == {"validation", "aggregation"} else 1)


def _dashed(topic: str) -> str:
    return topic.replace("_", "-")


def _keyed(j_rows: Any) -> KeyedStream:
    """A stream of Row(key, bytes) that Java made, as PyFlink's own `key_by` makes it."""
    selector = get_gateway().jvm.KeyByKeySelector()
    rows = DataStream(j_rows)
    return KeyedStream(j_rows.keyBy(selector, Types.ROW([Types.STRING()]).get_java_type_info()), BYTES, rows)
