package org.fluvial.flink;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.apache.flink.kafka.shaded.org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.header.Header;

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
    private static final byte[] EMPTY = new byte[0];
    private static final byte[] PURPOSE = "fluvial stage mac v1\u0001".getBytes(StandardCharsets.UTF_8);

    private final Mac mac;
    private final long sinceMillis;
    private byte[] covered = new byte[1 << 10];
    private int size;
    private int numHeaders;
    private int numHeadersAt;

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

    /** Begins with a record: of this topic, with this key. */
    void begin(byte[] topic, byte[] key) {
        size = 0;
        numHeaders = 0;
        putName(topic);
        putField(key);
        numHeadersAt = size;
        grow(Short.BYTES);
        size += Short.BYTES;
    }

    /** The record's next header, of those that are covered. */
    void header(byte[] name, byte[] value) {
        numHeaders++;
        putName(name);
        putField(orEmpty(value));
    }

    /** The proof of the record with this value. */
    byte[] proof(byte[] value) {
        BigEndian.putUint16(covered, numHeadersAt, numHeaders);
        putField(orEmpty(value));
        // In one piece: each that the digest is fed with by itself costs as much as a block of it.
        mac.update(covered, 0, size);
        return mac.doFinal();
    }

    /** Whether a header of this name is part of what is proven. */
    static boolean covers(String name) {
        return name.startsWith(COVERED) && !name.equals(HEADER);
    }

    /** Whether a stage wrote this record, or the broker had it before there was a key. */
    boolean proves(ConsumerRecord<byte[], byte[]> record) {
        if (record.timestamp() < sinceMillis) {
            return true;
        }
        begin(record.topic().getBytes(StandardCharsets.UTF_8), record.key());
        byte[] told = null;
        for (Header header : record.headers()) {
            String name = header.key();
            if (name.equals(HEADER)) {
                told = header.value();
            } else if (name.startsWith(COVERED)) {
                header(name.getBytes(StandardCharsets.UTF_8), header.value());
            }
        }
        return told != null && MessageDigest.isEqual(told, proof(record.value()));
    }

    private void putName(byte[] name) {
        grow(Short.BYTES + name.length);
        BigEndian.putUint16(covered, size, name.length);
        System.arraycopy(name, 0, covered, size + Short.BYTES, name.length);
        size += Short.BYTES + name.length;
    }

    private void putField(byte[] field) {
        int length = field == null ? 0 : field.length;
        grow(Integer.BYTES + length);
        BigEndian.putInt32(covered, size, field == null ? -1 : length);
        if (field != null) {
            System.arraycopy(field, 0, covered, size + Integer.BYTES, length);
        }
        size += Integer.BYTES + length;
    }

    private void grow(int bytes) {
        if (size + bytes > covered.length) {
            covered = Arrays.copyOf(covered, Math.max(size + bytes, 2 * covered.length));
        }
    }

    private static byte[] orEmpty(byte[] bytes) {
        return bytes == null ? EMPTY : bytes;
    }
}
