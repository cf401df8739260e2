package org.fluvial.flink;

import java.nio.ByteBuffer;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.flink.util.Collector;

/**
 * Emits one byte array for each Kafka record: its place, its broker time, its key and its value.
 *
 * <p>Frame, big-endian: int32 partition, int64 offset, int64 timestamp in milliseconds, int32 key length (-1: no key),
 * key, value to the end. A record without a value (a tombstone) has an empty one. The Python twin is
 * {@code pipelines.flink.frames.parse_source}. Python gets one primitive array, which crosses into it at memory speed,
 * instead of a Row of seven fields.
 */
public final class FrameDeserializer implements KafkaRecordDeserializationSchema<byte[]> {
    private static final long serialVersionUID = 1L;
    private static final byte[] EMPTY = new byte[0];
    private static final int HEAD_BYTES = Integer.BYTES + Long.BYTES + Long.BYTES + Integer.BYTES;

    @Override
    public void deserialize(ConsumerRecord<byte[], byte[]> record, Collector<byte[]> out) {
        byte[] key = record.key();
        byte[] value = record.value() == null ? EMPTY : record.value();
        ByteBuffer frame = ByteBuffer.allocate(HEAD_BYTES + (key == null ? 0 : key.length) + value.length);
        frame.putInt(record.partition()).putLong(record.offset()).putLong(record.timestamp());
        if (key == null) {
            frame.putInt(-1);
        } else {
            frame.putInt(key.length).put(key);
        }
        frame.put(value);
        out.collect(frame.array());
    }

    @Override
    public TypeInformation<byte[]> getProducedType() {
        return PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO;
    }
}
