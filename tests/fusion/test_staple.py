"""STAPLE: worked by hand, by a plain voxel-wise estimation, and by SimpleITK."""

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from paraspine import fusion
from paraspine.arrays import SettingsError, SpacingError
from paraspine.fusion.em import is_inverted


def simulated(seed, raters, classes, shape=(24, 24), right=0.75):
    """Raters who are right with a probability and else say anything."""
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, classes, shape)
    labels = np.stack(
        [
            np.where(generator.random(shape) < right, truth, generator.integers(0, classes, shape))
            for _ in range(raters)
        ]
    )
    return labels.astype(np.uint8), truth


def outlined(seed, raters=3, size=64, wobble=0.6):
    """Raters who outline four touching ellipses with a smooth displacement of their own."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] / size
    labels = np.zeros((raters, size, size), np.uint8)
    for rater in range(raters):
        shift = ndimage.gaussian_filter(generator.normal(size=(2, size, size)), (0, 3, 3))
        shift *= wobble / size / shift.std()
        places = [(0.60, 0.38, 0.08, 0.11), (0.60, 0.62, 0.08, 0.11)]
        places += [(0.63, 0.24, 0.11, 0.08), (0.63, 0.76, 0.11, 0.08)]
        for c, (row, column, high, wide) in enumerate(places, start=1):
            inside = ((y + shift[0] - row) / high) ** 2 + ((x + shift[1] - column) / wide) ** 2
            labels[rater][inside < 1] = c
    return labels


def plain_em(labels, classes, theta, tolerance=1e-5, steps=2000):
    """Voxel-wise EM in products of probabilities, from given confusion matrices."""
    votes = labels.reshape(len(labels), -1)
    prior = np.bincount(votes.ravel(), minlength=classes) / votes.size

    def expect():
        weight = np.tile(prior, (votes.shape[1], 1))
        for matrix, said in zip(theta, votes, strict=True):
            weight = weight * matrix[said]
        return weight

    for _ in range(steps):
        weight = expect()
        weight /= weight.sum(axis=1, keepdims=True)
        new = np.zeros_like(theta)
        for r, said in enumerate(votes):
            for c in range(classes):
                new[r, c] = weight[said == c].sum(axis=0)
            mass = new[r].sum(axis=0)
            new[r] /= np.where(mass > 0, mass, 1)
        moved = np.abs(new - theta).max()
        theta = new
        if moved <= tolerance:
            break
    weight = expect()
    shape = (classes, *labels.shape[1:])
    return (weight / weight.sum(axis=1, keepdims=True)).T.reshape(shape), theta


def from_shares(labels, classes):
    votes = labels.reshape(len(labels), -1)
    share = np.eye(classes)[votes].mean(axis=0)
    theta = np.zeros((len(votes), classes, classes))
    for r, said in enumerate(votes):
        for c in range(classes):
            theta[r, c] = share[said == c].sum(axis=0)
        mass = theta[r].sum(axis=0)
        theta[r] /= np.where(mass > 0, mass, 1)
    return theta


def as_itk_starts(labels, classes):
    """MultiLabelSTAPLE's first confusion matrices, its fault included.

    It counts ``matrix[said][voted]``. A tied vote is given the number C, one past the row's end,
    which in memory is ``matrix[said + 1][0]``.
    """
    votes = labels.reshape(len(labels), -1).astype(int)
    count = np.eye(classes)[votes].sum(axis=0)
    best = count == count.max(axis=1, keepdims=True)
    voted = np.where(best.sum(axis=1) > 1, classes, best.argmax(axis=1))
    theta = np.zeros((len(votes), classes + 1, classes))
    for r, said in enumerate(votes):
        memory = np.bincount(said * classes + voted, minlength=(classes + 1) * classes)
        matrix = memory.reshape(classes + 1, classes)
        mass = matrix.sum(axis=1, keepdims=True)
        theta[r] = matrix / np.where(mass > 0, mass, 1)
    return theta[:, :classes]


def multi_label_staple(labels):
    images = [sitk.GetImageFromArray(said) for said in labels]
    return sitk.GetArrayFromImage(sitk.MultiLabelSTAPLE(images))


def test_first_steps_by_hand():
    # Votes (0,0,0) x 2, (1,1,1), (0,1,1). The shares of votes as first posterior put 5/3 voxels
    # in class 1 and 7/3 in class 0: P(said 1 | true 1) is 3/5, 1, 1 and P(said 0 | true 0) is
    # 1, 6/7, 6/7. The disputed voxel then weighs 7/12 x (1/7)^2 against 5/12 x 2/5.
    labels = np.array([[0, 0, 1, 0], [0, 0, 1, 1], [0, 0, 1, 1]])
    first = np.array([[[1, 2 / 5], [0, 3 / 5]]] + 2 * [[[6 / 7, 0], [1 / 7, 1]]])
    w = 14 / 15
    careful = [[1, w / (1 + w)], [0, 1 / (1 + w)]]
    generous = [[2 / (3 - w), 0], [(1 - w) / (3 - w), 1]]
    second = np.array([careful, generous, generous])
    found = fusion.staple(labels, 2, max_iterations=1)
    assert found.confusion == pytest.approx(second)
    assert found.prior == pytest.approx([7 / 12, 5 / 12])
    assert (found.iterations, found.converged, found.undecided) == (1, False, 0)
    assert found.change == pytest.approx(np.abs(second - first).max())
    no, yes = 7 / 12 * second[1, 1, 0] ** 2, 5 / 12 * second[0, 0, 1]
    assert found.posterior[:, 3] == pytest.approx([no / (no + yes), yes / (no + yes)])
    row = found.votes.tolist().index([0, 1, 1])
    assert found.table[row] == pytest.approx([no / (no + yes), yes / (no + yes)])
    agreed = np.log(7 / 12 * second[1, 0, 0] ** 2)
    marked = np.log(5 / 12 * second[0, 1, 1])
    assert found.log_likelihood == pytest.approx(2 * agreed + marked + np.log(no + yes))


@pytest.mark.parametrize("seed", range(8))
def test_equals_a_plain_estimation(seed):
    classes, count = 2 + seed % 3, 2 + seed % 4
    labels, _ = simulated(seed, count, classes)
    found = fusion.staple(labels, classes)
    posterior, theta = plain_em(labels, classes, from_shares(labels, classes))
    assert found.posterior == pytest.approx(posterior, abs=1e-6)
    assert found.confusion == pytest.approx(theta, abs=1e-9)
    assert found.converged
    assert (found.labels == found.posterior.argmax(axis=0)).all()


@pytest.mark.parametrize("seed", range(6))
def test_two_classes_against_simpleitk_staple(seed):
    labels, _ = simulated(seed, 2 + seed % 4, 2, right=0.8)
    found = fusion.staple(labels, 2, tolerance=1e-8, max_iterations=100_000)
    itk = sitk.STAPLEImageFilter()
    itk.SetForegroundValue(1)
    itk.SetMaximumIterations(100_000)
    posterior = sitk.GetArrayFromImage(itk.Execute([sitk.GetImageFromArray(s) for s in labels]))
    assert found.posterior[1] == pytest.approx(posterior, abs=1e-4)
    assert found.confusion[:, 1, 1] == pytest.approx(itk.GetSensitivity(), abs=1e-4)
    assert found.confusion[:, 0, 0] == pytest.approx(itk.GetSpecificity(), abs=1e-4)


@pytest.mark.parametrize("seed", range(8))
def test_same_labels_as_simpleitk_multilabel_staple(seed):
    for labels in (simulated(seed, 3 + seed % 3, 2 + seed % 3)[0], outlined(seed)):
        classes = int(labels.max()) + 1
        found = fusion.staple(labels, classes, start="simpleitk")
        assert (found.labels == multi_label_staple(labels)).all()


@pytest.mark.parametrize("case", ["three raters", "four raters", "two raters"])
def test_where_simpleitk_multilabel_staple_differs_and_why(case):
    # Where votes are tied the likelihood has several maxima. The plain estimation from
    # SimpleITK's first matrices gives SimpleITK's labels, so the start is all that differs, and
    # its likelihood is the lower one.
    count = {"two raters": 2, "three raters": 3, "four raters": 4}[case]
    seen = 0
    for seed in range(40):
        labels = outlined(seed, count, size=96, wobble=1.2)
        itk, found = multi_label_staple(labels), fusion.staple(labels, 5)
        differs = itk != found.labels
        if not differs.any():
            continue
        seen += 1
        votes = np.sort(np.eye(5, dtype=int)[labels].sum(axis=0), axis=-1)[differs]
        assert (votes[:, -1] == votes[:, -2]).mean() > 0.5  # the others follow from those
        posterior, theta = plain_em(labels, 5, as_itk_starts(labels, 5))
        ordered = np.sort(posterior, axis=0)
        decided = ordered[-1] - ordered[-2] > 1e-3  # SimpleITK computes in float32
        assert decided[differs].any()
        assert (posterior.argmax(axis=0) == itk)[decided].all()
        theirs = fusion.staple(labels, 5, start="simpleitk")
        assert theirs.confusion == pytest.approx(theta, abs=1e-4, nan_ok=True)
        assert found.log_likelihood >= theirs.log_likelihood - 0.1
        if seen == 3:
            break
    assert seen


def test_recovers_raters_and_truth():
    generator = np.random.default_rng(5)
    truth = generator.choice(3, size=40_000, p=[0.6, 0.3, 0.1])
    theta = np.array(
        [
            np.full((3, 3), (1 - q) / 2) + np.eye(3) * (q - (1 - q) / 2)
            for q in (0.95, 0.85, 0.75, 0.9)
        ]
    )
    labels = np.stack(
        [(generator.random(truth.size) > np.cumsum(m[:, truth], axis=0)).sum(axis=0) for m in theta]
    )
    found = fusion.staple(labels, 3)
    assert found.confusion == pytest.approx(theta, abs=0.03)
    vote = fusion.majority_vote(labels, 3)
    assert (found.labels == truth).mean() >= (vote == truth).mean()
    assert not found.inverted


def test_one_rater_and_identical_raters():
    one, _ = simulated(0, 1, 4)
    for labels in (one, np.repeat(one, 3, axis=0)):
        found = fusion.staple(labels, 4)
        assert (found.labels == one[0]).all()
        assert (found.posterior.max(axis=0) == 1).all()
        assert found.confusion == pytest.approx(np.tile(np.eye(4), (len(labels), 1, 1)))
        assert found.converged


def test_empty_class_has_no_confusion_and_no_voxel():
    labels, _ = simulated(1, 3, 2)
    found, smaller = fusion.staple(labels, 4), fusion.staple(labels, 2)
    assert np.isnan(found.confusion[:, :, 2:]).all()
    assert found.confusion[:, :2, :2] == pytest.approx(smaller.confusion)
    assert (found.posterior[2:] == 0).all()
    assert found.posterior[:2] == pytest.approx(smaller.posterior)


def test_all_background():
    for extent in ("image", "foreground"):
        found = fusion.staple(np.zeros((3, 4, 4), int), 3, extent=extent)
        assert (found.labels == 0).all()
        assert (found.posterior[0] == 1).all()
        assert found.converged
        assert found.extent == (16 if extent == "image" else 0)
        assert not found.inverted


def test_a_rater_who_marks_nothing_knows_nothing():
    labels, _ = simulated(2, 3, 2, right=0.9)
    labels = np.concatenate([labels, np.zeros_like(labels[:1])])
    found, without = fusion.staple(labels, 2), fusion.staple(labels[:3], 2)
    assert found.confusion[3] == pytest.approx(np.array([[1, 1], [0, 0]]))
    assert (found.labels == without.labels).mean() > 0.98
    assert not found.inverted


def test_two_raters_one_of_whom_marks_nothing():
    labels = np.zeros((2, 20, 20), int)
    labels[0, 5:9, 5:9] = 1
    found = fusion.staple(labels, 2)
    assert found.converged
    assert np.isfinite(found.posterior).all()
    assert set(np.unique(found.labels[labels[0] == 0])) == {0}


def test_undecided_voxels_go_to_the_lower_class_and_are_counted():
    labels = np.array([[1, 2, 1, 2, 0], [2, 1, 1, 2, 0]])
    found = fusion.staple(labels, 3)
    assert found.posterior[1, :2] == pytest.approx([0.5, 0.5])
    assert found.labels.tolist() == [1, 1, 1, 2, 0]
    assert found.undecided == 2


def test_more_voxels_than_float32_can_count():
    # MultiLabelSTAPLE sums in float32, which stops counting at 2^24.
    size = (1 << 24) + 400_000
    labels = np.zeros((3, size), np.uint8)
    labels[:, :1000] = 1
    labels[0, 1000:1300] = 1
    labels[1, 900:1000] = 0
    found = fusion.staple(labels, 2)
    assert found.extent == size
    assert found.prior == pytest.approx([1 - 3200 / 3 / size, 3200 / 3 / size], rel=1e-12)
    assert found.confusion[0, 1, 0] == pytest.approx(300 / (size - 1000), rel=1e-3)
    assert found.labels.sum() == 1000


def test_extent_takes_out_background_that_says_nothing():
    small = outlined(4, size=64)
    wide = np.pad(small, ((0, 0), (50, 50), (50, 50)))
    on_small, on_wide = (fusion.staple(x, 5, extent="foreground") for x in (small, wide))
    inner = (slice(None), slice(50, -50), slice(50, -50))
    assert on_wide.posterior[inner] == pytest.approx(on_small.posterior)
    assert on_small.extent == (small > 0).any(axis=0).sum() == on_wide.extent
    assert (on_wide.posterior[0, :50] == 1).all()
    whole_small, whole_wide = (fusion.staple(x, 5) for x in (small, wide))
    assert np.abs(whole_wide.posterior[inner] - whole_small.posterior).max() > 1e-3


def test_margin_in_voxels_and_mm():
    labels = np.zeros((2, 9, 9), int)
    labels[:, 4, 4] = 1
    assert fusion.staple(labels, 2, extent="foreground", margin=1).extent == 5
    assert fusion.staple(labels, 2, extent="foreground", margin=1.5).extent == 9
    found = fusion.staple(labels, 2, extent="foreground", margin=2, spacing=(1, 2))
    assert found.extent == 5 + 2
    certain = fusion.staple(labels, 2, extent="foreground", margin=1, prior=(0, 1))
    assert certain.labels.sum() == 5  # background outside, whatever the prior is inside
    nothing = fusion.staple(0 * labels, 2, extent="foreground")
    assert (nothing.extent, nothing.prior.tolist()) == (0, [1, 0])
    everything = fusion.staple(labels, 2, extent="foreground", margin=50)
    assert everything.posterior == pytest.approx(fusion.staple(labels, 2).posterior)
    with pytest.raises(SpacingError):
        fusion.staple(labels, 2, extent="foreground", margin=1, spacing=(1, 1, 1))


def test_priors():
    labels, _ = simulated(6, 3, 3)
    assert fusion.staple(labels, 3, prior="uniform").prior == pytest.approx(np.full(3, 1 / 3))
    given_one = fusion.staple(labels, 3, prior=[2, 1, 1])
    assert given_one.prior == pytest.approx([0.5, 0.25, 0.25])
    frequency = np.bincount(labels.ravel()) / labels.size
    assert fusion.staple(labels, 3).prior == pytest.approx(frequency)
    ruled_out = fusion.staple(labels, 3, prior=[1, 1, 0])
    assert set(np.unique(ruled_out.labels)) <= {0, 1}
    certain = fusion.staple(labels, 3, prior=[0, 1, 0])
    assert (certain.posterior[1] == 1).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prior": "even"}, "'frequency', 'uniform' or 2 numbers"),
        ({"prior": [1, 2, 3]}, "expected 2 numbers"),
        ({"prior": [0, 0]}, "above 0"),
        ({"tolerance": 0}, "tolerance"),
        ({"max_iterations": 0}, "max_iterations"),
        ({"start": "vote"}, "'shares' or 'simpleitk'"),
        ({"extent": "box"}, "'image' or 'foreground'"),
        ({"extent": "foreground", "margin": -1}, "margin"),
        ({"margin": 3}, "no meaning"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(SettingsError, match=message):
        fusion.staple([[0, 1], [1, 1]], 2, **options)


def test_raters_worse_than_chance_are_reported():
    labels, _ = simulated(7, 3, 2, right=0.9)
    assert not fusion.staple(labels, 2).inverted
    # A prior that rules out what everybody says makes everybody wrong.
    assert fusion.staple([[1, 1, 1, 0], [1, 1, 1, 0]], 2, prior=[1, 0]).inverted
    assert is_inverted([[[0.2, 0.7], [0.8, 0.3]]])
    assert not is_inverted([[[0.9, 0.7], [0.1, 0.3]]])


@pytest.mark.parametrize("share", [0.02, 0.5, 0.9, 0.98])
def test_foreground_is_not_inverted_however_large_it_is(share):
    generator = np.random.default_rng(9)
    truth = generator.random((60, 60)) < share
    labels = np.stack([truth ^ (generator.random(truth.shape) < 0.05) for _ in range(3)])
    found = fusion.staple(labels, 2)
    assert (found.labels == truth).mean() > 0.97
    assert not found.inverted


def test_many_equals_one_by_one():
    labels = np.stack([outlined(s, raters=4, size=40) for s in range(5)])
    rated = np.array([[1, 1, 1, 1], [1, 0, 1, 1], [1, 1, 1, 1], [0, 0, 1, 0], [1, 0, 1, 1]], bool)
    for options in ({}, {"extent": "foreground", "margin": 2}, {"start": "simpleitk"}):
        together = fusion.staple_many(labels, 5, rated, **options)
        for image, found in enumerate(together):
            alone = fusion.staple(labels[image][rated[image]], 5, **options)
            assert (found.labels == alone.labels).all()
            assert found.posterior == pytest.approx(alone.posterior, abs=1e-6)
            assert found.confusion == pytest.approx(alone.confusion, abs=1e-9, nan_ok=True)
            assert (found.iterations, found.converged) == (alone.iterations, alone.converged)
            assert found.log_likelihood == pytest.approx(alone.log_likelihood)


@pytest.mark.parametrize("classes", [2, 4])
def test_volumes(classes):
    """Three dimensions: the same as the voxels in a row, and as SimpleITK's filters."""
    labels, _ = simulated(3, 4, classes, shape=(5, 9, 11))
    exact = {"tolerance": 1e-8, "max_iterations": 100_000}
    volume = fusion.staple(labels, classes, **exact)
    row = fusion.staple(labels.reshape(4, -1), classes, **exact)
    assert (volume.labels.ravel() == row.labels).all()
    assert volume.posterior.shape == (classes, 5, 9, 11)
    assert volume.posterior.reshape(classes, -1) == pytest.approx(row.posterior)
    assert volume.confusion == pytest.approx(row.confusion)
    theirs = multi_label_staple(labels)
    same = fusion.staple(labels, classes, start="simpleitk").labels == theirs
    assert same[theirs < classes].all()
    if classes == 2:
        binary = sitk.STAPLE([sitk.GetImageFromArray(said) for said in labels], 1.0)
        assert volume.posterior[1] == pytest.approx(sitk.GetArrayFromImage(binary), abs=1e-4)
    together = fusion.staple_many(np.stack([labels, labels[::-1]]), classes)
    assert (together[0].labels == together[1].labels).all()
    assert together[0].labels.shape == (5, 9, 11)


