"""Resampling: worked examples, SciPy and SimpleITK as second opinions, and the way back."""

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.spatial.transform import Rotation

from paraspine import volumes
from paraspine.arrays import LabelError, SettingsError, ShapeError, SpacingError


def volume(array, spacing=(4.0, 1.0, 1.0)):
    return volumes.from_array(np.asarray(array, dtype=np.float32), spacing)


def test_by_hand():
    # Four pixels 1 mm wide to two of 2 mm: centres fall halfway between old centres.
    image = volume([[[0, 2, 4, 6]]])
    out = volumes.resample(image, spacing=(None, 2.0))
    assert out.array.tolist() == [[[1, 5]]]
    assert out.spacing == (4, 1, 2)
    # The middle of the image stays where it was.
    old = image.affine @ [0, 0, 1.5, 1]
    np.testing.assert_allclose(out.affine @ [0, 0, 0.5, 1], old)


def test_size_alone_crops_and_pads_about_the_middle():
    image = volume([np.arange(1, 17).reshape(4, 4)])
    crop = volumes.resample(image, size=(2, 2))
    assert crop.array.tolist() == [[[6, 7], [10, 11]]]
    pad = volumes.resample(image, size=(6, 4))
    assert pad.array[0, 0].tolist() == [1] * 4  # the minimum outside
    np.testing.assert_array_equal(pad.array[:, 1:5], image.array)
    assert volumes.resample(image, size=(6, 4), fill=-5).array[0, 5].tolist() == [-5] * 4
    holed = volume(np.where(image.array == 7, np.nan, image.array))
    assert volumes.resample(holed, size=(6, 4)).array[0, 0].tolist() == [1] * 4
    off = volumes.resample(image, size=(1, 1), center=(3, 0))
    assert off.array.tolist() == [[[13]]]


def test_nothing_to_do_changes_nothing():
    image = volume(np.random.default_rng(0).normal(size=(3, 5, 4)))
    for out in (
        volumes.resample(image),
        volumes.resample(image, size=(5, 4), spacing=(1, 1)),
        volumes.resample(image, size=(3, None, 4)),
    ):
        np.testing.assert_array_equal(out.array, image.array)
        assert volumes.geometry_difference(out, image) is None


def test_slice_axis_is_untouched_unless_asked():
    image = volume(np.random.default_rng(0).normal(size=(7, 8, 9)), (4, 0.8, 0.6))
    flat = volumes.resample(image, spacing=(0.39, 0.39))
    assert flat.array.shape == (7, round(8 * 0.8 / 0.39), round(9 * 0.6 / 0.39))
    thick = volumes.resample(image, spacing=(5, 0.39, 0.39))  # wesselink2022's grid
    assert thick.spacing == pytest.approx((5, 0.39, 0.39))
    assert thick.array.shape[0] == round(7 * 4 / 5)


@pytest.mark.parametrize("interpolation", ["linear", "nearest", "bspline"])
def test_matches_simpleitk_in_world_space(interpolation):
    """An independent route: SimpleITK with real origin, spacing and direction."""
    rng = np.random.default_rng(2)
    array = rng.normal(size=(4, 12, 15)).astype(np.float32)
    base = volumes.from_array(array, (4, 0.9, 0.7))
    turn = np.eye(4)
    turn[:3, :3] = Rotation.from_euler("xyz", [10, 20, 5], degrees=True).as_matrix()
    image = volumes.from_array(array, base.spacing, turn @ base.affine)
    out = volumes.resample(image, (10, 11), (1.1, 0.93), fill=-9, interpolation=interpolation)

    def to_itk(v):
        other = sitk.GetImageFromArray(np.asarray(v.array, np.float32))
        lps = v.affine[:3, :3][:, ::-1] * [[-1], [-1], [1]]
        other.SetSpacing(v.spacing[::-1])
        other.SetDirection((lps / v.spacing[::-1]).ravel())
        other.SetOrigin(v.affine[:3, 3] * (-1, -1, 1))
        return other

    kind = {"linear": sitk.sitkLinear, "nearest": sitk.sitkNearestNeighbor}
    expected = sitk.Resample(
        to_itk(image),
        to_itk(out),
        sitk.Transform(),
        kind.get(interpolation, sitk.sitkBSpline),
        -9.0,
        sitk.sitkFloat32,
    )
    np.testing.assert_allclose(out.array, sitk.GetArrayFromImage(expected), atol=2e-4)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10**6))
