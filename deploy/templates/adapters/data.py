"""SYNTHETIC texts of eight users, so that the package runs as it is: words of two moods, and which one prevails.
Put your own tokenizer and reading in their place."""

from pathlib import Path

import numpy as np

USERS, WORDS, LENGTH = 8, 50, 12


def load(data: Path, index: int) -> tuple[np.ndarray, np.ndarray]:
    """Texts int64[B, LENGTH] of the participant of this number, and their moods int64[B].

    data: the folder that it was told to read (`fluvial participate --data`); what is made up here does not need it.
    """
    if index >= USERS:
        raise ValueError(f"there are {USERS} users")
    return _texts(user=index, number=120)


def evaluation(folder: Path) -> tuple[np.ndarray, np.ndarray, dict[str, list[str]]]:
    """What published models are measured on, and the user of each example. folder: of this package."""
    parts = [_texts(user=user, number=50, seed=1) for user in range(USERS)]
    texts, moods = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return texts, moods, {"user": [f"user-{user}" for user in range(USERS) for _ in range(50)]}


def _texts(user: int, number: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng([seed, user])
    moods = random.integers(0, 2, number)
    # Words below 20 are glad, those below 40 sad, the others neither; each user has favourites among them.
    of_mood = random.integers(0, 20, (number, LENGTH)) // 2 * 2 + user % 2 + 20 * moods[:, None]
    neutral = random.integers(40, WORDS, (number, LENGTH))
    other = random.integers(0, 40, (number, LENGTH))
    kind = random.random((number, LENGTH))
    return np.where(kind < 0.4, of_mood, np.where(kind < 0.7, neutral, other)).astype(np.int64), moods
