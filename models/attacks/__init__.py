"""Attacks on aggregation, to measure rules by: what colluding participants send who know every honest update.

Each is a function of the round's honest updates alone, so that a simulation needs nothing else. `flip_labels` poisons
data instead: its participants train honestly on wrong labels. None of this runs in a federation.
"""

from models.attacks.a_little_is_enough import ALittleIsEnough
from models.attacks.attack import Attack
from models.attacks.gaussian_noise import GaussianNoise
from models.attacks.inner_product import InnerProductManipulation
from models.attacks.label_flip import flip_labels
from models.attacks.min_max import MinMax
from models.attacks.sign_flip import SignFlip

__all__ = [
    "ALittleIsEnough",
    "Attack",
    "GaussianNoise",
    "InnerProductManipulation",
    "MinMax",
    "SignFlip",
    "flip_labels",
]
