"""What code of a task finds around it, and leaves as it was."""

import random

import numpy as np
import pytest
import torch

from fluvial.edge.training.surroundings import drawing_from, settings_kept


def drawn() -> list[float]:
    return [random.random(), float(np.random.rand()), float(torch.rand(()))]


def test_all_that_is_drawn_follows_from_the_seed_and_the_generators_are_put_back() -> None:
    with drawing_from(1):
        before = drawn()
        with drawing_from(2):
            first = drawn()
        after = drawn()
    with drawing_from(1):
        assert [*drawn(), *drawn()] == [*before, *after]
    with drawing_from(2):
        assert drawn() == first
    assert first != before


def test_the_generators_are_put_back_where_code_fails() -> None:
    with drawing_from(1):
        expected = drawn()
    with drawing_from(1):
        with pytest.raises(KeyError), drawing_from(2):
            raise KeyError
        assert drawn() == expected


def test_settings_and_output_are_as_they_were(capsys: pytest.CaptureFixture[str]) -> None:
    def careless() -> None:
        torch.set_default_dtype(torch.float64)
        torch.set_default_device("meta")
        torch.set_grad_enabled(False)
        print("said")
        raise KeyError

    with pytest.raises(KeyError), settings_kept():
        careless()
    assert torch.get_default_dtype() == torch.float32
    assert torch.zeros(1).device.type == "cpu"
    assert torch.is_grad_enabled()
    assert capsys.readouterr() == ("", "said\n")


def test_arithmetic_is_as_it_was() -> None:
    """The next task's measurements would have other bits, or raise where an operation has no fixed order."""
    threads, precision = torch.get_num_threads(), torch.get_float32_matmul_precision()
    with settings_kept():
        torch.set_num_threads(threads + 1)
        torch.set_deterministic_debug_mode("error")  # as use_deterministic_algorithms, whose imports take a second
        torch.set_float32_matmul_precision("medium")
        torch.set_flush_denormal(True)
    assert torch.get_num_threads() == threads
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.get_float32_matmul_precision() == precision
    assert float(torch.tensor(1e-310, dtype=torch.float64) * 1) == 1e-310


def test_gradients_are_recorded_whatever_the_caller_has_set() -> None:
    with torch.no_grad():
        with settings_kept():
            assert torch.is_grad_enabled()
        assert not torch.is_grad_enabled()


@pytest.mark.skipif(not hasattr(torch.backends, "fp32_precision"), reason="this torch has one way to say it")
def test_a_precision_that_torch_cannot_tell_any_more_is_put_back_and_hides_nothing() -> None:
    precision, dtype = torch.get_float32_matmul_precision(), torch.get_default_dtype()
    with pytest.raises(KeyError), settings_kept():
        careless_with_precision()
    assert torch.get_float32_matmul_precision() == precision
    assert torch.get_default_dtype() == dtype


def careless_with_precision() -> None:
    torch.set_default_dtype(torch.float64)
    torch.backends.cuda.matmul.fp32_precision = "tf32"
    with pytest.raises(RuntimeError):
        torch.get_float32_matmul_precision()
    raise KeyError
