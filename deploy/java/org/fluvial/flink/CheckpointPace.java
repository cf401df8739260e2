package org.fluvial.flink;

/**
 * When a checkpoint may begin that somebody asks for: soon after a quiet time, and one in each interval in the long run.
 *
 * <p>A token bucket (ITU-T I.371 has it as the generic cell rate algorithm): a checkpoint costs a token, an interval gives
 * one back, and there are at most {@value #BURST}. What follows upon a record, as its verdict, the leaf of that and the signed
 * tree head do, so waits for no interval, and steady work has as many checkpoints as with a timer.
 *
 * <p>What everybody waits for, a model and the next round, does not wait for the verdicts that came before it: for it an
 * interval gives {@value #URGENT} tokens. A checkpoint costs one of either kind, whoever asked.
 *
 * <p>After failures in a row the wait doubles (exponential backoff) up to a bound: Flink restarts a job after some failures,
 * which without pace are over in less than a second, while what causes them, as a full disk does, may pass.
 */
public final class CheckpointPace {
    private static final int BURST = 4;
    private static final int URGENT = 3;
    private static final long GATHER_MILLIS = 10;
    private static final long RETRY_MILLIS = 50;
    private static final int MOST_DOUBLINGS_REFUSED = 2;
    private static final int MOST_DOUBLINGS_FAILED = 6;

    private final Bucket usual;
    private final Bucket urgent;

    private int failures;

    /** @param intervalMillis between checkpoints in the long run, in milliseconds */
    public CheckpointPace(long intervalMillis) {
        usual = new Bucket(intervalMillis);
        urgent = new Bucket(intervalMillis / URGENT);
    }

    /** Milliseconds until a checkpoint that is asked for now may begin. */
    public long delay(long nowMillis, boolean isUrgent) {
        return Math.max(GATHER_MILLIS, (isUrgent ? urgent : usual).delay(nowMillis));
    }

    /** A checkpoint began then, and was completed. */
    public void began(long atMillis) {
        failures = 0;
        usual.take(atMillis);
        urgent.take(atMillis);
    }

    /**
     * A checkpoint failed: milliseconds to wait before the next is tried.
     *
     * @param refused before it was begun, as while a task is not yet running; that costs nothing, and whoever started the
     *     job waits for the first that is not
     */
    public long failed(boolean refused) {
        int most = refused ? MOST_DOUBLINGS_REFUSED : MOST_DOUBLINGS_FAILED;
        return RETRY_MILLIS << Math.min(failures++, most);
    }

    /** Tokens, of which one comes back in so many milliseconds. */
    private static final class Bucket {
        private final long millis;
        /** When the bucket would be full again if no more is taken from it. */
        private long fullAt = Long.MIN_VALUE / 2;

        Bucket(long millis) {
            this.millis = millis;
        }

        long delay(long nowMillis) {
            return fullAt - (BURST - 1) * millis - nowMillis;
        }

        /** One that is empty stays so: it owes nothing for what the other bucket allowed. */
        void take(long atMillis) {
            fullAt = Math.min(Math.max(fullAt, atMillis) + millis, atMillis + BURST * millis);
        }
    }
}
