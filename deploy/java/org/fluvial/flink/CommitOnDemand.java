package org.fluvial.flink;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.apache.flink.runtime.jobgraph.OperatorID;
import org.apache.flink.runtime.operators.coordination.OperatorCoordinator;
import org.apache.flink.runtime.operators.coordination.OperatorEvent;
import org.apache.flink.runtime.operators.coordination.OperatorEventGateway;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.AbstractStreamOperatorFactory;
import org.apache.flink.streaming.api.operators.ChainingStrategy;
import org.apache.flink.streaming.api.operators.CoordinatedOperatorFactory;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.api.operators.OneInputStreamOperatorFactory;
import org.apache.flink.streaming.api.operators.StreamOperator;
import org.apache.flink.streaming.api.operators.StreamOperatorParameters;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

/**
 * Passes records on to the sink, and asks for a checkpoint when there is something to commit: once for what comes between
 * two barriers. It stands right before a sink with one subtask.
 *
 * <p>Records become visible with the checkpoint that covers them, so checkpoints at a fixed interval make each record wait
 * for half of it, and cost the same while nothing happens. {@link CheckpointRequests}, in the JobManager, begins one a moment
 * after the first record, and one as soon as the job runs; the fixed interval of the job is for what has nothing to commit.
 * Of some topics it says that they are urgent, although it may have asked before.
 */
public final class CommitOnDemand extends AbstractStreamOperator<byte[]> implements OneInputStreamOperator<byte[], byte[]> {
    private static final long serialVersionUID = 1L;

    private final transient OperatorEventGateway coordinator;
    private final transient byte[][] urgentTopics;
    private transient boolean asked;
    private transient boolean askedUrgently;

    /** There is something to commit. */
    static final class Asked implements OperatorEvent {
        private static final long serialVersionUID = 1L;

        final boolean urgent;

        Asked(boolean urgent) {
            this.urgent = urgent;
        }
    }

    private CommitOnDemand(StreamOperatorParameters<byte[]> parameters, String[] urgentTopics) {
        super(parameters);
        this.urgentTopics = new byte[urgentTopics.length][];
        for (int at = 0; at < urgentTopics.length; at++) {
            this.urgentTopics[at] = urgentTopics[at].getBytes(StandardCharsets.UTF_8);
        }
        coordinator = parameters.getOperatorEventDispatcher()
                .getOperatorEventGateway(parameters.getStreamConfig().getOperatorID());
    }

    @Override
    public void processElement(StreamRecord<byte[]> element) {
        if (!askedUrgently) {
            boolean urgent = isUrgent(element.getValue());
            if (urgent || !asked) {
                asked = true;
                askedUrgently = urgent;
                coordinator.sendEventToCoordinator(new Asked(urgent));
            }
        }
        output.collect(element);
    }

    /** Whether the sink frame, which begins with its topic ({@link FrameSerializer}), is of one of those topics. */
    private boolean isUrgent(byte[] frame) {
        int end = Short.BYTES + Short.toUnsignedInt(ByteBuffer.wrap(frame).getShort());
        for (byte[] topic : urgentTopics) {
            if (Arrays.equals(frame, Short.BYTES, end, topic, 0, topic.length)) {
                return true;
            }
        }
        return false;
    }

    @Override
    public void prepareSnapshotPreBarrier(long checkpointId) {
        asked = false;
        askedUrgently = false;
    }

    /** Makes the operator, and beside the job's other coordinators the one that begins its checkpoints. */
    public static final class Factory extends AbstractStreamOperatorFactory<byte[]>
            implements OneInputStreamOperatorFactory<byte[], byte[]>, CoordinatedOperatorFactory<byte[]> {
        private static final long serialVersionUID = 1L;

        private final long intervalMillis;
        private final String[] urgentTopics;

        /**
         * @param intervalMillis between checkpoints while there is always something to commit; a few may come sooner
         * @param urgentTopics those whose records do not wait for the interval ({@link CheckpointPace})
         */
        public Factory(long intervalMillis, String[] urgentTopics) {
            this.intervalMillis = intervalMillis;
            this.urgentTopics = urgentTopics.clone();
            setChainingStrategy(ChainingStrategy.ALWAYS);
        }

        @Override
        @SuppressWarnings("unchecked")
        public <T extends StreamOperator<byte[]>> T createStreamOperator(StreamOperatorParameters<byte[]> parameters) {
            return (T) new CommitOnDemand(parameters, urgentTopics);
        }

        @Override
        @SuppressWarnings("rawtypes")
        public Class<? extends StreamOperator> getStreamOperatorClass(ClassLoader classLoader) {
            return CommitOnDemand.class;
        }

        @Override
        public OperatorCoordinator.Provider getCoordinatorProvider(String name, OperatorID operator) {
            return new CheckpointRequests.Provider(operator, intervalMillis);
        }
    }
}
