package org.fluvial.flink;

import java.io.IOException;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.apache.flink.api.connector.sink2.CommittingSinkWriter;
import org.apache.flink.api.connector.sink2.StatefulSinkWriter;
import org.apache.flink.api.connector.sink2.SupportsWriterState;
import org.apache.flink.api.connector.sink2.WriterInitContext;
import org.apache.flink.connector.kafka.sink.KafkaCommittable;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.sink.KafkaWriterState;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.flink.util.IOUtils;

/**
 * Writes records in the connector's transactions, and looks at the lease between a transaction's beginning and its first
 * record.
 *
 * <p>"Beginning" is when the broker gave the transaction's id its epoch: the connector asks for one before each
 * transaction. A job that takes the stages over writes its lease first and makes the broker raise the epochs of all ids
 * that it then finds. So a transaction that began before is refused at its commit, and one that began after finds the
 * lease. No clock is involved, and it does not matter where the process was stopped in between, or for how long.
 */
final class LeasedWriter
        implements StatefulSinkWriter<byte[], KafkaWriterState>, CommittingSinkWriter<byte[], Witnessed> {
    private static final System.Logger LOG = System.getLogger(LeasedWriter.class.getName());
    private static final long IDLE_CHECK_NANOS = 1_000_000_000L;
    private static final Context NO_TIME = new Context() {
        @Override
        public long currentWatermark() {
            return Long.MIN_VALUE;
        }

        @Override
        public Long timestamp() {
            return null;
        }
    };

    private final Lease lease;
    private final Heartbeat heartbeat;
    private final LeaseGuard guard;
    private final Frame frame = new Frame();
    private StatefulSinkWriter<Frame, KafkaWriterState> writer;
    private CommittingSinkWriter<Frame, KafkaCommittable> precommitting;
    private byte[] alarm;
    private boolean checked;
    private long checkedAt;
    private volatile RecordMetadata witness;

    private LeasedWriter(Lease lease) {
        this.lease = lease;
        heartbeat = new Heartbeat(lease);
        guard = new LeaseGuard(lease);
    }

    static LeasedWriter open(
            KafkaSink<Frame> sink, Lease lease, WriterInitContext context, Collection<KafkaWriterState> state)
            throws IOException {
        LeasedWriter leased = new LeasedWriter(lease);
        try {
            leased.guard.check(); // early, so that a job that was taken over opens no transaction any more
            leased.begin(sink, context, state);
            return leased;
        } catch (Throwable error) {
            IOUtils.closeAllQuietly(leased.heartbeat, leased.guard);
            throw error;
        }
    }

    @SuppressWarnings("unchecked")
    private void begin(
            SupportsWriterState<Frame, KafkaWriterState> sink, WriterInitContext context, Collection<KafkaWriterState> state)
            throws IOException {
        writer = sink.restoreWriter(observed(context, this::sent), state);
        precommitting = (CommittingSinkWriter<Frame, KafkaCommittable>) writer;
        alarm = state.isEmpty() ? lease.alarm : new byte[0]; // once a checkpoint covers it, it stands in the log
    }

    private void sent(RecordMetadata metadata) {
        if (witness == null && metadata != null && metadata.hasOffset()) {
            witness = metadata;
        }
    }

    /** element: a sink frame, or a bundle of them. */
    @Override
    public void write(byte[] element, Context context) throws IOException, InterruptedException {
        if (!checked) {
            check();
            checked = true;
        }
        frame.open(element);
        while (frame.next()) {
            writer.write(frame, context);
        }
    }

    /** Called for each checkpoint, so that a job that writes nothing notices, too, that it was taken over. */
    @Override
    public void flush(boolean endOfInput) throws IOException, InterruptedException {
        if (alarm.length > 0) {
            write(alarm, NO_TIME);
            alarm = new byte[0];
        }
        if (System.nanoTime() - checkedAt > IDLE_CHECK_NANOS) {
            check();
        }
        writer.flush(endOfInput);
    }

    private void check() throws IOException {
        guard.check();
        checkedAt = System.nanoTime();
    }

    @Override
    public Collection<Witnessed> prepareCommit() throws IOException, InterruptedException {
        RecordMetadata found = witness; // all records are acknowledged: `flush` comes before
        List<Witnessed> prepared = precommitting.prepareCommit().stream()
                .map(committable -> found == null
                        ? new Witnessed(committable, "", -1, -1)
                        : new Witnessed(committable, found.topic(), found.partition(), found.offset()))
                .collect(Collectors.toList());
        witness = null;
        return prepared;
    }

    @Override
    public List<KafkaWriterState> snapshotState(long checkpointId) throws IOException {
        List<KafkaWriterState> state = writer.snapshotState(checkpointId);
        checked = false; // the next transaction has begun
        return state;
    }

    /**
     * Raises nothing. What was not flushed is in no transaction that is committed; and an error here, on top of the one
     * that ends the task, would end the TaskManager: a local job has one, and would wait for another for ever.
     */
    @Override
    public void close() {
        try {
            IOUtils.closeAll(heartbeat, guard, writer);
        } catch (Exception error) {
            LOG.log(System.Logger.Level.WARNING, "the writer's clients did not close as they should", error);
        }
    }

    /** The writer's context, in which `observer` is told where each record came to lie. */
    private static WriterInitContext observed(WriterInitContext context, Consumer<RecordMetadata> observer) {
        InvocationHandler handler = (proxy, method, arguments) -> {
            if (method.getName().equals("metadataConsumer")) {
                return Optional.of(observer);
            }
            try {
                return method.invoke(context, arguments);
            } catch (InvocationTargetException error) {
                throw error.getCause();
            }
        };
        Class<?>[] interfaces = {WriterInitContext.class};
        return (WriterInitContext) Proxy.newProxyInstance(WriterInitContext.class.getClassLoader(), interfaces, handler);
    }
}
