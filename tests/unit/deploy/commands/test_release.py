"""`fluvial release`: what operators see and do, over a federation in memory."""

import itertools
import json
from dataclasses import replace
from hashlib import sha256
from types import SimpleNamespace

import pytest
import typer
from typer.testing import CliRunner

from deploy.commands import release as verifying
from fluvial.cli import release, release_acts
from fluvial.identity.envelope import open_envelope, seal
from fluvial.wire.framing import decode
from fluvial.wire.records import OperatorAct, PromotionDecision, Task
from pipelines.promotion.logic import TaskPromotions, decide, with_act, with_measurement, with_spec, with_variant
from tests.unit.deploy.demo.records import verdict
from tests.unit.fluvial.edge.world import AGGREGATOR, OPERATOR, REGISTRAR, Log, a_federation, topic_partitions
from tests.unit.fluvial.kafka.memory_transport import MemoryTransport
from tests.unit.governance.admission.builders import a_participant
from tests.unit.pipelines.inference.test_serving import SPECIFICATION
from tests.unit.pipelines.promotion.acts import KEYS, OPERATORS, a_spec
from tests.unit.pipelines.promotion.builders import HARMFUL, a_measurement, a_variant

pytestmark = pytest.mark.timeout(60)


class Stage:
    """The stage promotion, run by hand over the topics."""

    def __init__(self, federation, transport):
        self.topics, self.transport = federation.topics, transport
        spec = a_spec(2)
        self.register(spec)
        self.state = with_spec(TaskPromotions(), spec, OPERATOR.public_key)
        for name, rows in (("int8", HARMFUL), ("onnx", None)):
            variant = a_variant(name)
            measurement = a_measurement(name=name) if rows is None else a_measurement(rows, name)
            record = seal(measurement, AGGREGATOR, "aggregator")
            self.produce(self.topics.variants, seal(variant, AGGREGATOR, "aggregator"))
            self.produce(self.topics.measurements, record)
            self.state = with_variant(self.state, variant)
            self.state = with_measurement(self.state, measurement, sha256(record).digest())
            self.run()

    def register(self, spec, version=0, name="credit"):
        """Also under way: as `task update` does."""
        task = Task(
            task=name,
            specification=json.dumps({**SPECIFICATION, "task": name, "acceleration": spec.model_dump(mode="json")}),
            layout=(),
            base_version=0,
            base_digest=bytes(32),
            base_chunks=(),
            created_ms=1,
            version=version,
        )
        self.produce(self.topics.registry, seal(task, OPERATOR, "operator"), f"task/{name}")
        if version:
            self.state = with_spec(self.state, spec, OPERATOR.public_key)

    def produce(self, topic, value, key="credit"):
        self.transport.produce(topic, value, key=key.encode()).result(5)

    def run(self):
        for message in self.transport.messages(self.topics.operator_acts):
            envelope = open_envelope(message.value)
            act = decode(envelope.payload, OperatorAct)
            self.state = with_act(self.state, sha256(message.value).digest(), envelope, act)
        self.state, decisions = decide(self.state, 1_000)
        for decision in decisions:
            self.produce(self.topics.promotions, seal(decision, AGGREGATOR, "aggregator"))


@pytest.fixture
def stage(tmp_path, monkeypatch):
    federation = a_federation()
    federation.save(tmp_path / ".fluvial/federation.json")
    monkeypatch.chdir(tmp_path)
    for name, key in OPERATORS.items():
        key.save(tmp_path / f"{name}.pem")
    transport = MemoryTransport(topic_partitions(federation))
    for module in (release, release_acts, verifying):
        monkeypatch.setattr(module, "connect", lambda brokers, client_id: transport)
    return Stage(federation, transport)


def run(*arguments):
    return CliRunner().invoke(release.app, list(arguments))


def verify(*arguments):
    command = typer.Typer()
    command.command()(verifying.verify)
    return CliRunner().invoke(command, ["credit", *arguments])


