"""The example tasks: their files agree with each other and with the code, and their data can be made again."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from deploy.tasks.digits import prepare as digits
from deploy.tasks.heart import prepare as heart
from fluvial.edge.training.config import TrainingConfig
from fluvial.edge.training.data_files import load_participant, num_participants
from fluvial.edge.training.task_code import TaskCode
from fluvial.wire.layout import num_chunks
from fluvial.wire.task_file import TaskFile
from models.aggregation.fixed_point import fraction_bits
from models.aggregation.rule import parse_rule
from models.evaluation.task import evaluator_of

CHECKOUT = Path(__file__).parents[4]
TASKS = CHECKOUT / "deploy" / "tasks"
PARTICIPANTS = {"credit": 6, "digits": 20, "heart": 4}


def read(name: str) -> TaskFile:
    return TaskFile.read(TASKS / name / "task.yaml")


@pytest.mark.parametrize("name", PARTICIPANTS)
def test_a_task_fits_its_code_and_its_data(name: str) -> None:
    task = read(name)
    assert task.task == name
    TrainingConfig.from_mapping(task.training.model_dump())
    parse_rule(task.rule.model_dump()).check_quorum(task.quorum)
    assert fraction_bits(task.target, task.limits.max_weight, task.limits.max_abs) >= 32
    data = TASKS / name / "participants.safetensors"
    assert num_participants(data) == PARTICIPANTS[name] >= task.target
    sizes = [len(load_participant(data, number)) for number in range(PARTICIPANTS[name])]
    assert max(sizes) <= task.limits.max_weight
    assert task.evaluation is not None
    code = TaskCode(task, None, CHECKOUT)
    evaluator = evaluator_of(code, "cpu")
    assert evaluator is not None
    assert set(evaluator.measure(code.initial())) >= {"accuracy"}


def test_an_update_of_digits_has_many_chunks_and_one_of_heart_travels_inline() -> None:
    def chunks(task: TaskFile) -> int:
        return num_chunks(TaskCode(task).state().size, task.chunk_elements)

    assert chunks(read("digits")) >= 5
    assert chunks(read("heart")) == 1


def test_the_heart_files_can_be_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heart, "HERE", tmp_path)
    heart.main(TASKS / "heart" / "raw")
    for name in ("participants.safetensors", "evaluation.safetensors"):
        again, committed = load_file(tmp_path / name), load_file(TASKS / "heart" / name)
        assert again.keys() == committed.keys()
        assert all(np.array_equal(again[key], committed[key]) for key in again)


def test_a_patient_by_hand() -> None:
    row = [65, 1, 4, 150, np.nan, 0, 2, 115, np.nan, 2.0, 2, np.nan, 7, 3]
    patients = {name: np.array([value], np.float64) for name, value in zip(heart.COLUMNS, row, strict=True)}
    numbers, answers = [1, 1, 0, -1, 1, 0], [0.5, -0.5, 0]
    categories = [*(0, 0, 0, 1), *(0, 0, 1), *(0, 1, 0), *(0, 0, 1)]
    assert heart.inputs_of(patients).tolist() == [numbers + answers + categories]


def test_no_writer_is_in_two_places() -> None:
    writers = {(population, number): [1000 * population + number] for population in (0, 4) for number in range(60)}
    evaluation, examples = digits.divide(writers)
    rows = [row for row, _ in examples]
    assert len(evaluation) == 20
    assert len(set(rows)) == len(rows) == 80
    assert not set(evaluation) & set(rows)
    assert np.bincount([participant for _, participant in examples]).tolist() == [4] * 20
    assert all((row >= 4000) == (participant >= 10) for row, participant in examples)


def test_an_idx_file_is_read_as_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6])))
    assert digits.read_idx(path).tolist() == [[1, 2, 3], [4, 5, 6]]
    path.write_bytes(gzip.compress(bytes([0, 0, 9, 1, 0, 0, 0, 0])))
    with pytest.raises(ValueError, match="not an IDX file"):
        digits.read_idx(path)
