package org.fluvial.flink;

import org.apache.flink.kafka.shaded.org.apache.kafka.common.header.Header;
import org.apache.flink.kafka.shaded.org.apache.kafka.common.header.internals.RecordHeader;

/**
 * The headers of sink frames. Most of a leaf's are those of the leaf before: a header that has the name and the bytes of
 * the one that stood in its place last is that very object.
 *
 * <p>Not for several threads at once.
 */
final class FrameHeaders {
    private static final int PLACES = 16;
    private static final int LONGEST_KEPT = 256;

    private final Name.Known known = new Name.Known();
    private final Name[] names = new Name[PLACES];
    private final byte[][] values = new byte[PLACES][];
    private final Header[] headers = new Header[PLACES];

    /** Reads the headers of a frame. proof: is told of each; null where nothing is to be proven. room: of the array that
     * is returned, for headers behind them. */
    Header[] read(Frame frame, StageMac proof, int room) {
        int count = frame.uint16();
        Header[] read = new Header[count + room];
        for (int place = 0; place < count; place++) {
            read[place] = place < PLACES ? kept(frame, place, proof) : made(frame, proof);
        }
        return read;
    }

    private Header kept(Frame frame, int place, StageMac proof) {
        Name name = Name.read(frame, names[place], known);
        int length = frame.int32();
        if (name != names[place] || values[place] == null || !frame.takes(values[place], length)) {
            byte[] value = frame.take(length);
            names[place] = name;
            values[place] = length <= LONGEST_KEPT ? value : null;
            headers[place] = new RecordHeader(name.text, value);
            tell(proof, name, value);
            return headers[place];
        }
        tell(proof, name, values[place]);
        return headers[place];
    }

    private Header made(Frame frame, StageMac proof) {
        Name name = Name.read(frame, null, known);
        byte[] value = frame.take(frame.int32());
        tell(proof, name, value);
        return new RecordHeader(name.text, value);
    }

    private static void tell(StageMac proof, Name name, byte[] value) {
        if (proof != null && StageMac.covers(name.text)) {
            proof.header(name.utf8, value);
        }
    }
}
