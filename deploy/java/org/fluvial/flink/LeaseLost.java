package org.fluvial.flink;

/** Another job has taken a stage of this one, which ends for good: nothing it would write becomes visible. */
public final class LeaseLost extends RuntimeException {
    private static final long serialVersionUID = 1L;

    LeaseLost(Lease lease, LeaseRecord successor) {
        super(
                "the stages " + String.join(", ", successor.stages) + " are held by the job " + successor.job + " on "
                        + successor.host + " now (lease " + successor.epoch + "); this job held "
                        + String.join(", ", lease.stages) + " (lease " + lease.epoch + ") and ends");
    }
}
