"""Slices, selections, targets and variance maps of hand-made label maps."""

import hashlib
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from paraspine import fusion
from paraspine.anatomy import ClassTable
from paraspine.arrays import LabelError, ManifestError, SettingsError, ShapeError, SpacingError
from paraspine.slices import FUSIONS, Slices, label_sets, soft, targets, variances, vote

CLASSES = ClassTable(("background", "right", "left"), (("right", "left"),))


def made(n=6, raters=3, size=(8, 10), seed=0, rated=None):
    rng = np.random.default_rng(seed)
    rated = np.ones((n, raters), bool) if rated is None else np.array(rated, dtype=bool)
    labels = rng.integers(0, 3, (n, raters, *size)).astype(np.uint8)
    labels[~rated] = 0
    table = pd.DataFrame(
        {
            "subject": [f"s{i // 2}" for i in range(n)],
            "image": [f"images/{i // 2}.nii.gz" for i in range(n)],
            "slice": [i % 2 for i in range(n)],
            "row": [i // 2 for i in range(n)],
        }
    )
    return Slices(
        images=rng.random((n, 1, *size), dtype=np.float32),
        labels=labels,
        rated=rated,
        table=table,
        classes=CLASSES,
        raters=tuple("abcdefgh"[:raters]),
        spacing=(0.7, 0.8),
        source="made up",
        synthetic=True,
    )


def test_a_mask_places_and_a_slice_select():
    data = made()
    mask = data.table["subject"] == "s1"
    for which in (mask, mask.to_numpy(), [2, 3], slice(2, 4), np.array([2, 3])):
        some = data.select(which)
        assert len(some) == 2
        np.testing.assert_array_equal(some.images, data.images[2:4])
        np.testing.assert_array_equal(some.labels, data.labels[2:4])
        assert some.table.index.tolist() == [0, 1]
        assert some.table["image"].tolist() == ["images/1.nii.gz"] * 2
        assert (some.raters, some.spacing, some.source) == (data.raters, data.spacing, data.source)
    turned = data.select([5, 0])
    np.testing.assert_array_equal(turned.images, data.images[[5, 0]])
    assert len(data.select([])) == 0
    assert data.size == (8, 10)


def test_a_mask_of_a_shuffled_table_goes_by_order():
    data = made()
    mask = pd.Series([True, False] * 3, index=[9, 8, 7, 6, 5, 4])
    np.testing.assert_array_equal(data.select(mask).images, data.images[::2])


def test_wrong_selections_are_refused():
    data = made()
    with pytest.raises(ShapeError, match="6 entries"):
        data.select([True, False])
    with pytest.raises(ShapeError, match="mask or places"):
        data.select(["s1"])
    with pytest.raises(IndexError):
        data.select([6])


def test_a_split_of_the_manifests_rows_takes_whole_volumes():
    data = made()
    assignment = pd.Series(["train", "test", "train"], index=[0, 1, 2])
    assert data.sides(assignment).tolist() == ["train"] * 2 + ["test"] * 2 + ["train"] * 2
    parts = data.split(assignment)
    assert {side: len(part) for side, part in parts.items()} == {"train": 4, "test": 2}
    assert parts["test"].table["subject"].unique().tolist() == ["s1"]
    folds = data.split(pd.Series([0, 1, 2, 3], index=[0, 1, 2, 3]))
    assert {fold: len(part) for fold, part in folds.items()} == {0: 2, 1: 2, 2: 2, 3: 0}
    assert len(data.select([0]).split(assignment)["test"]) == 0


def test_a_split_of_something_else_is_refused():
    with pytest.raises(ManifestError, match="no side for manifest rows \\[2\\]"):
        made().sides(pd.Series(["train", "test"], index=[0, 1]))
    with pytest.raises(ManifestError, match="Series"):
        made().sides(["train"] * 6)


def test_shapes_are_checked():
    data = made()
    with pytest.raises(ShapeError, match="labels"):
        replace(data, raters=("a", "b"))
    with pytest.raises(ShapeError, match="images"):
        replace(data, images=data.images[:, 0])
    with pytest.raises(SpacingError):
        replace(data, spacing=(1.0, 1.0, 1.0))


def test_fusions_leave_out_who_did_not_rate():
    # Each against the fusion of that slice's raters alone.
    rated = np.random.default_rng(3).random((6, 4)) < 0.6
    rated[:, 0] |= ~rated.any(axis=1)
    data = made(raters=4, rated=rated)
    data = replace(data, table=data.table.assign(image=list("abcdef")))  # STAPLE is by image
    majority, staple = targets(data, "majority")(0), targets(data, "staple")(0)
    average = targets(data, "average")(0)
    for place, labels, who in label_sets(data):
        assert len(who) == rated[place].sum()
        np.testing.assert_array_equal(majority[place], fusion.majority_vote(labels, 3))
        np.testing.assert_array_equal(staple[place], fusion.staple(labels, 3).labels)
        np.testing.assert_allclose(average[place], fusion.soft_labels(labels, 3), atol=1e-6)


def test_one_rater_is_that_raters_labels():
    data = made()
    given = targets(data, "rater:b")
    np.testing.assert_array_equal(given(0), data.labels[:, 1])
    assert not given.soft
    assert targets(data, "average").soft
    alone = made(raters=1)
    for name in ("majority", "random", "staple"):
        np.testing.assert_array_equal(targets(alone, name)(2), alone.labels[:, 0])


def test_fixed_targets_are_the_same_array_in_every_epoch():
    data = made()
    for name in ("majority", "staple", "average", "rater:b"):
        given = targets(data, name)
        assert given(0) is given(7)
        assert not np.shares_memory(given(0), data.labels)


def test_no_slices_give_no_targets():
    none = made().select([])
    for name in FUSIONS:
        assert len(targets(none, name)(0)) == 0
    assert vote(none).shape == (0, 8, 10)


def test_a_random_target_is_one_of_the_raters_labels():
    data = made()
    given = targets(data, "random", seed=1)
    for epoch in range(4):
        drawn = given(epoch)
        chosen = given.raters(epoch)
        np.testing.assert_array_equal(drawn, data.labels[np.arange(6), chosen])
    assert drawn.dtype == np.uint8


def test_selecting_does_not_change_a_slices_draws():
    data = made(n=40)
    whole = targets(data, "random", seed=2)
    order = np.random.default_rng(0).permutation(40)[:17]
    part = targets(data.select(order), "random", seed=2)
    for epoch in range(3):
        np.testing.assert_array_equal(part.raters(epoch), whole.raters(epoch)[order])


def test_draws_stay_what_they_are():
    # Another order of fields, hash or generator would change every training with random raters.
    name = b"s0\x1fimages/0.nii.gz\x1f1"
    expected = int.from_bytes(hashlib.sha256(name).digest()[:8], "little")
    assert int(made().keys[1]) == expected
    bits = np.random.Philox(counter=expected, key=7 + (3 << 64)).random_raw()
    drawn = targets(made(raters=5), "random", seed=7).raters(3)
    assert drawn[1] == int(bits / 2**64 * 5)
    assert drawn.tolist() == [4, 0, 0, 3, 3, 1]


def test_raters_are_drawn_evenly_and_only_who_rated():
    # scipy.stats.chisquare is the judge; 400 slices x 20 epochs.
    rated = np.ones((400, 3), bool)
    rated[200:, 1] = False
    data = made(n=400, size=(1, 1), rated=rated)
    given = targets(data, "random", seed=9)
    drawn = np.stack([given.raters(e) for e in range(20)])
    three = np.bincount(drawn[:, :200].ravel(), minlength=3)
    assert stats.chisquare(three).pvalue > 1e-3
    two = np.bincount(drawn[:, 200:].ravel(), minlength=3)
    assert two[1] == 0
    assert stats.chisquare(two[[0, 2]]).pvalue > 1e-3
    # Neither the slices of an epoch nor the epochs of a slice are tied to each other.
    pairs = np.histogram2d(drawn[:-1, :200].ravel(), drawn[1:, :200].ravel(), bins=3)[0]
    assert stats.chi2_contingency(pairs).pvalue > 1e-3
    neighbours = np.histogram2d(drawn[:, :199].ravel(), drawn[:, 1:200].ravel(), bins=3)[0]
    assert stats.chi2_contingency(neighbours).pvalue > 1e-3


def test_a_slice_that_nobody_rated_is_no_target():
    data = made(rated=[[1, 1, 1], [0, 0, 0], *[[1, 1, 1]] * 4])
    for name in FUSIONS:
        with pytest.raises(LabelError, match=r"1 of 6 slices were not rated by anybody.*s0"):
            targets(data, name)
    with pytest.raises(LabelError, match="anybody"):
        vote(data)
    assert np.isnan(soft(data)[1]).all()
    assert not np.isnan(soft(data)[0]).any()
    assert [place for place, _, _ in label_sets(data)] == [0, 2, 3, 4, 5]
    assert len(targets(data.select([0, 2, 3, 4, 5]), "majority")(0)) == 5


def test_a_rater_who_did_not_rate_everything_is_no_target_alone():
    data = made(rated=[[1, 1, 1], [1, 0, 1], *[[1, 1, 1]] * 4])
    with pytest.raises(LabelError, match=r"rater b.*images/0"):
        targets(data, "rater:b")
    assert targets(data, "rater:a")(0).shape == (6, 8, 10)


def test_unknown_fusions_and_arguments_are_named():
    data = made()
    with pytest.raises(SettingsError, match="majority, random, staple, average"):
        targets(data, "mean")
    with pytest.raises(SettingsError, match="a, b, c"):
        targets(data, "rater:z")
    with pytest.raises(SettingsError, match="seed"):
        targets(data, "random", seed=-1)
    with pytest.raises(SettingsError, match="epoch"):
        targets(data, "random")(1.5)
    with pytest.raises(SettingsError, match="not drawn"):
        targets(data, "majority").raters(0)


@pytest.fixture
def some():
    """Slices of three raters, two, one and none."""
    return made(4, size=(9, 7), rated=[[1, 1, 1], [1, 0, 1], [0, 1, 0], [0, 0, 0]])


def test_variances_of_those_who_rated_and_unknown_with_fewer_than_two(some):
    found = variances(some)
    assert found.shape == (4, 2, 9, 7)
    assert found.dtype == np.float32
    assert (found[0] == fusion.variance_map(some.labels[0], 3)).all()
    assert (found[1] == fusion.variance_map(some.labels[1, [0, 2]], 3)).all()
    assert np.isnan(found[2:]).all()
    assert variances(some.select([])).shape == (0, 2, 9, 7)


@pytest.fixture
def computed(monkeypatch):
    """The maps that were really computed."""
    maps, whole = [], fusion.variance_map

    def count(labels, classes):
        maps.append(whole(labels, classes))
        return maps[-1]

    monkeypatch.setattr(fusion, "variance_map", count)
    return maps


def test_all_that_a_map_depends_on_alone_makes_another_entry(some, tmp_path, computed, monkeypatch):
    one, module = some.select([0]), sys.modules["paraspine.slices.variances"]
    others = []
    for rater in range(3):
        labels = one.labels.copy()
        labels[0, rater, 4, 4] = (labels[0, rater, 4, 4] + 1) % 3
        others.append(replace(one, labels=labels))
    turned = {"images": one.images.reshape(1, 1, 7, 9), "labels": one.labels.reshape(1, 3, 7, 9)}
    more = ClassTable((*CLASSES.names, "middle"))
    everything = (one, *others, replace(one, **turned), replace(one, classes=more))
    for again in (False, True):
        for place, made in enumerate(everything):
            found = variances(made, cache=tmp_path)
            assert len(computed) == (len(everything) if again else place + 1)
            np.testing.assert_array_equal(found[0], computed[place])
    for name, value in (("CACHE_VERSION", 99), ("version", lambda library: "0")):
        monkeypatch.setattr(module, name, value)
        count = len(computed)
        variances(one, cache=tmp_path)
        assert len(computed) == count + 1


@pytest.mark.parametrize("damage", ["nan", "negative", "other shape", "float64"])
def test_an_entry_that_makes_no_sense_is_computed_again(some, tmp_path, computed, damage):
    expected = variances(some.select([0]), cache=tmp_path)
    (entry,) = tmp_path.rglob("*.npz")
    with np.load(entry) as old:
        whole = old["variance"]
    values = {"nan": np.nan * whole, "negative": whole - 1, "other shape": whole[:, 1:]}
    np.savez(entry, variance=values.get(damage, whole.astype(float)))
    np.testing.assert_array_equal(variances(some.select([0]), cache=tmp_path), expected)
    assert len(computed) == 2