def act(verb, operator, *arguments, key=None):
    return run(verb, "credit", *arguments, "--name", operator, "--key", f"{key or operator}.pem", "--wait", "0")


def test_decisions_are_listed_shown_and_compared(stage):
    listed = [json.loads(line) for line in run("list", "credit", "--json").stdout.splitlines()]
    assert [(row["promotion"], row["decision"]) for row in listed] == [(1, "HELD"), (2, "AWAITING")]
    shown = json.loads(run("show", "credit", "1", "--json").stdout)
    assert shown["findings"][0]["harmed"] == 21
    compared = json.loads(run("diff", "credit", "1", "2", "--json").stdout)
    assert [row["bytes"] for row in compared["decisions"]] == [10, 10]
    assert [(row["group"], row["values"][1]) for row in compared["changed"]] == [("age:50-80", None)]
    assert "recall:1 of age:50-80" in run("diff", "credit", "1", "2").stdout
    stage.register(a_spec(2), name="other")
    assert run("list", "other").stdout.startswith("nothing was decided on other yet")
    unknown = run("list", "credti")
    assert unknown.exit_code == 2
    assert "there are: credit, other" in unknown.stderr
    missing = run("diff", "credit", "1", "7")
    assert missing.exit_code == 1
    assert "no decision 7" in missing.stderr


def test_a_promotion_takes_two_operators_and_a_rollback_one(stage):
    first = act("promote", "north", "2", "--reason", "agreed")
    assert first.exit_code == 0
    assert "2 operators must sign" in first.stdout
    stage.run()
    act("promote", "south", "2", "--reason", "agreed")
    stage.run()
    listed = run("list", "credit", "--json").stdout
    assert '"promoted by north, south: agreed"' in listed
    late = act("promote", "west", "2", "--reason", "agreed")
    assert late.exit_code == 1
    assert "decision 2 was followed by another" in late.stderr
    back = act("rollback", "west", "3", "--reason", "answers are late")
    assert back.exit_code == 1  # nobody runs the stage while it waits
    assert "nothing followed" in back.stderr
    stage.run()
    assert json.loads(run("show", "credit", "4", "--json").stdout)["decision"] == "ROLLED_BACK"
    assert verify("8").exit_code == 0, verify("8").output


def test_what_cannot_be_done_is_refused_before_it_is_signed(stage):
    refused = act("promote", "north", "1", "--reason", "we like it")
    assert refused.exit_code == 2
    assert "what is HELD cannot be promoted: a promote is of what is AWAITING" in refused.stderr
    other = act("hold", "north", "2", "--reason", "no", key="south")
    assert other.exit_code == 2
    assert "not the key of the operator 'north'" in other.stderr
    assert stage.transport.messages(stage.topics.operator_acts) == []


def test_verify_computes_every_decision_again_and_says_where_one_differs(stage):
    good = verify()
    assert good.exit_code == 0, good.output
    assert "verified: 2 decisions computed again" in good.stdout
    forged = json.loads(verify("--json").stdout)
    assert forged["verified"] is True
    promotions = stage.transport.messages(stage.topics.promotions)
    stage.transport.remove(stage.topics.promotions, promotions[0].partition, promotions[0].offset)
    bad = verify()
    assert bad.exit_code == 1
    assert "missing" in bad.stdout
    assert verify("9").exit_code == 1


