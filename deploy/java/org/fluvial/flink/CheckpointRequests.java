package org.fluvial.flink;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.apache.flink.runtime.checkpoint.CheckpointCoordinator;
import org.apache.flink.runtime.checkpoint.CheckpointException;
import org.apache.flink.runtime.jobgraph.OperatorID;
import org.apache.flink.runtime.operators.coordination.OperatorCoordinator;
import org.apache.flink.runtime.operators.coordination.OperatorEvent;
import org.apache.flink.util.ExceptionUtils;

/**
 * Begins a checkpoint of the job when its sink has something to commit ({@link CommitOnDemand}), and as soon as the job
 * runs. One at a time, at the pace of {@link CheckpointPace}; one that fails, as they do while a task is not yet running or
 * the disk is full, is tried again, ever more slowly.
 */
final class CheckpointRequests implements OperatorCoordinator {
    private final Context context;
    private final CheckpointPace pace;
    private final ScheduledExecutorService timer;

    // All below belong to the timer's thread.
    private boolean asked;
    private boolean urgent;
    private boolean running;
    /** However urgent it is: after a failure. */
    private long notBefore = Long.MIN_VALUE / 2;

    private ScheduledFuture<?> next;

    private CheckpointRequests(Context context, long intervalMillis) {
        this.context = context;
        pace = new CheckpointPace(intervalMillis);
        timer = new ScheduledThreadPoolExecutor(
                1,
                task -> {
                    Thread thread = new Thread(task, "checkpoint-requests");
                    thread.setDaemon(true);
                    return thread;
                },
                new ThreadPoolExecutor.DiscardPolicy()); // what still comes when the job has ended
    }

    /** How the JobManager makes it. */
    static final class Provider implements OperatorCoordinator.Provider {
        private static final long serialVersionUID = 1L;

        private final OperatorID operator;
        private final long intervalMillis;

        Provider(OperatorID operator, long intervalMillis) {
            this.operator = operator;
            this.intervalMillis = intervalMillis;
        }

        @Override
        public OperatorID getOperatorId() {
            return operator;
        }

        @Override
        public OperatorCoordinator create(Context context) {
            return new CheckpointRequests(context, intervalMillis);
        }
    }

    @Override
    public void start() {}

    @Override
    public void handleEventFromOperator(int subtask, int attempt, OperatorEvent event) {
        boolean isUrgent = event instanceof CommitOnDemand.Asked && ((CommitOnDemand.Asked) event).urgent;
        timer.execute(() -> ask(isUrgent));
    }

    /** The sink's task runs, for the first time or again: whoever started the job waits for its first checkpoint. */
    @Override
    public void executionAttemptReady(int subtask, int attempt, SubtaskGateway gateway) {
        timer.execute(() -> ask(false));
    }

    private void ask(boolean isUrgent) {
        asked = true;
        urgent |= isUrgent;
        beginLater();
    }

    /** Also in the place of one that was to begin later than it now may. */
    private void beginLater() {
        if (!asked || running) {
            return;
        }
        if (next != null) {
            next.cancel(false);
        }
        long now = now();
        next = timer.schedule(this::begin, Math.max(notBefore - now, pace.delay(now, urgent)), TimeUnit.MILLISECONDS);
    }

    private void begin() {
        next = null;
        CheckpointCoordinator checkpoints = context.getCheckpointCoordinator();
        if (checkpoints == null || checkpoints.isShutdown()) {
            return;
        }
        boolean wasUrgent = urgent;
        asked = false;
        urgent = false;
        running = true;
        long began = now();
        triggered(checkpoints).whenComplete((done, failure) -> timer.execute(() -> ended(began, wasUrgent, failure)));
    }

    private static CompletableFuture<?> triggered(CheckpointCoordinator checkpoints) {
        try {
            return checkpoints.triggerCheckpoint(false);
        } catch (RuntimeException error) {
            return CompletableFuture.failedFuture(error);
        }
    }

    private void ended(long began, boolean wasUrgent, Throwable failure) {
        running = false;
        if (failure != null) {
            asked = true;
            urgent |= wasUrgent;
            notBefore = now() + pace.failed(refused(failure));
        } else {
            pace.began(began);
        }
        beginLater();
    }

    /** Whether it was not even begun: no barrier was sent and no file written. */
    private static boolean refused(Throwable failure) {
        return ExceptionUtils.findThrowable(failure, CheckpointException.class)
                .map(error -> error.getCheckpointFailureReason().isPreFlight())
                .orElse(false);
    }

    private static long now() {
        return System.nanoTime() / 1_000_000;
    }

    @Override
    public void checkpointCoordinator(long checkpointId, CompletableFuture<byte[]> state) {
        state.complete(new byte[0]);
    }

    @Override
    public void notifyCheckpointComplete(long checkpointId) {}

    @Override
    public void resetToCheckpoint(long checkpointId, byte[] state) {}

    @Override
    public void subtaskReset(int subtask, long checkpointId) {}

    @Override
    public void executionAttemptFailed(int subtask, int attempt, Throwable reason) {}

    @Override
    public void close() {
        timer.shutdownNow();
    }
}
