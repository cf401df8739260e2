package org.fluvial.flink;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.HexFormat;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.header.Header;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.header.Headers;

/**
 * Proves that a stage of the federation wrote a record: HMAC-SHA256 over the record, as a header of it.
 *
 * <p>The Python twin, {@code pipelines.flink.stage_mac}, says what is covered, what the key's file holds and why. Not for
 * several threads at once.
 */
final class StageMac {
    static final String HEADER = "fluvial-mac";

    private static final String COVERED = "fluvial-";
    private static final String ALGORITHM = "HmacSHA256";
    private static final byte[] PURPOSE = "fluvial stage mac v1\u0001".getBytes(StandardCharsets.UTF_8);

    private final Mac mac;
    private final long sinceMillis;

    private StageMac(Mac mac, long sinceMillis) {
        this.mac = mac;
        this.sinceMillis = sinceMillis;
    }

    /** @param file the key's file in the folder of keys, which {@code fluvial up} makes */
    static StageMac load(String file) throws IOException {
        String[] words = Files.readString(Path.of(file)).strip().split(" ");
        try {
            Mac derive = Mac.getInstance(ALGORITHM);
            derive.init(new SecretKeySpec(HexFormat.of().parseHex(words[0]), ALGORITHM));
            Mac mac = Mac.getInstance(ALGORITHM);
            mac.init(new SecretKeySpec(derive.doFinal(PURPOSE), ALGORITHM));
            return new StageMac(mac, Long.parseLong(words[1]));
        } catch (GeneralSecurityException | IllegalArgumentException | ArrayIndexOutOfBoundsException error) {
            throw new IOException(file + " holds no key of stages", error);
        }
    }

    byte[] of(String topic, byte[] key, Headers headers, byte[] value) {
        byte[] name = topic.getBytes(StandardCharsets.UTF_8);
        byte[] content = orEmpty(value);
        int size = Short.BYTES + name.length + fieldBytes(key) + Short.BYTES + fieldBytes(content);
        int count = 0;
        for (Header header : headers) {
            if (isCovered(header)) {
                count++;
                size += Short.BYTES + utf8(header).length + fieldBytes(orEmpty(header.value()));
            }
        }
        // In one piece: each that the digest is fed with by itself costs as much as a block of it.
        ByteBuffer covered = ByteBuffer.allocate(size);
        covered.putShort((short) name.length).put(name);
        put(covered, key);
        covered.putShort((short) count);
        for (Header header : headers) {
            if (isCovered(header)) {
                byte[] named = utf8(header);
                covered.putShort((short) named.length).put(named);
                put(covered, orEmpty(header.value()));
            }
        }
        put(covered, content);
        return mac.doFinal(covered.array());
    }

    /** Whether a stage wrote this record, or the broker had it before there was a key. */
    boolean proves(ConsumerRecord<byte[], byte[]> record) {
        if (record.timestamp() < sinceMillis) {
            return true;
        }
        Header header = record.headers().lastHeader(HEADER);
        return header != null
                && header.value() != null
                && MessageDigest.isEqual(
                        header.value(), of(record.topic(), record.key(), record.headers(), record.value()));
    }

    private static boolean isCovered(Header header) {
        return header.key().startsWith(COVERED) && !header.key().equals(HEADER);
    }

    private static byte[] orEmpty(byte[] bytes) {
        return bytes == null ? new byte[0] : bytes;
    }

    private static byte[] utf8(Header header) {
        return header.key().getBytes(StandardCharsets.UTF_8);
    }

    private static int fieldBytes(byte[] bytes) {
        return Integer.BYTES + (bytes == null ? 0 : bytes.length);
    }

    private static void put(ByteBuffer out, byte[] bytes) {
        out.putInt(bytes == null ? -1 : bytes.length);
        if (bytes != null) {
            out.put(bytes);
        }
    }
}
