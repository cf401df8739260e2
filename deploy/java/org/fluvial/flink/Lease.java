package org.fluvial.flink;

import java.io.Serializable;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.serialization.ByteArraySerializer;

/** The lease that a job holds: what it took, where that lies, and what it says of itself while it runs. */
public final class Lease implements Serializable {
    private static final long serialVersionUID = 1L;

    final String topic;
    final long epoch;
    final long offset;
    final List<String> stages;
    final String mediaType;
    final byte[] publicKey;
    final String heartbeats;
    final byte[] running;
    final byte[] transactionLost;
    final long heartbeatMillis;
    byte[] alarm = new byte[0];
    private final HashMap<String, String> client;

    /**
     * @param client how the brokers are reached
     * @param topic the topic of the leases, which has one partition
     * @param epoch of the lease that the job took
     * @param offset where that lease lies
     * @param stages of the job
     * @param mediaType of leases, which names the federation
     * @param publicKey Ed25519 key that signs leases
     * @param heartbeats the topic of the heartbeats
     * @param running record that says that the job runs
     * @param transactionLost record that says that it ended because a transaction was lost
     * @param heartbeatMillis pause between two heartbeats
     */
    public Lease(
            Map<String, String> client,
            String topic,
            long epoch,
            long offset,
            String[] stages,
            String mediaType,
            byte[] publicKey,
            String heartbeats,
            byte[] running,
            byte[] transactionLost,
            long heartbeatMillis) {
        this.client = new HashMap<>(client);
        this.topic = topic;
        this.epoch = epoch;
        this.offset = offset;
        this.stages = List.of(stages);
        this.mediaType = mediaType;
        this.publicKey = publicKey.clone();
        this.heartbeats = heartbeats;
        this.running = running.clone();
        this.transactionLost = transactionLost.clone();
        this.heartbeatMillis = heartbeatMillis;
    }

    /** Has the job write this sink frame with its first checkpoint. */
    public void tell(byte[] alarm) {
        this.alarm = alarm.clone();
    }

    /** A consumer that belongs to no group. isolation: read_committed or read_uncommitted. */
    KafkaConsumer<byte[], byte[]> consumer(String isolation) {
        Map<String, Object> settings = new HashMap<>(client);
        settings.put(ConsumerConfig.ISOLATION_LEVEL_CONFIG, isolation);
        settings.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, "false");
        settings.put(ConsumerConfig.ALLOW_AUTO_CREATE_TOPICS_CONFIG, "false");
        settings.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "none");
        settings.put(ConsumerConfig.DEFAULT_API_TIMEOUT_MS_CONFIG, "30000");
        settings.put(ConsumerConfig.FETCH_MAX_WAIT_MS_CONFIG, "100");
        return new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    /** A producer for what the job says of itself: hints, so nothing waits for them long. */
    KafkaProducer<byte[], byte[]> producer() {
        Map<String, Object> settings = new HashMap<>(client);
        settings.put(ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG, "false");
        settings.put(ProducerConfig.ACKS_CONFIG, "1");
        settings.put(ProducerConfig.BUFFER_MEMORY_CONFIG, "262144");
        settings.put(ProducerConfig.BATCH_SIZE_CONFIG, "4096");
        settings.put(ProducerConfig.MAX_BLOCK_MS_CONFIG, "5000");
        settings.put(ProducerConfig.REQUEST_TIMEOUT_MS_CONFIG, "5000");
        settings.put(ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG, "10000");
        return new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer());
    }
}
