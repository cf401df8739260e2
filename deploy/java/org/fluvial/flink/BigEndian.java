package org.fluvial.flink;

/** Integers in byte arrays. The first compiler, which most jobs have alone, makes calls of all that a ByteBuffer does. */
final class BigEndian {
    private BigEndian() {}

    static int uint16(byte[] bytes, int at) {
        return (bytes[at] & 0xff) << 8 | bytes[at + 1] & 0xff;
    }

    static int int32(byte[] bytes, int at) {
        return bytes[at] << 24 | (bytes[at + 1] & 0xff) << 16 | (bytes[at + 2] & 0xff) << 8 | bytes[at + 3] & 0xff;
    }

    static void putUint16(byte[] bytes, int at, int value) {
        bytes[at] = (byte) (value >> 8);
        bytes[at + 1] = (byte) value;
    }

    static void putInt32(byte[] bytes, int at, int value) {
        bytes[at] = (byte) (value >> 24);
        bytes[at + 1] = (byte) (value >> 16);
        bytes[at + 2] = (byte) (value >> 8);
        bytes[at + 3] = (byte) value;
    }

    static void putInt64(byte[] bytes, int at, long value) {
        putInt32(bytes, at, (int) (value >> 32));
        putInt32(bytes, at + Integer.BYTES, (int) value);
    }
}
