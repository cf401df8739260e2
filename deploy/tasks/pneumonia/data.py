"""The sites' chest X-rays, and those that models are measured on."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.float32]
Labels = NDArray[np.int64]

MEAN, DEVIATION = 0.57, 0.17
"""Of all training images, rounded; constants, so that a site needs nothing of another's images."""


def load(data: Path, index: int) -> tuple[Images, Labels]:
    """Images float32[B, 1, 28, 28] of one site and their labels, 1 for pneumonia.

    data: the folder that `fluvial participate --data` names; the site's file in it is site-INDEX.npz. Raises
    ValueError where there is none.
    """
    file = data / f"site-{index}.npz"
    if not file.is_file():
        raise ValueError(f"there is no {file.name} in {data}")
    with np.load(file, allow_pickle=False) as arrays:
        return _scaled(arrays["images"]), arrays["labels"].astype(np.int64)


def evaluation(folder: Path) -> tuple[Images, Labels, Mapping[str, list[str]]]:
    """Images that no site trains on, and whose mixture each belongs to. folder: of this package."""
    with np.load(folder / "evaluation.npz", allow_pickle=False) as arrays:
        sites = [f"site-{site}" for site in arrays["sites"]]
        return _scaled(arrays["images"]), arrays["labels"].astype(np.int64), {"site": sites}


def _scaled(images: NDArray[np.uint8]) -> Images:
    return ((images[:, None].astype(np.float32) / 255 - MEAN) / DEVIATION).astype(np.float32)
