"""A round over several TaskManagers, each with a slot and an interpreter of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.bench.session_job import SessionJob
from deploy.cluster.rest import RestClient
from deploy.jobs.submission import Submission
from pipelines.replay import KafkaLog, replay
from tests.system.small_federation import KRUM, MEAN, NUM_ROUNDS, STAGES, SmallFederation

pytestmark = [pytest.mark.system, pytest.mark.soak, pytest.mark.timeout(600)]


def test_two_interpreters_make_the_models_of_one_and_lose_nothing(tmp_path: Path) -> None:
    """Chunks are read and announced in both, and each sums those of its own shards. A job of one interpreter plays the
    same rounds before it."""
    with SmallFederation(tmp_path, task_managers=2) as small:
        rest = RestClient(small.stack.directory.running().rest_url)
        models: dict[str, list[list[bytes]]] = {}
        for parallelism in (1, 2):
            submission = Submission(stages=STAGES, name=f"of-{parallelism}", parallelism=parallelism)
            assert small.stack.cluster is not None
            job = SessionJob.submit(small.stack.directory, submission, small.stack.cluster.job_manager_pid)
            small.job = job
            assert rest.num_free_slots() == 2 - parallelism
            for rule in (MEAN, KRUM):
                task = f"{rule['name']}-{parallelism}".replace("_", "-")
                small.create_task(task, rule)
                small.play(task)
                manifests = small.wait_for_version(task, NUM_ROUNDS)
                models.setdefault(str(rule["name"]), []).append([each.model_digest for each in manifests])
                for version in range(1, NUM_ROUNDS + 1):
                    assert replay(KafkaLog(small.transport, small.federation), task, version).differs == ()
            job.stop()
        for of_one, of_two in models.values():
            assert of_one == of_two
            assert len(set(of_two)) == 1 + NUM_ROUNDS
        report = small.audit()
        assert report.problems == ()
        assert report.verified
