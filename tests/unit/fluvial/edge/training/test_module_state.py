"""What of a module travels, what stays, and how both come back."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from fluvial.edge.training.module_state import ModuleState
from fluvial.wire.layout import num_elements
from fluvial.wire.records import TensorLayout


def names(state: ModuleState) -> list[str]:
    return [tensor.name for tensor in state.layout]


class Mixed(nn.Module):
    """Every kind of tensor that a module may have."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.wide = nn.Parameter(torch.randn(2, 3, dtype=torch.float64))
        self.narrow = nn.Parameter(torch.randn(4).half())
        self.brain = nn.Parameter(torch.randn(4).bfloat16())
        self.scalar = nn.Parameter(torch.tensor(0.5))
        self.empty = nn.Parameter(torch.zeros(0, 3))
        self.transposed = nn.Parameter(torch.randn(2, 5).t())
        self.größe = nn.Parameter(torch.randn(2))
        self.fixed = nn.Parameter(torch.randn(3), requires_grad=False)
        self.register_buffer("average", torch.randn(2))
        self.register_buffer("counter", torch.tensor(3))
        self.register_buffer("mask", torch.tensor([True, False]))
        self.register_buffer("passing", torch.randn(2), persistent=False)


def bits(module: nn.Module) -> dict[str, bytes]:
    return {
        name: tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes() if tensor.numel() else b""
        for name, tensor in module.state_dict().items()
    }


def test_every_kind_of_tensor_comes_back_bit_by_bit_in_its_own_dtype() -> None:
    first, second = Mixed(), Mixed()
    state = ModuleState(first)
    assert names(state) == [
        *("wide", "narrow", "brain", "scalar", "empty", "transposed", "größe", "average"),
    ]
    assert [tensor.dtype for tensor in state.layout][:3] == ["float64", "float16", "bfloat16"]
    vector = state.flatten()
    assert vector.dtype == np.float32
    assert vector.size == state.size == num_elements(state.layout) == 3 * 6 + 4 + 4 + 1 + 0 + 10 + 2 + 2
    with torch.no_grad():
        for parameter in second.parameters():
            parameter.zero_()
    again = ModuleState(second)
    again.load(vector)
    expected = bits(first)
    found = bits(second)
    assert found.pop("fixed") != expected.pop("fixed")  # frozen: it does not travel
    assert found == expected
    assert again.flatten().tobytes() == vector.tobytes()
    assert not state.difference(vector).any()


def test_layout_and_vector_follow_the_state() -> None:
    module = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    state = ModuleState(module)
    assert [(tensor.name, tensor.shape) for tensor in state.layout] == [
        ("0.weight", (3, 2)),
        ("0.bias", (3,)),
        ("2.weight", (1, 3)),
        ("2.bias", (1,)),
    ]
    vector = np.arange(13, dtype=np.float32)
    state.load(vector)
    assert state.flatten().tolist() == vector.tolist()
    assert module.state_dict()["0.weight"].tolist() == [[0, 1], [2, 3], [4, 5]]


def test_the_vector_is_a_copy_and_is_left_alone() -> None:
    state = ModuleState(nn.Linear(1, 1))
    vector = state.flatten()
    before = vector.copy()
    state.load(np.zeros(2, np.float32))
    assert vector.tolist() == before.tolist()


def test_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="state has 2 elements in 2 tensors"):
        ModuleState(nn.Linear(1, 1)).load(np.zeros(3, np.float32))


def test_tied_weights_travel_once_under_their_first_name() -> None:
    tied = nn.ModuleDict({"embed": nn.Embedding(5, 3), "head": nn.Linear(3, 5, bias=False)})
    tied["head"].weight = tied["embed"].weight
    same_memory = nn.ModuleList([nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)])
    same_memory[1].weight.data = same_memory[0].weight.data
    assert names(ModuleState(tied)) == ["embed.weight"]
    assert names(ModuleState(same_memory)) == ["0.weight"]
    state = ModuleState(tied, train=["head.*"])  # either name will do
    state.load(np.arange(15, dtype=np.float32))
    assert tied["head"].weight[4].tolist() == [12, 13, 14]


def test_memory_that_is_shared_in_part_is_refused() -> None:
    module = nn.Module()
    whole = torch.zeros(4)
    module.register_buffer("all", whole)
    module.register_buffer("some", whole[1:3])
    with pytest.raises(ValueError, match="all and some share parts of their memory"):
        ModuleState(module)
    expanded = nn.Module()
    expanded.register_buffer("one", torch.zeros(1).expand(4))
    with pytest.raises(ValueError, match="one is expanded"):
        ModuleState(expanded)


