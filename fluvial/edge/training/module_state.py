"""A torch module's state: which of its tensors travel, and which stay.

* Parameters that are trained travel, under the first of their names where several are tied, in the order of the
  module's state. Those that are frozen, or that `train` does not name, stand as the builder and the package's weights
  made them, and do not travel.
* Floating-point buffers travel too; of layers whose parameters `train` leaves out they stay as they were made.
* Statistics of normalisation (`running_mean`, `running_var`) follow the policy: `aggregate` has them travel; `local`
  leaves them with the participant (Andreux et al., 2020, "Siloed Federated Learning for Multi-Centric Histopathology
  Datasets"; with the layers' weights in `local` too it is FedBN, Li et al., 2021); `frozen` never changes them.
* Integer and boolean buffers do not travel: each round starts from the builder's.
* What `local` names stays with the participant, whatever its dtype, and is kept between its rounds.

Patterns are those of file names (`head.*`, `*.adapter_?`), over the names in the module's state. Shapes: D elements of
all that travels, N bytes of what is personal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from fluvial.edge.contribution import is_finite
from fluvial.edge.training.tensor_values import (
    Vector,
    difference,
    from_elements,
    layout_of_tensor,
    num_bytes,
    split,
    to_elements,
)
from fluvial.wire.layout import check_same, num_elements
from fluvial.wire.records import TensorLayout

Statistics = Literal["aggregate", "local", "frozen"]

_RUNNING = ("running_mean", "running_var")

Owners = dict[str, tuple[dict[str, Any], str]]
"""By a tensor's name in the state where its layer keeps it, under what name there: asking that takes a tenth of the
time that `state_dict` does."""


class ModuleState:
    """What travels of one module, and what stays. personal_as_built: uint8[N], the personal part that every participant
    starts with. It sets `requires_grad` of parameters that `train` leaves out."""

    def __init__(
        self,
        module: nn.Module,
        train: Sequence[str] = (),
        local: Sequence[str] = (),
        statistics: Statistics = "aggregate",
    ) -> None:
        """Raises ValueError for a pattern that names nothing, tensors that share parts of their memory, a dtype that
        cannot travel, and a module of which nothing would."""
        self.module = module
        self._statistics = statistics
        tensors = _distinct(module)
        for pattern in (*train, *local):
            if not any(fnmatchcase(name, pattern) for names, _ in tensors for name in names):
                known = ", ".join(names[0] for names, _ in tensors[:8]) + (", ..." if len(tensors) > 8 else "")
                raise ValueError(f"the pattern {pattern!r} names nothing in the module's state, which has {known}")
        self._frozen_layers = _freeze(module, tensors, train, statistics)
        trained_layers = {
            name.rpartition(".")[0]
            for names, tensor in tensors
            for name in names
            if isinstance(tensor, nn.Parameter) and tensor.requires_grad
        }
        running = _running_statistics(module)
        self._clamped: set[str] = set()
        shared: dict[str, torch.Tensor] = {}
        personal: dict[str, torch.Tensor] = {}
        fixed: dict[str, torch.Tensor] = {}
        for names, tensor in tensors:
            if _matches(names, local):
                place = personal
            elif isinstance(tensor, nn.Parameter):
                place = shared if tensor.requires_grad else fixed
            elif not tensor.dtype.is_floating_point:
                place = fixed
            elif any(name in running for name in names):
                of_frozen = any(running.get(name) in self._frozen_layers for name in names)
                place = personal if statistics == "local" else fixed if of_frozen else shared
            else:
                of_trained = any(name.rpartition(".")[0] in trained_layers for name in names)
                place = shared if not train or of_trained or _matches(names, train) else fixed
            place[names[0]] = tensor
            if place is shared and names[0].rpartition(".")[2] == "running_var" and names[0] in running:
                self._clamped.add(names[0])
        if not any(tensor.numel() for tensor in shared.values()):
            raise ValueError("nothing of the module would travel: all its parameters are frozen, local or empty")
        if not any(isinstance(tensor, nn.Parameter) and tensor.requires_grad for _, tensor in tensors):
            raise ValueError(
                "nothing of the module would be trained: its state has none of its parameters, or copies of them "
                "(state_dict is overridden)"
            )
        # By name: a module that goes to another device has other buffers from then on.
        self._shared, self._personal, self._fixed = tuple(shared), tuple(personal), tuple(fixed)
        self._names = *shared, *personal, *fixed
        self._owners: Owners | None = None
        self._find_again(module.state_dict(keep_vars=True))
        self.layout: tuple[TensorLayout, ...] = tuple(map(layout_of_tensor, shared, shared.values()))
        self._forms = _forms(module.state_dict(keep_vars=True))
        self.personal_as_built = self.personal()
        self._as_built = {name: tensor.detach().clone() for name, tensor in self._fixed_buffers()}

    @property
    def size(self) -> int:
        """D: elements that travel."""
        return num_elements(self.layout)

    def check_fits(self, layout: Sequence[TensorLayout]) -> None:
        """Raises ValueError, saying where, unless what travels has this layout, a round's for example."""
        check_same(self.layout, layout)

    def flatten(self) -> Vector:
        """float32[D] of what travels, as a copy. Raises ValueError for float64 values that do not fit."""
        return np.concatenate([to_elements(name, tensor) for name, tensor in self._of(self._shared).items()])

    def initial(self) -> Vector:
        """As `flatten`, to start a task from. Raises ValueError for values that are not finite, naming their tensor: no
        difference to them is."""
        vector = self.flatten()
        for tensor, values in zip(self.layout, split(vector, self.layout), strict=True):
            if not is_finite(values):
                raise ValueError(
                    f"tensor {tensor.name} of the module's first state is not all finite, so that nobody could train "
                    "from it: draw each parameter, and keep a mask with infinities out of the state "
                    "(persistent=False), or make it of truth values"
                )
        return vector

    def load(self, vector: Vector) -> None:
        """Set what travels from float32[D], each tensor in its own dtype, and start the round's counters again.

        A running variance below zero, which an aggregate can have, becomes zero. Raises ValueError for a vector that
        does not fit the layout.
        """
        self._find_again(self.module.state_dict(keep_vars=True))
        with torch.no_grad():
            for tensor, values in zip(self._of(self._shared).values(), self._values(vector), strict=True):
                tensor.copy_(values)
            for name, tensor in self._fixed_buffers():
                tensor.copy_(self._as_built[name])

    def difference(self, base: Vector) -> Vector:
        """float32[D]: how far the module is from where `load(base)` had put it."""
        pairs = zip(self._of(self._shared).items(), self._values(base), strict=True)
        return np.concatenate([difference(name, tensor, before) for (name, tensor), before in pairs])

    def check_kept(self, trained: Sequence[nn.Parameter] = ()) -> None:
        """Raises ValueError for a module that did not keep what it was built of: tensors that came, went or changed
        their shape or dtype, lost their values, or others in the place of those that were trained."""
        state = self.module.state_dict(keep_vars=True)
        now = _forms(state)
        if now != self._forms:
            name = min(name for name in {*now, *self._forms} if now.get(name) != self._forms.get(name))
            built, found = _shown_form(self._forms.get(name)), _shown_form(now.get(name))
            raise ValueError(
                f"the module's state changed its form while it ran: {name} was {built} and is {found}; all of it is "
                "made by the builder, and keeps its names, shapes and dtypes"
            )
        for tensor_name, tensor in state.items():
            if isinstance(tensor, torch.Tensor):
                _check_plain(tensor_name, tensor)
        self._find_again(state)
        present = {id(tensor) for tensor in state.values()}
        if any(id(parameter) not in present for parameter in trained):
            raise ValueError(
                "the module replaces its parameters while it runs, so that nothing of it is trained: change them in "
                "place, under torch.no_grad()"
            )

    def train_mode(self) -> None:
        """The module in training mode; layers whose statistics are frozen go on with those that they have."""
        self.module.train()
        for layer in self._frozen_layers:
            self.module.get_submodule(layer).eval()

    def trained_parameters(self) -> list[nn.Parameter]:
        """What an optimizer changes: shared and personal parameters, each once."""
        found = self._of((*self._shared, *self._personal)).values()
        return [tensor for tensor in found if isinstance(tensor, nn.Parameter) and tensor.requires_grad]

    def shared_parameters(self) -> list[nn.Parameter]:
        """Those of the parameters that travel, in the order of the layout."""
        return [tensor for tensor in self._of(self._shared).values() if isinstance(tensor, nn.Parameter)]

    @property
    def has_personal(self) -> bool:
        """Whether anything stays with the participant between rounds."""
        return bool(self._personal)

    def personal(self) -> NDArray[np.uint8]:
        """uint8[N] of what stays with the participant, as a copy."""
        parts = [_bytes_of(tensor) for tensor in self._of(self._personal).values()]
        return np.concatenate(parts) if parts else np.zeros(0, np.uint8)

    def load_personal(self, kept: NDArray[np.uint8]) -> None:
        """Set the personal part from what `personal` gave. Raises ValueError for that of another module."""
        tensors = list(self._of(self._personal).values())
        sizes = [num_bytes(tensor) for tensor in tensors]
        if kept.shape != (sum(sizes),):
            raise ValueError(f"the personal part kept here has {kept.size} bytes, the module's has {sum(sizes)}")
        with torch.no_grad():
            for tensor, part in zip(tensors, np.split(kept, np.cumsum(sizes)), strict=False):
                if part.size:
                    tensor.copy_(torch.from_numpy(part.copy()).view(tensor.dtype).reshape(tensor.shape))

    @property
    def has_frozen_parameters(self) -> bool:
        """Whether parameters stay as they were made."""
        return any(isinstance(tensor, nn.Parameter) for tensor in self._of(self._fixed).values())

    def fixed_digest(self) -> str:
        """SHA-256, lower-case hexadecimal, of the base that neither travels nor is personal: names, dtypes, shapes and
        bytes."""
        digest = hashlib.sha256(b"fluvial base 1\n")
        for name, tensor in self._of(self._fixed).items():
            digest.update(f"{name}\n{tensor.dtype}\n{list(tensor.shape)}\n".encode())
            digest.update(_bytes_of(tensor).tobytes())
        return digest.hexdigest()

    def _of(self, names: Sequence[str]) -> dict[str, torch.Tensor]:
        if self._owners is None:
            state = self.module.state_dict(keep_vars=True)
            return {name: state[name] for name in names}
        return {name: tensors[leaf] for name in names for tensors, leaf in [self._owners[name]]}

    def _find_again(self, state: Mapping[str, object]) -> None:
        """Layers may be others than before: a user's script puts in new ones. state: the module's."""
        owners = self._owners
        if owners is None or any(tensors.get(leaf) is not state.get(name) for name, (tensors, leaf) in owners.items()):
            self._owners = _owners(self.module, state, self._names)

    def _fixed_buffers(self) -> Iterator[tuple[str, torch.Tensor]]:
        return (
            (name, tensor) for name, tensor in self._of(self._fixed).items() if not isinstance(tensor, nn.Parameter)
        )

    def _values(self, vector: Vector) -> list[torch.Tensor]:
        values = [from_elements(*pair) for pair in zip(split(vector, self.layout), self.layout, strict=True)]
        return [
            found.clamp_(min=0) if tensor.name in self._clamped else found
            for found, tensor in zip(values, self.layout, strict=True)
        ]


