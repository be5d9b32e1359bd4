"""Muscles: worked answers, SimpleITK, scikit-image, scikit-learn, real images; properties."""

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.filters import threshold_otsu
from sklearn.metrics import confusion_matrix
from sklearn.mixture import GaussianMixture

from paraspine import muscle
from paraspine.arrays import ImageError, SettingsError, ShapeError, SpacingError
from paraspine.muscle import thresholding

masks = hnp.arrays(bool, (2, 3, 4), elements=st.booleans())


def test_area_and_volume_hand_worked():
    mask = np.zeros((2, 4, 5), bool)
    mask[0, 1:3, 1:4] = True  # 6 voxels
    mask[1, 0, 0] = True
    assert muscle.area(mask[0], (0.5, 2.0)) == pytest.approx(6.0)
    assert muscle.area(mask[:1], (4.0, 0.5, 2.0)) == pytest.approx(6.0)
    np.testing.assert_allclose(muscle.areas(mask, (4.0, 0.5, 2.0)), [6, 1])
    assert muscle.volume(mask, (4.0, 0.5, 2.0)) == pytest.approx(7 * 4 / 1000)
    assert muscle.area(np.zeros((3, 3)), (1, 1)) == 0
    assert muscle.volume(np.zeros((1, 3, 3)), (1, 1, 1)) == 0


@given(masks, st.tuples(*[st.floats(0.1, 5)] * 3))
def test_simpleitk_volume(mask, spacing):
    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    image.SetSpacing(spacing[::-1])
    shapes = sitk.LabelShapeStatisticsImageFilter()
    shapes.Execute(image)
    expected = shapes.GetPhysicalSize(1) / 1000 if mask.any() else 0
    assert muscle.volume(mask, spacing) == pytest.approx(expected)
    assert muscle.areas(mask, spacing).sum() * spacing[0] / 1000 == pytest.approx(expected)


def test_csa_error():
    assert muscle.csa_error(110, 100) == pytest.approx(10)
    assert muscle.csa_error(90, 100) == pytest.approx(10)
    found = muscle.csa_error([0, 5, 30], [0, 0, 40])
    np.testing.assert_allclose(found, [np.nan, np.inf, 25])
    assert isinstance(muscle.csa_error(1, 2), float)


def test_fat_fraction_hand_worked():
    whole = np.array([[1, 1, 1, 1], [1, 0, 0, 0], [0, 0, 0, 0]], bool)
    fat = np.array([[1, 0, 0, 0], [1, 1, 1, 0], [1, 0, 0, 0]], bool)
    assert muscle.fat_fraction(fat, whole) == pytest.approx(2 / 5)
    np.testing.assert_allclose(muscle.fat_fraction(fat, whole, axis=1), [1 / 4, 1, np.nan])
    assert np.isnan(muscle.fat_fraction(fat, np.zeros_like(whole)))


@given(masks, masks)
def test_fat_fraction_properties(fat, whole):
    share = muscle.fat_fraction(fat, whole)
    if not whole.any():
        assert np.isnan(share)
        return
    assert 0 <= share <= 1
    assert share + muscle.fat_fraction(~fat, whole) == pytest.approx(1)
    by_slice = muscle.fat_fraction(fat, whole, axis=(1, 2))
    sizes = whole.sum(axis=(1, 2))
    assert np.nansum(by_slice * sizes) / sizes.sum() == pytest.approx(share)


@pytest.mark.parametrize(
    ("fraction", "expected"),
    [(0, 1), (0.0999, 1), (0.1, 2), (0.3, 2), (0.5, 2), (np.nextafter(0.5, 1), 3), (1, 3)],
)
def test_goutallier(fraction, expected):
    found = muscle.goutallier(fraction)
    assert found == expected
    assert isinstance(found, int)


def test_goutallier_of_many():
    found = muscle.goutallier([0.05, np.nan, 0.6])
    np.testing.assert_array_equal(found, [1, np.nan, 3])
    with pytest.raises(SettingsError, match="got NaN"):
        muscle.goutallier(np.nan)
    for wrong in (12.0, -0.1, [0.2, 55.0], np.inf):
        with pytest.raises(SettingsError, match="divide percent by 100"):
            muscle.goutallier(wrong)


