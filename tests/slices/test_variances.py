"""Variance maps of slices and their cache."""

import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from paraspine import fusion
from paraspine.anatomy import ClassTable
from paraspine.slices import Slices, variances

CLASSES = ClassTable(("background", "right", "left"), (("right", "left"),))
ARRAYS = ("images", "labels")


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


@pytest.fixture
def computed(monkeypatch):
    """The maps that were really computed."""
    maps, whole = [], fusion.variance_map

    def count(labels, classes):
        maps.append(whole(labels, classes))
        return maps[-1]

    monkeypatch.setattr(fusion, "variance_map", count)
    return maps


def test_all_that_a_map_depends_on_alone_makes_another_entry(data, tmp_path, computed, monkeypatch):
    one, module = data.select([0]), sys.modules["paraspine.slices.variances"]
    others = []
    for rater in range(3):
        labels = one.labels.copy()
        labels[0, rater, 4, 4] = (labels[0, rater, 4, 4] + 1) % 3
        others.append(replace(one, labels=labels))
    turned = {n: getattr(one, n).reshape(*getattr(one, n).shape[:2], 7, 9) for n in ARRAYS}
    more = ClassTable((*CLASSES.names, "middle"))
    for made in (one, *others, replace(one, **turned), replace(one, classes=more)):
        count = len(computed)
        found = variances(made, cache=tmp_path)
        assert len(computed) == count + 1
        np.testing.assert_array_equal(found, variances(made, cache=tmp_path))
        assert len(computed) == count + 1
        np.testing.assert_array_equal(found[0], computed[-1])
    for name, value in (("CACHE_VERSION", 99), ("version", lambda library: "0")):
        monkeypatch.setattr(module, name, value)
        count = len(computed)
        variances(one, cache=tmp_path)
        assert len(computed) == count + 1


@pytest.mark.parametrize("damage", ["nan", "negative", "other shape", "float64"])
def test_an_entry_that_makes_no_sense_is_computed_again(data, tmp_path, computed, damage):
    expected = variances(data.select([0]), cache=tmp_path)
    (entry,) = tmp_path.rglob("*.npz")
    with np.load(entry) as old:
        whole = old["variance"]
    values = {"nan": np.nan * whole, "negative": whole - 1, "other shape": whole[:, 1:]}
    np.savez(entry, variance=values.get(damage, whole.astype(float)))
    np.testing.assert_array_equal(variances(data.select([0]), cache=tmp_path), expected)
    assert len(computed) == 2