def _owners(module: nn.Module, state: Mapping[str, object], names: Sequence[str]) -> Owners | None:
    """Where each of these tensors lies. None for a module whose state is made up of something else."""
    found: Owners = {}
    for name in names:
        layer, _, leaf = name.rpartition(".")
        try:
            owner = module.get_submodule(layer)
            tensors: dict[str, Any] = owner._parameters if leaf in owner._parameters else owner._buffers
            if tensors.get(leaf) is not state.get(name):
                return None
        except (AttributeError, RuntimeError):  # a name that a hook made, or a module of TorchScript
            return None
        found[name] = tensors, leaf
    return found


def _forms(state: Mapping[str, object]) -> dict[str, tuple[torch.dtype, torch.Size]]:
    """Dtype and shape of each tensor in a module's state."""
    return {name: (tensor.dtype, tensor.shape) for name, tensor in state.items() if isinstance(tensor, torch.Tensor)}


def _shown_form(form: tuple[torch.dtype, torch.Size] | None) -> str:
    return "not there" if form is None else f"{str(form[0]).removeprefix('torch.')}{list(form[1])}"


def _distinct(module: nn.Module) -> list[tuple[list[str], torch.Tensor]]:
    """The tensors of the module's state in its order, each once, with all its names."""
    found: dict[tuple[object, ...], tuple[list[str], torch.Tensor]] = {}
    for name, tensor in module.state_dict(keep_vars=True).items():
        if not isinstance(tensor, torch.Tensor):
            continue  # what a module adds to its state besides tensors
        _check_plain(name, tensor)
        place = (tensor.device, tensor.data_ptr(), tensor.dtype, tuple(tensor.shape), tensor.stride())
        key: tuple[object, ...] = place if tensor.numel() else (id(tensor),)
        found.setdefault(key, ([], tensor))[0].append(name)
    _check_apart([(names[0], tensor) for names, tensor in found.values()])
    return list(found.values())


