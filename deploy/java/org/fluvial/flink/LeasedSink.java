package org.fluvial.flink;

import java.io.IOException;
import java.util.Collection;
import java.util.List;
import org.apache.flink.api.connector.sink2.Committer;
import org.apache.flink.api.connector.sink2.CommitterInitContext;
import org.apache.flink.api.connector.sink2.Sink;
import org.apache.flink.api.connector.sink2.SinkWriter;
import org.apache.flink.api.connector.sink2.StatefulSinkWriter;
import org.apache.flink.api.connector.sink2.SupportsCommitter;
import org.apache.flink.api.connector.sink2.SupportsWriterState;
import org.apache.flink.api.connector.sink2.WriterInitContext;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.sink.KafkaWriterState;
import org.apache.flink.core.io.SimpleVersionedSerializer;
import org.apache.flink.streaming.api.connector.sink2.CommittableMessage;
import org.apache.flink.streaming.api.connector.sink2.SupportsPostCommitTopology;
import org.apache.flink.streaming.api.datastream.DataStream;

/**
 * The connector's exactly-once sink, for a job that holds a lease: it writes while the job holds its stages, and no
 * transaction is lost without a word.
 *
 * <p>It takes sink frames, and bundles of them, which are parted where their records are written. See {@link
 * LeasedWriter} and {@link LeasedCommitter}; decision 36 in docs/decisions.md has the argument. It
 * has one subtask.
 */
public final class LeasedSink
        implements Sink<byte[]>,
                SupportsWriterState<byte[], KafkaWriterState>,
                SupportsCommitter<Witnessed>,
                SupportsPostCommitTopology<Witnessed> {
    private static final long serialVersionUID = 1L;

    private final KafkaSink<Frame> sink;
    private final Lease lease;

    public LeasedSink(KafkaSink<Frame> sink, Lease lease) {
        this.sink = sink;
        this.lease = lease;
    }

    @Override
    public SinkWriter<byte[]> createWriter(WriterInitContext context) throws IOException {
        return restoreWriter(context, List.of());
    }

    @Override
    public StatefulSinkWriter<byte[], KafkaWriterState> restoreWriter(
            WriterInitContext context, Collection<KafkaWriterState> state) throws IOException {
        return LeasedWriter.open(sink, lease, context, state);
    }

    @Override
    public SimpleVersionedSerializer<KafkaWriterState> getWriterStateSerializer() {
        return sink.getWriterStateSerializer();
    }

    @Override
    public Committer<Witnessed> createCommitter(CommitterInitContext context) throws IOException {
        return new LeasedCommitter(sink.createCommitter(context), lease);
    }

    @Override
    public SimpleVersionedSerializer<Witnessed> getCommittableSerializer() {
        return new Witnessed.Serializer(sink.getCommittableSerializer());
    }

    /** The connector places writer and committer together; it looks at the stream's place in the graph alone. */
    @Override
    @SuppressWarnings({"unchecked", "rawtypes"})
    public void addPostCommitTopology(DataStream<CommittableMessage<Witnessed>> committed) {
        sink.addPostCommitTopology((DataStream) committed);
    }
}
