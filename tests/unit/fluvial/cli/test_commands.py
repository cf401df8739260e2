"""The command line over a federation in memory."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer
from click.testing import CliRunner, Result
from safetensors.numpy import load_file

from fluvial.cli import model, model_export, participate, rounds
from fluvial.cli.common import Exit, fail, json_of, print_json, reported, shown
from fluvial.cli.verbs import app, mount_for
from fluvial.edge import participant as participant_module
from fluvial.edge.events import RoundOpened
from fluvial.identity.envelope import seal
from fluvial.identity.federation import Federation
from fluvial.identity.keys import SigningKey
from fluvial.kafka import TransportUnavailable
from fluvial.wire.foreign_text import plain
from fluvial.wire.framing import encode
from fluvial.wire.records import (
    DeviceProfile,
    GroupMeasurement,
    Metric,
    Participant,
    ParticipantStatus,
    Release,
    RoundStatus,
    SignedAgreement,
    WithdrawnAgreement,
)
from fluvial.wire.sampling import invited, round_seed
from fluvial.wire.terms import stated
from tests.unit.fluvial.cli.runner import command_of, invoke
from tests.unit.fluvial.edge.world import AGGREGATOR, OPERATOR, REGISTRAR, TASK, World, a_federation, topic_partitions
from tests.unit.fluvial.kafka.memory_transport import MemoryTransport

pytestmark = pytest.mark.timeout(60)

mount_for([], [])


@pytest.fixture
def federation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Federation:
    federation = a_federation()
    federation.save(tmp_path / ".fluvial/federation.json")
    monkeypatch.chdir(tmp_path)
    return federation


@pytest.fixture
def world(federation: Federation, monkeypatch: pytest.MonkeyPatch) -> World:
    transport = MemoryTransport(topic_partitions(federation))
    for module in (participant_module, rounds, model, model_export):
        monkeypatch.setattr(module, "connect", lambda brokers, client_id: transport)
    return World(federation, transport)


def run(*arguments: str, **options) -> Result:
    return invoke(app, *arguments, **options)


def test_version() -> None:
    assert run("--version").stdout.startswith("fluvial 0.")


def test_every_verb_explains_itself() -> None:
    group = command_of(app)
    verbs = [[name] for name in group.commands]
    verbs += [[name, verb] for name, sub in group.commands.items() for verb in getattr(sub, "commands", {})]
    assert ["model", "get"] in verbs
    for verb in verbs:
        shown = CliRunner().invoke(group, [*verb, "--help"])
        assert shown.exit_code == 0, verb
        assert f"fluvial {' '.join(verb)}" in shown.output


def test_without_a_federation_file_the_next_step_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("model", "list")
    assert result.exit_code == Exit.USAGE
    assert "--federation" in result.stderr


def test_a_wrong_federation_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "federation.json").write_text('{"bootstrap_servers": 5}')
    result = run("model", "list", "--federation", "federation.json")
    assert result.exit_code == Exit.USAGE
    assert "not a federation file" in result.stderr
    assert "bootstrap_servers: must be a text, not 5; " in result.stderr
    assert "https://" not in result.stderr


def test_models_are_listed_shown_and_downloaded(world: World, tmp_path: Path) -> None:
    world.publish_manifest(0, OPERATOR)
    newest = world.publish_manifest(1, AGGREGATOR)
    listed = json.loads(run("model", "list", "--json").stdout)
    assert [(entry["task"], entry["version"]) for entry in listed] == [(TASK, 0), (TASK, 1)]
    assert "demo" in run("model", "list").stdout
    shown = json.loads(run("model", "show", TASK, "--json").stdout)
    assert shown["model_digest"] == newest.model_digest.hex()
    assert shown["terms"] == stated(newest)
    assert "weight [50, 20]" in run("model", "show", TASK, "1").stdout
    got = run("model", "get", TASK, "1")
    assert got.exit_code == 0
    tensors = load_file(tmp_path / "demo-1.safetensors")
    np.testing.assert_array_equal(tensors["weight"], np.ones((50, 20), np.float32))


@pytest.mark.parametrize("arguments", [("absent",), (TASK, "7")])
def test_a_model_that_is_not_there_is_a_failure(world: World, arguments: tuple[str, ...]) -> None:
    world.publish_manifest(0, OPERATOR)
    result = run("model", "get", *arguments)
    assert result.exit_code == Exit.FAILURE
    assert "error:" in result.stderr


def test_a_contradiction_of_those_who_may_sign_is_a_failure(world: World) -> None:
    world.publish_manifest(1, OPERATOR)
    assert run("model", "list").exit_code == Exit.FAILURE


def test_what_a_stranger_signs_keeps_nobody_from_the_list(world: World) -> None:
    world.publish_manifest(1, SigningKey.from_seed(b"x" * 32))
    assert run("model", "list").exit_code == Exit.SUCCESS


def test_whom_a_round_invites_is_computed_from_what_is_public(world: World) -> None:
    for number in range(4):
        member = SigningKey.from_seed(bytes([number]) * 32)
        record = Participant(
            participant=f"hospital-{number}",
            public_key=member.public_key,
            status=ParticipantStatus.REVOKED if number == 3 else ParticipantStatus.ACTIVE,
            agreements=(),
            device=DeviceProfile(platform="", machine="", memory_bytes=0, accelerator="", network=""),
            enrolled_ms=1,
            request_sha256=bytes(32),
        )
        signer = OPERATOR if number == 3 else REGISTRAR
        world.put(world.topics.registry, f"participant/{record.participant}", seal(record, signer, "test"))
    made = world.publish_manifest(1, AGGREGATOR)
    digest = world.a_round(number=2).base_digest
    world.open_round(number=2, attempt=2, invited_fraction=0.5, seed=round_seed(TASK, 2, 2, digest))

    def expected(seed: bytes) -> list[dict[str, object]]:
        names = [f"hospital-{number}" for number in range(3)]
        return [{"participant": name, "invited": invited(name, seed, 0.5)} for name in names]

    newest = json.loads(run("rounds", "invited", TASK, "--json").stdout)
    assert (newest["round"], newest["attempt"], newest["invited_fraction"]) == (2, 2, 0.5)
    assert newest["participants"] == expected(round_seed(TASK, 2, 2, digest))
    first_attempt = json.loads(run("rounds", "invited", TASK, "--attempt", "1", "--json").stdout)
    assert first_attempt["participants"] == expected(round_seed(TASK, 2, 1, digest))
    earlier = json.loads(run("rounds", "invited", TASK, "1", "--json").stdout)
    assert earlier["seed"] == round_seed(TASK, 1, 1, made.parent_digest).hex()
    assert "of 3 invited, share 0.5" in run("rounds", "invited", TASK).stdout
    for wrong in (("x",), (TASK, "7"), (TASK, "--attempt", "3")):
        assert run("rounds", "invited", *wrong).exit_code == Exit.USAGE


def test_a_round_invites_nobody_who_had_withdrawn_its_agreement(world: World) -> None:
    text = world.publish_agreement()
    signed = SignedAgreement(agreement="research", sha256=text)
    gone = WithdrawnAgreement(agreement="research", sha256=text, withdrawn_ms=5_000)
    world.enrolled("anna", SigningKey.generate(), agreements=(signed,))
    world.enrolled("ben", SigningKey.generate(), withdrawn=(gone,))
    for number, (opened_ms, expected) in enumerate(((4_999, True), (5_000, False)), 1):
        seed = round_seed(TASK, number, 1, world.a_round(number).base_digest)
        world.open_round(number, agreement="research", opened_ms=opened_ms, seed=seed)
        found = json.loads(run("rounds", "invited", TASK, "--json").stdout)["participants"]
        assert found == [{"participant": "anna", "invited": True}, {"participant": "ben", "invited": expected}]


def test_a_seed_that_does_not_follow_from_the_base_model_is_told(world: World) -> None:
    world.open_round(invited_fraction=0.5)
    result = run("rounds", "invited", TASK)
    assert result.exit_code == Exit.FAILURE
    assert "does not follow" in result.stderr


def test_rounds_are_shown_with_what_closes_them(world: World) -> None:
    world.open_round(number=2, attempt=3)
    text = run("rounds", "watch", "--once").stdout
    assert "demo: round 2, attempt 3 open on model version 1, closes at 2 updates" in text
    shown = json.loads(run("rounds", "watch", "--once", "--json").stdout)
    assert (shown["round"], shown["attempt"], shown["status"]) == (2, 3, "OPEN")
    world.open_round(number=2, attempt=3, status=RoundStatus.FINISHED)
    assert "finished with model version 1" in run("rounds", "watch", TASK, "--once").stdout


def test_watching_says_that_no_round_is_open_and_refuses_a_task_that_is_not_there(world: World) -> None:
    watched = run("rounds", "watch", "--once")
    assert watched.exit_code == 0
    assert "no round was opened yet" in watched.stderr
    unknown = run("rounds", "watch", "hearts", "--once")
    assert unknown.exit_code == Exit.USAGE
    assert "no task 'hearts'" in unknown.stderr
    world.publish_task()
    watched = run("rounds", "watch", TASK, "--once")
    assert (watched.exit_code, watched.stdout) == (0, "")
    assert f"no round of {TASK} was opened yet" in watched.stderr


def test_rounds_are_watched_with_what_was_measured_of_their_models(world: World) -> None:
    world.open_round()
    site = GroupMeasurement(
        attribute="site", group="north", num_examples=7, metrics=(Metric(name="auc", value=0.5),), reason=""
    )
    release = Release(
        task=TASK,
        version=3,
        model_digest=bytes(32),
        metrics=(Metric(name="auc", value=0.75),),
        num_examples=10,
        device="cpu",
        duration_ms=1,
        groups=(site,),
    )
    world.put(world.topics.releases, TASK, encode(release))
    lines = run("rounds", "watch", "--once").stdout.splitlines()
    assert lines[1:] == [
        "demo: model version 3 measured: auc 0.7500 (10 examples)",
        "  site north: auc 0.5000 (7 examples)",
    ]
    _, measured = (json.loads(line) for line in run("rounds", "watch", TASK, "--once", "--json").stdout.splitlines())
    assert measured["measured"]["groups"][0]["metrics"] == {"auc": 0.5}


def test_enrolling_makes_a_key_and_needs_consent(world: World, tmp_path: Path) -> None:
    world.publish_agreement()
    world.publish_task()
    refused = run("enrol", "--name", "alice", "--token", "t", "--task", TASK)
    assert refused.exit_code == Exit.FAILURE
    assert "For research only." in refused.stderr
    assert "--yes" in refused.stderr
    timed_out = run("enrol", "--name", "alice", "--token", "t", "--task", TASK, "--yes", "--timeout", "0.2")
    assert timed_out.exit_code == Exit.UNAVAILABLE
    ((message, request),) = world.enrolment_requests()
    assert [signed.agreement for signed in request.agreements] == ["research"]
    assert (tmp_path / ".fluvial/keys/alice.pem").stat().st_mode & 0o777 == 0o600
    world.admit(message, request)
    done = run("enrol", "--name", "alice", "--agreement", "research", "--json")
    assert json.loads(done.stdout)["agreements"] == ["research"]


def test_nobody_reads_an_agreement_whose_enrolment_lacks_a_token(world: World) -> None:
    world.publish_agreement()
    result = run("enrol", "--name", "alice", "--agreement", "research", "--yes")
    assert result.exit_code == Exit.USAGE
    assert "takes the one-time token" in " ".join(result.stderr.split())
    shown = run("enrol", "--name", "alice", "--agreement", "research")
    assert shown.exit_code == Exit.USAGE
    assert "For research only." not in shown.stderr


def test_enrolling_again_says_so_and_shows_nothing_that_is_signed(world: World, tmp_path: Path) -> None:
    sha256 = world.publish_agreement()
    key = SigningKey.generate()
    key.save(tmp_path / "key.pem")
    world.enrolled("alice", key, agreements=(SignedAgreement(agreement="research", sha256=sha256),))
    arguments = ["enrol", "--name", "alice", "--key", "key.pem", "--agreement", "research", "--token", "t"]
    again = run(*arguments)
    assert again.exit_code == Exit.SUCCESS
    assert "alice was enrolled already; agreements: research" in again.stdout
    assert "the token was not needed" in again.stdout
    assert "For research only." not in again.stderr
    assert json.loads(run(*arguments, "--json").stdout)["was_enrolled"] is True
    assert world.enrolment_requests() == []


@pytest.mark.parametrize("name", ["St. Mary's", "Hôpital", "site/1", "a" * 200, ""])
def test_a_name_that_can_never_enrol_is_refused_at_once(world: World, tmp_path: Path, name: str) -> None:
    for files in ((), ("--key", "k.pem", "--outbox", "o")):
        result = run("enrol", "--name", name, "--token", "t", "--yes", *files)
        assert result.exit_code == Exit.USAGE
        assert "1 to 128 of" in result.stderr
    assert not (tmp_path / ".fluvial/keys").exists()
    assert not (tmp_path / "k.pem").exists()
    assert world.enrolment_requests() == []


def test_a_token_that_cannot_be_one_is_refused_at_once(world: World) -> None:
    for arguments in ((), ("--token", "t" * 257)):
        result = run("enrol", "--name", "alice", "--yes", *arguments)
        assert result.exit_code == Exit.USAGE
        assert "token" in result.stderr
    assert world.enrolment_requests() == []


def test_a_token_is_read_from_a_file_or_variable(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("secret\n", encoding="utf-8")
    run("enrol", "--name", "alice", "--token-file", str(tmp_path / "token"), "--yes", "--timeout", "0.2")
    monkeypatch.setenv("FLUVIAL_TOKEN", " other\r")
    run("enrol", "--name", "bob", "--yes", "--timeout", "0.2")
    assert [request.token for _, request in world.enrolment_requests()] == ["secret", "other"]
    twice = run("enrol", "--name", "carol", "--token-file", str(tmp_path / "token"), "--yes", "--timeout", "0.2")
    assert twice.exit_code == Exit.USAGE
    (tmp_path / "token").write_text("\n", encoding="utf-8")
    monkeypatch.delenv("FLUVIAL_TOKEN")
    assert run("enrol", "--name", "carol", "--token-file", str(tmp_path / "token")).exit_code == Exit.USAGE


def test_a_file_that_is_no_text_is_named_as_one_without_a_token(world: World, tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes("secret".encode("utf-16"))
    result = run("enrol", "--name", "carol", "--token-file", str(tmp_path / "token"), "--yes")
    assert result.exit_code == Exit.USAGE
    assert "token holds no token: it is in UTF-16" in " ".join(result.stderr.split())
    assert world.enrolment_requests() == []


def test_enrolling_shows_why_it_was_refused_before_asking_the_broker(world: World) -> None:
    result = run("enrol", "--name", "../alice")
    assert result.exit_code == Exit.USAGE
    result = run("enrol", "--name", "alice", "--token", "t", "--agreement", "absent", "--yes")
    assert result.exit_code == Exit.USAGE
    assert "no agreement 'absent'" in result.stderr


TRAINER = """
import numpy as np