def _check_plain(name: str, tensor: torch.Tensor) -> None:
    if isinstance(tensor, (UninitializedParameter, UninitializedBuffer)):
        raise ValueError(f"tensor {name} has no shape yet: the builder must call a lazy module once")
    if tensor.is_meta or tensor.is_sparse or tensor.is_quantized or tensor.is_complex():
        raise ValueError(f"tensor {name} is on the meta device, sparse, quantized or complex, which cannot travel")
    if tensor.is_inference():
        raise ValueError(f"tensor {name} was made in torch.inference_mode(): nothing can be put into it outside")
    if tensor.is_neg():
        raise ValueError(f"tensor {name} is another's negative, which shares its memory: make a copy, resolve_neg()")


def _check_apart(tensors: Sequence[tuple[str, torch.Tensor]]) -> None:
    """Raises ValueError where two tensors share some of their memory: setting one would change the other."""
    spans = []
    for name, tensor in tensors:
        if not tensor.numel():
            continue
        reach = sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
        if any(size > 1 and stride == 0 for size, stride in zip(tensor.shape, tensor.stride(), strict=True)):
            raise ValueError(f"tensor {name} is expanded, one value in several places: make it contiguous()")
        first = tensor.data_ptr()
        spans.append((str(tensor.device), first, first + (reach + 1) * tensor.element_size(), name))
    spans.sort()
    for (device, _, stop, name), (next_device, first, _, other) in pairwise(spans):
        if device == next_device and first < stop:
            raise ValueError(f"the tensors {name} and {other} share parts of their memory: tie them whole, or copy one")


