"""Make the data files of the task digits from MNIST's training images and the writer of each (QMNIST).

    python -m deploy.tasks.digits.prepare SOURCE

SOURCE is a folder with train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz (as published by LeCun and Cortes) and
train-writers.csv (columns index, label, hsf_series, writer_id: QMNIST's extended labels). MNIST's writers are of two
populations: employees of the Census Bureau (series 0) and high-school students (series 4). Writers are taken in the
order of their numbers:

* evaluation.safetensors: the first 10 writers of each population, whom no participant has, by population;
* participants.safetensors: the next 40 of each; participants 0-9 have 4 employees each, participants 10-19 4 students.
"""

import csv
import gzip
import json
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

HERE = Path(__file__).parent
POPULATIONS = {0: "employees", 4: "students"}
EVALUATION_WRITERS = 10
PARTICIPANTS_OF_POPULATION = 10
WRITERS_OF_PARTICIPANT = 4


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Array of an IDX file of bytes: two zero bytes, type 8, number of dimensions, sizes as big-endian uint32, data."""
    raw = gzip.decompress(path.read_bytes())
    if raw[:3] != b"\x00\x00\x08":
        raise ValueError(f"{path} is not an IDX file of unsigned bytes")
    shape = np.frombuffer(raw, ">u4", count=raw[3], offset=4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(shape)


def read_writers(path: Path) -> dict[tuple[int, int], list[int]]:
    """Rows of each writer, by (population, number)."""
    writers: dict[tuple[int, int], list[int]] = {}
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            writer = (int(row["hsf_series"]), int(row["writer_id"]))
            writers.setdefault(writer, []).append(int(row["index"]))
    return writers


def divide(writers: dict[tuple[int, int], list[int]]) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """(row, place of the population) of the evaluation set, and (row, participant) of the participants' examples."""
    evaluation: list[tuple[int, int]] = []
    examples: list[tuple[int, int]] = []
    for number, population in enumerate(POPULATIONS):
        in_order = sorted(writer for writer in writers if writer[0] == population)
        for writer in in_order[:EVALUATION_WRITERS]:
            evaluation += [(row, number) for row in writers[writer]]
        for place in range(PARTICIPANTS_OF_POPULATION * WRITERS_OF_PARTICIPANT):
            participant = number * PARTICIPANTS_OF_POPULATION + place // WRITERS_OF_PARTICIPANT
            rows = writers[in_order[EVALUATION_WRITERS + place]]
            examples += [(row, participant) for row in rows]
    return evaluation, examples


def main(source: Path) -> None:
    """Write both data files beside this one."""
    images = read_idx(source / "train-images-idx3-ubyte.gz")[:, None]
    labels = read_idx(source / "train-labels-idx1-ubyte.gz").astype(np.int64)
    evaluation, examples = divide(read_writers(source / "train-writers.csv"))
    measured, populations = (np.array(column, np.int64) for column in zip(*evaluation, strict=True))
    rows, groups = (np.array(column, np.int64) for column in zip(*examples, strict=True))
    save_file(
        {"inputs": images[measured], "targets": labels[measured], "groups.population": populations},
        HERE / "evaluation.safetensors",
        {"groups": json.dumps({"population": list(POPULATIONS.values())})},
    )
    save_file({"inputs": images[rows], "targets": labels[rows], "group": groups}, HERE / "participants.safetensors")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
