"""Noise, bias field and scaling against what was put into the image, and against the libraries."""

import math

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from paraspine.arrays import ImageError, SettingsError, ShapeError
from paraspine.preprocess import bias_field, correct_bias, denoise, noise_level, scale
from paraspine.preprocess.bias import _one_thread, _shrink_factors
from paraspine.preprocess.intensity import foreground
from paraspine.preprocess.noise import remove_rician_bias


def body(height=96, width=128, slices=1):
    rows, columns = np.mgrid[:height, :width]
    inside = (rows - height / 2) ** 2 / (0.42 * height) ** 2
    inside = (inside + (columns - width / 2) ** 2 / (0.43 * width) ** 2 < 1).astype(float)
    muscle = np.hypot(rows - 0.55 * height, columns - 0.3 * width) < 0.15 * height
    return np.stack([500 * inside * (0.5 + 0.4 * muscle)] * slices)


def rician(image, sigma, seed=0):
    rng = np.random.default_rng(seed)
    return np.hypot(image + rng.normal(0, sigma, image.shape), rng.normal(0, sigma, image.shape))


@pytest.mark.parametrize("sigma", [3.0, 12.0, 40.0])
def test_noise_level_is_found(sigma):
    assert noise_level(rician(body(), sigma)) == pytest.approx(sigma, rel=0.12)


def test_noise_level_by_hand():
    # Flat image with one outlier: half the residuals and more are 0, so the median is 0.
    image = np.full((1, 21, 21), 10.0)
    assert noise_level(image) == 0
    image[0, 10, 10] = 100
    assert noise_level(image) == 0
    # A checkerboard of 0.9 and 1.1: every residual is sqrt(0.8) times 0.2, up or down; in stripes
    # of one pixel two of the four neighbours are alike, which halves it.
    rows, columns = np.mgrid[:20, :22]
    for pattern, share in ((rows + columns, 1.0), (rows, 0.5), (columns, 0.5)):
        board = 1 + 0.1 * (-1.0) ** pattern
        expected = 1.4826 * math.sqrt(0.8) * 0.2 * share
        assert noise_level(board[None]) == pytest.approx(expected, rel=1e-5)
    # An object of nine pixels, all but one of them edges, is too small to say anything.
    image = 100 + np.random.default_rng(0).normal(0, 5, (1, 90, 110))
    image[0, 40:43, 50:53] = 2000
    assert noise_level(image) == pytest.approx(5, rel=0.05)


def test_noise_level_needs_room():
    with pytest.raises(ShapeError, match="3 x 3"):
        noise_level(np.ones((1, 2, 9)))


def test_rician_mean_is_scipys():
    for amplitude in (0.0, 0.5, 2.0, 7.0, 30.0):
        mean = stats.rice(amplitude).mean() if amplitude else math.sqrt(math.pi / 2)
        found = remove_rician_bias(np.array([5 * mean]), 5.0)
        assert found[0] == pytest.approx(5 * amplitude, abs=0.02)
    below = remove_rician_bias(np.array([0.1]), 1.0)
    assert below[0] == 0
    assert remove_rician_bias(np.array([1e7]), 1.0)[0] == pytest.approx(1e7)
    assert remove_rician_bias(np.array([3.0]), 0.0)[0] == 3.0


def test_denoising_brings_the_image_closer_to_the_truth():
    truth = body()
    noisy = rician(truth, 25)
    clean = denoise(noisy)
    plain = denoise(noisy, rician=False)
    error = {
        k: np.sqrt(np.mean((v - truth) ** 2))
        for k, v in {"noisy": noisy, "clean": clean, "plain": plain}.items()
    }
    assert error["clean"] < 0.4 * error["noisy"]
    assert error["clean"] < 0.6 * error["plain"]
    air = truth == 0
    assert np.mean(clean[air]) < 0.3 * np.mean(plain[air])  # the lift of the dark is taken off
    assert clean.dtype == np.float32
    assert clean.shape == truth.shape


