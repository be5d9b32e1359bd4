"""Targets that stay soft from the raters' grid to the batch, on hand-made files."""

import json

import nibabel
import numpy as np
import pytest
import torch

from paraspine import augmentation, fusion, manifest, slices
from paraspine.arrays import SettingsError


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """Two images of 32 x 32 pixels by three raters; the second not by the third."""
    folder = tmp_path_factory.mktemp("soft")
    rng = np.random.default_rng(0)
    rows = ["subject,image,rater_a,rater_b,rater_c"]
    for n in range(2):
        image = rng.random((32, 32, 1), dtype=np.float32)
        nibabel.save(nibabel.Nifti1Image(image, np.eye(4)), folder / f"{n}.nii.gz")
        names = []
        for r, rater in enumerate("abc"):
            labels = np.zeros((32, 32, 1), np.uint8)
            labels[5 + r : 20 + n, 6:15] = 1
            labels[8:25, 18 + r : 27] = 2
            names.append(f"{n}_{rater}.nii.gz" if (n, rater) != (1, "c") else "")
            if names[-1]:
                nibabel.save(nibabel.Nifti1Image(labels, np.eye(4)), folder / names[-1])
        rows.append(f"s{n},{n}.nii.gz,{','.join(names)}")
    (folder / "data_manifest.csv").write_text("\n".join(rows) + "\n")
    about = {"name": "soft", "source": "made by hand",
             "classes": {"0": "background", "1": "one", "2": "two"},
             "intensity": {"kind": "MR"}}  # fmt: skip
    (folder / "data_manifest.json").write_text(json.dumps(about))
    return manifest.read(folder / "data_manifest.csv")


@pytest.fixture(scope="module")
def data(cohort):
    """On a grid of 16 x 16, whose pixels lie between those of the raters."""
    return slices.load(cohort, size=(16, 16), spacing=(2.0, 2.0))


@pytest.mark.parametrize("fused", ["average", "staple", "majority", "rater:a", "random"])
def test_soft_targets_are_probabilities_that_the_grid_made_soft(cohort, data, fused):
    found = slices.training_targets(data, fused, softness="soft", cohort=cohort)
    values = found(0)
    assert values.shape == (2, 3, 16, 16)
    assert values.dtype == np.float32
    np.testing.assert_allclose(values.sum(1), 1, atol=1e-6)
    assert ((values > 0.01) & (values < 0.99)).any()


def test_a_raters_soft_target_is_what_its_label_map_on_the_grid_is_the_largest_of(cohort, data):
    found = slices.training_targets(data, "rater:a", softness="soft", cohort=cohort)(0)
    largest = found.max(axis=1)
    clear = np.sort(found, axis=1)[:, -2] < largest - 1e-3
    assert (found.argmax(axis=1) == data.labels[:, 0])[clear].all()
    # a pixel of the coarse grid lies amid four of the raters': the mean of their labels
    own = np.zeros((32, 32))
    own[5:20, 6:15] = 1
    mean = own.reshape(16, 2, 16, 2).mean(axis=(1, 3))
    ours = found[0, 1]
    if not np.allclose(ours, mean, atol=1e-6):  # the file's axes may be read transposed
        ours = next(
            view for turned in (ours, ours.T) for view in (turned, turned[::-1], turned[:, ::-1],
            turned[::-1, ::-1]) if np.allclose(view, mean, atol=1e-6)
        )  # fmt: skip
    np.testing.assert_allclose(ours, mean, atol=1e-6)


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
            assert (item, rater) != (1, 2)  # who did not rate it


def test_hard_targets_binarise_the_average_to_the_majority_vote(cohort, data):
    found = slices.training_targets(data, "average", softness="hard", cohort=cohort)(0)
    np.testing.assert_array_equal(found, slices.vote(data))
    assert found.dtype == np.uint8
    fused = slices.training_targets(data, "average", cohort=cohort)(0)
    np.testing.assert_allclose(fused, slices.soft(data))
    with pytest.raises(SettingsError, match="softness: expected one of as fused, soft, hard"):
        slices.training_targets(data, "average", softness="binary", cohort=cohort)


def test_soft_targets_stay_soft_and_whole_through_augmentation(cohort, data):
    values = torch.as_tensor(
        slices.training_targets(data, "staple", softness="soft", cohort=cohort)(0)
    )
    settings = augmentation.Augmentation(rotation=0.3, translation=0.05, scaling=0.1)
    drawn = augmentation.draw(settings, 2, generator=torch.Generator().manual_seed(1))
    moved = augmentation.apply_soft(drawn, values)
    torch.testing.assert_close(moved.sum(1), torch.ones(2, 16, 16), atol=1e-5, rtol=0)
    between = ((moved > 0.02) & (moved < 0.98)).float().mean()
    assert between > 0.02


def test_the_slices_a_raters_network_learns_from(data):
    own, fused = slices.rated_for(data, "rater:c")
    assert (len(own), fused) == (1, "rater:c")
    assert slices.rated_for(data, "staple")[0] is data
    none, fused = slices.rated_for(data.select([1]), "rater:c")
    assert (len(none), fused) == (1, "majority")


def test_staple_is_fused_before_it_is_resampled(cohort, data):
    found = slices.training_targets(data, "staple", softness="soft", cohort=cohort)(0)
    again = fusion.staple_many(data.labels, 3, data.rated)
    clear = np.sort(found, axis=1)[:, -1] > 0.9
    same = found.argmax(axis=1) == np.stack([s.labels for s in again])
    assert same[clear].mean() > 0.98
