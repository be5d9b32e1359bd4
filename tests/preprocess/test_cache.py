"""Settings, order of the steps, and when a cleaned image is taken from the cache."""

import dataclasses
import json

import numpy as np
import pytest
import SimpleITK as sitk

from paraspine import volumes
from paraspine.arrays import ImageError, SettingsError
from paraspine.preprocess import Preprocessing, apply, cache, cached, clean, denoise, scale
from paraspine.preprocess.bias import correct_bias

FULL = Preprocessing(denoise=True, bias_correction=True, n4_iterations=(4,))


def volume(seed=0, slices=1):
    rng = np.random.default_rng(seed)
    image = np.zeros((slices, 40, 44), np.float32)
    image[:, 6:34, 8:38] = 200
    image[:, 12:20, 14:24] = 320
    return volumes.from_array(
        np.hypot(image + rng.normal(0, 9, image.shape), 3).astype(np.float32), (4.0, 0.7, 0.7)
    )


@pytest.fixture
def image(tmp_path):
    return volumes.write(tmp_path / "image.nii.gz", volume())


@pytest.fixture
def cleanings(monkeypatch):
    """The number of times that an image was really cleaned."""
    calls = []

    def counted(*arguments):
        calls.append(arguments)
        return clean(*arguments)

    monkeypatch.setattr(cache, "clean", counted)
    return calls


def test_order_is_noise_then_bias_then_scaling_each_as_asked():
    tiles = np.tile(volume(slices=3).array, (1, 2, 2))  # large enough to be shrunk
    given = volumes.from_array(tiles, (4.0, 0.7, 0.8))
    noise = {"sigma": 7.0, "strength": 0.6, "patch": 3, "search": 2, "rician": False}
    noise["across_slices"] = True
    bias = {"shrink": 1, "iterations": (4,)}
    last = {"intensity": "percentile", "percentiles": (5, 95)}
    asked = {"denoise": True, "bias_correction": True} | noise | last
    out = apply(given, Preprocessing(n4_shrink=1, n4_iterations=(4,), **asked))
    step = correct_bias(denoise(given.array, **noise), given.spacing, **bias)
    np.testing.assert_array_equal(out.array, scale(step, **last))
    usual = correct_bias(denoise(given.array), given.spacing, iterations=(4,))
    np.testing.assert_array_equal(apply(given, FULL).array, scale(usual, "minmax"))
    assert volumes.geometry_difference(out, given) is None


def test_defaults_only_scale():
    given = volume()
    out = apply(given, Preprocessing()).array
    np.testing.assert_array_equal(out, scale(given.array, "minmax"))
    windowed = apply(given, Preprocessing(window=(0, 100))).array
    np.testing.assert_array_equal(windowed, scale(given.array, "window", window=(0, 100)))
    with pytest.raises(SettingsError, match="window"):
        apply(given, Preprocessing(intensity="window"))


def test_a_second_run_hits(image, tmp_path, cleanings):
    first = cached(image, FULL, tmp_path / "cache")
    other = tmp_path / "elsewhere.nii.gz"  # the same content under another name
    other.write_bytes(image.read_bytes())
    second = cached(str(other), FULL, str(tmp_path / "cache"))
    assert len(cleanings) == 1
    np.testing.assert_array_equal(first.array, second.array)
    np.testing.assert_array_equal(first.array, apply(volumes.read(image), FULL).array)
    assert first.spacing == second.spacing
    np.testing.assert_array_equal(first.affine, second.affine)
    assert len(list((tmp_path / "cache").rglob("*.npz"))) == 1


def test_scaling_does_not_clean_again(image, tmp_path, cleanings):
    cached(image, FULL, tmp_path / "cache")
    changed = dataclasses.replace(FULL, intensity="percentile", percentiles=(5, 95))
    out = cached(image, changed, tmp_path / "cache")
    assert len(cleanings) == 1
    np.testing.assert_array_equal(out.array, apply(volumes.read(image), changed).array)


CLEANING = {
    "denoise": False, "sigma": 4.0, "strength": 0.5, "patch": 7, "search": 3, "rician": False,
    "across_slices": True, "bias_correction": False, "n4_shrink": 1, "n4_iterations": (3,),
}  # fmt: skip
SCALING = {"intensity": "percentile", "window": (0, 100), "percentiles": (5, 95)}


def test_each_setting_of_cleaning_alone_misses_and_none_of_scaling(image):
    assert dataclasses.asdict(Preprocessing(**CLEANING, **SCALING)) == CLEANING | SCALING
    own = cache.recipe(image, FULL)
    others = [cache.recipe(image, dataclasses.replace(FULL, **{k: v})) for k, v in CLEANING.items()]
    assert len({json.dumps(recipe) for recipe in (own, *others)}) == len(CLEANING) + 1
    assert cache.recipe(image, dataclasses.replace(FULL, **SCALING)) == own


def test_settings_of_a_step_that_is_off_do_not_matter(image):
    bias = {name: CLEANING[name] for name in ("n4_shrink", "n4_iterations")}
    noise = {k: v for k, v in CLEANING.items() if k not in ("denoise", "bias_correction", *bias)}
    for step, off in (("denoise", bias), ("bias_correction", noise)):
        only = Preprocessing(**{step: True})
        other = dataclasses.replace(only, **off)
        assert other != only
        assert cache.recipe(image, other) == cache.recipe(image, only)


