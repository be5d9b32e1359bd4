"""Raters: agreement, styles, the true label distribution, and knobs that act alone."""

import itertools

import numpy as np
import pytest
from scipy.stats import norm

from paraspine import phantom
from paraspine.arrays import SettingsError
from paraspine.phantom import raters
from paraspine.phantom.settings import Knobs

SMALL = {"size": (128, 140), "spacing": (1.2, 1.2)}


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


@pytest.fixture(scope="module")
def cases():
    return [
        phantom.simulate(s, level, missing_muscle=0, size=(180, 200), spacing=(0.9, 0.9))
        for s in range(1, 9)
        for level in ("L3-L4", "L4-L5", "S1")
    ]


def test_pairwise_dice_is_that_of_trained_raters_and_lowest_at_s1(cases):
    found = {}
    for case in cases:
        for c, name in enumerate(case.classes.foreground, 1):
            for a, b in itertools.combinations(case.labels == c, 2):
                found.setdefault((case.name.split("_")[1], name[-2:]), []).append(dice(a, b))
    mean = {key: np.mean(values) for key, values in found.items()}
    for muscle in ("MF", "ES"):
        values = [mean[level, muscle] for level in ("L3-L4", "L4-L5", "S1")]
        assert 0.90 <= np.mean(values) <= 0.95
        assert np.argmin(values) == 2


def test_raters_disagree_most_at_the_mf_es_border_and_behind_es():
    at_border, elsewhere, behind, before = [], [], [], []
    for s in range(1, 5):
        protocol, knobs = phantom.settings.protocol_from({})
        subject = phantom.subjects.draw(s, protocol, knobs)
        grid = phantom.canvas.plane(protocol.size, protocol.spacing)
        seen = raters.scene(
            subject, subject.height("L4-L5"), grid, protocol, knobs, np.zeros((256, 256))
        )
        es, mf, spread = seen.distance[2], seen.distance[0], seen.spread[2]
        edge = np.abs(es) < 0.5
        at_border.append(spread[edge & (mf < 1.5)].mean())
        elsewhere.append(spread[edge & (mf > 10)].mean())
        rows = np.broadcast_to(seen.rows[:, None], es.shape)
        middle = rows[es < 0].mean()
        behind.append(spread[edge & (rows > middle + 10) & (mf > 6)].mean())
        before.append(spread[edge & (rows < middle - 10) & (mf > 6)].mean())
    assert np.mean(at_border) > 1.3 * np.mean(elsewhere)
    assert np.mean(behind) > 1.2 * np.mean(before)


def test_tie_voxels_occur(cases):
    """Three raters, three answers: only where MF, ES and background meet."""
    ties = [(np.sort(c.labels, 0)[1:] != np.sort(c.labels, 0)[:-1]).all(0).mean() for c in cases]
    assert 0 < np.mean(ties) < 0.002
    more = [phantom.simulate(s, "L4-L5", **SMALL, ambiguity=3).labels for s in (1, 2)]
    less = [phantom.simulate(s, "L4-L5", **SMALL, ambiguity=0).labels for s in (1, 2)]
    count = [
        sum((np.sort(v, 0)[1:] != np.sort(v, 0)[:-1]).all(0).sum() for v in w) for w in (more, less)
    ]
    assert count[0] > 2 * count[1]


def test_a_rater_has_a_style():
    knobs = Knobs(rater_bias=1.0)
    names = ("right MF", "left MF", "right ES", "left ES")
    drawn = [raters.style(0, ("r", k), names, knobs) for k in range(3000)]
    bias = np.array([[s.bias[n] for n in names] for s in drawn])
    assert bias.std(0) == pytest.approx(np.ones(4), abs=0.05)
    assert bias.mean(0) == pytest.approx(np.zeros(4), abs=0.06)
    assert np.corrcoef(bias.T)[0, 1] == pytest.approx(0.9, abs=0.03)
    assert np.mean([s.gap for s in drawn]) == pytest.approx(knobs.rater_gap, rel=0.05)
    assert drawn[0] == raters.style(0, ("r", 0), names[::-1], knobs)


