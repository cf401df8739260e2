"""`fluvial audit` answers people and programs, and its exit status is 0 for a proven federation alone."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from fluvial.auditor.reader import TopicRecord
from fluvial.auditor.verify import verify
from fluvial.cli import audit, audit_proofs
from fluvial.cli.verbs import mount_for
from fluvial.kafka import TransportFailed, TransportUnavailable
from fluvial.transparency.proof import verify_proof
from fluvial.wire.framing import decode, encode
from fluvial.wire.records import Decision, SequencedEvent
from tests.unit.fluvial.auditor.forgeries import reported
from tests.unit.fluvial.auditor.tamperings import alter_input
from tests.unit.fluvial.auditor.world import World, honest_world

mount_for(["audit"])


class WorldReader:
    """Stands in for the reader of a broker."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.begin_offsets = world.begin_offsets
        self.records = world.records

    def __enter__(self) -> "WorldReader":
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def follow(self, topic: str) -> Iterator[TopicRecord]:
        yield from self.world.records(topic)
        raise KeyboardInterrupt


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    world = honest_world()
    world.federation.save(tmp_path / "federation.json")
    monkeypatch.setenv("FLUVIAL_FEDERATION", str(tmp_path / "federation.json"))
    for module in (audit, audit_proofs):
        monkeypatch.setattr(module, "snapshot", lambda brokers, topics, client_id: WorldReader(world))
    return world


def run(*arguments: str) -> Result:
    return CliRunner().invoke(audit.app, list(arguments))


def test_verify_tells_people_what_was_verified(world: World) -> None:
    result = run("verify")
    assert result.exit_code == 0
    shown = shown_by(world)
    assert "verified" in shown
    assert "NOT VERIFIED" not in shown
    assert world.signer_state.tree.root().hex() in shown


def test_verify_names_the_problem_and_fails(world: World) -> None:
    expected = alter_input(world)
    assert run("verify").exit_code == 1
    shown = shown_by(world)
    assert "NOT VERIFIED" in shown
    assert expected in shown


def test_a_log_without_signatures_is_not_verified(world: World) -> None:
    world.kept[world.topics.checkpoints].clear()
    assert run("verify").exit_code == 1
    assert "nothing was signed yet" in shown_by(world)


def test_verify_answers_programs(world: World) -> None:
    result = run("verify", "--json")
    answer = json.loads(result.stdout)
    assert (answer["verified"], answer["size"], answer["root"]) == (True, 12, world.signer_state.tree.root().hex())
    alter_input(world)
    result = run("verify", "--json")
    assert result.exit_code == 1
    answer = json.loads(result.stdout)
    assert answer["verified"] is False
    assert answer["problems"][0]["check"] == "inputs"


def test_verify_remembers_the_checkpoint_and_refuses_a_rollback(world: World, tmp_path: Path) -> None:
    known = tmp_path / "known"
    assert run("verify", "--known", str(known)).exit_code == 0
    assert known.read_bytes() == world.kept[world.topics.checkpoints][-1].value
    before = known.read_bytes()
    del world.kept[world.topics.checkpoints][1:]
    assert run("verify", "--known", str(known)).exit_code == 1
    assert known.read_bytes() == before


def test_verify_goes_on_from_what_it_kept_and_says_what_to_do_about_a_file_that_it_did_not_keep(
    world: World, tmp_path: Path
) -> None:
    state = tmp_path / "audit.state"
    for since in (0, 12):
        result = run("verify", "--json", "--state", str(state))
        assert result.exit_code == 0
        assert json.loads(result.stdout)["since"] == since
    state.write_bytes(state.read_bytes()[:-1])
    result = run("verify", "--state", str(state))
    assert result.exit_code == 1
    assert "from the first leaf on" in result.output.replace("\n", " ")
    assert run("verify", "--state", str(state), "--known", str(tmp_path / "known")).exit_code == 2


def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = tmp_path / "known"
    assert run("verify", "--known", str(known)).exit_code == 0
    before = known.read_bytes()

    def full(_: int) -> None:
        raise OSError("no room")

    monkeypatch.setattr("os.fsync", full)
    result = run("verify", "--known", str(known))
    assert result.exit_code == 1
    assert known.read_bytes() == before
    assert list(tmp_path.glob(".*")) == []


@pytest.mark.parametrize("arguments", [["verify", "--state"], ["verify", "--known"], ["log", "--state"]])
def test_what_is_no_file_is_told_before_anything_is_verified(
    world: World, tmp_path: Path, arguments: list[str]
) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, kind in ((tmp_path, "folder"), (tmp_path / "pipe", "pipe"), (Path(os.devnull), "device")):
        result = run(*arguments, str(path))
        assert result.exit_code == 2
        assert f"{path} is a {kind}: name a file" in " ".join(result.output.split())


