"""What serves: loaded, swapped and kept beside the operators."""

import json
import time
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper
from torch import nn

from fluvial.edge.packages.errors import PackageError
from fluvial.edge.training.torch_artefact import pack
from fluvial.edge.training.torch_session import runtime as torch_runtime
from fluvial.identity.envelope import seal
from fluvial.identity.federation import Federation
from fluvial.identity.keys import SigningKey
from fluvial.inference.processor import processor_class
from fluvial.inference.session import runtime
from fluvial.registry.acts import OperatorActs
from fluvial.registry.view import VerifiedRegistry
from fluvial.wire.errors import ChunkUnavailable
from fluvial.wire.records import PromotionDecision, Task
from fluvial.wire.task_file import TaskFile
from fluvial.wire.topics import Topics
from pipelines.inference.serving import Serving
from pipelines.registered_tasks import parsed_acceleration
from tests.unit.deploy.demo.test_variants import a_promotion
from tests.unit.fluvial.kafka.memory_transport import MemoryTransport
from tests.unit.pipelines.promotion.builders import SPEC, a_variant

OPERATOR, AGGREGATOR = SigningKey.generate(), SigningKey.generate()
TOPICS = Topics()
FEDERATION = Federation(
    bootstrap_servers="none:1",
    operator_key=OPERATOR.public_key.hex(),
    registrar_key="00" * 32,
    aggregator_key=AGGREGATOR.public_key.hex(),
    log_key="log+00000000+AA==",
)
SPECIFICATION = {
    "task": "credit",
    "title": "t",
    "model": {"architecture": "logistic_regression"},
    "rounds": 1,
    "quorum": 1,
    "target": 1,
    "deadline_seconds": 10,
    "limits": {"max_abs": 1.0, "max_weight": 10},
    "acceleration": SPEC.model_dump(mode="json"),
}


