import threading

import numpy as np
import pytest

from fluvial.edge.manifests import read_manifests
from fluvial.edge.models import ModelCache
from fluvial.edge.safetensors import to_safetensors
from fluvial.identity.envelope import seal
from fluvial.identity.keys import SigningKey
from fluvial.wire.errors import FluvialError
from fluvial.wire.records import Round, TensorLayout
from tests.unit.fluvial.edge.world import AGGREGATOR, LAYOUT, OPERATOR, World
from tests.unit.fluvial.wire.samples import sample


def test_manifests_are_listed_by_version_and_signed_by_whom_they_should_be(world: World) -> None:
    first = world.publish_manifest(0, OPERATOR)
    second = world.publish_manifest(1, AGGREGATOR)
    assert read_manifests(world.transport, world.federation) == [first, second]


def test_a_later_version_signed_by_the_operator_is_not_believed(world: World) -> None:
    world.publish_manifest(1, OPERATOR)
    with pytest.raises(FluvialError):
        read_manifests(world.transport, world.federation)


def test_what_nobody_signed_who_may_keeps_nobody_from_the_list(world: World) -> None:
    first = world.publish_manifest(0, OPERATOR)
    world.publish_manifest(1, SigningKey.generate())
    another = seal(sample(Round), AGGREGATOR, "aggregator")
    for value in (b"", b"garbage", bytes(5_000), another):
        world.put(world.topics.models, "demo/1", value)
    assert read_manifests(world.transport, world.federation) == [first]


def test_two_models_of_one_version_are_not_listed(world: World) -> None:
    world.publish_manifest(1, AGGREGATOR)
    world.publish_manifest(1, AGGREGATOR)
    with pytest.raises(FluvialError, match="published twice"):
        read_manifests(world.transport, world.federation)


def test_many_threads_load_a_model_once() -> None:
    cache, loads = ModelCache(), []
    gate = threading.Barrier(8)

    def load() -> np.ndarray:
        loads.append(1)
        return np.zeros(10, np.float32)

    def get() -> None:
        gate.wait()
        cache.get(b"digest", load)

    threads = [threading.Thread(target=get) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loads) == 1


def test_a_failed_load_is_tried_again() -> None:
    cache = ModelCache()

    def fail() -> np.ndarray:
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        cache.get(b"digest", fail)
    assert cache.get(b"digest", lambda: np.ones(1, np.float32))[0] == 1


def test_the_least_recently_used_models_leave_the_cache() -> None:
    cache, loads = ModelCache(budget_bytes=80), []

    def get(name: bytes) -> None:
        cache.get(name, lambda: loads.append(name) or np.zeros(10, np.float32))

    for name in (b"a", b"b", b"a", b"c", b"a", b"b"):
        get(name)
    assert loads == [b"a", b"b", b"c", b"b"]


def test_small_models_leave_the_cache_when_they_are_many() -> None:
    """Each may hold two open files, and a process may have a thousand."""
    cache = ModelCache(1 << 30, most=3)
    for number in range(5):
        cache.get(bytes([number]), lambda: np.zeros(1, np.float32))
    assert [bytes([number]) in cache._models for number in range(5)] == [False, False, True, True, True]


def test_a_safetensors_file_holds_each_tensor_in_its_own_dtype_as_torch_would_have_it() -> None:
    import torch
    from safetensors.torch import load

    from fluvial.edge.training.tensor_values import DTYPES, from_elements, to_elements

    generator = torch.Generator().manual_seed(2)
    layout = [TensorLayout(name=name, shape=(7, 11), dtype=name) for name in DTYPES]
    wide = torch.randn(7, 11, generator=generator, dtype=torch.float64)
    elements = [  # float32 values that 16 bits do not hold: they are rounded
        to_elements("w", wide if tensor.dtype == "float64" else wide.float()) for tensor in layout
    ]
    found = load(to_safetensors(np.concatenate(elements), layout, {}))
    for tensor, values in zip(layout, elements, strict=True):
        assert found[tensor.name].dtype == DTYPES[tensor.dtype]
        assert torch.equal(found[tensor.name], from_elements(values, tensor))


def test_a_safetensors_file_is_what_other_tools_read() -> None:
    from safetensors.numpy import load

    model_D = np.arange(1050, dtype=np.float32)
    tensors = load(to_safetensors(model_D, LAYOUT, {"task": "demo"}))
    np.testing.assert_array_equal(tensors["weight"], model_D[:1000].reshape(50, 20))
    np.testing.assert_array_equal(tensors["bias"], model_D[1000:])
    with pytest.raises(ValueError, match="1050 elements for a model of 3"):
        to_safetensors(np.zeros(3, np.float32), LAYOUT, {})
