import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.File;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.KeyFactory;
import java.security.MessageDigest;
import java.security.Signature;
import java.security.spec.X509EncodedKeySpec;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericEnumSymbol;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.DecoderFactory;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * Reads a federation's audit log with no code of Fluvial's: prints every event, checks the hash chain and checkpoints.
 *
 * <pre>java -cp 'lib/*' Consume.java FEDERATION.JSON FINGERPRINTS.JSON [COUNT]</pre>
 *
 * It follows the log; with COUNT it ends once a checkpoint over so many leaves is verified. What is no record of the log is
 * told on standard error, and passed over; what contradicts the log ends it.
 */
public class Consume {
    record Version(int number, Schema schema) {}

    static final Map<String, Version> VERSIONS = new HashMap<>();
    static final HexFormat HEX = HexFormat.of();

    static void demand(boolean holds, String message) {
        if (!holds) throw new IllegalStateException(message);
    }

    static byte[] sha256(byte[]... parts) throws Exception {
        MessageDigest digest = MessageDigest.getInstance("SHA-256");
        for (byte[] part : parts) digest.update(part);
        return digest.digest();
    }

    /** The version that Avro single-object encoding names: C3 01, the fingerprint of the schema that wrote it, data. */
    static Version versionOf(byte[] data) {
        demand(data != null && data.length > 10 && data[0] == (byte) 0xC3 && data[1] == 1, "no single-object header");
        Version found = VERSIONS.get(HEX.formatHex(data, 2, 10));
        demand(found != null, "no schema has this fingerprint");
        return found;
    }

    static GenericRecord decode(byte[] data) throws Exception {
        var decoder = DecoderFactory.get().binaryDecoder(data, 10, data.length - 10, null);
        return new GenericDatumReader<GenericRecord>(versionOf(data).schema()).read(null, decoder);
    }

    /** A leaf of the log; null, and told, for what is none: anybody may write to a broker that asks nobody who he is. */
    static GenericRecord leafOf(ConsumerRecord<byte[], byte[]> message, int there) {
        try {
            GenericRecord leaf = decode(message.value());
            demand(leaf.getSchema().getName().equals("SequencedEvent"), "another record");
            demand((Long) leaf.get("sequence") >= there, "leaf " + leaf.get("sequence") + " is there already");
            return leaf;
        } catch (Exception | OutOfMemoryError error) {
            passOver(message, error);
            return null;
        }
    }

    static void passOver(ConsumerRecord<byte[], byte[]> message, Throwable why) {
        System.err.printf("%s@%d is passed over: %s%n", message.topic(), message.offset(), why.getMessage());
    }

    /** Version and fields of an event's record, unless a newer release wrote it, of which these schemas know nothing. */
    static String told(byte[] data) {
        try {
            return versionOf(data).number() + " " + plain(decode(data));
        } catch (Exception error) {
            return "cannot be read: " + error.getMessage();
        }
    }

    static byte[] bytes(Object value) {
        byte[] copy = new byte[((ByteBuffer) value).remaining()];
        ((ByteBuffer) value).duplicate().get(copy);
        return copy;
    }

    /** The record's numbers, texts, enums and truth values, in the order of its schema. */
    static String plain(GenericRecord record) {
        return record.getSchema().getFields().stream()
            .filter(field -> Stream.of(CharSequence.class, GenericEnumSymbol.class, Long.class, Integer.class, Boolean.class)
                .anyMatch(kind -> kind.isInstance(record.get(field.name()))))
            .map(field -> field.name() + "=" + record.get(field.name()))
            .collect(Collectors.joining(" "));
    }

    /** Merkle tree hash (RFC 6962, 2.1) over the hashes of leaves. */
    static byte[] root(List<byte[]> hashes) throws Exception {
        if (hashes.size() == 1) return hashes.get(0);
        int split = Integer.highestOneBit(hashes.size() - 1);
        return sha256(new byte[] {1}, root(hashes.subList(0, split)), root(hashes.subList(split, hashes.size())));
    }