def test_extent_of_a_volume_is_a_ball_in_mm():
    labels = np.zeros((2, 7, 9, 9), int)
    labels[:, 3, 4, 4] = 1
    found = fusion.staple(labels, 2, extent="foreground", margin=2, spacing=(2, 1, 1))
    disc = 13  # voxels within 2 mm in the slice; one more in the slices above and below
    assert found.extent == disc + 2


def test_where_simpleitk_leaves_voxels_undecided():
    # Two raters exchange two classes in as many voxels: neither class is more probable there.
    # SimpleITK writes a label one past the classes, which a network would learn as a class.
    labels = np.zeros((2, 8, 8), np.uint8)
    labels[:, :2], labels[:, 2:4] = 1, 2
    labels[0, 4], labels[1, 4] = 1, 2
    labels[0, 5], labels[1, 5] = 2, 1
    found, theirs = fusion.staple(labels, 3), multi_label_staple(labels)
    assert (theirs[4:6] == 3).all()
    assert (found.labels[4:6] == 1).all()
    assert found.undecided == 16
    assert (np.delete(theirs, [4, 5], axis=0) == np.delete(found.labels, [4, 5], axis=0)).all()


def test_many_raters_do_not_underflow():
    labels, truth = simulated(8, 400, 2, shape=(6, 6), right=0.3)
    found = fusion.staple(labels, 2)
    assert np.isfinite(found.log_likelihood)
    assert (found.labels == truth).all()


