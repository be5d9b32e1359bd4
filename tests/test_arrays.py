"""What checks on arrays let pass, as what, and what they refuse."""

import numpy as np
import pytest

from paraspine import arrays
from paraspine.arrays import LabelError, ProbabilityError, SettingsError, ShapeError, SpacingError

NAN = float("nan")


@pytest.mark.parametrize(
    ("labels", "dtype"),
    [
        (np.array([[0, 2, 1]], np.int16), np.int16),
        (np.array([[True, False, True]]), np.uint8),
        ([[0.0, 2.0, 1.0]], np.int64),
        (np.zeros((2, 0), np.float32), np.int64),
    ],
)
def test_label_maps_keep_their_values(labels, dtype):
    found = arrays.check_label_map(labels, 3)
    np.testing.assert_array_equal(found, labels)
    assert found.dtype == dtype


@pytest.mark.parametrize(
    ("labels", "classes", "words"),
    [
        ([0, 1, 3], 3, "expected classes 0 to 2, got values from 0 to 3"),
        ([0, -1, 2], 3, "expected classes 0 to 2, got values from -1 to 2"),
        ([0.0, 1.5], 3, "fractions or NaN"),
        ([0.0, NAN], 3, "fractions or NaN"),
        (["a"], 3, "expected whole numbers, got dtype"),
        ([0], 0, "num_classes: expected a whole number of at least 1, got 0"),
        ([0], 2.5, "num_classes: expected a whole number"),
    ],
)
def test_what_is_no_label_map(labels, classes, words):
    with pytest.raises(LabelError, match=words):
        arrays.check_label_map(labels, classes)
    assert arrays.check_labels([[0, 2]], 3).tolist() == [[0, 2]]
    for lacking in ([0, 2], np.zeros((0, 4))):
        with pytest.raises(ShapeError, match=r"labels\[None\]"):
            arrays.check_labels(lacking, 3)


@pytest.mark.parametrize(
    ("probabilities", "axis", "words"),
    [
        ([[0.2, 1.0], [0.8, 0.0]], 0, None),
        ([[0.2, 0.8], [1.0, 0.0]], 1, None),
        ([[0.2009, 1.0], [0.8, -0.0009]], 0, None),
        ([[0.2, NAN], [0.8, NAN]], 0, None),
        ([[1, 0], [0, 1]], 0, None),
        ([[0.2, 0.8], [1.0, 0.0]], 0, "sum of 1 over axis 0, got a deviation of 0.2"),
        ([[0.2, 1.0], [0.802, 0.0]], 0, "deviation of 0.002"),
        ([[-0.002, 1.0], [1.002, 0.0]], 0, r"values in \[0, 1\], got -0.002 to 1.002"),
        ([[NAN, 1.3], [NAN, -0.3]], 0, r"values in \[0, 1\], got -0.3 to 1.3"),
        ([[1.3], [NAN]], 0, r"values in \[0, 1\], got 1.3 to 1.3"),
        ([[0.9, 0.9], [0.05, 0.1]], 0, "deviation of 0.05"),
    ],
)
def test_probabilities(probabilities, axis, words):
    if words is None:
        found = arrays.check_probabilities(probabilities, axis)
        np.testing.assert_array_equal(found, np.asarray(probabilities, float))
    else:
        with pytest.raises(ProbabilityError, match=words):
            arrays.check_probabilities(probabilities, axis)
    with pytest.raises(ShapeError, match="class axis 2"):
        arrays.check_probabilities(probabilities, 2)


def test_spacings():
    assert arrays.check_spacing(np.array([4, 0.5]), 2) == (4.0, 0.5)
    for wrong in ((1, 2, 3), (1,), (0, 1), (-1, 1), (1, NAN), (1, float("inf"))):
        with pytest.raises(SpacingError, match="spacing: expected"):
            arrays.check_spacing(wrong, 2)


def test_whole_numbers():
    for value in (0, 3, np.uint8(3)):
        assert type(arrays.check_whole("n", value, 0, 3)) is int
    assert arrays.check_whole("n", 10**9) == 10**9
    for wrong in (0, 2.0, "2", True, None, np.float64(2)):
        with pytest.raises(SettingsError, match="n: expected a whole number of at least 1, got"):
            arrays.check_whole("n", wrong)
    with pytest.raises(SettingsError, match="n: expected a whole number from 0 to 3, got 4"):
        arrays.check_whole("n", 4, 0, 3)
