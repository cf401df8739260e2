"""What is started again from the log."""

from __future__ import annotations

from fluvial.wire.records import LeaseCause
from pipelines.leases.endings import Ending, Start, ending_of

TRACE = """org.apache.flink.runtime.client.JobExecutionException: Job execution failed.
	at org.apache.flink.runtime.jobmaster.JobResult.toJobExecutionResult(JobResult.java:144)
Caused by: org.apache.flink.runtime.execution.SuppressRestartsException: Unrecoverable failure.
Caused by: org.fluvial.flink.%s: the sentence
	at org.fluvial.flink.LeaseGuard.check(LeaseGuard.java:64)
"""


def test_an_ending_is_known_by_our_own_exceptions() -> None:
    assert ending_of(TRACE % "LeaseLost") == (Ending.LEASE_LOST, "the sentence")
    assert ending_of(TRACE % "TransactionLost") == (Ending.TRANSACTION_LOST, "the sentence")
    assert ending_of("java.lang.OutOfMemoryError: Java heap space") == (Ending.FAILED, "")


NO_SLOTS = """org.apache.flink.runtime.client.JobExecutionException: Job execution failed.
Caused by: org.apache.flink.runtime.JobException: Recovery is suppressed by ExponentialDelayRestartBackoffTimeStrategy
Caused by: java.util.concurrent.CompletionException: org.apache.flink.runtime.jobmanager.scheduler.%s: Could not acquire
	at org.apache.flink.runtime.scheduler.DefaultExecutionDeployer.assignAllResources
"""


def test_a_job_without_a_task_manager_says_what_to_do_and_is_started_again_if_it_ever_ran() -> None:
    ending, sentence = ending_of(NO_SLOTS % "NoResourceAvailableException")
    assert ending is Ending.TASK_MANAGER_LOST
    assert "the TaskManager that ran them has ended" in sentence
    assert "submit the job again" in sentence
    again = Start().next(ending, 4, 600.0, had_checkpoint=True)
    assert again is not None
    assert (again.cause, again.epoch) == (LeaseCause.FAILED, 4)
    assert Start().next(ending, 4, 600.0, had_checkpoint=False) is None


def test_whoever_lost_its_lease_is_not_started_again() -> None:
    assert Start().next(Ending.LEASE_LOST, 4, 600.0, had_checkpoint=True) is None


def test_a_lost_transaction_is_made_again_as_often_as_it_happens_ever_more_slowly() -> None:
    start, pauses = Start(), []
    for epoch in range(1, 20):
        again = start.next(Ending.TRANSACTION_LOST, epoch, 1.0, had_checkpoint=False)
        assert again is not None
        assert (again.cause, again.epoch) == (LeaseCause.TRANSACTION_LOST, epoch)
        start = again
        pauses.append(start.pause_seconds)
    assert pauses == sorted(pauses)
    assert pauses[0] < 1.0
    assert pauses[-1] == 30.0
    after_a_long_run = start.next(Ending.TRANSACTION_LOST, 20, 3600.0, had_checkpoint=True)
    assert after_a_long_run is not None
    assert after_a_long_run.pause_seconds == pauses[0]


def test_a_start_that_the_broker_left_waits_ever_longer_and_costs_no_turn() -> None:
    pauses = [Start(times=1, unbuilt=number).pause_seconds for number in range(20)]
    assert pauses == sorted(pauses)
    assert (pauses[1], pauses[-1]) == (2 * pauses[0], 30.0)
    again = Start(times=1, unbuilt=20).next(Ending.FAILED, 1, 1.0, had_checkpoint=True)
    assert again == Start(cause=LeaseCause.FAILED, epoch=1, times=2)


def test_what_fails_although_it_ran_has_a_few_turns() -> None:
    start: Start | None = Start()
    turns = 0
    while start is not None:
        start, turns = start.next(Ending.FAILED, turns, 1.0, had_checkpoint=True), turns + 1
    assert turns == 4
    assert Start().next(Ending.FAILED, 1, 1.0, had_checkpoint=False) is None


def test_a_start_is_told_to_the_next_process() -> None:
    start = Start(cause=LeaseCause.FAILED, epoch=7, times=2, unbuilt=3)
    assert Start.from_text(start.to_text()) == start
