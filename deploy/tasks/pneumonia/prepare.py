"""Make the data files of the task pneumonia from PneumoniaMNIST (MedMNIST v2, 28 x 28).

    python -m deploy.tasks.pneumonia.prepare pneumoniamnist.npz

The source is an .npz with train_images uint8[B, 28, 28], train_labels [B, 1] (1 for pneumonia), val_images and
val_labels; no test images are needed. Which images are taken:

* Training: of the official training images, those that are not there twice, shuffled with SEED, the first
  NUM_EXAMPLES for each of five sites. The source does not say where an image was made, so the sites are made here, by
  label skew: of a site's images the share in SITES shows pneumonia, from 30 % to 90 %.
* Evaluation: all official validation images, without the few that are also among the training images and without
  repetitions. Normal images are dealt to the sites in proportion to the normal ones that the sites train on, those with
  pneumonia likewise, so that each site is measured on a mixture like its own.

Files, for `numpy.load` without pickles: data/site-N.npz with images uint8[B, 28, 28] and labels int8[B];
evaluation.npz with images, labels and sites int8[B].
"""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).parent
SITES = (0.3, 0.6, 0.8, 0.9, 0.9)
"""Share of each site's images that show pneumonia."""

NUM_EXAMPLES, SEED = 240, 1

Images = NDArray[np.uint8]
Labels = NDArray[np.int64]


def distinct(images: Images, without: Images) -> NDArray[np.int64]:
    """Rows, ascending, of the images that neither came before among `images` nor are among `without`."""
    seen = {image.tobytes() for image in without}
    rows = []
    for row, image in enumerate(images):
        if (content := image.tobytes()) not in seen:
            seen.add(content)
            rows.append(row)
    return np.array(rows, np.int64)


def numbers_by_site() -> NDArray[np.int64]:
    """int64[sites, 2]: how many normal images, and how many with pneumonia, each site trains on."""
    ill = [round(share * NUM_EXAMPLES) for share in SITES]
    return np.array([[NUM_EXAMPLES - number, number] for number in ill], np.int64)


def training_rows(labels: Labels) -> list[NDArray[np.int64]]:
    """Rows of each site, ascending, none of two sites. Raises ValueError for too few images of a class."""
    order = np.random.Generator(np.random.PCG64(SEED)).permutation(len(labels))
    of_class = [order[labels[order] == label] for label in (0, 1)]
    ends = numbers_by_site().cumsum(axis=0)
    if any(len(rows) < needed for rows, needed in zip(of_class, ends[-1], strict=True)):
        raise ValueError(f"{[len(rows) for rows in of_class]} images of each class are too few, not {ends[-1]}")
    starts = ends - numbers_by_site()
    return [
        np.sort(np.concatenate([of_class[label][start[label] : end[label]] for label in (0, 1)]))
        for start, end in zip(starts, ends, strict=True)
    ]


def evaluation_sites(labels: Labels) -> NDArray[np.int8]:
    """The site of each evaluation image: of each class in proportion to what the sites train on."""
    sites = np.zeros(len(labels), np.int8)
    for label in (0, 1):
        rows = np.flatnonzero(labels == label)
        numbers = numbers_by_site()[:, label]
        bounds = np.round(numbers.cumsum() / numbers.sum() * len(rows)).astype(np.int64)
        sites[rows] = np.searchsorted(bounds, np.arange(len(rows)), side="right")
    return sites


def main(source: Path) -> None:
    """Write the data files beside this one."""
    with np.load(source, allow_pickle=False) as arrays:
        images, labels = arrays["train_images"], arrays["train_labels"].reshape(-1).astype(np.int64)
        held_out, held_out_labels = arrays["val_images"], arrays["val_labels"].reshape(-1).astype(np.int64)
    kept = distinct(held_out, images)
    held_out, held_out_labels = held_out[kept], held_out_labels[kept]
    once = distinct(images, images[:0])
    images, labels = images[once], labels[once]
    (HERE / "data").mkdir(exist_ok=True)
    for site, rows in enumerate(training_rows(labels)):
        np.savez_compressed(
            HERE / "data" / f"site-{site}.npz", images=images[rows], labels=labels[rows].astype(np.int8)
        )
    np.savez_compressed(
        HERE / "evaluation.npz",
        images=held_out,
        labels=held_out_labels.astype(np.int8),
        sites=evaluation_sites(held_out_labels),
    )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
