"""SYNTHETIC images, so that the package runs as it is: bars and crosses in noise, brighter at some sites.
Put your own reading in their place."""

from pathlib import Path

import numpy as np

SITES, SIZE = 8, 12


def load(data: Path, index: int) -> tuple[np.ndarray, np.ndarray]:
    """Images float32[B, 1, SIZE, SIZE] and their classes int64[B] of the participant of this number.

    data: the folder that it was told to read (`fluvial participate --data`); what is made up here does not need it.
    """
    if index >= SITES:
        raise ValueError(f"there are {SITES} sites")
    return _images(site=index, number=40 + 10 * index)


def evaluation(folder: Path) -> tuple[np.ndarray, np.ndarray, dict[str, list[str]]]:
    """What published models are measured on, and who each example is of. folder: of this package."""
    parts = [_images(site=site, number=40, seed=1) for site in range(SITES)]
    sites = [f"site-{site}" for site in range(SITES) for _ in range(40)]
    images, classes = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return images, classes, {"site": sites}


def _images(site: int, number: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng([seed, site])
    classes = random.integers(0, 3, number)
    images = random.normal(0.0, 0.5, (number, 1, SIZE, SIZE)).astype(np.float32)
    for image, kind in zip(images[:, 0], classes, strict=True):
        row, column = random.integers(2, SIZE - 2, 2)
        brightness = 1.0 + 0.1 * site
        if kind != 1:
            image[row, :] += brightness  # a bar across
        if kind != 0:
            image[:, column] += brightness  # a bar down; both make a cross
    return images, classes
