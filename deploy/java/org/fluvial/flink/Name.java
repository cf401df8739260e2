package org.fluvial.flink;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** The name of a topic or of a header, as text and as it stands in a frame. */
final class Name {
    final String text;
    final byte[] utf8;

    Name(byte[] utf8) {
        this.utf8 = utf8;
        text = new String(utf8, StandardCharsets.UTF_8);
    }

    /** Reads the name that comes next: uint16 length, name. guess: what it most likely is, or null. */
    static Name read(Frame frame, Name guess, Known known) {
        int length = frame.uint16();
        return guess != null && frame.takes(guess.utf8, length) ? guess : known.take(frame, length);
    }

    /** The names met so far, of which there are few: each is made text once. */
    static final class Known {
        private static final int MOST = 64;

        private final List<Name> names = new ArrayList<>();

        private Name take(Frame frame, int length) {
            for (int index = 0; index < names.size(); index++) {
                Name name = names.get(index);
                if (frame.takes(name.utf8, length)) {
                    return name;
                }
            }
            Name met = new Name(frame.take(length));
            if (names.size() < MOST) {
                names.add(met);
            }
            return met;
        }
    }
}