def test_verify_believes_what_participants_measured_for_their_signatures(stage):
    key, stranger = OPERATORS["north"], OPERATORS["south"]
    participant = replace(a_participant(), participant="anna", public_key=key.public_key)
    stage.produce(stage.topics.registry, seal(participant, REGISTRAR, "registrar"), "participant/anna")
    report = a_measurement(measurer="anna", data="own", data_sha256=b"", processor="NEON")
    for number, signer in ((3, key), (4, stranger)):
        record = seal(replace(report, measured_ms=number), signer, "anna")
        stage.produce(stage.topics.admitted_reports, record)
        state = with_measurement(stage.state, replace(report, measured_ms=number), sha256(record).digest())
        _, (decision,) = decide(state, 1_000)
        stage.produce(stage.topics.promotions, seal(replace(decision, sequence=number), AGGREGATOR, "aggregator"))
    found = {row["promotion"]: row["differences"] for row in json.loads(verify("--json").stdout)["decisions"]}
    assert found[3] == []
    assert found[4][0] == "1 of 1 measurements are not there, or not signed by who may measure"


def test_verify_finds_a_decision_that_the_aggregator_made_up(stage):
    invented = replace(stage.state.decided[8, "int8", "onnxruntime 1.32.0", "AVX2"], sequence=3)
    invented = replace(invented, decision=PromotionDecision.PROMOTED, reason="promoted: int8 is fine")
    stage.produce(stage.topics.promotions, seal(invented, AGGREGATOR, "aggregator"))
    bad = verify()
    assert bad.exit_code == 1
    assert "decision is recorded as PROMOTED, but follows as HELD" in bad.stdout


def test_a_decision_whose_number_another_one_has_serves_nobody_and_is_found(stage):
    forged = replace(stage.state.decided[8, "int8", "onnxruntime 1.32.0", "AVX2"], processor="NEON")
    stage.produce(stage.topics.promotions, seal(forged, AGGREGATOR, "aggregator"))
    listed = [json.loads(line)["processor"] for line in run("list", "credit", "--json").stdout.splitlines()]
    assert listed == ["AVX2", "AVX2"]
    bad = verify()
    assert bad.exit_code == 1
    assert "another decision has the number 1, too" in bad.stdout


def outcomes(*arguments):
    result = verify("--json", *arguments)
    return [row["outcome"] for row in json.loads(result.stdout)["decisions"]], result.exit_code


def test_decisions_of_before_are_verified_against_the_terms_of_before(stage):
    act("promote", "north", "2", "--reason", "agreed")
    act("promote", "south", "2", "--reason", "agreed")
    stage.run()
    stage.register(a_spec(1, {"west": KEYS["west"]}), version=1)
    stage.run()
    assert outcomes() == (["SAME"] * 3, 0)
    north = act("rollback", "north", "3", "--reason", "against you")
    assert north.exit_code == 2
    assert "not the key of the operator 'north'" in north.stderr
    act("rollback", "west", "3", "--reason", "answers are late")
    stage.run()
    assert outcomes() == (["SAME"] * 4, 0)


def test_a_signature_of_a_removed_operator_promotes_nothing_and_a_record_that_says_so_is_found(stage):
    act("promote", "north", "2", "--reason", "agreed")
    waiting = stage.transport.messages(stage.topics.operator_acts)[0].value
    stage.run()
    stage.register(a_spec(2, {name: KEYS[name] for name in ("south", "west")}), version=1)
    stage.run()
    act("promote", "south", "3", "--reason", "agreed")
    stage.produce(stage.topics.operator_acts, waiting)
    stage.run()
    listed = [json.loads(line) for line in run("list", "credit", "--json").stdout.splitlines()]
    assert listed[-1]["decision"] == "AWAITING"
    assert outcomes() == (["SAME"] * 3, 0)
    promoted = followed_by_hand(stage, 2, ("north", "south"))
    stage.produce(stage.topics.promotions, seal(promoted, AGGREGATOR, "aggregator"))
    found, status = outcomes()
    assert (found, status) == ([*["SAME"] * 3, "DIFFERS"], 1)
    assert "under former terms, and a decision before it under those that followed" in " ".join(verify().stdout.split())


