"""The simulated body: shapes like real patients', levels that differ, fat as asked for."""

import io
import zipfile

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import spearmanr

from paraspine import manifest, phantom, volumes
from paraspine.anatomy import LEVELS
from paraspine.phantom import REAL_SHAPES, shape_statistics
from paraspine.phantom.fat import target
from paraspine.phantom.settings import PhantomConfig, Protocol
from paraspine.phantom.subjects import HEIGHTS, draw


def quantiles(statistics) -> dict[str, np.ndarray]:
    pooled: dict[str, list[float]] = {}
    for one in statistics:
        for name, values in one.items():
            pooled.setdefault(name, []).extend(values)
    return {k: np.quantile(v, [0.05, 0.25, 0.5, 0.75, 0.95]) for k, v in pooled.items()}


def test_shape_statistics_of_rectangles():
    labels = np.zeros((40, 100), dtype=int)
    labels[10:20, 40:45] = 1
    labels[10:20, 55:65] = 2
    labels[10:30, 10:20] = 3
    result = shape_statistics(labels)
    assert result["MF area"] == (50 / 4000, 100 / 4000)
    assert result["MF asymmetry"] == (pytest.approx(50 / 75),)
    assert result["MF distance"] == (pytest.approx(17.5 / 100),)
    assert result["MF solidity"] == (1, 1)
    assert result["MF aspect"] == pytest.approx((np.sqrt(99 / 24), 1.0))
    assert result["MF:ES"] == (0.25,)
    assert result["MF-ES distance"] == (pytest.approx(np.hypot(27.5, 5) / 100),)
    assert result["ES distance"] == result["ES asymmetry"] == ()


def test_shapes_at_l4_l5_are_like_those_of_real_patients():
    grid = {"size": (320, 320), "spacing": (0.625, 0.625)}
    found = quantiles(
        shape_statistics(phantom.true_outlines(i, "L4-L5", **grid)) for i in range(1, 121)
    )
    for name, real in REAL_SHAPES.items():
        low, _, median, _, high = found[name]
        assert real[1] <= median <= real[3], name
        shared = min(high, real[4]) - max(low, real[0])
        assert shared / (max(high, real[4]) - min(low, real[0])) >= 0.7, name


@pytest.mark.shared
def test_the_numbers_of_real_patients_are_those_of_their_masks(shared_data):
    from PIL import Image

    classes = np.zeros(256, dtype=np.uint8)
    classes[[100, 150, 50, 200]] = 1, 2, 3, 4
    with zipfile.ZipFile(shared_data / "lumbar-l4l5" / "t2w_masks.zip") as archive:
        names = [n for n in archive.namelist() if n.endswith(".png")]
        masks = [classes[np.asarray(Image.open(io.BytesIO(archive.read(n))))] for n in names]
    assert len(masks) == 411
    found = quantiles(shape_statistics(m) for m in masks)
    assert set(found) == set(REAL_SHAPES)
    for name, values in REAL_SHAPES.items():
        assert values == pytest.approx(found[name], abs=1e-4), name


def test_volumes_are_like_those_of_wesselink2022():
    step = 178 / 6
    found = [phantom.muscle_volumes(i, step=step, missing_muscle=0) for i in range(1, 41)]
    for name, (real, deviation) in phantom.REAL_VOLUMES.items():
        assert abs(np.mean([v[name] for v in found]) - real) < deviation / 2


def test_volumes_are_sums_of_slices():
    """Finer slices, finer pixels: a Riemann sum that has converged within 3 %."""
    coarse = phantom.muscle_volumes(3, missing_muscle=0)
    total = np.zeros(7)
    scale = draw(2, Protocol(), PhantomConfig()).scale
    for z in np.arange(12, 188, 4.0):
        labels = phantom.true_outlines(
            3, height=z, size=(128, 140), spacing=(1.4, 1.4), psoas=True, missing_muscle=0
        )
        total += np.bincount(labels.ravel(), minlength=7) * 1.4**2 * 4.0 * scale / 1000
    assert list(coarse.values()) == pytest.approx(total[1:].reshape(3, 2).mean(1), rel=0.03)


def test_true_outlines_are_those_of_the_image():
    settings = {"size": (128, 140), "spacing": (1.2, 1.2)}
    case = phantom.simulate(4, "S1", **settings)
    assert np.array_equal(phantom.true_outlines(4, "S1", **settings), case.truth[0])


def test_mf_grows_and_es_shrinks_downwards_within_the_field_of_view():
    areas = np.zeros((len(LEVELS), 5))
    for subject in range(1, 21):
        for k, level in enumerate(LEVELS):
            labels = phantom.true_outlines(
                subject, level, missing_muscle=0, size=(110, 120), spacing=(1.6, 1.6)
            )
            border = np.r_[labels[0], labels[-1], labels[:, 0], labels[:, -1]]
            assert not border.any()
            areas[k] += np.bincount(labels.ravel(), minlength=5)
    mf, es = areas[:, 1:3].sum(1), areas[:, 3:].sum(1)
    assert (np.diff(es) < 0).all()
    assert (np.diff(mf[:5]) > 0).all()


