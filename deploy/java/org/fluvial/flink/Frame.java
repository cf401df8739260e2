package org.fluvial.flink;

import java.util.Arrays;

/**
 * A sink frame, read field by field where it lies. One object goes from frame to frame, so that none is copied out of its
 * bundle:
 *
 * <pre>frame.open(element); while (frame.next()) { ... }</pre>
 */
final class Frame {
    private byte[] bytes;
    private int at;
    private int end;
    private boolean bundled;

    /** Before the first frame of an element: the items of a bundle, or what is no bundle itself. */
    void open(byte[] element) {
        bytes = element;
        bundled = Bundles.isBundle(element);
        end = bundled ? Bundles.HEAD_BYTES : 0;
    }

    /** Goes on to the next frame. Says whether there is one. */
    boolean next() {
        at = end;
        if (at == bytes.length) {
            return false;
        }
        end = bytes.length;
        if (bundled) {
            int length = int32();
            end = at + checked(length);
        }
        return true;
    }

    int left() {
        return end - at;
    }

    int uint16() {
        at += checked(Short.BYTES);
        return BigEndian.uint16(bytes, at - Short.BYTES);
    }

    int int32() {
        at += checked(Integer.BYTES);
        return BigEndian.int32(bytes, at - Integer.BYTES);
    }

    /** So many bytes; null for -1. */
    byte[] take(int length) {
        if (length == -1) {
            return null;
        }
        at += checked(length);
        return Arrays.copyOfRange(bytes, at - length, at);
    }

    /** Whether so many bytes come next, and are these. If so, they are taken. */
    boolean takes(byte[] expected, int length) {
        if (length != expected.length || !Arrays.equals(bytes, at, at + checked(length), expected, 0, length)) {
            return false;
        }
        at += length;
        return true;
    }

    private int checked(int length) {
        if (length < 0 || length > end - at) {
            throw new IllegalArgumentException("a field of " + length + " bytes where " + (end - at) + " are left");
        }
        return length;
    }
}