def train(request):
    assert request.index == 4 and request.data.name == "data.bin"
    return np.full_like(request.base_D, 0.5), 3
"""


def test_participating_publishes_and_tells(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = SigningKey.generate()
    key.save(tmp_path / "key.pem")
    (tmp_path / "data.bin").touch()
    (tmp_path / "trainer_of_the_test.py").write_text(TRAINER)
    monkeypatch.setattr("sys.path", [*__import__("sys").path])
    world.publish_task()
    world.enrolled("alice", key)
    world.open_round()
    genuine = participate.as_dict

    def end_after_publishing(event):
        if type(event).__name__ == "Published":
            world.open_round(number=2, status=RoundStatus.FINISHED)
        return genuine(event)

    monkeypatch.setattr(participate, "as_dict", end_after_publishing)
    arguments = ["--name", "alice", "--key", "key.pem", "--data", "data.bin", "--index", "4", "--json"]
    result = run("participate", TASK, *arguments, "--trainer", "trainer_of_the_test:train")
    assert result.exit_code == 0, result.stderr
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert [event["event"] for event in events if event["event"] != "ChunkAcknowledged"] == [
        "RoundOpened",
        "Trained",
        "Published",
        "Finished",
        "done",
    ]
    assert (events[0]["quorum"], events[0]["target"]) == (1, 2)
    (update,) = world.updates(key.public_key)
    assert update.weight == 3


def test_who_takes_part_alone_learns_what_the_round_waits_for(world: World) -> None:
    found = replace(world.a_round(number=2), quorum=2, target=3, opened_ms=0, deadline_ms=1)
    line = participate.as_line(RoundOpened(round=found, reopened=False))
    assert line.endswith("closes at 3 updates or with 2 at the deadline (deadline passed)")
    alike = replace(found, target=2, deadline_ms=2 * found.deadline_ms)
    line = participate.as_line(RoundOpened(round=alike, reopened=False))
    assert line.endswith("closes at 2 updates, or fails at the deadline (deadline passed)")


@pytest.mark.parametrize("json_", [[], ["--json"]])
def test_listing_models_of_a_task_that_is_not_there_fails(world: World, json_: list[str]) -> None:
    world.publish_manifest(0, OPERATOR)
    assert run("model", "list", TASK, *json_).exit_code == Exit.SUCCESS
    result = run("model", "list", "dmeo", *json_)
    assert result.exit_code == Exit.FAILURE
    assert "no model of the task dmeo" in result.stderr


def test_a_regions_sum_is_not_taken_for_a_model(world: World) -> None:
    made = replace(world.publish_manifest(1, AGGREGATOR), version=2, partial=True)
    world.put(world.topics.models, f"{TASK}/2", seal(made, AGGREGATOR, "aggregator"))
    result = run("model", "get", TASK)
    assert result.exit_code == Exit.FAILURE
    assert "exact sum of a region's round" in result.output
    assert json.loads(run("model", "list", "--json").stdout)[-1]["partial"] is True


def test_participating_without_a_key_says_how_to_get_one(world: World, tmp_path: Path) -> None:
    (tmp_path / "data.bin").touch()
    result = run("participate", TASK, "--name", "alice", "--data", "data.bin")
    assert result.exit_code == Exit.USAGE
    assert "fluvial enrol" in result.stderr


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        (None, "`fluvial enrol --name alice`"),
        ("another key", "another key"),
        ("revoked", "out of force"),
    ],
)
def test_who_is_not_enrolled_with_the_key_trains_nothing(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: str | None, why: str
) -> None:
    key = SigningKey.generate()
    key.save(tmp_path / "key.pem")
    (tmp_path / "data.bin").touch()
    (tmp_path / "trainer_of_the_test.py").write_text(TRAINER)
    monkeypatch.setattr("sys.path", [*__import__("sys").path])
    world.publish_task()
    if entry is not None:
        status = ParticipantStatus.REVOKED if entry == "revoked" else ParticipantStatus.ACTIVE
        world.enrolled("alice", key if entry == "revoked" else SigningKey.generate(), status=status)
    world.open_round(number=1, status=RoundStatus.FINISHED)
    arguments = ["--name", "alice", "--key", "key.pem", "--data", "data.bin", "--index", "4"]
    result = run("participate", TASK, *arguments, "--trainer", "trainer_of_the_test:train")
    assert result.exit_code == Exit.FAILURE
    assert why in result.stderr
    assert result.stdout == ""


def test_a_task_that_is_not_there_is_told_with_those_that_are(world: World, tmp_path: Path) -> None:
    SigningKey.generate().save(tmp_path / "key.pem")
    world.publish_task()
    result = run("enrol", "--name", "alice", "--key", "key.pem", "--token", "t", "--task", "dmeo", "--yes")
    assert result.exit_code == Exit.USAGE
    assert "no task 'dmeo'" in result.stderr
    assert f"there are: {TASK}" in result.stderr


def test_participating_without_the_trainer_says_what_is_missing(world: World, tmp_path: Path) -> None:
    SigningKey.generate().save(tmp_path / "key.pem")
    (tmp_path / "data.bin").touch()
    arguments = ["--name", "alice", "--key", "key.pem", "--data", "data.bin"]
    result = run("participate", TASK, *arguments, "--trainer", "absent_module:train")
    assert result.exit_code == Exit.USAGE
    assert "no module absent_module" in result.stderr


@pytest.mark.parametrize(
    ("trainer", "device"), [("", "gpu"), ("", "cuda"), ("--trainer=trainer_of_the_test:train", "gpu")]
)
def test_a_device_that_is_not_there_is_refused_before_the_first_round(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trainer: str, device: str
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("sys.path", [*__import__("sys").path])
    SigningKey.generate().save(tmp_path / "key.pem")
    (tmp_path / "data.bin").touch()
    (tmp_path / "trainer_of_the_test.py").write_text(TRAINER)
    arguments = [
        "--name",
        "alice",
        "--key",
        "key.pem",
        "--data",
        "data.bin",
        "--device",
        device,
        *filter(None, [trainer]),
    ]
    result = run("participate", TASK, *arguments)
    assert result.exit_code == Exit.USAGE
    assert "device" in result.stderr


def test_who_cannot_reach_the_broker_is_told_what_to_look_at(capsys: pytest.CaptureFixture[str]) -> None:
    @reported
    def command() -> None:
        raise TransportUnavailable("no broker")

    with pytest.raises(typer.Exit) as exit_:
        command()
    assert exit_.value.exit_code == Exit.UNAVAILABLE
    assert "`fluvial up` starts it" in capsys.readouterr().err


def test_foreign_text_cannot_steer_a_terminal() -> None:
    hostile = "\x1b]0;owned\x07\x1b[2Jgood\u202eevil\x00[red]x[/red]\nline"
    assert plain(hostile) == "\\x1b]0;owned\\x07\\x1b[2Jgood\\u202eevil\\x00[red]x[/red]\nline"
    assert shown(hostile).count("\n") == 0
    assert r"\[red]" in shown(hostile)


def test_an_error_that_quotes_foreign_text_is_harmless(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        fail("an envelope of \x1b[2Jx", "\x07hint")
    assert "\x1b[2J" not in capsys.readouterr().err


@pytest.mark.parametrize("seconds", ["nan", "inf", "-1", "1e300", "soon"])
@pytest.mark.parametrize(
    "words",
    [
        ("enrol", "--name", "a", "--timeout"),
        ("withdraw", "study", "--name", "a", "--timeout"),
        ("rotate-key", "--name", "a", "--timeout"),
        ("infer", "demo", "--name", "a", "--input", "x.npy", "--timeout"),
        ("serve", "demo", "--name", "a", "--timeout"),
        ("measure", "demo", "--name", "a", "--data", "x.npz", "--wait"),
        ("audit", "verify", "--grace"),
    ],
)
def test_a_time_that_no_clock_can_count_is_wrong_usage(words: tuple[str, ...], seconds: str) -> None:
    result = invoke(app, *words, seconds)
    assert result.exit_code == Exit.USAGE
    assert words[-1] in result.output


def test_what_is_no_number_is_null_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"measured": {"loss": math.nan, "auc": 0.5}, "bounds": [-math.inf, (math.inf, 1)]})
    assert json.loads(capsys.readouterr().out, parse_constant=pytest.fail) == {
        "measured": {"loss": None, "auc": 0.5},
        "bounds": [None, [None, 1]],
    }
    assert json_of({"loss": math.nan}, indent=2) == '{\n  "loss": null\n}'
