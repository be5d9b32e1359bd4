"""Border distances: worked answers, SimpleITK, a slow reference; properties. MONAI: test_monai."""

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage
from scipy.spatial.distance import cdist

from paraspine import metrics
from paraspine.arrays import SettingsError, ShapeError, SpacingError

masks = hnp.arrays(bool, (5, 6), elements=st.booleans())


def border(mask):
    """Border voxels by SciPy's erosion, an independent way."""
    return mask & ~ndimage.binary_erosion(mask)


def slow_distances(a, b, spacing):
    places = [np.argwhere(border(m)) * np.asarray(spacing) for m in (a, b)]
    table = cdist(*places)
    return table.min(axis=1), table.min(axis=0)


def two_squares():
    a, b = np.zeros((2, 12, 14), np.uint8)
    a[2:6, 2:6] = 1
    b[2:6, 5:9] = 1
    return a, b


def test_hand_worked_with_unequal_spacing():
    a, b = two_squares()
    # Columns 2 to 5 and 5 to 8: the far columns are 3 apart.
    assert metrics.hausdorff(a, b, 2, (1, 1))[0] == 3
    assert metrics.hausdorff(a, b, 2, (1, 0.5))[0] == 1.5
    # Rows 2.5 mm apart change nothing: the nearest voxel lies in the same row.
    assert metrics.hausdorff(a, b, 2, (2.5, 0.5))[0] == 1.5
    assert metrics.hausdorff(a.T, b.T, 2, (0.5, 2.5))[0] == 1.5


def test_percentile_is_taken_in_each_direction_first():
    a = np.zeros((1, 30), np.uint8)
    b = a.copy()
    a[0, :10] = 1
    b[0, :10] = 1
    b[0, 20] = 1
    forth, back = metrics.surface_distances(a == 1, b == 1, (1, 1))
    # An axis of length 1 is no axis, so the border of a run is its two ends.
    np.testing.assert_array_equal(forth, [0, 0])
    np.testing.assert_array_equal(back, [0, 0, 11])
    for q in (0, 50, 95, 100):
        expected = max(np.percentile([0, 0], q), np.percentile([0, 0, 11], q))
        assert metrics.hausdorff(a, b, 2, (1, 1), q)[0] == pytest.approx(expected)
    assert metrics.average_surface_distance(a, b, 2, (1, 1))[0] == pytest.approx(11 / 5)
    assert metrics.surface_dice(a, b, 2, (1, 1), tolerance=1)[0] == pytest.approx(4 / 5)
    assert metrics.surface_dice(a, b, 2, (1, 1), tolerance=11)[0] == 1


def test_empty_masks():
    full, empty = np.ones((4, 4), np.uint8), np.zeros((4, 4), np.uint8)
    for a, b in ((full, empty), (empty, full)):
        assert metrics.hausdorff(a, b, 2, (1, 1))[0] == np.inf
        assert metrics.hausdorff(a, b, 2, (1, 1), 95)[0] == np.inf
        assert metrics.average_surface_distance(a, b, 2, (1, 1))[0] == np.inf
        assert metrics.surface_dice(a, b, 2, (1, 1), 3)[0] == 0
    for function in (metrics.hausdorff, metrics.average_surface_distance):
        assert np.isnan(function(empty, empty, 2, (1, 1)))[0]
    assert np.isnan(metrics.surface_dice(empty, empty, 2, (1, 1), 3))[0]
    forth, back = metrics.surface_distances(full, empty, (1, 1))
    assert len(forth) == 12
    assert np.isinf(forth).all()
    assert back.size == 0


def test_edge_of_the_image_is_a_border():
    full = np.ones((4, 5), np.uint8)
    small = np.zeros((4, 5), np.uint8)
    small[1, 1] = 1
    # The corner (3, 4) is farthest from (1, 1).
    assert metrics.hausdorff(full, small, 2, (1, 1))[0] == pytest.approx(np.hypot(2, 3))


def test_one_slice_of_a_volume_is_measured_in_its_plane():
    a, b = two_squares()
    for percentile in (100, 95):
        np.testing.assert_array_equal(
            metrics.hausdorff(a[None], b[None], 2, (4, 0.7, 0.5), percentile),
            metrics.hausdorff(a, b, 2, (0.7, 0.5), percentile),
        )


def test_volume_of_a_single_voxel_axis():
    a = np.zeros((1, 1), np.uint8)
    assert metrics.hausdorff(a + 1, a + 1, 2, (1, 1))[0] == 0