def test_lidc(shared_data):
    """Two to four radiologists on real nodules, against SimpleITK."""
    import nibabel as nib

    crops = {}
    for path in sorted((shared_data / "lidc-0181").glob("*_rater-*.nii.gz")):
        crops.setdefault(path.name.split("_rater")[0], []).append(path)
    counts, differ = [], []
    for paths in crops.values():
        if len(paths) < 2:
            continue
        labels = np.stack([np.asarray(nib.load(p).dataobj) for p in paths]).astype(np.uint8)
        theirs = multi_label_staple(labels)
        started = fusion.staple(labels, 2, start="simpleitk")
        assert (started.labels == theirs)[theirs < 2].all()
        found = fusion.staple(labels, 2)
        assert found.undecided == (theirs == 2).sum()  # of two raters who never out-mark each other
        exact = fusion.staple(labels, 2, tolerance=1e-8, max_iterations=10_000)
        binary = sitk.STAPLE([sitk.GetImageFromArray(said) for said in labels], 1.0)
        assert exact.posterior[1] == pytest.approx(sitk.GetArrayFromImage(binary), abs=1e-4)
        assert exact.converged
        assert not exact.inverted
        other = (found.labels != theirs) & (theirs < 2)
        tied = 2 * labels.sum(axis=0) == len(labels)
        assert not (other & ~tied).any()  # the two filters start on different sides of a tie
        counts.append(len(labels))
        differ.append(other.any())
    assert [counts.count(n) for n in (2, 3, 4)] == [6, 5, 21]
    assert any(differ)
    assert not any(d for d, n in zip(differ, counts, strict=True) if n < 4)


@given(hnp.arrays(np.uint8, (3, 30), elements=st.integers(0, 2)), st.integers(1, 6))
@settings(deadline=None, max_examples=80)
def test_properties(labels, steps):
    found = fusion.staple(labels, 3)
    assert found.posterior.sum(axis=0) == pytest.approx(1, abs=1e-6)
    sums = found.confusion.sum(axis=1)
    assert sums[~np.isnan(sums)] == pytest.approx(1)
    # Expectation maximisation never lowers the likelihood.
    shorter = [
        fusion.staple(labels, 3, max_iterations=s).log_likelihood for s in (steps, steps + 1)
    ]
    assert shorter[1] >= shorter[0] - 1e-9 * abs(shorter[0])
    # Raters may be listed in any order, and voxels too.
    other = fusion.staple(labels[::-1, ::-1], 3)
    assert other.posterior[:, ::-1] == pytest.approx(found.posterior, abs=1e-4)
    # What everybody says is never overruled by a class nobody gave there or elsewhere.
    assert set(np.unique(found.labels)) <= set(np.unique(labels))
