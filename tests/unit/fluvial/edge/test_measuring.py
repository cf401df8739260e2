"""A participant measures variants on its own data."""

import json
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest
import torch

from fluvial.cli.measure import read_own_data
from fluvial.cli.verbs import app, mount_for
from fluvial.edge import measuring as measuring_module
from fluvial.edge import participant as participant_module
from fluvial.edge.measuring import Measuring, OwnData
from fluvial.edge.training import torch_session
from fluvial.edge.training.architectures import build
from fluvial.edge.training.torch_artefact import pack
from fluvial.identity.envelope import seal, unseal
from fluvial.identity.keys import SigningKey
from fluvial.wire.errors import FluvialError, VerificationError
from fluvial.wire.records import ChunkReference, Measurement, Task
from tests.unit.fluvial.cli.runner import invoke
from tests.unit.fluvial.edge.world import AGGREGATOR, OPERATOR, a_federation, topic_partitions
from tests.unit.fluvial.kafka.memory_transport import MemoryTransport
from tests.unit.governance.admission.test_reports import ASKING
from tests.unit.pipelines.inference.test_serving import SPECIFICATION, artefact
from tests.unit.pipelines.promotion.builders import a_variant

mount_for(["measure"])

KEY = SigningKey.generate()
INPUTS = np.random.default_rng(1).normal(size=(40, 3)).astype(np.float32)
SEX = np.arange(40) % 2


def a_task(**changes):
    return Task(
        task="credit",
        specification=json.dumps({**SPECIFICATION, "acceleration": {**ASKING, **changes}}),
        layout=(),
        base_version=0,
        base_digest=bytes(32),
        base_chunks=(),
        created_ms=1,
    )


class Topics:
    """Variants of versions, as acceleration wrote them."""

    def __init__(self):
        self.federation = a_federation()
        self.topics = self.federation.topics
        self.transport = MemoryTransport(topic_partitions(self.federation))

    def build(self, version, factors, damaged=False):
        for name, factor in factors.items():
            data = factor if isinstance(factor, bytes) else artefact(factor)
            stored = data[:-1] if damaged else data
            place = self.transport.produce(self.topics.variant_blobs, stored, key=b"x").result(5)
            chunk = ChunkReference(
                partition=place.partition, offset=place.offset, length=len(data), sha256=sha256(data).digest()
            )
            variant = replace(a_variant(name, version), artefact_sha256=sha256(data).digest(), chunks=(chunk,))
            self.transport.produce(self.topics.variants, seal(variant, AGGREGATOR, "aggregator"), key=b"x").result(5)

    def measuring(self, task=None, device="cpu"):
        return Measuring(self.transport, self.federation, "alice", KEY, task or a_task(), device)

    def reports(self):
        return [unseal(m.value, Measurement, KEY.public_key) for m in self.transport.messages(self.topics.reports)]


@pytest.fixture
def world():
    made = Topics()
    made.build(7, {"onnx": 1.0, "int8": 1.0})
    made.build(8, {"onnx": 1.0, "int8": -1.0})
    made.build(9, {"onnx": 1.0})
    return made


def test_the_newest_version_that_has_all_variants_is_measured_beside_the_float32_model(world):
    sent = world.measuring().measure(OwnData(inputs=INPUTS, groups={"sex": (SEX, ("women", "men"))}))
    assert world.reports() == [one.measurement for one in sent]
    by_name = {one.measurement.variant: one.measurement for one in sent}
    assert {one.version for one in by_name.values()} == {8}
    same = {(c.metric, c.group): c.harmed for c in by_name["onnx"].counts}
    assert same == {("agreement", "all"): 0, ("agreement", "sex:men"): 0, ("agreement", "sex:women"): 0}
    changed = {(c.metric, c.group): c.harmed for c in by_name["int8"].counts}
    assert changed["agreement", "all"] == 40
    assert by_name["int8"].throughput > 0


def test_with_labels_accuracy_and_recall_are_counted_and_small_groups_are_not(world):
    targets = (np.arange(40) < 35).astype(np.int64)
    people = np.arange(40) // 2
    data = OwnData(inputs=INPUTS, targets=targets, people=people, groups={"sex": (SEX, ("women", "men"))})
    (first, _) = world.measuring().measure(data, 7)
    places = {(c.metric, c.group) for c in first.measurement.counts}
    assert ("accuracy", "all") in places
    assert ("recall:1", "sex:men") in places
    assert not any(metric == "recall:0" for metric, _ in places)  # three people


def test_what_was_admitted_is_not_measured_again(world):
    first, second = world.measuring().measure(OwnData(inputs=INPUTS))
    record = seal(first.measurement, KEY, "alice")
    world.transport.produce(world.topics.admitted_reports, record, key=b"credit").result(5)
    (again,) = world.measuring().measure(OwnData(inputs=INPUTS))
    assert again.measurement.variant == second.measurement.variant


def test_what_others_write_in_a_participants_name_keeps_it_from_measuring_nothing(world):
    first, second = world.measuring().measure(OwnData(inputs=INPUTS))
    forged = seal(first.measurement, SigningKey.generate(), "alice")
    world.transport.produce(world.topics.admitted_reports, forged, key=b"credit").result(5)
    again = world.measuring().measure(OwnData(inputs=INPUTS))
    assert [one.measurement.variant for one in again] == [one.measurement.variant for one in (first, second)]