def test_displacement_by_hand():
    """A bar 10 mm wide, a rater who draws 1 mm too large, no hand."""
    x = np.arange(-20, 21) + 0.0
    bar = np.broadcast_to(np.abs(x)[None] - 5.0, (3, 41))
    seen = raters.Scene(
        (slice(0, 3), slice(0, 41)), np.arange(3), x, ("right MF",), bar[None], np.ones((1, 3, 41))
    )
    style = raters.Style({"right MF": 1.0}, 0.0, 0.0, 0.0)
    assert (raters.displace(seen, {}, style) == (np.abs(x) < 6)[None]).all()
    steady = raters.Style({"right MF": 0.0}, 1.0, 0.0, 0.0)
    shifted = raters.displace(seen, {"MF": np.full((3, 41), -2.0)}, steady)
    assert (shifted == (np.abs(x) < 3)[None]).all()


def test_gap_and_missing_muscle_by_hand():
    x = np.arange(-20, 21) + 0.25
    both = np.stack([x[None], -x[None], np.full((1, 41), 1e3)])
    names = ("right MF", "right ES", "left ES")
    seen = raters.Scene(
        (slice(0, 1), slice(0, 41)), np.zeros(1), x, names, both, np.ones_like(both)
    )
    style = raters.Style(dict.fromkeys(names, 0.0), 0.0, 0.0, 3.0)
    label = raters.displace(seen, {}, style)[0]
    assert (label[x < -1.5] == 1).all()
    assert (label[x > 1.5] == 2).all()
    assert (label[np.abs(x) < 1.5] == 0).all()
    assert 3 not in label


def test_true_probabilities_of_one_muscle_are_the_normal_distribution(monkeypatch):
    """Alone, a muscle's P* is Phi(-distance / spread): closed form against Monte Carlo."""
    settings = {**SMALL, "rater_bias": 0.0, "rater_gap": 0.0, "rater_roughness": 0.0}
    found = phantom.true_probabilities(
        2, "L4-L5", draws=600, population=False, raters=1, **settings
    )
    protocol, knobs = phantom.settings.protocol_from(settings | {"raters": 1})
    subject = phantom.subjects.draw(1, protocol, knobs)
    grid = phantom.canvas.plane(protocol.size, protocol.spacing)
    case = phantom.simulate(2, "L4-L5", **settings)
    from paraspine.phantom.acquisition import acquire

    z = subject.height("L4-L5")
    seen = raters.scene(subject, z, grid, protocol, knobs, acquire(subject, z, protocol, knobs)[2])
    how = raters.style(0, "a", seen.names, knobs)
    expected = norm.cdf(-seen.distance[3] / (how.steadiness * seen.spread[3]))
    monte_carlo = found.probabilities[4, 0][seen.window]
    alone = (np.abs(seen.distance[3]) < 5) & (np.delete(seen.distance, 3, 0).min(0) > 12)
    assert alone.sum() > 100
    score = (monte_carlo - expected)[alone] / np.sqrt(0.25 / 600)
    assert np.abs(score).max() < 4.5
    assert np.abs(score.mean()) < 0.5
    assert case.truth.shape == found.probabilities.shape[1:]


def test_true_probabilities_and_their_error():
    found = phantom.true_probabilities(1, "L4-L5", draws=200, **SMALL)
    assert found.probabilities.shape == (5, 1, 128, 140)
    assert found.probabilities.sum(0) == pytest.approx(np.ones((1, 128, 140)), abs=1e-6)
    assert found.error == pytest.approx(
        np.sqrt(found.probabilities * (1 - found.probabilities) / 200), abs=1e-6
    )
    again = phantom.true_probabilities(1, "L4-L5", draws=200, draw_seed=1, **SMALL)
    both = np.hypot(found.error, again.error)
    seen = both > 0.02
    score = (found.probabilities - again.probabilities)[seen] / both[seen]
    assert np.sqrt(np.mean(score**2)) == pytest.approx(1, abs=0.35)
    many = phantom.simulate(1, "L4-L5", raters=60, **SMALL).labels
    share = np.stack([(many == c).mean(0) for c in range(5)])
    where = found.error > 0
    assert np.abs(share - found.probabilities)[where].mean() < 0.06
    for wrong in (1, 2.5, True):
        with pytest.raises(SettingsError, match="draws"):
            phantom.true_probabilities(1, "L4-L5", draws=wrong)
    with pytest.raises(SettingsError, match="level"):
        phantom.true_probabilities(1, "L9")
    with pytest.raises(SettingsError, match="subject"):
        phantom.true_probabilities(0, "L4-L5")


