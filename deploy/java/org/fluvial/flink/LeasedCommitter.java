package org.fluvial.flink;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import org.apache.flink.api.connector.sink2.Committer;
import org.apache.flink.connector.kafka.sink.KafkaCommittable;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.KafkaException;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.TopicPartition;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.errors.InvalidPidMappingException;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.errors.InvalidTxnStateException;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.errors.TransactionAbortedException;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.errors.UnknownProducerIdException;
import org.apache.flink.runtime.execution.SuppressRestartsException;

/**
 * Commits prepared transactions, and takes no refusal for granted.
 *
 * <p>The connector logs that a transaction cannot be committed and goes on, although its records are lost. After a
 * restart that may be right: the id may have been used again since the transaction was committed. So whether it was is
 * looked up in the log, at the place of one of its records. If it was not, the job ends: nothing that comes after may
 * be committed, and what is missing is made again from the log.
 */
final class LeasedCommitter implements Committer<Witnessed> {
    private static final long TIMEOUT_NANOS = 30_000_000_000L;

    private final Committer<KafkaCommittable> committer;
    private final Lease lease;

    LeasedCommitter(Committer<KafkaCommittable> committer, Lease lease) {
        this.committer = committer;
        this.lease = lease;
    }

    @Override
    public void commit(Collection<CommitRequest<Witnessed>> requests) throws IOException, InterruptedException {
        for (CommitRequest<Witnessed> outer : requests) { // one by one: none may follow one that was lost
            Request request = new Request(outer);
            List<CommitRequest<KafkaCommittable>> single = new ArrayList<>(List.of(request));
            committer.commit(single);
            if (request.refusal != null) {
                settle(outer, request.refusal);
            }
        }
    }

    private void settle(CommitRequest<Witnessed> request, Throwable refusal) throws IOException {
        Witnessed transaction = request.getCommittable();
        try (LeaseGuard guard = new LeaseGuard(lease)) {
            guard.check();
        }
        if (isCommitted(transaction)) {
            request.signalAlreadyCommitted();
            return;
        }
        Heartbeat.tellOfLostTransaction(lease);
        String id = transaction.committable.getTransactionalId();
        throw new SuppressRestartsException(new TransactionLost(id, refusal));
    }

    /** Whether a reader of committed records meets the witness. Throws IOException when the broker does not say. */
    private boolean isCommitted(Witnessed transaction) throws IOException {
        if (transaction.offset < 0) {
            return false;
        }
        TopicPartition partition = new TopicPartition(transaction.topic, transaction.partition);
        long deadline = System.nanoTime() + TIMEOUT_NANOS;
        try (KafkaConsumer<byte[], byte[]> consumer = lease.consumer("read_committed")) {
            consumer.assign(List.of(partition));
            consumer.seek(partition, transaction.offset);
            while (consumer.position(partition) <= transaction.offset) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
                    return record.offset() == transaction.offset;
                }
                if (System.nanoTime() > deadline) {
                    throw new IOException("it is not known what became of the transaction " + transaction);
                }
            }
            return false;
        } catch (OffsetOutOfRangeException error) {
            return false; // taken by retention: it cannot be told any more
        } catch (KafkaException error) {
            throw new IOException("it is not known what became of the transaction " + transaction, error);
        }
    }

    private static boolean isRefusal(Throwable error) {
        return error instanceof ProducerFencedException
                || error instanceof InvalidProducerEpochException
                || error instanceof InvalidTxnStateException
                || error instanceof InvalidPidMappingException
                || error instanceof TransactionAbortedException
                || error instanceof UnknownProducerIdException;
    }

    @Override
    public void close() throws Exception {
        committer.close();
    }

    /** Hands the connector its own committable, and keeps what it says against committing it. */
    private static final class Request implements CommitRequest<KafkaCommittable> {
        private final CommitRequest<Witnessed> outer;
        private Throwable refusal;

        Request(CommitRequest<Witnessed> outer) {
            this.outer = outer;
        }

        @Override
        public KafkaCommittable getCommittable() {
            return outer.getCommittable().committable;
        }

        @Override
        public int getNumberOfRetries() {
            return outer.getNumberOfRetries();
        }

        @Override
        public void signalFailedWithKnownReason(Throwable error) {
            refusal = error;
        }

        @Override
        public void signalFailedWithUnknownReason(Throwable error) {
            if (isRefusal(error)) {
                refusal = error;
            } else {
                outer.signalFailedWithUnknownReason(error);
            }
        }

        @Override
        public void retryLater() {
            outer.retryLater();
        }

        @Override
        public void updateAndRetryLater(KafkaCommittable committable) {
            Witnessed before = outer.getCommittable();
            outer.updateAndRetryLater(new Witnessed(committable, before.topic, before.partition, before.offset));
        }

        @Override
        public void signalAlreadyCommitted() {
            outer.signalAlreadyCommitted();
        }
    }
}
