package org.fluvial.flink;

import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PublicKey;
import java.security.Signature;
import java.security.spec.X509EncodedKeySpec;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * What a job's guard reads of a lease: the first four fields of schemas/lease.avsc, in a signed envelope.
 *
 * <p>Fields are only ever added at the end of a record, so a guard reads the leases of later versions, too. A job that
 * was left running over an upgrade must notice who takes its stages.
 */
final class LeaseRecord {
    private static final int HEADER_BYTES = 10;
    private static final byte[] ED25519_KEY_HEAD = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};

    final long epoch;
    final List<String> stages;
    final String job;
    final String host;

    private LeaseRecord(ByteBuffer payload) {
        payload.position(HEADER_BYTES);
        epoch = varint(payload);
        List<String> names = new ArrayList<>();
        for (long items = blockItems(payload); items != 0; items = blockItems(payload)) {
            for (long item = 0; item < items; item++) {
                names.add(text(payload));
            }
        }
        stages = names;
        job = text(payload);
        host = text(payload);
    }

    /** The lease in a record of topic leases, or null for what the key has not signed as this media type. */
    static LeaseRecord read(byte[] value, String mediaType, byte[] publicKey) {
        if (value == null || value.length < HEADER_BYTES) {
            return null;
        }
        try {
            ByteBuffer envelope = ByteBuffer.wrap(value, HEADER_BYTES, value.length - HEADER_BYTES);
            String payloadType = text(envelope);
            byte[] payload = bytes(envelope);
            if (!mediaType.equals(payloadType) || !isSigned(envelope, payloadType, payload, publicKey)) {
                return null;
            }
            return new LeaseRecord(ByteBuffer.wrap(payload));
        } catch (BufferUnderflowException | IllegalArgumentException error) {
            return null;
        }
    }

    boolean concerns(List<String> others) {
        return !Collections.disjoint(stages, others);
    }

    private static boolean isSigned(ByteBuffer envelope, String payloadType, byte[] payload, byte[] publicKey) {
        for (long items = blockItems(envelope); items != 0; items = blockItems(envelope)) {
            for (long item = 0; item < items; item++) {
                text(envelope); // the name of the key is a hint
                if (verifies(bytes(envelope), payloadType, payload, publicKey)) {
                    return true;
                }
            }
        }
        return false;
    }

    private static boolean verifies(byte[] signature, String payloadType, byte[] payload, byte[] publicKey) {
        try {
            ByteBuffer encoded = ByteBuffer.allocate(ED25519_KEY_HEAD.length + publicKey.length);
            encoded.put(ED25519_KEY_HEAD).put(publicKey);
            PublicKey key = KeyFactory.getInstance("Ed25519").generatePublic(new X509EncodedKeySpec(encoded.array()));
            Signature verifier = Signature.getInstance("Ed25519");
            verifier.initVerify(key);
            String head = "DSSEv1 " + payloadType.length() + " " + payloadType + " " + payload.length + " ";
            verifier.update(head.getBytes(StandardCharsets.UTF_8));
            verifier.update(payload);
            return verifier.verify(signature);
        } catch (GeneralSecurityException error) {
            return false;
        }
    }

    private static long blockItems(ByteBuffer in) {
        long items = varint(in);
        if (items < 0) {
            varint(in); // a block of a negative count tells its bytes, too
            return -items;
        }
        return items;
    }

    private static String text(ByteBuffer in) {
        return new String(bytes(in), StandardCharsets.UTF_8);
    }

    private static byte[] bytes(ByteBuffer in) {
        long length = varint(in);
        if (length < 0 || length > in.remaining()) {
            throw new IllegalArgumentException(length + " bytes where " + in.remaining() + " are left");
        }
        byte[] bytes = new byte[(int) length];
        in.get(bytes);
        return bytes;
    }

    private static long varint(ByteBuffer in) {
        long zigzag = 0;
        for (int shift = 0; shift < Long.SIZE; shift += 7) {
            byte next = in.get();
            zigzag |= (long) (next & 0x7f) << shift;
            if (next >= 0) {
                return (zigzag >>> 1) ^ -(zigzag & 1);
            }
        }
        throw new IllegalArgumentException("a number of more than ten bytes");
    }
}
