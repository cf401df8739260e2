package org.fluvial.flink;

import java.util.ArrayList;
import java.util.List;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.BoundedOneInput;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

/**
 * Gathers source frames (see {@link FrameDeserializer}) into bundles, in their order.
 *
 * <p>Nothing is held for longer than {@code waitMillis}, beyond so many records or bytes, over a watermark or over a
 * checkpoint barrier: there is no state, and a bundle is before a barrier or after it as a whole. An operator behind it
 * that holds something back, or acts outside of Flink, is told of every barrier: an empty bundle comes right before it.
 * What it has begun it can then end, so that a checkpoint covers nothing that is only on its way.
 */
public final class GatherFrames extends AbstractStreamOperator<byte[]>
        implements OneInputStreamOperator<byte[], byte[]>, BoundedOneInput {
    private static final long serialVersionUID = 1L;

    private final int maxRecords;
    private final int maxBytes;
    private final long waitMillis;
    private final boolean marksBarriers;

    private transient List<byte[]> frames;
    private transient int bytes;
    private transient long since;
    private transient boolean timed;

    /**
     * @param maxRecords most records held
     * @param maxBytes bytes held from which on all are sent
     * @param waitMillis longest time that a record is held
     * @param marksBarriers whether an empty bundle comes before each checkpoint barrier
     */
    public GatherFrames(int maxRecords, int maxBytes, long waitMillis, boolean marksBarriers) {
        this.maxRecords = maxRecords;
        this.maxBytes = maxBytes;
        this.waitMillis = waitMillis;
        this.marksBarriers = marksBarriers;
    }

    @Override
    public void open() throws Exception {
        super.open();
        frames = new ArrayList<>();
    }

    @Override
    public void processElement(StreamRecord<byte[]> element) {
        byte[] frame = element.getValue();
        if (frames.isEmpty()) {
            since = getProcessingTimeService().getCurrentProcessingTime();
        }
        frames.add(frame);
        bytes += frame.length;
        if (frames.size() >= maxRecords || bytes >= maxBytes) {
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
            if (frames.isEmpty()) {
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
            emit();
        }
    }

    @Override
    public void endInput() {
        flush();
        if (marksBarriers) {
            emit();
        }
    }

    private void flush() {
        if (!frames.isEmpty()) {
            emit();
        }
    }

    private void emit() {
        byte[] bundle = Bundles.pack(Bundles.SOURCE, frames, bytes);
        frames.clear();
        bytes = 0;
        output.collect(new StreamRecord<>(bundle));
    }
}
