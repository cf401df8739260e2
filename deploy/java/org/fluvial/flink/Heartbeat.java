package org.fluvial.flink;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.KafkaException;

/**
 * Says at short intervals that a job runs. A thread of its own does it: operators that work for long, or read the log
 * when they start, hold checkpoints up and are alive all the same.
 */
final class Heartbeat implements AutoCloseable {
    private final Lease lease;
    private final KafkaProducer<byte[], byte[]> producer;
    private final ScheduledExecutorService timer;

    Heartbeat(Lease lease) {
        this.lease = lease;
        producer = lease.producer();
        timer = Executors.newSingleThreadScheduledExecutor(task -> {
            Thread thread = new Thread(task, "lease-heartbeat");
            thread.setDaemon(true);
            return thread;
        });
        timer.scheduleWithFixedDelay(this::beat, 0, lease.heartbeatMillis, TimeUnit.MILLISECONDS);
    }

    private void beat() {
        try {
            producer.send(record(lease, lease.running));
        } catch (KafkaException brokerIsAway) {
            // The next one may arrive. Whoever waits for it too long may take the stages over, which does no harm.
        }
    }

    /** Tell, once, that the job ends because a transaction was lost. */
    static void tellOfLostTransaction(Lease lease) {
        try (KafkaProducer<byte[], byte[]> producer = lease.producer()) {
            producer.send(record(lease, lease.transactionLost));
            producer.close(Duration.ofSeconds(5));
        } catch (KafkaException brokerIsAway) {
            // The job's failure says the same.
        }
    }

    private static ProducerRecord<byte[], byte[]> record(Lease lease, byte[] value) {
        byte[] key = Long.toString(lease.epoch).getBytes(StandardCharsets.UTF_8);
        return new ProducerRecord<>(lease.heartbeats, 0, key, value);
    }

    @Override
    public void close() {
        timer.shutdownNow();
        producer.close(Duration.ZERO);
    }
}