def test_denoising_is_scikit_images_filter_where_noise_is_gaussian():
    from skimage.restoration import denoise_nl_means

    noisy = (body(48, 64) + np.random.default_rng(1).normal(0, 10, (1, 48, 64))).astype(np.float32)
    expected = denoise_nl_means(noisy[0], 5, 6, 8.0, fast_mode=True, sigma=10.0)
    found = denoise(noisy, sigma=10, rician=False)
    np.testing.assert_allclose(found[0], expected, rtol=1e-6)
    scaled = denoise(noisy / 500, sigma=10 / 500, rician=False)  # whatever the unit
    np.testing.assert_allclose(500 * scaled, found, rtol=1e-3, atol=0.05)


def test_slices_are_denoised_on_their_own_unless_asked():
    noisy = rician(body(40, 48, slices=2), 15)
    each = denoise(noisy, sigma=15)
    np.testing.assert_array_equal(each[1], denoise(noisy[1:2], sigma=15)[0])
    together = denoise(noisy, sigma=15, across_slices=True)
    assert not np.array_equal(each, together)


def test_an_image_without_noise_stays():
    flat = np.full((1, 16, 16), 7.0)
    np.testing.assert_array_equal(denoise(flat), flat)


def test_negative_intensities_are_no_magnitudes():
    with pytest.raises(ImageError, match="rician=False"):
        denoise(body() - 100)
    with pytest.raises(ImageError, match="finite"):
        denoise(np.full((1, 8, 8), np.nan))


def with_bias(slices=1):
    truth = body(slices=slices)
    columns = np.arange(truth.shape[2])
    rows = np.arange(truth.shape[1])[:, None]
    field = np.exp(0.5 * np.sin(columns / 128 * np.pi) - 0.2 * (rows / 96) ** 2)
    noisy = truth * field + np.random.default_rng(0).normal(0, 4, truth.shape)
    return truth, np.broadcast_to(field, truth.shape), np.clip(noisy, 0, None)


@pytest.mark.parametrize(("shrink", "slices"), [(1, 1), (2, 1), (4, 1), (2, 3)])
def test_the_field_that_was_put_in_is_found(shrink, slices):
    truth, field, image = with_bias(slices)
    found = bias_field(image, (4.0, 0.7, 0.7), shrink=shrink)
    inside = truth > 0
    before = np.log(field[inside]).std()
    after = (np.log(field[inside]) - np.log(found[inside])).std()
    assert after < before / 8
    assert abs(np.log(found[inside]).mean()) < 0.05
    corrected = correct_bias(image, (4.0, 0.7, 0.7), shrink=shrink)
    muscle = truth == truth.max()
    assert corrected[muscle].std() / corrected[muscle].mean() < 0.02
    np.testing.assert_allclose(corrected * found, image, rtol=1e-5, atol=1e-3)


def test_the_field_is_simpleitks_own_up_to_its_scale():
    """96 x 128 pixels of 0.7 x 1.4 mm: shrunk by 3 (no side below 32) and, being wide, by 2."""
    _, _, image = with_bias()
    found = bias_field(image, (4.0, 0.7, 1.4), shrink=4, iterations=(20, 20))
    picture = sitk.GetImageFromArray(image[0].astype(np.float32))
    picture.SetSpacing((1.4, 0.7))
    mask = sitk.OtsuThreshold(picture, 0, 1, 256)
    n4 = sitk.N4BiasFieldCorrectionImageFilter()
    n4.SetMaximumNumberOfIterations([20, 20])
    n4.Execute(sitk.Shrink(picture, [2, 3]), sitk.Shrink(mask, [2, 3]))
    expected = sitk.GetArrayFromImage(n4.GetLogBiasFieldAsImage(picture))
    difference = (np.log(found[0]) - expected)[sitk.GetArrayFromImage(mask) > 0]
    assert difference.std() < 1e-3


def test_the_field_does_not_depend_on_itks_threads():
    _, _, image = with_bias()
    twice = [bias_field(image, (4.0, 0.7, 0.7), iterations=(5,), **s) for s in ({}, {"shrink": 2})]
    np.testing.assert_array_equal(*twice)  # which is the default
    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    fields = []
    try:
        for threads in (1, 3, 8):
            sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
            fields.append(bias_field(image, (4.0, 0.7, 0.7), iterations=(5,)))
            assert sitk.ProcessObject.GetGlobalDefaultNumberOfThreads() == threads
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)
    for field in fields[1:]:
        np.testing.assert_array_equal(field, fields[0])


