"""Releases side by side: a participant that runs the code of version 1 of every record, in a federation of today's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import textwrap
from io import BytesIO
from pathlib import Path

import pytest

from fluvial.identity.envelope import open_envelope
from fluvial.wire.framing import version_of
from tests.system.small_federation import MEAN, NUM_PARTICIPANTS, SmallFederation

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

CHECKOUT = Path(__file__).parents[2]
VERSION_1 = "bec2074"
"""The commit whose schemas are version 1."""

FORMER = f"participant-{NUM_PARTICIPANTS - 1}"
TAKE_PART = textwrap.dedent("""
    import json, sys
    from pathlib import Path
    import numpy as np
    import fluvial
    from fluvial.edge import Participant
    from fluvial.edge.events import Published
    from fluvial.edge.rounds import RoundFollower
    from fluvial.identity.federation import Federation
    from fluvial.identity.keys import SigningKey

    directory, name = Path(sys.argv[1]), sys.argv[2]
    federation, key = Federation.load(directory / "federation.json"), SigningKey.load(directory / "key.pem")
    found, published = {"code": fluvial.__file__}, []

    def on_event(event):
        print(event, file=sys.stderr, flush=True)
        if isinstance(event, Published):
            published.append(event.update_id)

    def train(base_D, round_):
        return np.full_like(base_D, 0.1), 7

    with Participant(federation, name, key, directory / "outbox.sqlite") as participant:
        found["rounds"] = participant.participate("plain", train, 1, on_event)
        # It ends when the next round opens, whether or not it has read what came with it in the same transaction.
        verdict = participant.verdict_of(*published, 30.0)
        receipts = participant.receipts() or participant.receipts(30.0)
        found["answers"] = [verdict.reason.value, *(receipt.outcome.value for receipt in receipts)]
        follower = RoundFollower(participant.transport, federation)
        follower.refresh()
        found["tasks"] = [round_.task for round_ in follower.all_newest()]
        follower.close()
    print(json.dumps(found))
""")


@pytest.fixture(scope="module")
def former_code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client library of that commit."""
    archive = subprocess.run(["git", "archive", VERSION_1, "fluvial"], cwd=CHECKOUT, capture_output=True, check=False)
    if archive.returncode:
        pytest.skip(f"no git history that reaches back to {VERSION_1}")
    directory = tmp_path_factory.mktemp("former")
    with tarfile.open(fileobj=BytesIO(archive.stdout)) as files:
        files.extractall(directory, filter="data")
    return directory


def test_a_participant_of_the_former_release_takes_part_and_the_audit_holds(
    shared_federation: SmallFederation, former_code: Path, tmp_path: Path
) -> None:
    """The plain task has no term that version 1 does not know; the other has one, and that participant leaves it alone.
    Verdicts, rounds and models of both versions are in one log."""
    small = shared_federation
    small.create_task("asking", MEAN, participation={"min_examples": 2}, quorum=4, target=4, rounds=1)
    small.publish(small.wait_for_round("asking", 1), range(1, NUM_PARTICIPANTS - 1))
    small.create_task("plain", MEAN)
    small.publish(small.wait_for_round("plain", 1), range(NUM_PARTICIPANTS - 1))

    small.federation.save(tmp_path / "federation.json")
    small.keys[FORMER].save(tmp_path / "key.pem")
    with (tmp_path / "errors").open("w+", encoding="utf-8") as errors:
        former = subprocess.run(
            [sys.executable, "-c", TAKE_PART, str(tmp_path), FORMER],
            cwd=former_code,
            env={**os.environ, "PYTHONPATH": str(former_code)},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            timeout=90,
            check=False,
        )
        errors.seek(0)
        assert former.returncode == 0, errors.read()
    found = json.loads(former.stdout)
    assert found["code"].startswith(str(former_code))
    assert found["rounds"] == 1
    assert found["answers"] == ["ACCEPTED", "INCLUDED"]
    assert found["tasks"] == ["plain"]

    plain, asking = small.wait_for_version("plain", 1)[1], small.wait_for_version("asking", 1)[1]
    assert FORMER in {contribution.participant for contribution in plain.contributions}
    assert (plain.terms, asking.terms) == ("", '{"participation":{"min_examples":2}}')
    for topic in (small.federation.topics.rounds, small.federation.topics.models):
        assert {version_of(open_envelope(each.value).payload).number for each in small.read(topic)} == {1, 2}
    report = small.audit()
    assert report.verified, report
