package org.fluvial.flink;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.types.Row;

/**
 * Keys the messages of a job by their first part: Row(key, message), as Python's keyed functions take it.
 *
 * <p>Does in Java what {@code key_by(pipelines.flink.messages.key_of)} does with one more call into Python for each
 * message. Message, big-endian: uint8 version, int32 number of parts, then each: int32 length, part.
 */
public final class KeyMessages implements MapFunction<byte[], Row> {
    private static final long serialVersionUID = 1L;
    private static final int KEY_LENGTH_AT = Byte.BYTES + Integer.BYTES;

    @Override
    public Row map(byte[] message) {
        int length = ByteBuffer.wrap(message).getInt(KEY_LENGTH_AT);
        String key = new String(message, KEY_LENGTH_AT + Integer.BYTES, length, StandardCharsets.UTF_8);
        return Row.of(key, message);
    }
}