def artefact(factor):
    shape = ["batch", 3]
    graph = helper.make_graph(
        [helper.make_node("Mul", ["inputs", "factor"], ["outputs"])],
        "model",
        [helper.make_tensor_value_info("inputs", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("outputs", TensorProto.FLOAT, shape)],
        [helper.make_tensor("factor", TensorProto.FLOAT, [1], [factor])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10).SerializeToString()


class World:
    def __init__(self, device="auto"):
        self.transport = MemoryTransport(dict.fromkeys((TOPICS.registry, TOPICS.variants, TOPICS.promotions), 1))
        self.artefacts = {}
        self.sequence = self.slow = 0
        self.forbidden = False
        task = Task(
            task="credit",
            specification=json.dumps(SPECIFICATION),
            layout=(),
            base_version=0,
            base_digest=bytes(32),
            base_chunks=(),
            created_ms=1,
        )
        self.produce(TOPICS.registry, seal(task, OPERATOR, "operator"), "task/credit")
        self.serving = Serving(
            lambda: self.transport,
            TOPICS,
            VerifiedRegistry(OPERATOR.public_key, bytes(32)),
            AGGREGATOR.public_key,
            self.read,
            self.module,
            device,
        )

    def module(self, task):
        assert task.task == "credit"
        if self.forbidden:
            raise PackageError("the package is not allowed here")
        return nn.Linear(3, 3)

    def produce(self, topic, value, key=""):
        self.transport.produce(topic, value, key=key.encode()).result(5)

    def read(self, variant):
        if self.slow:
            self.slow -= 1
            raise TimeoutError("the broker does not answer")
        data = self.artefacts[variant.artefact_sha256]
        if data is None:
            raise ChunkUnavailable("gone")
        return data

    def promote(
        self, version, factor, data=b"", decision=PromotionDecision.PROMOTED, signer=AGGREGATOR, runs_in="", name="int8"
    ):
        data = data or artefact(factor)
        digest = sha256(data).digest()
        self.artefacts.setdefault(digest, data)
        self.sequence += 1
        variant = replace(a_variant(name, version), artefact_sha256=digest)
        promotion = replace(
            a_promotion(),
            sequence=self.sequence,
            version=version,
            artefact_sha256=digest,
            decision=decision,
            processor=processor_class(),
            runtime=runs_in or runtime(),
            variant=name,
        )
        self.produce(TOPICS.variants, seal(variant, signer, "aggregator"))
        self.produce(TOPICS.promotions, seal(promotion, signer, "aggregator"))

    def serves(self, version):
        for _ in range(400):
            model = self.serving.model("credit")
            if (None if model is None else model.version) == version:
                return model
            time.sleep(0.02)
        raise AssertionError(f"{version} does not serve: {self.serving.model('credit')}")


@pytest.fixture
def world():
    made = World()
    yield made
    made.serving.close()


def answer(model):
    return model.run(np.ones((1, 3), np.float32))[0, 0]


def test_what_was_promoted_before_the_start_serves_when_it_is_ready(world):
    world.promote(1, 2.0)
    world.promote(2, 3.0)
    world.serving.start()
    assert world.serving.ready(10)
    assert answer(world.serving.model("credit")) == 3.0


def test_an_artefact_that_the_broker_gave_too_late_serves_when_it_is_there(world):
    world.slow = 2
    world.promote(1, 2.0)
    world.serving.start()
    assert answer(world.serves(1)) == 2.0


def test_a_new_release_takes_the_place_of_the_old_one_which_still_answers_whoever_holds_it(world):
    world.promote(1, 2.0)
    world.serving.start()
    old = world.serves(1)
    world.promote(2, 3.0)
    assert answer(world.serves(2)) == 3.0
    assert answer(old) == 2.0


def test_a_release_that_cannot_be_loaded_leaves_the_old_one_serving(world):
    world.promote(1, 2.0)
    world.serving.start()
    world.serves(1)
    world.promote(2, 0.0, data=b"no model")
    world.promote(3, 4.0)
    assert answer(world.serves(3)) == 4.0


def in_torch(factor, precision="bfloat16"):
    module = nn.Linear(3, 3)
    with torch.no_grad():
        module.weight.copy_(factor * torch.eye(3))
        module.bias.zero_()
    return pack(module, torch.zeros(2, 3), precision)


def test_what_was_promoted_for_torch_is_run_by_it_with_the_tasks_module(world):
    world.promote(1, 0.0, data=in_torch(2.0), runs_in=torch_runtime("cpu", "bfloat16"))
    world.serving.start()
    assert answer(world.serves(1)) == 2.0


def test_where_the_tasks_code_is_not_allowed_the_next_best_serves(world):
    world.forbidden = True
    world.promote(1, 2.0)
    world.promote(2, 3.0, name="onnx")
    world.promote(2, 0.0, data=in_torch(4.0), runs_in=torch_runtime("cpu", "bfloat16"))
    world.serving.start()
    model = world.serves(2)
    assert (model.variant, answer(model)) == ("onnx", 3.0)


def test_what_was_promoted_for_another_precision_or_an_accelerator_that_is_not_here_serves_nobody(world):
    world.promote(1, 2.0)
    world.promote(2, 0.0, data=in_torch(3.0), runs_in=torch_runtime("cpu", "float16"))
    world.promote(3, 0.0, data=in_torch(4.0), runs_in=torch_runtime("cuda", "bfloat16"))
    world.serving.start()
    assert answer(world.serves(1)) == 2.0


def test_a_release_that_is_rolled_back_serves_no_more(world):
    world.promote(1, 2.0)
    world.promote(2, 3.0)
    world.serving.start()
    world.serves(2)
    world.promote(2, 3.0, decision=PromotionDecision.ROLLED_BACK)
    world.serves(1)


def test_what_nobody_signed_who_may_and_junk_change_nothing(world):
    world.promote(1, 2.0)
    world.promote(2, 9.0, signer=SigningKey.generate())
    for topic in (TOPICS.registry, TOPICS.variants, TOPICS.promotions):
        world.produce(topic, b"junk", "task/credit")
    world.serving.start()
    world.serves(1)


def test_the_task_file_is_parsed_once_for_all_batches(world, monkeypatch):
    world.serving.start()
    assert world.serving.ready(10)
    parsed = []
    validate = TaskFile.model_validate_json
    monkeypatch.setattr(TaskFile, "model_validate_json", lambda text: parsed.append(text) or validate(text))
    parsed_acceleration.cache_clear()
    assert {world.serving.spec("credit").batching.max_batch for _ in range(100)} == {64}
    assert len(parsed) == 1


def test_a_strangers_tombstone_hides_no_task_from_its_callers(world):
    world.promote(1, 2.0)
    world.serving.start()
    world.serves(1)
    world.produce(TOPICS.registry, b"", "task/credit")
    world.promote(2, 3.0)
    assert answer(world.serves(2)) == 3.0
    assert world.serving.spec("credit") is not None


def test_a_task_whose_file_cannot_be_read_serves_nothing_and_stops_nobody(world):
    record = Task(
        task="junk",
        specification="no task file",
        layout=(),
        base_version=0,
        base_digest=bytes(32),
        base_chunks=(),
        created_ms=1,
    )
    world.produce(TOPICS.registry, seal(record, OPERATOR, "operator"), "task/junk")
    world.promote(1, 2.0)
    world.serving.start()
    world.serves(1)
    assert world.serving.spec("junk") is None


def test_whoever_asks_learns_that_what_serves_is_not_followed_any_more(world, monkeypatch):
    monkeypatch.setattr(world.serving, "_apply", lambda *_: 1 / 0)
    world.serving.start()
    assert world.serving.ready(10)
    with pytest.raises(ZeroDivisionError):
        world.serving.model("credit")


def test_a_removed_task_is_answered_no_more(world):
    world.promote(1, 2.0)
    world.serving.start()
    world.serves(1)
    OperatorActs(world.transport, FEDERATION, OPERATOR).remove("credit")
    for _ in range(400):
        if world.serving.spec("credit") is None:
            return
        time.sleep(0.02)
    raise AssertionError("it is served still")


def test_what_was_held_does_not_serve_on_because_nothing_else_can_be_loaded(world):
    world.promote(1, 2.0)
    world.artefacts[sha256(artefact(2.0)).digest()] = None
    world.promote(2, 3.0)
    world.serving.start()
    world.serves(2)
    world.promote(2, 3.0, decision=PromotionDecision.HELD)
    world.serves(None)


def test_what_was_rolled_back_does_not_serve_while_the_broker_is_slow(world):
    world.promote(1, 2.0)
    world.promote(2, 3.0)
    world.serving.start()
    world.serves(2)
    world.slow = 20
    world.promote(2, 3.0, decision=PromotionDecision.ROLLED_BACK)
    world.serves(None)
    world.serves(1)


def test_what_cannot_be_loaded_gives_its_place_to_the_next_that_is_promoted(world):
    world.promote(1, 2.0)
    world.promote(2, 0.0, data=b"no model")
    world.serving.start()
    assert world.serving.ready(10)
    assert answer(world.serves(1)) == 2.0