def test_of_few_people_nothing_is_told(world):
    with pytest.raises(ValueError, match="of fewer than 10 nothing may be told"):
        world.measuring().measure(OwnData(inputs=INPUTS[:9]))
    with pytest.raises(ValueError, match="examples of 4 people"):
        world.measuring().measure(OwnData(inputs=INPUTS, people=np.arange(40) % 4))
    assert world.reports() == []


def test_a_task_that_does_not_ask_is_not_measured(world):
    with pytest.raises(ValueError, match="asks participants for no measurements"):
        world.measuring(a_task(participants_measure=False))
    with pytest.raises(FluvialError, match="no variants of version 3 of credit to measure yet"):
        world.measuring().measure(OwnData(inputs=INPUTS), 3)


def a_task_with_torch():
    variants = [*ASKING["variants"], {"name": "halves", "recipe": "torch_bf16"}]
    model = {"architecture": "logistic_regression", "parameters": {"inputs": 3, "classes": 3}}
    specification = {**SPECIFICATION, "model": model, "acceleration": {**ASKING, "variants": variants}}
    return replace(a_task(), specification=json.dumps(specification))


def with_torch():
    made = Topics()
    module = build("logistic_regression", {"inputs": 3, "classes": 3})
    with torch.no_grad():
        module[0].weight.copy_(torch.eye(3))
        module[0].bias.zero_()
    made.build(8, {"onnx": 1.0, "int8": 1.0, "halves": pack(module, torch.zeros(2, 3), "bfloat16")})
    return made


def test_what_torch_runs_is_not_measured_on_a_processor():
    world = with_torch()
    sent = world.measuring(a_task_with_torch()).measure(OwnData(inputs=INPUTS))
    assert {one.measurement.variant for one in sent} == {"onnx", "int8"}


@pytest.fixture
def an_accelerator(monkeypatch):
    """This processor in an accelerator's place: the class is its, the sessions are torch's own on the processor."""
    monkeypatch.setattr(measuring_module, "processor_class", lambda device: "CUDA_9_0")
    monkeypatch.setattr(torch_session, "choose_device", lambda device: "cpu")


@pytest.mark.usefixtures("an_accelerator")
def test_an_accelerator_measures_what_torch_runs_with_the_tasks_module_and_leaves_what_it_has_no_runtime_for():
    world = with_torch()
    sent = world.measuring(a_task_with_torch(), "cuda").measure(OwnData(inputs=INPUTS))
    (measurement,) = [one.measurement for one in sent]
    assert (measurement.variant, measurement.processor) == ("halves", "CUDA_9_0")
    assert measurement.runtime == torch_session.runtime("cpu", "bfloat16")
    (everybody,) = measurement.counts
    assert everybody.harmed <= 1  # two outputs that bfloat16 cannot tell apart


@pytest.mark.usefixtures("an_accelerator")
def test_where_the_device_has_a_runtime_for_no_variant_that_is_said(world):
    with pytest.raises(ValueError, match="does not run on 'cuda'"):
        world.measuring(device="cuda").measure(OwnData(inputs=INPUTS))
    assert world.reports() == []


def test_other_bytes_than_the_record_names_are_not_run():
    damaged = Topics()
    damaged.build(8, {"onnx": 1.0, "int8": 2.0}, damaged=True)
    with pytest.raises(VerificationError, match="has other bytes"):
        damaged.measuring().measure(OwnData(inputs=INPUTS))


def test_own_data_is_read_from_plain_arrays(tmp_path):
    path = tmp_path / "own.npz"
    sexes = np.where(SEX, "men", "women")
    np.savez(path, inputs=INPUTS.astype(np.float64), targets=SEX, people=np.arange(40), **{"groups.sex": sexes})
    data = read_own_data(path)
    assert data.inputs.dtype == np.float32
    assert data.groups["sex"][1] == ("men", "women")
    assert (data.groups["sex"][0] == 1 - SEX).all()
    np.savez(path, inputs=INPUTS, weights=SEX)
    with pytest.raises(ValueError, match=r"it has \['inputs', 'weights'\]"):
        read_own_data(path)
    path.write_bytes(b"junk")
    with pytest.raises(ValueError, match=r"no \.npz file"):
        read_own_data(path)


def test_the_verb_measures_and_says_that_a_verdict_is_missing(world, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    world.federation.save(tmp_path / ".fluvial/federation.json")
    KEY.save(tmp_path / "key.pem")
    np.savez(tmp_path / "own.npz", inputs=INPUTS)
    world.transport.produce(world.topics.registry, seal(a_task(), OPERATOR, "operator"), key=b"task/credit").result(5)
    monkeypatch.setattr(participant_module, "connect", lambda brokers, client_id: world.transport)
    arguments = ["measure", "credit", "--name", "alice", "--data", "own.npz", "--key", "key.pem", "--wait", "0"]
    result = invoke(app, *arguments)
    assert result.exit_code == 1
    assert "int8, version 8: 40 of 40 answers changed" in result.stdout
    assert "no verdict yet" in result.stdout