def test_goutallier_agreement():
    rng = np.random.default_rng(0)
    prediction, reference = rng.random((2, 60)) ** 2
    share, table = muscle.goutallier_agreement(prediction, reference)
    classes = [muscle.goutallier(f) for f in (reference, prediction)]
    np.testing.assert_array_equal(table, confusion_matrix(*classes, labels=[1, 2, 3]))
    assert share == pytest.approx(np.mean(classes[0] == classes[1]))
    prediction[5] = np.nan
    assert muscle.goutallier_agreement(prediction, reference)[1].sum() == 59
    share, table = muscle.goutallier_agreement([np.nan], [0.2])
    assert np.isnan(share)
    assert table.sum() == 0


def two_tissues(seed, n=4000, share=0.25, fat=(150, 12), lean=(60, 8)):
    rng = np.random.default_rng(seed)
    bright = rng.random(n) < share
    values = np.where(bright, rng.normal(*fat, n), rng.normal(*lean, n))
    return values, bright


def test_otsu_hand_worked():
    found = muscle.otsu_threshold([1, 1, 2, 9, 10])
    assert found.value == pytest.approx((2 + 9) / 2)
    assert found.means == pytest.approx((4 / 3, 9.5))
    assert found.sds == pytest.approx((np.std([1, 1, 2]), 0.5))
    assert found.weights == pytest.approx((0.6, 0.4))
    between = 0.6 * 0.4 * (9.5 - 4 / 3) ** 2
    assert found.separability == pytest.approx(between / np.var([1, 1, 2, 9, 10]))
    assert found.converged


@settings(max_examples=60)
@given(hnp.arrays(np.uint8, st.integers(2, 60), elements=st.integers(0, 40)))
def test_scikit_image_otsu(values):
    found = muscle.otsu_threshold(values)
    if values.min() == values.max():
        assert np.isnan(found.value)
        assert np.isnan(found.separability)
        return
    assert values.min() < found.value < values.max()

    def between(threshold):
        dark, bright = values[values <= threshold], values[values > threshold]
        gap = dark.mean() - bright.mean()
        return len(dark) * len(bright) / len(values) ** 2 * gap**2

    # scikit-image takes the first of several equally good splits of the histogram too.
    assert between(found.value) == pytest.approx(between(threshold_otsu(values)))
    best = max(between(t) for t in np.unique(values)[:-1])
    assert between(found.value) == pytest.approx(best)
    assert found.separability == pytest.approx(best / values.var())
    turned = muscle.otsu_threshold(values[::-1])
    assert turned == found
    scaled = muscle.otsu_threshold(3.0 * values + 7)
    assert between((scaled.value - 7) / 3) == pytest.approx(best)


def test_scikit_learn_mixture():
    values, bright = two_tissues(1)
    found = muscle.mixture_threshold(values)
    assert found.converged
    start = muscle.otsu_threshold(values)
    theirs = GaussianMixture(
        2, means_init=np.array(start.means)[:, None], tol=1e-9, max_iter=2000, random_state=0
    ).fit(values[:, None])
    order = np.argsort(theirs.means_[:, 0])
    np.testing.assert_allclose(found.means, theirs.means_[order, 0], rtol=1e-3)
    np.testing.assert_allclose(found.sds, np.sqrt(theirs.covariances_[order, 0, 0]), rtol=1e-2)
    np.testing.assert_allclose(found.weights, theirs.weights_[order], rtol=1e-3)
    either = theirs.predict_proba([[found.value]])[0]
    np.testing.assert_allclose(either, 0.5, atol=0.02)
    assert np.mean((values > found.value) == bright) > 0.999


def test_mixture_finds_what_otsu_misses():
    # Little fat and a wide spread of lean tissue: Otsu splits the lean tissue.
    values, bright = two_tissues(2, share=0.02, fat=(150, 8), lean=(60, 20))
    shares = {m: np.mean(values > getattr(muscle, f"{m}_threshold")(values).value)
              for m in ("otsu", "mixture")}  # fmt: skip
    assert abs(shares["mixture"] - bright.mean()) < 0.005
    assert shares["otsu"] > bright.mean()


def test_one_tissue_separates_badly():
    rng = np.random.default_rng(3)
    one = muscle.otsu_threshold(rng.normal(60, 8, 20_000))
    assert one.separability == pytest.approx(2 / np.pi, abs=0.01)
    assert muscle.otsu_threshold(two_tissues(4)[0]).separability > 0.9


def test_many_grey_values_are_joined():
    values, _ = two_tissues(5, 60_000)
    fine, rounded = muscle.otsu_threshold(values), muscle.otsu_threshold(values.round(1))
    assert fine.value == pytest.approx(rounded.value, abs=0.1)
    assert np.dot(fine.means, fine.weights) == pytest.approx(values.mean(), rel=1e-12)
    assert muscle.mixture_threshold(values).value == pytest.approx(
        muscle.mixture_threshold(values.round(1)).value, abs=0.1
    )