def blobs(seed, shape, classes):
    """Smooth label maps: the largest of several smoothed noises."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(classes, *shape))
    return ndimage.gaussian_filter(noise, (0, *(2,) * len(shape))).argmax(axis=0).astype(np.uint8)


@pytest.mark.parametrize(("shape", "spacing"), [((40, 33), (0.7, 1.3)), ((9, 20, 22), (4, 0.7, 1))])
def test_slow_reference(shape, spacing):
    a, b = blobs(1, shape, 3), blobs(2, shape, 3)
    far = metrics.hausdorff(a, b, 3, spacing)
    near = metrics.hausdorff(a, b, 3, spacing, 95)
    mean = metrics.average_surface_distance(a, b, 3, spacing)
    share = metrics.surface_dice(a, b, 3, spacing, tolerance=1.5)
    for c in (1, 2):
        forth, back = slow_distances(a == c, b == c, spacing)
        ours = metrics.surface_distances(a == c, b == c, spacing)
        np.testing.assert_allclose(ours[0], forth)
        np.testing.assert_allclose(ours[1], back)
        both = np.concatenate([forth, back])
        assert far[c - 1] == pytest.approx(both.max())
        assert near[c - 1] == pytest.approx(max(np.percentile(d, 95) for d in (forth, back)))
        assert mean[c - 1] == pytest.approx(both.mean())
        assert share[c - 1] == pytest.approx((both <= 1.5).mean())


@pytest.mark.parametrize(("shape", "spacing"), [((40, 33), (0.7, 1.3)), ((9, 20, 22), (4, 0.7, 1))])
def test_simpleitk(shape, spacing):
    a, b = blobs(3, shape, 2), blobs(4, shape, 2)
    images = []
    for labels in (a, b):
        image = sitk.GetImageFromArray(border(labels == 1).astype(np.uint8))
        image.SetSpacing(tuple(float(s) for s in spacing[::-1]))
        images.append(image)
    filter_ = sitk.HausdorffDistanceImageFilter()
    filter_.Execute(*images)
    # ITK's distance map is float32.
    assert metrics.hausdorff(a, b, 2, spacing)[0] == pytest.approx(
        filter_.GetHausdorffDistance(), rel=1e-5
    )


@settings(max_examples=60)
@given(masks, masks, st.floats(0, 100))
def test_properties(a, b, percentile):
    a, b = a.astype(np.uint8), b.astype(np.uint8)
    found = metrics.hausdorff(a, b, 2, (1.5, 0.5), percentile)
    np.testing.assert_array_equal(found, metrics.hausdorff(b, a, 2, (1.5, 0.5), percentile))
    far = metrics.hausdorff(a, b, 2, (1.5, 0.5))
    share = metrics.surface_dice(a, b, 2, (1.5, 0.5), 0.6)
    np.testing.assert_array_equal(share, metrics.surface_dice(b, a, 2, (1.5, 0.5), 0.6))
    if a.any() != b.any():
        assert found[0] == far[0] == np.inf
        assert share[0] == 0
    elif a.any():
        assert 0 <= found[0] <= far[0] <= np.hypot(1.5 * 4, 0.5 * 5)
        assert 0 <= share[0] <= 1
        # Twice the voxel size, twice the distance; a mirror image, the same.
        np.testing.assert_allclose(metrics.hausdorff(a, b, 2, (3, 1)), 2 * far)
        np.testing.assert_allclose(metrics.hausdorff(a[::-1], b[::-1], 2, (1.5, 0.5)), far)
        np.testing.assert_array_equal(metrics.hausdorff(a, a, 2, (1.5, 0.5), percentile), 0)


def test_messages():
    a = np.zeros((3, 3), int)
    with pytest.raises(SettingsError, match="percentile: expected a number from 0 to 100"):
        metrics.hausdorff(a, a, 2, (1, 1), 101)
    with pytest.raises(SettingsError, match="tolerance: expected at least 0 mm"):
        metrics.surface_dice(a, a, 2, (1, 1), -1)
    with pytest.raises(SettingsError, match="tolerance"):
        metrics.surface_dice(a, a, 2, (1, 1), np.nan)
    with pytest.raises(SpacingError, match="expected 2 numbers"):
        metrics.hausdorff(a, a, 2, (1, 1, 1))
    with pytest.raises(SpacingError, match="expected positive"):
        metrics.hausdorff(a, a, 2, (1, 0))
    with pytest.raises(ShapeError):
        metrics.average_surface_distance(a, a[:2], 2, (1, 1))
