package org.fluvial.flink;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
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
import org.apache.flink.kafka.shaded.org.apache.kafka.common.header.internals.RecordHeaders;

/**
 * Writes one Kafka record for each byte array, which names its topic, so that one sink serves all topics of a job.
 *
 * <p>Frame, big-endian: uint16 topic length, topic; int32 key length (-1: no key), key; uint16 number of headers, for
 * each uint16 name length, name, int32 value length, value; int32 value length (-1: a tombstone), value. The Python twin
 * is {@code pipelines.flink.frames.sink_frame}.
 *
 * <p>It names its topics to the connector, which needs them to find the open transactions of an earlier run (transaction
 * naming strategy POOLING). The record carries no time of its own: the broker's time is the only one that counts. Records
 * of the topics that stages read of one another get a proof of their writer (see {@link StageMac}).
 */
public final class FrameSerializer implements KafkaRecordSerializationSchema<byte[]>, KafkaDatasetFacetProvider {
    private static final long serialVersionUID = 1L;

    private final String[] topics;
    private final String[] proven;
    private final String keyFile;

    private transient StageMac mac;
    private transient Set<String> provenTopics;

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
        mac = proven.length == 0 ? null : StageMac.load(keyFile);
    }

    @Override
    public ProducerRecord<byte[], byte[]> serialize(byte[] bytes, KafkaSinkContext context, Long timestamp) {
        ByteBuffer frame = ByteBuffer.wrap(bytes);
        String topic = text(frame);
        byte[] key = field(frame);
        RecordHeaders headers = new RecordHeaders();
        for (int left = Short.toUnsignedInt(frame.getShort()); left > 0; left--) {
            headers.add(text(frame), field(frame));
        }
        byte[] value = field(frame);
        if (frame.hasRemaining()) {
            throw new IllegalArgumentException(frame.remaining() + " bytes after the end of a frame for topic " + topic);
        }
        if (provenTopics.contains(topic)) {
            headers.add(StageMac.HEADER, mac.of(topic, key, headers, value));
        }
        return new ProducerRecord<>(topic, null, null, key, value, headers);
    }

    @Override
    public Optional<KafkaDatasetFacet> getKafkaDatasetFacet() {
        return Optional.of(new DefaultKafkaDatasetFacet(DefaultKafkaDatasetIdentifier.ofTopics(List.of(topics))));
    }

    private static String text(ByteBuffer frame) {
        byte[] bytes = new byte[Short.toUnsignedInt(frame.getShort())];
        frame.get(bytes);
        return new String(bytes, StandardCharsets.UTF_8);
    }

    private static byte[] field(ByteBuffer frame) {
        int length = frame.getInt();
        if (length == -1) {
            return null;
        }
        if (length < 0 || length > frame.remaining()) {
            throw new IllegalArgumentException("a field of " + length + " bytes where " + frame.remaining() + " are left");
        }
        byte[] bytes = new byte[length];
        frame.get(bytes);
        return bytes;
    }
}
