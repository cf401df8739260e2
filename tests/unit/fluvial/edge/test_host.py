"""Where a decision holds on a machine."""

import pytest
import torch

from fluvial.edge import host
from fluvial.edge.host import Host
from fluvial.edge.training.torch_session import runtime as torch_runtime
from fluvial.inference.processor import processor_class
from fluvial.inference.session import runtime

HERE = processor_class()


@pytest.fixture
def with_cuda(monkeypatch):
    """A machine with an accelerator, as far as names go."""
    monkeypatch.setattr(host.nvml, "capabilities", lambda: ["CUDA_9_0"])
    monkeypatch.setattr(host, "processor_class", lambda device: "CUDA_9_0" if device == "cuda" else HERE)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    host._runtimes.cache_clear()
    yield
    host._runtimes.cache_clear()


@pytest.fixture
def without_cuda(monkeypatch):
    monkeypatch.setattr(host.nvml, "capabilities", list)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    host._runtimes.cache_clear()


@pytest.mark.usefixtures("without_cuda")
@pytest.mark.parametrize("device", ["auto", "cpu", "cuda"])
def test_a_processor_runs_what_was_decided_for_its_class_and_its_runtimes_alone(device):
    here = Host(device)
    assert here.devices == ("cpu",)
    assert here.device_of(runtime(), HERE) == "cpu"
    assert here.device_of(torch_runtime("cpu", "float32"), HERE) == "cpu"
    for named, processor in [
        (runtime(), "NEON" if HERE != "NEON" else "AVX2"),
        (runtime() + ".1", HERE),
        (torch_runtime("cpu", "int3"), HERE),
        (torch_runtime("cuda", "float32"), HERE),
        (torch_runtime("cuda", "float32"), "CUDA_9_0"),
        ("tvm 1", HERE),
        ("", HERE),
    ]:
        assert here.device_of(named, processor) is None, (named, processor)
        assert here.rank(named, processor) is None
    assert HERE in here.in_words()
    assert "CUDA" not in here.in_words()


@pytest.mark.usefixtures("with_cuda")
def test_an_accelerator_is_preferred_and_runs_nothing_that_its_runtime_was_not_measured_with():
    here = Host("auto")
    assert here.devices == ("cuda", "cpu")
    halves = torch_runtime("cuda", "bfloat16")
    assert halves == f"torch {torch.__version__.partition('+')[0]} cuda 13.0 bfloat16"
    assert (here.device_of(halves, "CUDA_9_0"), here.rank(halves, "CUDA_9_0")) == ("cuda", 0)
    assert (here.device_of(runtime(), HERE), here.rank(runtime(), HERE)) == ("cpu", 1)
    assert here.device_of(halves, "CUDA_8_0") is None
    assert here.device_of(runtime(), "CUDA_9_0") is None, "onnxruntime here has no provider for CUDA"
    assert Host("cpu").device_of(halves, "CUDA_9_0") is None
    assert "CUDA_9_0" in here.in_words()


def test_another_device_is_refused():
    with pytest.raises(ValueError, match="auto, cpu or cuda"):
        Host("cuda:1")
