package org.fluvial.flink;

/**
 * The broker has aborted a transaction that a checkpoint had prepared, so the log lacks what the job's state says was
 * written. The job ends for good: it goes on from the log, not from a checkpoint.
 */
public final class TransactionLost extends RuntimeException {
    private static final long serialVersionUID = 1L;

    TransactionLost(String transactionalId, Throwable cause) {
        super(
                "the prepared transaction " + transactionalId + " was aborted by the broker, after a longer outage than "
                        + "its timeout or because somebody used its id; the job must be started again from the log",
                cause);
    }
}
