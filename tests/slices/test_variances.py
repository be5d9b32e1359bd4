"""Variance maps of slices and their cache."""

import numpy as np
import pandas as pd
import pytest

from paraspine import fusion
from paraspine.anatomy import ClassTable
from paraspine.slices import Slices, variances

CLASSES = ClassTable(("background", "right", "left"), (("right", "left"),))


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    rated = np.array([[1, 1, 1], [1, 0, 1], [0, 1, 0], [0, 0, 0]], dtype=bool)
    labels = rng.integers(0, 3, (4, 3, 9, 7)).astype(np.uint8)
    labels[~rated] = 0
    named = {"subject": list("abcd"), "image": list("abcd"), "slice": 0, "row": range(4)}
    return Slices(
        images=np.zeros((4, 1, 9, 7), np.float32),
        labels=labels,
        rated=rated,
        table=pd.DataFrame(named),
        classes=CLASSES,
        raters=("x", "y", "z"),
        spacing=(0.7, 0.8),
    )


def test_of_those_who_rated_and_unknown_with_fewer_than_two(data):
    found = variances(data)
    assert found.shape == (4, 2, 9, 7)
    assert found.dtype == np.float32
    assert (found[0] == fusion.variance_map(data.labels[0], 3)).all()
    assert (found[1] == fusion.variance_map(data.labels[1, [0, 2]], 3)).all()
    assert np.isnan(found[2:]).all()
    assert variances(data.select([])).shape == (0, 2, 9, 7)


def test_the_cache_gives_the_same_and_is_found_by_content(data, tmp_path, monkeypatch):
    plain = variances(data)
    np.testing.assert_array_equal(variances(data, cache=tmp_path), plain)
    entries = sorted(tmp_path.rglob("*.npz"))
    assert len(entries) == 2
    assert not [p for p in tmp_path.rglob(".*") if p.is_file()]

    counted = []
    whole = fusion.variance_map

    def count(labels, classes):
        counted.append(len(labels))
        return whole(labels, classes)

    monkeypatch.setattr(fusion, "variance_map", count)
    np.testing.assert_array_equal(variances(data, cache=tmp_path), plain)
    assert counted == []
    entries[0].write_bytes(entries[0].read_bytes()[:50])  # damaged
    np.testing.assert_array_equal(variances(data, cache=tmp_path), plain)
    assert len(counted) == 1
    data.labels[0, 0, 4, 4] = 2 - data.labels[0, 0, 4, 4] // 2  # another outline, another entry
    np.testing.assert_array_equal(variances(data, cache=tmp_path), variances(data))
    assert len(list(tmp_path.rglob("*.npz"))) == 3
