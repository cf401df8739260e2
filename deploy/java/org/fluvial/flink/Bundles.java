package org.fluvial.flink;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * Many byte strings in one, so that they cross between Java and Python together.
 *
 * <p>A bundle, big-endian: uint16 0, uint8 kind, then for each item int32 length, item. A sink frame begins with the
 * length of its topic, which is never zero, so a stream may hold both. The Python twin is {@code
 * pipelines.flink.bundles}. Bundles never lie in state or in a topic: their form may change with the code.
 */
final class Bundles {
    /** Source frames. */
    static final byte SOURCE = 0;

    static final int HEAD_BYTES = Short.BYTES + Byte.BYTES;

    private Bundles() {}

    static boolean isBundle(byte[] bytes) {
        return bytes.length >= HEAD_BYTES && bytes[0] == 0 && bytes[1] == 0;
    }

    static byte kind(byte[] bundle) {
        return bundle[Short.BYTES];
    }

    static boolean isEmpty(byte[] bundle) {
        return bundle.length == HEAD_BYTES;
    }

    static byte[] pack(byte kind, List<byte[]> items, int itemBytes) {
        byte[] bundle = new byte[HEAD_BYTES + items.size() * Integer.BYTES + itemBytes];
        bundle[Short.BYTES] = kind;
        int at = HEAD_BYTES;
        for (byte[] item : items) {
            BigEndian.putInt32(bundle, at, item.length);
            System.arraycopy(item, 0, bundle, at + Integer.BYTES, item.length);
            at += Integer.BYTES + item.length;
        }
        return bundle;
    }

    static List<byte[]> unpack(byte[] bundle) {
        ByteBuffer in = ByteBuffer.wrap(bundle).position(HEAD_BYTES);
        List<byte[]> items = new ArrayList<>();
        while (in.hasRemaining()) {
            int length = in.getInt();
            if (length < 0 || length > in.remaining()) {
                throw new IllegalArgumentException("an item of " + length + " bytes where " + in.remaining() + " are left");
            }
            byte[] item = new byte[length];
            in.get(item);
            items.add(item);
        }
        return items;
    }
}