BASE = phantom.simulate(4, "L4-L5", **SMALL)


@pytest.mark.parametrize(
    ("knob", "value", "changed"),
    [
        ("noise", 30.0, {"image"}),
        ("bias_field", 0.0, {"image", "clean"}),
        ("partial_volume", 2.5, {"image", "clean"}),
        ("thickness", 8.0, {"image", "clean"}),
        ("fat", 3.0, {"image", "clean", "fat", "labels"}),
        ("fat_by_age", 0.0, {"image", "clean", "fat", "labels"}),
        ("saturation_band", 1.0 - BASE.subject.band, {"image", "clean"}),
        ("rater_bias", 1.0, {"labels"}),
        ("rater_spread", 1.5, {"labels"}),
        ("rater_roughness", 0.9, {"labels"}),
        ("rater_gap", 3.0, {"labels"}),
        ("ambiguity", 3.0, {"labels"}),
        ("noise_coupling", 1.0, {"labels"}),
        ("single_rater", 1.0, {"rated"}),
        ("missing_slices", 0.5, set()),
    ],
)
def test_one_knob_changes_only_what_it_acts_on(knob, value, changed):
    case = phantom.simulate(4, "L4-L5", **SMALL, **{knob: value})
    for part in ("image", "clean", "fat", "truth", "labels", "rated"):
        same = np.array_equal(getattr(case, part), getattr(BASE, part))
        assert same == (part not in changed), part


def test_more_fat_changes_the_image_inside_muscle_only():
    case = phantom.simulate(4, "L4-L5", fat=3.0, **SMALL)
    moved = case.image != BASE.image
    from scipy.ndimage import binary_dilation

    with_psoas = phantom.simulate(4, "L4-L5", psoas=True, **SMALL).truth > 0
    assert moved[with_psoas].mean() > 0.3
    assert not moved[~binary_dilation(with_psoas, np.ones((1, 5, 5)))].any()
    assert (case.fat >= BASE.fat - 1e-6).all()


def test_more_raters_keep_the_first_ones():
    case = phantom.simulate(4, "L4-L5", raters=5, **SMALL)
    assert np.array_equal(case.labels[:3], BASE.labels)
    assert len({v.tobytes() for v in case.labels}) == 5


def test_psoas_as_further_classes():
    case = phantom.simulate(4, "L4-L5", psoas=True, **SMALL)
    assert case.classes.foreground[4:] == ("right PM", "left PM")
    assert np.array_equal(case.image, BASE.image)
    columns = [np.nonzero(case.truth[0] == c)[1].mean() for c in (5, 6)]
    assert columns[0] < columns[1]


def test_coupling_ties_the_spread_to_the_noise():
    low = phantom.simulate(4, "L4-L5", noise_coupling=1.0, noise=0.0, **SMALL)
    assert np.array_equal(low.labels, BASE.labels)
    high = phantom.simulate(4, "L4-L5", noise_coupling=1.0, noise=40.0, **SMALL)

    def disagreement(case):
        return (case.labels != case.labels[:1]).any(0).sum()

    assert disagreement(high) > 1.5 * disagreement(BASE)


def test_missing_muscle_is_background_for_everyone():
    case = phantom.simulate(4, "S1", missing_muscle=1.0, **SMALL)
    assert set(np.unique(case.truth)) == {0, 1, 2}
    assert set(np.unique(case.labels)) <= {0, 1, 2}
    assert 3 in phantom.simulate(4, "L5-S1", missing_muscle=1.0, **SMALL).truth


def test_noise_is_rician_in_air():
    """Mean of a Rayleigh variable: sigma * sqrt(pi / 2), scipy.stats.rayleigh."""
    from scipy.stats import kstest, rayleigh

    case = phantom.simulate(1, "L4-L5", noise=100.0, centers=1, size=(256, 256))
    air = case.image[0, -8:].ravel().astype(float)
    assert (case.clean[0, -8:] == 0).all()
    assert air.mean() == pytest.approx(rayleigh(scale=100).mean(), rel=0.04)
    own = np.random.default_rng(0).random(air.size) - 0.5  # undo the rounding
    assert kstest(air + own, rayleigh(scale=100).cdf).pvalue > 0.001
