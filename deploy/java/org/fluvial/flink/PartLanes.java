package org.fluvial.flink;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.RichFlatMapFunction;
import org.apache.flink.runtime.state.KeyGroupRangeAssignment;
import org.apache.flink.types.Row;
import org.apache.flink.util.Collector;

/**
 * Parts bundles of source frames by lane, and keys each part by its lane. Bundles of another kind are dropped.
 *
 * <p>A lane is a share of the Kafka keys. What has the same Kafka key is on the same lane and keeps its order, whatever
 * the parallelism. Output: Row(key of the lane, bundle), as Python's keyed functions take it.
 *
 * <p>An empty bundle, which tells of a checkpoint barrier (see {@link GatherFrames}), goes to every lane, or to none.
 */
public final class PartLanes extends RichFlatMapFunction<byte[], Row> {
    private static final long serialVersionUID = 1L;
    private static final int KEY_LENGTH_AT = Integer.BYTES + Long.BYTES + Long.BYTES;

    private final String[] laneKeys;
    private final boolean marksBarriers;

    private transient List<List<byte[]>> lanes;
    private transient int[] laneBytes;

    /**
     * @param laneKeys Flink key of each lane
     * @param marksBarriers whether the lanes get the empty bundles
     */
    public PartLanes(String[] laneKeys, boolean marksBarriers) {
        this.laneKeys = laneKeys.clone();
        this.marksBarriers = marksBarriers;
    }

    @Override
    public void open(OpenContext context) {
        laneBytes = new int[laneKeys.length];
        lanes = new ArrayList<>(laneKeys.length);
        for (int lane = 0; lane < laneKeys.length; lane++) {
            lanes.add(new ArrayList<>());
        }
    }

    @Override
    public void flatMap(byte[] bundle, Collector<Row> out) {
        if (!Bundles.isBundle(bundle) || Bundles.kind(bundle) != Bundles.SOURCE) {
            return;
        }
        if (Bundles.isEmpty(bundle)) {
            for (int lane = 0; marksBarriers && lane < laneKeys.length; lane++) {
                out.collect(Row.of(laneKeys[lane], bundle));
            }
            return;
        }
        if (laneKeys.length == 1) {
            out.collect(Row.of(laneKeys[0], bundle));
            return;
        }
        for (byte[] frame : Bundles.unpack(bundle)) {
            int lane = lane(frame);
            lanes.get(lane).add(frame);
            laneBytes[lane] += frame.length;
        }
        for (int lane = 0; lane < laneKeys.length; lane++) {
            List<byte[]> frames = lanes.get(lane);
            if (!frames.isEmpty()) {
                byte[] part = Bundles.pack(Bundles.SOURCE, frames, laneBytes[lane]);
                frames.clear();
                laneBytes[lane] = 0;
                out.collect(Row.of(laneKeys[lane], part));
            }
        }
    }

    private int lane(byte[] frame) {
        int length = ByteBuffer.wrap(frame).getInt(KEY_LENGTH_AT);
        int start = KEY_LENGTH_AT + Integer.BYTES;
        int hash = 0;
        for (int at = start; at < start + length; at++) {
            hash = 31 * hash + frame[at];
        }
        return KeyGroupRangeAssignment.computeKeyGroupForKeyHash(hash, laneKeys.length);
    }
}
