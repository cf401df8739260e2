package org.fluvial.flink;

import org.apache.flink.api.common.functions.FilterFunction;

/** Lets the bundles of one kind pass, whole, and what is no bundle. */
public final class OfKind implements FilterFunction<byte[]> {
    private static final long serialVersionUID = 1L;

    private final byte kind;

    /** @param kind the kind of bundle that is wanted */
    public OfKind(int kind) {
        this.kind = (byte) kind;
    }

    @Override
    public boolean filter(byte[] value) {
        return !Bundles.isBundle(value) || Bundles.kind(value) == kind;
    }
}