def followed_by_hand(stage, sequence, signers):
    """What a signer of decisions would write who went on with the former operators."""
    former = stage.state.decided[8, "onnx", "onnxruntime 1.32.0", "AVX2"]
    first = a_spec(2).policy.digest()
    acts = [sha256(message.value).digest() for message in stage.transport.messages(stage.topics.operator_acts)]
    return replace(
        former,
        sequence=4,
        decision=PromotionDecision.PROMOTED,
        policy_sha256=first,
        signers=signers,
        acts=tuple(acts[:2]),
    )


def test_terms_that_the_registry_has_forgotten_can_be_brought_along(stage, tmp_path, monkeypatch):
    stage.register(a_spec(1), version=1)
    former = tmp_path / "former.json"
    former.write_text(json.dumps({**SPECIFICATION, "acceleration": a_spec(2).model_dump(mode="json")}))
    whole = stage.transport.messages(stage.topics.registry)
    compacted = MemoryTransport(topic_partitions(a_federation()))
    for topic in (stage.topics.variants, stage.topics.measurements, stage.topics.promotions):
        for message in stage.transport.messages(topic):
            compacted.produce(topic, message.value, key=message.key).result(5)
    compacted.produce(stage.topics.registry, whole[-1].value, key=whole[-1].key).result(5)
    monkeypatch.setattr(verifying, "connect", lambda brokers, client_id: compacted)
    assert outcomes() == (["TERMS_GONE"] * 2, 1)
    assert "not proven, and nothing shown to be wrong" in verify().stdout
    assert outcomes("--terms", str(former)) == (["SAME"] * 2, 0)


@pytest.fixture
def anna(stage):
    """A participant whom the audit log knows by a former key; its measurements go through the gate, or do not."""
    former, key = OPERATORS["north"], OPERATORS["south"]
    log, offsets = Log(stage.topics, stage.transport), itertools.count()

    def enrolled(by, version):
        return replace(a_participant(), participant="anna", public_key=by.public_key, version=version)

    log.add(enrolled(former, 0))
    stage.produce(stage.topics.registry, seal(enrolled(key, 1), REGISTRAR, "registrar"), "participant/anna")

    def measure(signer, *, admitted, **changes):
        report = a_measurement(measurer="anna", data="own", data_sha256=b"", processor="NEON", **changes)
        record = seal(report, signer, "anna")
        digest = sha256(record).digest()
        stage.produce(stage.topics.admitted_reports, record)
        if admitted:
            topic, offset = stage.topics.reports, next(offsets)
            log.add(verdict(offset, source_topic=topic, record_sha256=digest))
            log.sign()
            stage.state = with_measurement(stage.state, report, digest)
            stage.run()
        return digest

    return SimpleNamespace(measure=measure, former=former, key=key)


def test_a_measurement_that_nobody_admitted_makes_no_decision_wrong(stage, anna):
    """Of a participant that writes to the topic itself, or a stranger who has one of its refused records."""
    anna.measure(anna.key, admitted=False, measured_ms=1)
    anna.measure(anna.key, admitted=True, measured_ms=2)
    anna.measure(anna.key, admitted=False, rows=HARMFUL, measured_ms=3)
    assert outcomes() == (["SAME"] * 3, 0)


def test_a_measurement_that_was_admitted_and_is_passed_over_does(stage, anna):
    anna.measure(anna.key, admitted=True, measured_ms=1)
    other = anna.measure(anna.key, admitted=False, measured_ms=2)
    (decision,) = (each for each in stage.state.decided.values() if each.processor == "NEON")
    forged = replace(decision, measurements=(other,), sequence=4)
    stage.produce(stage.topics.promotions, seal(forged, AGGREGATOR, "aggregator"))
    (row,) = (row for row in json.loads(verify("--json").stdout)["decisions"] if row["promotion"] == 4)
    assert "anna had measured before what is named, and the first counts" in row["differences"]


def test_a_key_that_was_changed_since_leaves_decisions_as_they_are(stage, anna):
    anna.measure(anna.former, admitted=True)
    assert outcomes() == (["SAME"] * 3, 0)
