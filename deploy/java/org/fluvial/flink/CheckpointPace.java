package org.fluvial.flink;

/**
 * When a checkpoint may begin that somebody asks for: soon after a quiet time, and one in each interval in the long run.
 *
 * <p>A token bucket (ITU-T I.371 has it as the generic cell rate algorithm): a checkpoint costs a token, an interval gives
 * one back, and there are at most {@value #BURST}. What follows upon a record, as its verdict, the leaf of that, the signed
 * tree head and the next round do, so waits for no interval, and steady work has as many checkpoints as with a timer.
 */
public final class CheckpointPace {
    private static final int BURST = 4;
    private static final long GATHER_MILLIS = 10;

    private final long intervalMillis;
    /** When the bucket would be full again if no more is taken from it. */
    private long fullAt = Long.MIN_VALUE / 2;

    /** @param intervalMillis between checkpoints in the long run, in milliseconds */
    public CheckpointPace(long intervalMillis) {
        this.intervalMillis = intervalMillis;
    }

    /** Milliseconds until a checkpoint that is asked for now may begin. */
    public long delay(long nowMillis) {
        return Math.max(GATHER_MILLIS, fullAt - (BURST - 1) * intervalMillis - nowMillis);
    }

    /** A checkpoint began then. */
    public void began(long atMillis) {
        fullAt = Math.max(fullAt, atMillis) + intervalMillis;
    }
}
