"""Calls that are recorded by size, with a recorder of the processor's."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from fluvial.edge.training.replayed import MOST_SIZES, Replayed


class Recorder:
    """Records by keeping places of its own for inputs and outputs, as a graph does."""

    def __init__(self, fails=False):
        self.sizes, self.calls, self.fails = [], [], fails

    def call(self, inputs):
        self.calls.append(len(inputs))
        return inputs.sum(dim=1, keepdim=True)

    def __call__(self, call, inputs):
        self.sizes.append(len(inputs))
        if self.fails:
            raise RuntimeError("operation not permitted when stream is capturing")
        outputs = torch.empty(len(inputs), 1)

        def replay(others):
            assert len(others) == len(outputs)
            return outputs.copy_(others.sum(dim=1, keepdim=True))

        return replay


def test_a_size_is_recorded_when_it_comes_again_and_its_answers_are_the_callers_own():
    recorder = Recorder()
    run = Replayed(recorder.call, recorder)
    first, second, third = (run(torch.full((4, 3), value)) for value in (1.0, 2.0, 3.0))
    run(torch.ones(5, 3))
    assert (recorder.sizes, recorder.calls) == ([4], [4, 5])
    for answers, value in ((first, 3.0), (second, 6.0), (third, 9.0)):
        assert torch.equal(answers, torch.full((4, 1), value))


def test_what_cannot_be_recorded_is_called_as_it_is_and_not_tried_again():
    recorder = Recorder(fails=True)
    run = Replayed(recorder.call, recorder)
    for _ in range(4):
        assert torch.equal(run(torch.ones(2, 3)), torch.full((2, 1), 3.0))
    assert (recorder.sizes, recorder.calls) == ([2], [2] * 4)


def test_no_more_sizes_are_recorded_than_memory_is_meant_for():
    recorder = Recorder()
    run = Replayed(recorder.call, recorder)
    for _ in range(3):
        for size in range(1, MOST_SIZES + 10):
            assert len(run(torch.ones(size, 3))) == size
    assert recorder.sizes == list(range(1, MOST_SIZES + 1))


def test_what_the_module_raises_the_caller_learns():
    def failing(inputs):
        raise ValueError("no such shape")

    run = Replayed(failing, Recorder())
    with pytest.raises(ValueError, match="no such shape"):
        run(torch.ones(1, 3))


def test_threads_take_turns_and_none_gets_anothers_answers():
    recorder = Recorder()
    run = Replayed(recorder.call, recorder)

    def is_right(value):
        return all(torch.equal(run(torch.full((3, 2), value)), torch.full((3, 1), 2 * value)) for _ in range(100))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(is_right, (1.0, 2.0, 3.0, 4.0)))
