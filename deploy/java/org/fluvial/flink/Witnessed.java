package org.fluvial.flink;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import org.apache.flink.connector.kafka.sink.KafkaCommittable;
import org.apache.flink.core.io.SimpleVersionedSerializer;

/**
 * A prepared transaction, and where one of its records lies. When the broker refuses to commit it, because its id has a
 * newer epoch, that record tells whether the transaction was committed before or was aborted.
 */
final class Witnessed {
    final KafkaCommittable committable;
    final String topic;
    final int partition;
    final long offset;

    Witnessed(KafkaCommittable committable, String topic, int partition, long offset) {
        this.committable = committable;
        this.topic = topic;
        this.partition = partition;
        this.offset = offset;
    }

    @Override
    public String toString() {
        return committable.getTransactionalId() + " with " + topic + "/" + partition + "@" + offset;
    }

    /** Form: int32 version and int32 length of the connector's form, that form; topic, int32 partition, int64 offset. */
    static final class Serializer implements SimpleVersionedSerializer<Witnessed> {
        private final SimpleVersionedSerializer<KafkaCommittable> inner;

        Serializer(SimpleVersionedSerializer<KafkaCommittable> inner) {
            this.inner = inner;
        }

        @Override
        public int getVersion() {
            return 1;
        }

        @Override
        public byte[] serialize(Witnessed witnessed) throws IOException {
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            DataOutputStream out = new DataOutputStream(bytes);
            byte[] committable = inner.serialize(witnessed.committable);
            out.writeInt(inner.getVersion());
            out.writeInt(committable.length);
            out.write(committable);
            out.writeUTF(witnessed.topic);
            out.writeInt(witnessed.partition);
            out.writeLong(witnessed.offset);
            return bytes.toByteArray();
        }

        @Override
        public Witnessed deserialize(int version, byte[] serialized) throws IOException {
            if (version != 1) {
                throw new IOException("a prepared transaction in form " + version + "; this job reads form 1");
            }
            DataInputStream in = new DataInputStream(new ByteArrayInputStream(serialized));
            int innerVersion = in.readInt();
            byte[] committable = in.readNBytes(in.readInt());
            return new Witnessed(inner.deserialize(innerVersion, committable), in.readUTF(), in.readInt(), in.readLong());
        }
    }
}