def test_patterns_choose_what_is_trained_and_the_rest_is_frozen() -> None:
    module = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    state = ModuleState(module, train=["1.*"])
    assert names(state) == ["1.weight", "1.bias"]
    assert [parameter.requires_grad for parameter in module.parameters()] == [False, False, True, True]
    assert state.has_frozen_parameters
    with pytest.raises(ValueError, match=r"'adapter\.\*' names nothing in the module's state, which has 0.weight"):
        ModuleState(module, train=["adapter.*"])
    with pytest.raises(ValueError, match="nothing of the module would travel"):
        ModuleState(module, local=["*"])


@pytest.mark.parametrize(
    ("statistics", "travel", "personal"), [("aggregate", True, 0), ("local", False, 16), ("frozen", False, 0)]
)
def test_statistics_of_normalisation_follow_the_policy(statistics: str, travel: bool, personal: int) -> None:
    module = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    state = ModuleState(module, statistics=statistics)  # type: ignore[arg-type]
    assert names(state)[:4] == ["0.weight", "0.bias", "1.weight", "1.bias"]
    assert names(state)[4:] == (["1.running_mean", "1.running_var"] if travel else [])
    assert state.personal().size == personal
    before = module[1].running_mean.clone()
    state.train_mode()
    module(torch.randn(8, 3) + 3)
    assert torch.equal(module[1].running_mean, before) == (statistics == "frozen")


def test_counters_start_each_round_as_they_were_made() -> None:
    module = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    state = ModuleState(module)
    vector = state.flatten()
    module.train()(torch.randn(4, 3))
    assert module[1].num_batches_tracked == 1
    state.load(vector)
    assert module[1].num_batches_tracked == 0
    assert state.flatten().tobytes() == vector.tobytes()


def test_a_variance_below_zero_becomes_zero() -> None:
    module = nn.Sequential(nn.BatchNorm1d(1))
    state = ModuleState(module)
    vector = state.flatten()
    vector[-1] = -0.25
    state.load(vector)
    assert module[0].running_var.tolist() == [0]


def test_layers_of_a_base_that_is_not_trained_keep_their_statistics() -> None:
    module = nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 1))
    state = ModuleState(module, train=["1.*"])
    assert names(state) == ["1.weight", "1.bias"]
    state.train_mode()
    module(torch.randn(8, 2) + 3)
    assert module[0].running_mean.tolist() == [0, 0]


def test_personal_parts_come_back_whatever_their_dtype() -> None:
    local = ["wide", "brain", "counter", "mask"]
    first, second = Mixed(), Mixed()
    with torch.no_grad():
        first.wide.mul_(1e-3)
        first.counter.add_(5)
    kept = ModuleState(first, local=local).personal()
    state = ModuleState(second, local=local)
    assert not set(names(state)) & set(local)
    state.load_personal(kept)
    assert {name: bits(second)[name] for name in local} == {name: bits(first)[name] for name in local}
    with pytest.raises(ValueError, match="kept here has"):
        state.load_personal(kept[:-1])


def test_the_base_that_does_not_travel_has_a_digest() -> None:
    module = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    before = ModuleState(module, train=["1.*"]).fixed_digest()
    with torch.no_grad():
        module[1].weight.add_(1)
    assert ModuleState(module, train=["1.*"]).fixed_digest() == before
    with torch.no_grad():
        module[0].weight.add_(1)
    assert ModuleState(module, train=["1.*"]).fixed_digest() != before


def test_the_difference_is_from_what_the_module_held_and_not_from_what_was_rounded_away() -> None:
    module = nn.Linear(1, 1, bias=False).half()
    state = ModuleState(module)
    base = np.array([0.1], np.float32)  # no float16
    state.load(base)
    assert state.difference(base).tolist() == [0]
    with torch.no_grad():
        module.weight.add_(0.5)
    assert state.difference(base)[0] == pytest.approx(0.5, abs=1e-3)


def test_a_state_that_does_not_fit_the_layout_is_refused_saying_where() -> None:
    state = ModuleState(nn.Linear(2, 1))
    state.check_fits(state.layout)
    other = (TensorLayout(name="weight", shape=(1, 3)), TensorLayout(name="bias", shape=(1,)))
    with pytest.raises(ValueError, match=r"it has weight float32\[1, 2\] where the round has weight float32\[1, 3\]"):
        state.check_fits(other)
    with pytest.raises(ValueError, match="2 of its tensors travel, and the round has 1"):
        state.check_fits(state.layout[:1])
    half = ModuleState(nn.Linear(2, 1).half())
    with pytest.raises(ValueError, match="weight float16"):
        half.check_fits(state.layout)