def test_the_last_of_several_callers_puts_itks_number_back():
    process = sitk.ProcessObject
    before = process.GetGlobalDefaultNumberOfThreads()
    process.SetGlobalDefaultNumberOfThreads(5)
    try:
        with _one_thread():
            with _one_thread():  # as another thread would, while the first is inside
                pass
            assert process.GetGlobalDefaultNumberOfThreads() == 1
        assert process.GetGlobalDefaultNumberOfThreads() == 5
    finally:
        process.SetGlobalDefaultNumberOfThreads(before)


def test_shrink_factors():
    assert _shrink_factors((1, 256, 256), (4, 0.7, 0.7), 4) == [1, 4, 4]
    assert _shrink_factors((40, 256, 256), (1, 1, 1), 4) == [4, 4, 4]
    assert _shrink_factors((6, 256, 256), (1, 1, 1), 4) == [1, 4, 4]  # too few slices
    assert _shrink_factors((40, 256, 96), (4, 1, 1), 4) == [1, 4, 3]
    assert _shrink_factors((1, 20, 256), (1, 1, 1), 2) == [1, 1, 2]


def test_the_object_is_bright_and_positive():
    image = np.array([[[-100.0, -100, -10, -10, 5]]])  # Otsu's threshold lies between -100 and -10
    assert foreground(image).tolist() == [[[False] * 4 + [True]]]


def test_an_image_without_object_has_no_field():
    np.testing.assert_array_equal(bias_field(np.zeros((1, 40, 40)), (1, 1, 1)), 1)


def test_scaling_by_hand():
    image = np.array([[[-1000.0, 0.0, 40.0, 240.0, 3000.0]]])
    assert scale(image, "minmax")[0, 0].tolist() == pytest.approx([0, 0.25, 0.26, 0.31, 1])
    windowed = scale(image, "window", window=(-160, 240))
    assert windowed[0, 0].tolist() == pytest.approx([0, 0.4, 0.5, 1, 1])
    middle = scale(image, "percentile", percentiles=(25, 75))
    assert middle[0, 0].tolist() == pytest.approx([0, 0, 40 / 240, 1, 1])
    # The object (above Otsu's threshold of 0 against 90 and 110): mean 100, deviation 10.
    standard = scale(np.array([[[0.0, 0, 0, 90, 110, 90, 110]]]), "zscore")
    expected = [0, 0, 0, 1 / 3, 2 / 3, 1 / 3, 2 / 3]
    assert standard[0, 0].tolist() == pytest.approx(expected)
    # An object of one intensity has no deviation: that of the whole image, around 3.2, is taken.
    standard = scale(np.array([[[0.0, 0, 0, 8, 8]]]), "zscore")
    spread = math.sqrt((3 * 3.2**2 + 2 * 4.8**2) / 5)
    expected = [0.5 - 3.2 / spread / 6] * 3 + [0.5 + 4.8 / spread / 6] * 2
    assert standard[0, 0].tolist() == pytest.approx(expected)


@pytest.mark.parametrize("intensity", ["minmax", "percentile", "zscore"])
def test_a_constant_image_is_no_crash(intensity):
    out = scale(np.full((1, 4, 4), 12.0), intensity)
    assert np.ptp(out) == 0
    assert 0 <= out[0, 0, 0] <= 1


@settings(max_examples=50, deadline=None)
@given(
    hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=3, max_dims=3, max_side=8),
        elements=st.floats(-3000, 3000, width=32),
    ),
    st.sampled_from(["minmax", "percentile", "window", "zscore"]),
)
def test_scaled_intensities_lie_between_0_and_1_and_keep_their_order(image, intensity):
    out = scale(image, intensity, window=(-100, 100))
    assert out.dtype == np.float32
    assert out.min() >= 0
    assert out.max() <= 1
    order = np.argsort(image.ravel(), kind="stable")
    assert (np.diff(out.ravel()[order]) >= 0).all()
    if intensity == "minmax" and np.ptp(image) > 1e-3:
        assert (out.min(), out.max()) == (0, 1)


def test_scaling_refuses():
    with pytest.raises(SettingsError, match="data_manifest"):
        scale(np.ones((1, 2, 2)), "window")
    with pytest.raises(SettingsError, match="minmax"):
        scale(np.ones((1, 2, 2)), "hist")
    with pytest.raises(ShapeError, match="D, H, W"):
        scale(np.ones((2, 2)), "minmax")
