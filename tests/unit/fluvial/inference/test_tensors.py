"""What a request carries of the inputs that somebody has."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from fluvial.inference.tensors import packed


@pytest.mark.parametrize("dtype", ["c8", "c16", "U1", "S1", "M8[s]", "m8[s]", "O"])
def test_what_is_no_number_is_refused_and_not_made_one(dtype: str) -> None:
    with pytest.raises(ValueError, match="which are no numbers"):
        packed(np.zeros((1, 2), dtype))


def test_numbers_of_any_other_kind_are_carried_without_a_warning() -> None:
    for values, datatype in (
        (np.array([[1e300, 1.0]]), "FP32"),
        (np.array([[1, 2]], ">i8"), "FP32"),
        (np.array([[True, False]]), "FP32"),
        (np.array([[1, 2]], np.uint8), "UINT8"),
        (np.array([[1, 2]], np.float16), "FP16"),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found, array = packed(values)
        assert found == datatype
        wide = values.astype(np.float64)
        assert array.tolist() == np.where(wide < 1e38, wide, np.inf).tolist()