def test_linear_matches_scipy(seed):
    rng = np.random.default_rng(seed)
    image = volume(rng.normal(size=(1, *rng.integers(4, 12, 2))), (1, *rng.uniform(0.5, 2, 2)))
    size, spacing = rng.integers(2, 6, 2), rng.uniform(0.3, 0.9, 2)
    out = volumes.resample(image, size, spacing)
    rows, columns = (
        (np.arange(n) - (n - 1) / 2) * new / old + (m - 1) / 2
        for n, new, old, m in zip(
            size, spacing, image.spacing[1:], image.array.shape[1:], strict=True
        )
    )
    if rows.min() < -0.49 or columns.min() < -0.49:
        return  # SciPy and ITK disagree on what lies outside
    expected = ndimage.map_coordinates(
        image.array[0], np.meshgrid(rows, columns, indexing="ij"), order=1, mode="nearest"
    )
    np.testing.assert_allclose(out.array[0], expected, atol=1e-5)


def test_ties_go_to_the_lower_class():
    labels = volumes.from_array(np.array([[[2, 1]]], np.uint8), (1, 1, 1))
    assert volumes.resample_labels(labels, (1, 1), (1, 2)).array.tolist() == [[[1]]]
    labels = volumes.from_array(np.array([[[2, 0]]], np.uint8), (1, 1, 1))
    assert volumes.resample_labels(labels, (1, 1), (1, 2), 3).array.tolist() == [[[0]]]


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10**6))
def test_labels_match_argmax_of_probabilities(seed):
    rng = np.random.default_rng(seed)
    classes = int(rng.integers(2, 5))
    labels = rng.integers(0, classes, (2, *rng.integers(3, 9, 2))).astype(np.uint8)
    source = volumes.from_array(labels, (3, *rng.uniform(0.5, 2, 2)))
    size, spacing = rng.integers(2, 12, 2), rng.uniform(0.3, 3, 2)
    out = volumes.resample_labels(source, size, spacing, classes)
    onehot = (labels == np.arange(classes)[:, None, None, None]).astype(np.float32)
    shares = volumes.probabilities_onto(onehot, source, out)
    np.testing.assert_allclose(shares.sum(axis=0), 1, atol=1e-5)
    best = np.argmax(np.round(shares, 4) + 0.0, axis=0)
    clear = np.diff(np.sort(shares, axis=0)[-2:], axis=0)[0] > 1e-3
    np.testing.assert_array_equal(out.array[clear], best[clear])


def test_a_map_without_background_is_surrounded_by_it():
    labels = volumes.from_array(np.full((1, 3, 3), 2, np.uint8), (1, 1, 1))
    out = volumes.resample_labels(labels, (7, 7), None, 3)
    assert out.array[0, 0].tolist() == [0] * 7
    assert (out.array == 2).sum() == 9


def test_there_and_back():
    rows, columns = np.mgrid[:60, :50]
    disc = ((rows - 28) ** 2 + (columns - 24) ** 2 < 15**2).astype(np.uint8)
    original = volumes.from_array(disc, (0.6, 0.6))
    small = volumes.resample_labels(original, (48, 48), (0.7, 0.7), 2)
    back = volumes.labels_onto(small, original, 2)
    assert volumes.geometry_difference(back, original) is None
    overlap = 2 * (back.array & disc).sum() / (back.array.sum() + disc.sum())
    assert overlap > 0.98
    shares = np.stack([small.array == 0, small.array == 1]).astype(np.float32)
    returned = volumes.probabilities_onto(shares, small, original.grid)
    assert returned.shape == (2, 1, 60, 50)
    np.testing.assert_allclose(returned.sum(axis=0), 1, atol=1e-6)
    np.testing.assert_array_equal(returned.argmax(axis=0)[0][5:-5], back.array[0][5:-5])
    # Outside of a smaller field of view lies background.
    crop = volumes.resample_labels(original, (10, 10), None, 2)
    wide = volumes.probabilities_onto(np.ones((2, 1, 10, 10)) / 2, crop, original)
    assert wide[:, 0, 0, 0].tolist() == [1, 0]


def test_what_is_refused():
    image = volume(np.zeros((1, 4, 4)))
    with pytest.raises(SettingsError, match=r"\(H, W\)"):
        volumes.resample(image, size=(1, 2, 3, 4))
    with pytest.raises(SettingsError, match="whole numbers"):
        volumes.resample(image, size=(0, 4))
    with pytest.raises(SettingsError, match="whole numbers"):
        volumes.resample(image, size=(2.5, 4))
    with pytest.raises(SpacingError):
        volumes.resample(image, spacing=(-1, 1))
    with pytest.raises(SettingsError, match="linear, nearest, bspline"):
        volumes.resample(image, (2, 2), interpolation="cubic")
    labels = volumes.from_array(np.full((1, 2, 2), 7), (1, 1, 1))
    with pytest.raises(LabelError, match="classes 0 to 4"):
        volumes.resample_labels(labels, (3, 3), None, 5)
    with pytest.raises(ShapeError, match=r"\(C, 1, 4, 4\)"):
        volumes.probabilities_onto(np.zeros((2, 4, 4)), image, image)