def test_people_of_all_goutallier_classes_both_sexes_and_their_age():
    people = [draw(i, Protocol(seed=4), PhantomConfig()) for i in range(60)]
    fat = expit([p.fat_logit for p in people])
    assert {int(c) for c in np.digitize(fat, [0.1, 0.5])} == {0, 1, 2}
    assert spearmanr([p.age for p in people], fat).statistic > 0.2
    assert 20 <= sum(p.sex == "F" for p in people) <= 40
    assert min(p.age for p in people) >= 30


def test_fat_is_more_in_lower_levels_and_in_mf():
    """In log odds: 0.008 for each mm of height, and MF, ES and PM by what sets them apart."""
    people = [draw(i, Protocol(), PhantomConfig()) for i in range(60)]
    found = {
        (name, z): np.mean([logit(target(p, name, z * p.scale)) - p.fat_logit for p in people])
        for name in ("left MF", "right ES", "left PM")
        for z in (5, 80)
    }
    for (name, z), value in found.items():
        own = {"MF": 0.2, "ES": 0.0, "PM": -1.6}[name[-2:]]
        assert value == pytest.approx(own + 0.008 * (42 - z), abs=0.08), (name, z)


def test_the_image_holds_as_much_fat_as_the_subject_was_given(cases):
    some = [case for (_, level), case in cases.items() if level == "L4-L5"]
    errors = [case.fat_fraction - expit(case.subject.fat_logit) for case in some]
    assert np.abs(errors).max() < 0.05
    deep = []
    for case in some:  # in MF it lies deep and medial
        mask = case.truth[0] == 2
        places = np.array(np.nonzero(mask))
        deep += list(np.average(places, axis=1, weights=case.fat[0][mask]) - places.mean(axis=1))
    assert np.mean(np.array(deep) < 0) > 0.75


def test_tissues_rank_as_on_t2w():
    case = phantom.simulate(2, "L4-L5", noise=0, bias_field=0, saturation_band=0)
    image = case.image[0].astype(float)
    k = np.arange(256)
    row = int(np.argmin(np.abs(case.affine[1, 3] - 0.7 * k + (-23.5) * case.subject.scale)))
    csf = image[row - 3 : row + 2, 124:132].mean()
    muscle = image[(case.truth[0] > 0) & (case.fat[0] < 0.05)].mean()
    behind = np.nonzero(case.truth[0].any(1))[0].max() + int(8 / 0.7)
    fat = image[behind, 110:146].mean()
    assert csf > 700
    assert fat > 600
    assert muscle < 200
    assert image[-1].max() == 0  # air behind the back


def test_the_origin_lies_amid_both_mf_at_the_upper_endplate_of_s1(cases):
    for (_, level), case in cases.items():
        middle = [np.argwhere(case.truth == c).mean(axis=0) for c in (1, 2)]
        x, y, z = (case.affine @ [*np.mean(middle, axis=0), 1])[:3]
        assert abs(x) < 2
        assert abs(y) < 8
        assert z == pytest.approx(HEIGHTS[level] * case.subject.scale)
    thin = phantom.simulate(1, "S1", thickness=0, size=(64, 72), spacing=(2.4, 2.5))
    assert thin.spacing == (1.0, 2.4, 2.5)  # a slice has some extent, whatever was averaged


def test_a_volume_cohort_holds_the_same_body_and_hands_as_its_slices(tmp_path):
    """Planes 20 mm apart in a body of mean size: the fourth is that of L4-L5."""
    grid = {"seed": 1, "size": (48, 60), "spacing": (3.0, 2.8), "psoas": True, "raters": 2}
    single = phantom.simulate(1, "L4-L5", **grid)
    scale = single.subject.scale
    path = phantom.make_cohort(tmp_path, 1, kind="volumes", slice_spacing=20 * scale, **grid)
    found = manifest.read(path)
    assert found.classes == phantom.PSOAS
    assert "level" not in found.table
    volume = volumes.read(found.image_path(0))
    assert volume.array.shape == (12, 48, 60)
    assert volume.spacing == pytest.approx((20 * scale, 3.0, 2.8))
    assert volume.affine[2, 3] == pytest.approx(-18 * scale, abs=1e-4)
    assert np.abs(volume.array[3] - single.image[0]).max() <= 1  # heights differ by rounding
    for r, rater in enumerate(found.raters):
        labels = volumes.read_labels(found.label_path(0, rater))
        assert volumes.geometry_difference(volume, labels) is None
        assert (labels.array[3] != single.labels[r, 0]).mean() < 1e-3
