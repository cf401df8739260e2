package org.fluvial.flink;

import org.apache.flink.api.common.functions.FlatMapFunction;
import org.apache.flink.util.Collector;

/**
 * Parts bundles of one kind into their items, and drops those of others. What is no bundle passes as it is.
 *
 * <p>One Python function may so give several kinds of output, which its consumers tell apart in Java.
 */
public final class Unbundle implements FlatMapFunction<byte[], byte[]> {
    private static final long serialVersionUID = 1L;

    private final byte kind;

    /** @param kind the kind of bundle whose items are wanted */
    public Unbundle(int kind) {
        this.kind = (byte) kind;
    }

    @Override
    public void flatMap(byte[] value, Collector<byte[]> out) {
        if (!Bundles.isBundle(value)) {
            out.collect(value);
        } else if (Bundles.kind(value) == kind) {
            for (byte[] item : Bundles.unpack(value)) {
                out.collect(item);
            }
        }
    }
}