def test_changed_content_version_or_library_miss(image, tmp_path, cleanings, monkeypatch):
    folder = tmp_path / "cache"
    cached(image, FULL, folder)
    volumes.write(image, volume(seed=1))
    cached(image, FULL, folder)
    assert len(cleanings) == 2
    monkeypatch.setattr(cache, "CACHE_VERSION", cache.CACHE_VERSION + 1)
    cached(image, FULL, folder)
    assert len(cleanings) == 3
    monkeypatch.setattr(cache, "_libraries", lambda: {"SimpleITK": "0"})
    cached(image, FULL, folder)
    assert len(cleanings) == 4


@pytest.mark.parametrize("damage", ["nan", "float64", "missing", "spacing"])
def test_an_entry_that_makes_no_sense_is_computed_again(image, tmp_path, cleanings, damage):
    expected = cached(image, FULL, tmp_path / "cache")
    (entry,) = (tmp_path / "cache").rglob("*.npz")
    with np.load(entry) as old:
        arrays = dict(old)
    whole = arrays.pop("array")
    values = {"nan": np.full_like(whole, np.nan), "float64": whole.astype(float), "spacing": whole}
    if damage in values:
        arrays["array"] = values[damage]
    if damage == "spacing":
        arrays["spacing"] = arrays["spacing"] * 2
    np.savez(entry, **arrays)
    again = cached(image, FULL, tmp_path / "cache")
    assert len(cleanings) == 2
    np.testing.assert_array_equal(again.array, expected.array)


def test_nothing_is_kept_where_only_intensities_are_scaled(image, tmp_path):
    out = cached(image, Preprocessing(), tmp_path / "cache")
    np.testing.assert_array_equal(out.array, apply(volumes.read(image), Preprocessing()).array)
    assert not (tmp_path / "cache").exists()
    np.testing.assert_array_equal(cached(image, FULL).array, apply(volumes.read(image), FULL).array)


def test_an_image_with_detached_voxels_is_known_by_its_voxels_and_its_place(tmp_path):
    header = tmp_path / "image.mhd"

    def recipe(seed, *spacing):
        picture = sitk.GetImageFromArray(volume(seed).array)
        picture.SetSpacing(spacing)
        sitk.WriteImage(picture, str(header))
        return cache.recipe(header, FULL)["content"], header.read_bytes()

    first, text = recipe(0, 0.7, 0.8, 4.0)
    assert recipe(0, 0.7, 0.8, 4.0) == (first, text)
    other, same = recipe(1, 0.7, 0.8, 4.0)
    assert same == text  # the same header, other voxels
    assert len({first, other, recipe(0, 0.8, 0.7, 4.0)[0]}) == 3


def test_a_folder_is_known_by_names_and_contents(tmp_path):
    contents = [("a", b"1"), ("a", b"2"), ("b", b"1")]
    found = set()
    for number, (name, content) in enumerate(contents):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / name).write_bytes(content)
        found.add(cache.recipe(folder, FULL)["content"])
    assert len(found) == 3


def test_a_missing_image_is_named(tmp_path):
    with pytest.raises(ImageError, match=r"nowhere\.nii"):
        cached(tmp_path / "nowhere.nii", FULL, tmp_path / "cache")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("denoise", 1),
        ("sigma", -1),
        ("strength", 0),
        ("strength", True),
        ("patch", 4),
        ("patch", 0),
        ("search", 2.5),
        ("n4_shrink", 0),
        ("n4_iterations", ()),
        ("n4_iterations", 50),
        ("n4_iterations", (0,)),
        ("intensity", "histogram"),
        ("window", (1, 1)),
        ("window", (0, float("nan"))),
        ("window", "01"),
        ("percentiles", (-1, 50)),
        ("percentiles", (50, 101)),
    ],
)
def test_settings_out_of_range_name_themselves(name, value):
    with pytest.raises(SettingsError, match=name):
        Preprocessing(**{name: value})


def test_settings_from_a_profile_may_be_lists():
    given = Preprocessing(n4_iterations=[20, 10], window=[-160, 240])
    assert given == Preprocessing(n4_iterations=(20, 10), window=(-160.0, 240.0))
    hash(given)


def test_settings_suit_the_kind_of_intensities():
    assert Preprocessing().suited("CT", (-160, 240)).window == (-160, 240)
    assert Preprocessing(window=(0, 80)).suited("CT", (-160, 240)).window == (0, 80)
    assert not Preprocessing(denoise=True).suited("CT").rician
    assert Preprocessing(denoise=True).suited("MR").rician
    with pytest.raises(SettingsError, match="CT"):
        FULL.suited("CT")


def test_wishes_for_any_cohort_are_fitted_to_its_kind():
    ct = {"intensity": {"kind": "CT", "window": [-1000, 400]}}
    fitted = Preprocessing.for_cohort(ct, denoise=True, bias_correction=True)
    assert fitted.denoise
    assert not fitted.rician
    assert not fitted.bias_correction
    assert fitted.window == (-1000, 400)
    assert Preprocessing.for_cohort({"intensity": {"kind": "MR"}}, bias_correction=True) == (
        Preprocessing(bias_correction=True)
    )
    unsaid = Preprocessing.for_cohort({}, denoise=True, bias_correction=True)
    assert unsaid == Preprocessing(denoise=True, bias_correction=True, rician=False)
    with pytest.raises(SettingsError, match="window"):
        Preprocessing.for_cohort({"intensity": {"kind": "CT", "window": [5, 1]}})
