package org.fluvial.flink;

import java.io.IOException;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.flink.metrics.Counter;
import org.apache.flink.util.Collector;

/**
 * Emits one byte array for each Kafka record: its place, its broker time, its key and its value.
 *
 * <p>Frame, big-endian: int32 partition, int64 offset, int64 timestamp in milliseconds, int32 key length (-1: no key),
 * key, value to the end. A record without a value (a tombstone) has an empty one. The Python twin is
 * {@code pipelines.flink.frames.parse_source}. Python gets one primitive array, which crosses into it at memory speed,
 * instead of a Row of seven fields.
 *
 * <p>Of a topic that stages read of one another, only what a stage wrote is emitted (see {@link StageMac}). The rest is
 * skipped, counted in the metric {@code unprovenRecords}, and told in the log whenever their number has doubled.
 */
public final class FrameDeserializer implements KafkaRecordDeserializationSchema<byte[]> {
    private static final long serialVersionUID = 1L;
    private static final System.Logger LOG = System.getLogger(FrameDeserializer.class.getName());
    private static final byte[] EMPTY = new byte[0];
    private static final int OFFSET_AT = Integer.BYTES;
    private static final int TIMESTAMP_AT = OFFSET_AT + Long.BYTES;
    private static final int KEY_LENGTH_AT = TIMESTAMP_AT + Long.BYTES;
    private static final int HEAD_BYTES = KEY_LENGTH_AT + Integer.BYTES;

    private final String keyFile;

    private transient StageMac mac;
    private transient Counter unproven;

    /** @param keyFile file of the key by which stages prove what they write; null for topics that others write */
    public FrameDeserializer(String keyFile) {
        this.keyFile = keyFile;
    }

    @Override
    public void open(DeserializationSchema.InitializationContext context) throws IOException {
        unproven = context.getMetricGroup().counter("unprovenRecords");
        mac = keyFile == null ? null : StageMac.load(keyFile);
    }

    @Override
    public void deserialize(ConsumerRecord<byte[], byte[]> record, Collector<byte[]> out) {
        if (mac != null && !mac.proves(record)) {
            unproven.inc();
            if (Long.bitCount(unproven.getCount()) == 1) {
                LOG.log(
                        System.Logger.Level.WARNING,
                        record.topic() + "/" + record.partition() + "@" + record.offset()
                                + " was not written by a stage of this federation and is skipped; "
                                + unproven.getCount() + " records so far");
            }
            return;
        }
        byte[] key = record.key();
        byte[] value = record.value() == null ? EMPTY : record.value();
        int keyBytes = key == null ? 0 : key.length;
        byte[] frame = new byte[HEAD_BYTES + keyBytes + value.length];
        BigEndian.putInt32(frame, 0, record.partition());
        BigEndian.putInt64(frame, OFFSET_AT, record.offset());
        BigEndian.putInt64(frame, TIMESTAMP_AT, record.timestamp());
        BigEndian.putInt32(frame, KEY_LENGTH_AT, key == null ? -1 : keyBytes);
        if (key != null) {
            System.arraycopy(key, 0, frame, HEAD_BYTES, keyBytes);
        }
        System.arraycopy(value, 0, frame, HEAD_BYTES + keyBytes, value.length);
        out.collect(frame);
    }

    @Override
    public TypeInformation<byte[]> getProducedType() {
        return PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO;
    }
}