@pytest.mark.parametrize(
    ("tensor", "why"),
    [
        (torch.zeros(1, dtype=torch.complex64), "complex"),
        (torch.zeros(1, device="meta"), "meta"),
        (torch.zeros(1, dtype=torch.float8_e4m3fn), "float8_e4m3fn"),
    ],
)
def test_what_cannot_travel_is_named(tensor: torch.Tensor, why: str) -> None:
    module = nn.Linear(1, 1)
    module.register_buffer("odd", tensor)
    with pytest.raises(ValueError, match=f"tensor odd is .*{why}"):
        ModuleState(module)


def test_a_module_without_shapes_yet_is_refused() -> None:
    with pytest.raises(ValueError, match="must call a lazy module once"):
        ModuleState(nn.LazyLinear(2))


def test_buffers_that_are_others_on_another_device_are_followed() -> None:
    module = nn.Sequential(nn.BatchNorm1d(2))
    state = ModuleState(module)
    for name in ("running_mean", "running_var", "num_batches_tracked"):
        setattr(module[0], name, getattr(module[0], name).clone())  # as Module.to has it
    state.load(np.arange(8, dtype=np.float32))
    assert module[0].running_mean.tolist() == [4, 5]
    module[0].running_var.add_(1)
    assert state.flatten().tolist() == [0, 1, 2, 3, 4, 5, 7, 8]


def test_a_module_whose_state_has_copies_of_its_parameters_is_refused() -> None:
    class Copies(nn.Linear):
        def state_dict(self, *args: Any, **kwargs: Any) -> Any:
            return {name: tensor.clone() for name, tensor in super().state_dict(*args, **kwargs).items()}

    with pytest.raises(ValueError, match=r"nothing of the module would be trained: .* copies of them"):
        ModuleState(Copies(2, 2))


def test_a_layer_that_a_script_puts_in_anothers_place_is_loaded_and_trained() -> None:
    module = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    state = ModuleState(module)
    base = np.arange(state.size, dtype=np.float32)
    module[1] = nn.Linear(2, 1)
    state.load(base)
    assert module[1].weight.tolist() == [[6.0, 7.0]]
    module[0] = nn.Linear(2, 2)
    with torch.no_grad():
        module[0].weight.fill_(10.0)
        module[0].bias.fill_(0.0)
    state.check_kept()
    assert state.difference(base).tolist() == [10, 9, 8, 7, -4, -5, 0, 0, 0]
    module[0] = nn.Linear(3, 2)
    with pytest.raises(ValueError, match=r"0\.weight was float32\[2, 2\] and is float32\[2, 3\]"):
        state.check_kept()


class Masked(nn.Linear):
    """With a causal mask as torch makes it."""

    def __init__(self, persistent: bool) -> None:
        super().__init__(3, 3)
        mask = torch.full((3, 3), float("-inf")).triu(1)
        self.register_buffer("mask", mask, persistent=persistent)


def test_a_task_starts_from_finite_numbers_alone() -> None:
    with pytest.raises(
        ValueError, match=r"tensor mask of the module's first state is not all finite.*persistent=False"
    ):
        ModuleState(Masked(persistent=True)).initial()
    assert ModuleState(Masked(persistent=False)).initial().size == 12
    forgotten = nn.Linear(2, 2)
    forgotten.bias = nn.Parameter(torch.full((2,), float("nan")))
    with pytest.raises(ValueError, match="tensor bias of the module's first state"):
        ModuleState(forgotten).initial()


def test_tensors_that_nothing_can_be_put_into_are_named() -> None:
    with torch.inference_mode():
        made = nn.Linear(2, 2)
    with pytest.raises(ValueError, match=r"tensor weight was made in torch\.inference_mode"):
        ModuleState(made)
    negative = nn.Linear(2, 2)
    negative.weight = nn.Parameter(torch._neg_view(torch.ones(2, 2)))
    with pytest.raises(ValueError, match="tensor weight is another's negative"):
        ModuleState(negative)


def test_a_module_whose_values_are_gone_is_told_as_such() -> None:
    state = ModuleState(nn.Linear(2, 2))
    state.module.to("meta")
    with pytest.raises(ValueError, match="tensor weight is on the meta device"):
        state.check_kept()
