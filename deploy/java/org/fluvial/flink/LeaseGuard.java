package org.fluvial.flink;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.KafkaException;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.TopicPartition;
import org.apache.flink.runtime.execution.SuppressRestartsException;

/** Looks whether a job still holds its stages. One thread at a time. */
final class LeaseGuard implements AutoCloseable {
    private static final long TIMEOUT_NANOS = 30_000_000_000L;

    private final Lease lease;
    private final TopicPartition partition;
    private final KafkaConsumer<byte[], byte[]> consumer;
    private long newest;
    private LeaseRecord successor;

    LeaseGuard(Lease lease) {
        this.lease = lease;
        partition = new TopicPartition(lease.topic, 0);
        consumer = lease.consumer("read_uncommitted");
        consumer.assign(List.of(partition));
        consumer.seek(partition, lease.offset + 1);
        newest = lease.epoch;
    }

    /**
     * Returns if the job held its stages at some moment after the call began: the end of the topic is asked for anew,
     * and everything up to it was read. Throws SuppressRestartsException when another job has taken one of them, and
     * IOException when the broker does not answer.
     */
    void check() throws IOException {
        try {
            long end = consumer.endOffsets(Set.of(partition)).get(partition);
            long deadline = System.nanoTime() + TIMEOUT_NANOS;
            while (consumer.position(partition) < end && successor == null) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
                    read(record.value());
                }
                if (System.nanoTime() > deadline) {
                    throw new IOException("the topic " + lease.topic + " cannot be read to its end");
                }
            }
        } catch (KafkaException error) {
            throw new IOException("it is not known whether the job still holds its stages", error);
        }
        if (successor != null) {
            throw new SuppressRestartsException(new LeaseLost(lease, successor));
        }
    }

    /** A lease counts if it is signed and the next one: copies of old ones and those that came second do not. */
    private void read(byte[] value) {
        LeaseRecord next = LeaseRecord.read(value, lease.mediaType, lease.publicKey);
        if (next == null || next.epoch != newest + 1) {
            return;
        }
        newest = next.epoch;
        if (successor == null && next.concerns(lease.stages)) {
            successor = next;
        }
    }

    @Override
    public void close() {
        consumer.close(org.apache.flink.kafka.shaded.org.apache.kafka.clients.consumer.CloseOptions.timeout(Duration.ZERO));
    }
}