def _freeze(
    module: nn.Module, tensors: Sequence[tuple[list[str], torch.Tensor]], train: Sequence[str], statistics: Statistics
) -> tuple[str, ...]:
    """Parameters that `train` leaves out are not trained. Returns the layers whose statistics stay as they are."""
    if train:
        for names, tensor in tensors:
            if isinstance(tensor, nn.Parameter) and not _matches(names, train):
                tensor.requires_grad_(False)
    layers = []
    for name, layer in module.named_modules():
        if not isinstance(layer, _NormBase) or layer.running_mean is None:
            continue
        parameters = list(layer.parameters(recurse=False))
        prefix = f"{name}." if name else ""
        base = bool(train) and not any(parameter.requires_grad for parameter in parameters)
        if statistics == "frozen" or (base and not _matches([f"{prefix}{part}" for part in _RUNNING], train)):
            layers.append(name)
    return tuple(layers)


def _running_statistics(module: nn.Module) -> dict[str, str]:
    """Names of running statistics, with their layer's."""
    return {
        f"{name}.{part}" if name else part: name
        for name, layer in module.named_modules()
        if isinstance(layer, _NormBase)
        for part in _RUNNING
    }


def _matches(names: Sequence[str], patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for name in names for pattern in patterns)


def _bytes_of(tensor: torch.Tensor) -> NDArray[np.uint8]:
    plain = tensor.detach().to("cpu").contiguous().reshape(-1)
    return np.array(plain.view(torch.uint8).numpy()) if plain.numel() else np.zeros(0, np.uint8)