def test_a_file_that_no_audit_of_the_log_has_kept_is_named(world: World, tmp_path: Path) -> None:
    for content in (b"", b"{}", b"[]", b"\xff", b'{"tree": "zz", "previous_sha256": "", "offset": 1}', b"1" * 5000):
        (tmp_path / "log.state").write_bytes(content)
        result = run("log", "--state", str(tmp_path / "log.state"))
        assert result.exit_code == 2
        assert "log.state does not hold how far a log is proven" in " ".join(result.output.split())


def test_a_folder_that_is_missing_is_told_before_anything_is_verified(world: World, tmp_path: Path) -> None:
    result = run("verify", "--known", str(tmp_path / "missing" / "known"))
    assert result.exit_code == 2
    assert "verified" not in result.stdout


def test_prove_prints_a_proof_that_verifies(world: World, tmp_path: Path) -> None:
    result = run("prove", "5", "--leaf", str(tmp_path / "leaf"))
    assert result.exit_code == 0
    index, _ = verify_proof(result.stdout_bytes, (tmp_path / "leaf").read_bytes(), world.log_key)
    assert index == 5
    answer = json.loads(run("prove", "5", "--json").stdout)
    assert bytes.fromhex(answer["leaf"]) == (tmp_path / "leaf").read_bytes()
    assert answer["proof"] == result.stdout


def test_prove_fails_for_a_leaf_that_is_not_there(world: World) -> None:
    assert run("prove", "99").exit_code == 1
    assert run("prove", "first").exit_code == 2


def test_tail_shows_the_newest_leaves(world: World) -> None:
    leaves = [json.loads(line) for line in run("tail", "--json", "-n", "3").stdout.splitlines()]
    assert [leaf["sequence"] for leaf in leaves] == [9, 10, 11]
    assert leaves[-1]["summary"].startswith("version 2: 2 of 2 updates")
    assert run("tail").exit_code == 0


def test_tail_goes_on_until_it_is_interrupted(world: World) -> None:
    result = run("tail", "--json", "-n", "0", "--follow")
    assert len(result.stdout.splitlines()) == 12
    assert result.exit_code == 130


def test_tail_shows_what_it_cannot_read(world: World) -> None:
    world.append(world.topics.audit, b"garbage")
    last = json.loads(run("tail", "--json", "-n", "1").stdout)
    assert last["offset"] == world.kept[world.topics.audit][-1].offset
    assert "error" in last


def test_names_from_the_topics_cannot_steer_the_terminal(world: World) -> None:
    """A forger chooses the name that its refused record claims."""
    forged = world.append(world.topics.updates, b"forged")
    world.judge(forged, "\x1b[2J[red]evil", 3, Decision.REJECT)
    world.sequence()
    shown = run("tail", "-n", "1").stdout
    assert "\x1b" not in shown
    assert "\\x1b[2J[red]evil" in shown


def test_a_question_that_cannot_be_asked_is_not_answered(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert run("verify", "--federation", str(tmp_path / "nowhere.json")).exit_code == 2

    for error in (TransportUnavailable("no broker"), TransportFailed("no permission")):

        def refuse(*_: object, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(audit_proofs, "snapshot", refuse)
        assert run("verify").exit_code == 3


def shown_by(world: World) -> str:
    """What people see; the shared console keeps the terminal it was made with, so a console of the test's own."""
    out = StringIO()
    audit_proofs.print_report(verify(world, world.federation), Console(file=out, width=200))
    return out.getvalue()


def test_check_history_tells_which_invariants_hold(world: World) -> None:
    for name in ("anna", "ben"):
        for round_ in (1, 2):
            world.answer(name, round_)
    reported(world)  # a measurement is no update: no round takes it, and nothing answers it
    for round_ in (8, 9, 10):
        world.open_round(round_)
    world.sequence()
    result = run("check-history", "--json")
    assert result.exit_code == 0, result.stdout
    assert json.loads(result.stdout) == {"violations": [], "inputs": 7, "leaves": 20, "models": 3}


def test_check_history_names_what_is_broken(world: World) -> None:
    """Two models without a receipt for anybody, and a verdict written twice."""
    world.append(world.topics.verdicts, world.kept[world.topics.verdicts][0].value or b"")
    result = run("check-history", "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)["violations"]
    assert {each["invariant"] for each in found} == {"I1", "I2"}
    assert "is in version 1, but has no receipt" in {each["message"] for each in found}


def test_a_leaf_that_anybody_wrote_of_a_time_no_calendar_has_is_shown_as_unreadable(world: World) -> None:
    sequenced = decode(world.kept[world.topics.audit][-1].value or b"", SequencedEvent)
    for time_ms in (1 << 62, -(1 << 62)):
        forged = replace(sequenced, event=replace(sequenced.event, time_ms=time_ms))
        world.append(world.topics.audit, encode(forged))
    shown = [json.loads(line) for line in run("tail", "--json", "-n", "2").stdout.splitlines()]
    assert ["error" in each for each in shown] == [True, True]
