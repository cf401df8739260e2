package org.fluvial.flink;

import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.apache.flink.api.common.serialization.SerializationSchema;
import org.apache.flink.connector.kafka.lineage.DefaultKafkaDatasetFacet;
import org.apache.flink.connector.kafka.lineage.DefaultKafkaDatasetIdentifier;
import org.apache.flink.connector.kafka.lineage.KafkaDatasetFacet;
import org.apache.flink.connector.kafka.lineage.KafkaDatasetFacetProvider;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.header.Header;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.header.internals.RecordHeader;

/**
 * Writes one Kafka record for each sink frame, which names its topic, so that one sink serves all topics of a job.
 *
 * <p>Frame, big-endian: uint16 topic length, topic; int32 key length (-1: no key), key; uint16 number of headers, for
 * each uint16 name length, name, int32 value length, value; int32 value length (-1: a tombstone), value. The Python twin
 * is {@code pipelines.flink.frames.sink_frame}.
 *
 * <p>It names its topics to the connector, which needs them to find the open transactions of an earlier run (transaction
 * naming strategy POOLING). The record carries no time of its own: the broker's time is the only one that counts. Records
 * of the topics that stages read of one another get a proof of their writer (see {@link StageMac}).
 */
public final class FrameSerializer implements KafkaRecordSerializationSchema<Frame>, KafkaDatasetFacetProvider {
    private static final long serialVersionUID = 1L;

    private final String[] topics;
    private final String[] proven;
    private final String keyFile;

    private transient StageMac mac;
    private transient Set<String> provenTopics;
    private transient Name.Known knownTopics;
    private transient FrameHeaders headers;
    private transient Name topic;

    /**
     * @param topics every topic that a frame may name; the topics must exist when the job starts
     * @param proven those whose records get a proof of their writer
     * @param keyFile file of the key that proves, on every host
     */
    public FrameSerializer(String[] topics, String[] proven, String keyFile) {
        this.topics = topics.clone();
        this.proven = proven.clone();
        this.keyFile = keyFile;
    }

    @Override
    public void open(SerializationSchema.InitializationContext context, KafkaSinkContext sinkContext)
            throws IOException {
        provenTopics = Set.of(proven);
        knownTopics = new Name.Known();
        headers = new FrameHeaders();
        mac = proven.length == 0 ? null : StageMac.load(keyFile);
    }

    @Override
    public ProducerRecord<byte[], byte[]> serialize(Frame frame, KafkaSinkContext context, Long timestamp) {
        topic = Name.read(frame, topic, knownTopics);
        byte[] key = frame.take(frame.int32());
        StageMac proof = provenTopics.contains(topic.text) ? mac : null;
        if (proof != null) {
            proof.begin(topic.utf8, key);
        }
        Header[] read = headers.read(frame, proof, proof == null ? 0 : 1);
        byte[] value = frame.take(frame.int32());
        if (frame.left() > 0) {
            throw new IllegalArgumentException(frame.left() + " bytes after the end of a frame for topic " + topic.text);
        }
        if (proof != null) {
            read[read.length - 1] = new RecordHeader(StageMac.HEADER, proof.proof(value));
        }
        return new ProducerRecord<>(topic.text, null, null, key, value, Arrays.asList(read));
    }

    @Override
    public Optional<KafkaDatasetFacet> getKafkaDatasetFacet() {
        return Optional.of(new DefaultKafkaDatasetFacet(DefaultKafkaDatasetIdentifier.ofTopics(List.of(topics))));
    }
}
