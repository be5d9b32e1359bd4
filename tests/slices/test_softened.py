"""Targets that stay soft from the raters' grid to the batch, on hand-made files."""

import json

import numpy as np
import pytest

from paraspine import fusion, manifest, slices, volumes
from paraspine.arrays import SettingsError


def outlines(image, place, rater):
    """A label map ``(32, 40)`` of a slice, of another form for every image, slice and rater."""
    labels = np.zeros((32, 40), np.uint8)
    labels[5 + rater + 2 * place : 20 + image, 8:17] = 1
    labels[8 : 25 - place, 20 + rater : 31 - 2 * image] = 2
    return labels


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """A slice by three raters, and a volume by two whose lowest slice nobody marked."""
    folder = tmp_path_factory.mktemp("soft")
    rng = np.random.default_rng(0)
    rows = ["subject,image,rater_a,rater_b,rater_c"]
    for n, raters in enumerate(("abc", "ab")):
        files = {f"{n}.nii.gz": rng.random((1 + 2 * n, 32, 40), dtype=np.float32)}
        for r, rater in enumerate(raters):
            labels = np.stack([outlines(n, k, r) for k in range(1 + 2 * n)])
            labels[0] *= n == 0
            files[f"{n}_{rater}.nii.gz"] = labels
        for name, array in files.items():
            volumes.write(folder / name, volumes.from_array(array, (4.0, 1.0, 0.8)))
        rows.append(",".join([f"s{n}", *files, *[""] * (3 - len(raters))]))
    (folder / "data_manifest.csv").write_text("\n".join(rows) + "\n")
    about = {"name": "soft", "source": "made by hand",
             "classes": {"0": "background", "1": "one", "2": "two"}, "intensity": {"kind": "MR"},
             "grid": {"size": [16, 20], "spacing": [2.0, 1.6], "center": [2.0, -1.6]}}  # fmt: skip
    (folder / "data_manifest.json").write_text(json.dumps(about))
    return manifest.read(folder / "data_manifest.csv")


@pytest.fixture(scope="module")
def data(cohort):
    """On a grid twice as coarse, a pixel further down and to the right: three slices."""
    return slices.load(cohort, **slices.common_grid(cohort, 32, multiple=4), label_only=True)


@pytest.mark.parametrize("fused", ["average", "staple", "majority", "rater:a", "random"])
def test_soft_targets_are_probabilities_that_the_grid_made_soft(cohort, data, fused):
    found = slices.training_targets(data, fused, softness="soft", cohort=cohort)
    values = found(0)
    assert values.shape == (3, 3, 16, 20)
    assert values.dtype == np.float32
    np.testing.assert_allclose(values.sum(1), 1, atol=1e-6)
    assert ((values > 0.01) & (values < 0.99)).any()


def test_a_raters_soft_target_is_what_its_label_map_on_the_grid_is_the_largest_of(cohort, data):
    found = slices.training_targets(data, "rater:a", softness="soft", cohort=cohort)(0)
    largest = found.max(axis=1)
    clear = np.sort(found, axis=1)[:, -2] < largest - 1e-3
    assert (found.argmax(axis=1) == data.labels[:, 0])[clear].all()
    # a pixel of the coarse grid lies amid four of the raters': the mean of their labels
    for item, (image, place) in enumerate(((0, 0), (1, 1), (1, 2))):
        own = np.eye(3)[outlines(image, place, 0)].reshape(16, 2, 20, 2, 3).mean(axis=(1, 3))
        moved = np.roll(np.moveaxis(own, -1, 0), (-1, 1), axis=(1, 2))
        np.testing.assert_allclose(found[item], moved, atol=1e-6)


def test_the_average_is_the_mean_of_the_raters_soft_targets(cohort, data):
    kept = {"softness": "soft", "cohort": cohort}
    first = data.select([0])
    each = [slices.training_targets(first, f"rater:{r}", **kept)(0) for r in "abc"]
    average = slices.training_targets(first, "average", **kept)(0)
    np.testing.assert_allclose(average, np.mean(each, axis=0), atol=1e-6)


def test_a_random_soft_target_is_the_rater_that_the_hard_one_draws(cohort, data):
    kept = {"softness": "soft", "cohort": cohort}
    found = slices.training_targets(data, "random", seed=4, **kept)
    drawn = slices.targets(data, "random", seed=4)
    for epoch in range(6):
        for item, rater in enumerate(drawn.raters(epoch)):
            own = slices.training_targets(
                data.select([item]), f"rater:{data.raters[rater]}", **kept
            )
            np.testing.assert_array_equal(found(epoch)[item], own(0)[0])
            assert item == 0 or rater < 2  # the third did not rate the volume


def test_hard_targets_binarise_the_average_to_the_majority_vote(cohort, data):
    found = slices.training_targets(data, "average", softness="hard", cohort=cohort)(0)
    np.testing.assert_array_equal(found, slices.vote(data))
    assert found.dtype == np.uint8
    later = slices.training_targets(data, "average", softness="binarised", cohort=cohort)(0)
    soft = slices.training_targets(data, "average", softness="soft", cohort=cohort)(0)
    np.testing.assert_array_equal(later, soft)  # it is the training that binarises them
    fused = slices.training_targets(data, "average", cohort=cohort)(0)
    np.testing.assert_allclose(fused, slices.soft(data))
    with pytest.raises(SettingsError, match="softness: expected one of as fused, soft, binarised"):
        slices.training_targets(data, "average", softness="binary", cohort=cohort)


def test_the_slices_a_raters_network_learns_from(data):
    own, fused = slices.rated_for(data, "rater:c")
    assert (len(own), fused) == (1, "rater:c")
    assert slices.rated_for(data, "staple")[0] is data
    none, fused = slices.rated_for(data.select([1, 2]), "rater:c")
    assert (len(none), fused) == (2, "majority")


def test_staple_is_fused_before_it_is_resampled(cohort, data):
    found = slices.training_targets(data, "staple", softness="soft", cohort=cohort)(0)
    again = fusion.staple_many(data.labels, 3, data.rated)
    clear = np.sort(found, axis=1)[:, -1] > 0.9
    same = found.argmax(axis=1) == np.stack([s.labels for s in again])
    assert same[clear].mean() > 0.98
