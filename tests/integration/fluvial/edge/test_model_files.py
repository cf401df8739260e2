"""Models in files that several processes share."""

import multiprocessing
from pathlib import Path

from fluvial.edge.model_files import ModelFiles
from tests.unit.fluvial.edge.downloads import Downloads, a_model


def _take(directory: Path, gate, results) -> None:
    downloads = Downloads(ModelFiles(directory, smallest_bytes=1))
    gate.wait(60)
    results.put((bool((downloads.get(a_model()) == a_model()).all()), downloads.loads))


def test_of_several_processes_one_downloads(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    gate, results = context.Barrier(3), context.Queue()
    processes = [context.Process(target=_take, args=(tmp_path / "models", gate, results)) for _ in range(3)]
    for process in processes:
        process.start()
    found = [results.get(timeout=120) for _ in processes]
    for process in processes:
        process.join()
    assert all(equal for equal, _ in found)
    assert sum(loads for _, loads in found) == 1