@pytest.mark.parametrize(("weights", "expected"), [((0.9, 0.1), 1.0), ((0.1, 0.9), 0.0)])
def test_a_kind_that_is_likelier_all_along_ends_at_the_mean_of_the_other(weights, expected):
    found = thresholding._crossing(np.array(weights), np.array([0.0, 1.0]), np.ones(2))
    assert found == expected


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.floats(0.01, 100), st.floats(-1000, 1000))
def test_mixture_properties(seed, scale, shift):
    values, _ = two_tissues(seed, 300)
    found = muscle.mixture_threshold(values)
    assert found == muscle.mixture_threshold(values[::-1])
    assert found.means[0] <= found.value <= found.means[1]
    assert sum(found.weights) == pytest.approx(1)
    assert 0 <= found.separability <= 1
    moved = muscle.mixture_threshold(values * scale + shift)
    assert (moved.value - shift) / scale == pytest.approx(found.value, rel=1e-3)


@pytest.mark.parametrize("values", [[1, 2], [0, 0, 0, 0, 5], [1, 1, 2, 2], list(range(50))])
def test_mixture_of_few_or_odd_values_stays_finite(values):
    found = muscle.mixture_threshold(values)
    assert min(values) <= found.value <= max(values)
    assert np.isfinite([*found.means, *found.sds, *found.weights]).all()


def test_threshold_fat():
    values, bright = two_tissues(6, 900)
    image, fat = values.reshape(30, 30), bright.reshape(30, 30)
    whole = np.zeros((30, 30), bool)
    whole[5:25, 5:25] = True
    image[0, 0] = np.nan  # outside the muscle: no matter
    for method in ("otsu", "mixture"):
        found = muscle.threshold_fat(image, whole, method=method)
        assert found.dtype == bool
        assert not (found & ~whole).any()
        assert (found == (fat & whole)).mean() > 0.995
        dark = muscle.threshold_fat(-image, whole, method=method, bright=False)
        assert (dark == found).mean() > 0.999
        assert not muscle.threshold_fat(np.ones((30, 30)), whole, method=method).any()
        assert not muscle.threshold_fat(image, ~np.isfinite(image) & whole, method=method).any()


def test_real_t2w_slice(shared_data):
    folder = shared_data / "lumbar-l4l5"
    image, labels = (
        sitk.GetArrayFromImage(sitk.ReadImage(str(folder / f"t2w_{kind}.png")))
        for kind in ("image", "mask")
    )
    image = image if image.ndim == 2 else image[..., 0]
    labels = labels if labels.ndim == 2 else labels[..., 0]
    for value in (50, 100, 150, 200):
        whole = labels == value
        shares = [
            muscle.fat_fraction(muscle.threshold_fat(image, whole, method=m), whole)
            for m in ("otsu", "mixture")
        ]
        assert whole.sum() > 500
        assert all(0.01 < s < 0.6 for s in shares), shares


def test_messages():
    with pytest.raises(ShapeError, match="expected one slice"):
        muscle.area(np.zeros((2, 3, 3)), (1, 1, 1))
    with pytest.raises(ShapeError, match=r"expected \(D, H, W\)"):
        muscle.volume(np.zeros((3, 3)), (1, 1))
    with pytest.raises(SpacingError, match="expected 2 numbers"):
        muscle.area(np.zeros((3, 3)), (1, 1, 1))
    with pytest.raises(SettingsError, match="at least 0"):
        muscle.csa_error(-1, 2)
    with pytest.raises(ShapeError, match="prediction and reference"):
        muscle.csa_error([1, 2], [1])
    with pytest.raises(ShapeError, match="fat and muscle"):
        muscle.fat_fraction(np.zeros(3), np.zeros(4))
    for values in ([], [1, np.nan], [np.inf, 1]):
        with pytest.raises(ImageError, match="at least one number, all finite"):
            muscle.otsu_threshold(values)
    with pytest.raises(SettingsError, match="method: expected one of otsu, mixture"):
        muscle.threshold_fat(np.zeros((2, 2)), np.ones((2, 2)), method="median")
    with pytest.raises(SettingsError, match="tolerance and iterations"):
        muscle.mixture_threshold([1, 2], tolerance=0)
    with pytest.raises(ShapeError, match="image and muscle"):
        muscle.threshold_fat(np.zeros((2, 2)), np.ones((2, 3)))