    /** Lines of a checkpoint (C2SP tlog-checkpoint), its Ed25519 signature checked with the federation's key. */
    static String[] verified(String logKey, String note) throws Exception {
        String[] key = logKey.split("\\+", 3);
        String[] parts = note.split("\n\n", 2);
        String line = parts[1].lines().filter(each -> each.split(" ")[1].equals(key[0])).findFirst().orElseThrow();
        byte[] signature = Base64.getDecoder().decode(line.split(" ")[2]);
        byte[] raw = Base64.getDecoder().decode(key[2]);
        byte[] der = HEX.parseHex("302a300506032b6570032100" + HEX.formatHex(raw, 1, raw.length));
        Signature verifier = Signature.getInstance("Ed25519");
        verifier.initVerify(KeyFactory.getInstance("Ed25519").generatePublic(new X509EncodedKeySpec(der)));
        verifier.update((parts[0] + "\n").getBytes(StandardCharsets.UTF_8));
        demand(verifier.verify(signature, 4, signature.length - 4), "a checkpoint that is not signed by the log");
        demand(parts[0].startsWith(key[0] + "\n"), "a checkpoint of another log");
        return parts[0].split("\n");
    }

    public static void main(String[] arguments) throws Exception {
        ObjectMapper mapper = new ObjectMapper();
        JsonNode federation = mapper.readTree(new File(arguments[0]));
        for (var entry : mapper.readTree(new File(arguments[1])).properties()) {
            Schema schema = new Schema.Parser().parse(entry.getValue().get("schema").toString());
            VERSIONS.put(entry.getKey(), new Version(entry.getValue().get("version").asInt(), schema));
        }
        int count = arguments.length > 2 ? Integer.parseInt(arguments[2]) : -1;

        Properties settings = new Properties();
        settings.put("bootstrap.servers", federation.get("bootstrap_servers").asText());
        settings.put("isolation.level", "read_committed");
        settings.put("auto.offset.reset", "earliest");
        settings.put("enable.auto.commit", "false");
        List<byte[]> leaves = new ArrayList<>();
        byte[] previous = new byte[32];
        List<String[]> checkpoints = new ArrayList<>();
        try (var consumer = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            String prefix = federation.get("topic_prefix").asText();
            consumer.assign(
                List.of(new TopicPartition(prefix + "audit", 0), new TopicPartition(prefix + "checkpoints", 0)));
            while (true) {
                for (var message : consumer.poll(Duration.ofSeconds(1))) {
                    byte[] value = message.value();
                    if (message.topic().endsWith("checkpoints")) {
                        try {
                            String note = new String(value, StandardCharsets.UTF_8);
                            checkpoints.add(verified(federation.get("log_key").asText(), note));
                        } catch (Exception error) {
                            passOver(message, error);
                        }
                    } else {
                        GenericRecord leaf = leafOf(message, leaves.size());
                        if (leaf == null) continue;
                        demand((Long) leaf.get("sequence") == leaves.size(), "leaf " + leaves.size() + " has another number");
                        demand(Arrays.equals(bytes(leaf.get("previous_sha256")), previous), "the chain is broken");
                        previous = sha256(value);
                        leaves.add(sha256(new byte[] {0}, value));
                        GenericRecord event = (GenericRecord) leaf.get("event");
                        System.out.printf("%s %s %s %s%n", leaf.get("sequence"), event.get("type"),
                            event.get("subject"), told(bytes(event.get("data"))));
                    }
                    for (String[] lines : List.copyOf(checkpoints)) {
                        int size = Integer.parseInt(lines[1]);
                        if (size > leaves.size()) continue;
                        checkpoints.remove(lines);
                        byte[] expected = Base64.getDecoder().decode(lines[2]);
                        boolean same = size == 0 || Arrays.equals(root(leaves.subList(0, size)), expected);
                        demand(same, "not the leaves of the checkpoint of " + size);
                        System.out.printf("checkpoint %d %s%n", size, HEX.formatHex(expected));
                        if (size == count) return;
                    }
                }
            }
        }
    }
}
