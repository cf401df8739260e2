package org.fluvial.flink;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.runtime.state.KeyGroupRangeAssignment;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.BoundedOneInput;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.types.Row;

/**
 * Gathers source frames (see {@link FrameDeserializer}) into bundles, one for each lane, and keys them by their lane.
 *
 * <p>A lane is a share of the Kafka keys. What has the same Kafka key is on the same lane and keeps its order, whatever
 * the parallelism. Output: Row(key of the lane, bundle), as Python's keyed functions take it.
 *
 * <p>Nothing is held for longer than {@code waitMillis}, beyond so many records or bytes, over a watermark or over a
 * checkpoint barrier: there is no state, and a bundle is before a barrier or after it as a whole. Where the operator
 * behind it acts outside of Flink, it is told of every barrier: each lane gets an empty bundle right before it. What the
 * operator has begun it can then end, so that a checkpoint covers nothing that is only on its way.
 */
public final class GatherFrames extends AbstractStreamOperator<Row>
        implements OneInputStreamOperator<byte[], Row>, BoundedOneInput {
    private static final long serialVersionUID = 1L;
    private static final int KEY_LENGTH_AT = Integer.BYTES + Long.BYTES + Long.BYTES;

    private final String[] laneKeys;
    private final int maxRecords;
    private final int maxBytes;
    private final long waitMillis;
    private final boolean marksBarriers;

    private transient List<List<byte[]>> lanes;
    private transient int[] laneBytes;
    private transient int records;
    private transient int bytes;
    private transient long since;
    private transient boolean timed;

    /** Without marks of barriers. */
    public GatherFrames(String[] laneKeys, int maxRecords, int maxBytes, long waitMillis) {
        this(laneKeys, maxRecords, maxBytes, waitMillis, false);
    }

    /**
     * @param laneKeys Flink key of each lane
     * @param maxRecords most records held, over all lanes
     * @param maxBytes bytes held from which on all are sent
     * @param waitMillis longest time that a record is held
     * @param marksBarriers whether each lane gets an empty bundle before a checkpoint barrier
     */
    public GatherFrames(String[] laneKeys, int maxRecords, int maxBytes, long waitMillis, boolean marksBarriers) {
        this.laneKeys = laneKeys.clone();
        this.maxRecords = maxRecords;
        this.maxBytes = maxBytes;
        this.waitMillis = waitMillis;
        this.marksBarriers = marksBarriers;
    }

    @Override
    public void open() throws Exception {
        super.open();
        laneBytes = new int[laneKeys.length];
        lanes = new ArrayList<>(laneKeys.length);
        for (int lane = 0; lane < laneKeys.length; lane++) {
            lanes.add(new ArrayList<>());
        }
    }

    @Override
    public void processElement(StreamRecord<byte[]> element) {
        byte[] frame = element.getValue();
        int lane = lane(frame);
        lanes.get(lane).add(frame);
        laneBytes[lane] += frame.length;
        if (records++ == 0) {
            since = getProcessingTimeService().getCurrentProcessingTime();
        }
        bytes += frame.length;
        if (records >= maxRecords || bytes >= maxBytes) {
            flush();
        } else if (!timed) {
            flushAt(since + waitMillis);
        }
    }

    /** A timer may outlive the bundle that it was set for: what came since then has its own time, or bundles were small. */
    private void flushAt(long due) {
        timed = true;
        getProcessingTimeService().registerTimer(due, time -> {
            timed = false;
            if (records == 0) {
                return;
            }
            if (time >= since + waitMillis) {
                flush();
            } else {
                flushAt(since + waitMillis);
            }
        });
    }

    @Override
    public void processWatermark(Watermark mark) throws Exception {
        flush();
        super.processWatermark(mark);
    }

    @Override
    public void prepareSnapshotPreBarrier(long checkpointId) {
        flush();
        if (marksBarriers) {
            for (String laneKey : laneKeys) {
                output.collect(new StreamRecord<>(Row.of(laneKey, Bundles.pack(Bundles.SOURCE, List.of(), 0))));
            }
        }
    }

    @Override
    public void endInput() {
        flush();
    }

    private void flush() {
        if (records == 0) {
            return;
        }
        for (int lane = 0; lane < laneKeys.length; lane++) {
            List<byte[]> frames = lanes.get(lane);
            if (!frames.isEmpty()) {
                byte[] bundle = Bundles.pack(Bundles.SOURCE, frames, laneBytes[lane]);
                frames.clear();
                laneBytes[lane] = 0;
                output.collect(new StreamRecord<>(Row.of(laneKeys[lane], bundle)));
            }
        }
        records = 0;
        bytes = 0;
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
