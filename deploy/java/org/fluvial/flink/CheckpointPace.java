package org.fluvial.flink;

/**
 * When a checkpoint may begin that somebody asks for: soon after a quiet time, and one in each interval in the long run.
 *
 * <p>A token bucket (ITU-T I.371 has it as the generic cell rate algorithm): a checkpoint costs a token, an interval gives
 * one back, and there are at most {@value #BURST}. What follows upon a record, as its verdict, the leaf of that, the signed
 * tree head and the next round do, so waits for no interval, and steady work has as many checkpoints as with a timer.
 *
 * <p>After failures in a row the wait doubles (exponential backoff) up to a bound: Flink restarts a job after some failures,
 * which without pace are over in less than a second, while what causes them, as a full disk does, may pass.
 */
public final class CheckpointPace {
    private static final int BURST = 4;
    private static final long GATHER_MILLIS = 10;
    private static final long RETRY_MILLIS = 50;
    private static final int MOST_DOUBLINGS_REFUSED = 2;
    private static final int MOST_DOUBLINGS_FAILED = 6;

    private final long intervalMillis;
    /** When the bucket would be full again if no more is taken from it. */
    private long fullAt = Long.MIN_VALUE / 2;

    private int failures;

    /** @param intervalMillis between checkpoints in the long run, in milliseconds */
    public CheckpointPace(long intervalMillis) {
        this.intervalMillis = intervalMillis;
    }

    /** Milliseconds until a checkpoint that is asked for now may begin. */
    public long delay(long nowMillis) {
        return Math.max(GATHER_MILLIS, fullAt - (BURST - 1) * intervalMillis - nowMillis);
    }

    /** A checkpoint began then, and was completed. */
    public void began(long atMillis) {
        failures = 0;
        fullAt = Math.max(fullAt, atMillis) + intervalMillis;
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
}
