"""Raters: agreement, styles, the true label distribution, and knobs that act alone."""

import itertools

import numpy as np
import pytest
from scipy.ndimage import binary_dilation
from scipy.stats import kstest, norm, rayleigh

from paraspine import phantom
from paraspine.arrays import SettingsError
from paraspine.phantom import acquisition, raters, truth
from paraspine.phantom.acquisition import acquire, local_noise
from paraspine.phantom.canvas import plane
from paraspine.phantom.settings import PhantomConfig, Protocol, protocol_from
from paraspine.phantom.simulate import rated
from paraspine.phantom.subjects import draw, missing

SMALL = {"size": (128, 140), "spacing": (1.2, 1.2)}


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


def set_up(subject, level, **settings):
    """Protocol, config, subject, height and pixels of an image."""
    protocol, config = protocol_from(SMALL | settings)
    who = draw(subject - 1, protocol, config)
    return protocol, config, who, who.height(level), plane(protocol.size, protocol.spacing)


def test_pairwise_dice_is_that_of_trained_raters_and_lowest_at_s1(cases):
    found = {}
    for (_, level), case in cases.items():
        for c, name in enumerate(case.classes.foreground, 1):
            for a, b in itertools.combinations(case.labels == c, 2):
                found.setdefault((level, name[-2:]), []).append(dice(a, b))
    mean = {key: np.mean(values) for key, values in found.items()}
    for muscle in ("MF", "ES"):
        values = [mean[level, muscle] for level in ("L3-L4", "L4-L5", "S1")]
        assert 0.90 <= np.mean(values) <= 0.95
        assert np.argmin(values) == 2


def test_tie_voxels_occur(cases):
    """Three raters, three answers: only where MF, ES and background meet."""
    ordered = [np.sort(case.labels, 0) for case in cases.values()]
    assert 0 < np.mean([(v[1:] != v[:-1]).all(0).mean() for v in ordered]) < 0.002


def test_the_spread_is_what_the_knobs_make_of_it():
    """Of a body without fat, in units of the spread where the anatomy is clear."""

    def spread(level, fat=0.0, noise=None, **config):
        protocol, config, who, z, grid = set_up(4, level, **{"rater_spread": 1.0} | config)
        fat = np.full(grid.shape, fat)
        return raters.scene(who, z, grid, protocol, config, fat, noise)

    plain = spread("L4-L5", ambiguity=0.0)
    clear = plain.spread.flat[0]
    assert plain.spread == pytest.approx(clear)  # the same everywhere
    assert abs(np.log(clear)) < 3 * 0.22
    assert spread("L4-L5", ambiguity=0.0, rater_spread=2.0).spread == pytest.approx(2 * clear)
    seen = spread("L4-L5")
    extra = seen.spread / clear - 1
    mf, es = seen.distance[0], seen.distance[2]
    assert extra[2][np.abs(mf) < 0.2].min() > 0.69  # ES at its border with MF
    rows = np.broadcast_to(seen.rows[:, None], es.shape)
    behind = rows - rows[es < 0].mean()
    assert extra[2][(behind > 20) & (mf > 14)] == pytest.approx(0.45, abs=0.03)
    assert extra[2][(behind < -20) & (mf > 14)] == pytest.approx(0, abs=0.02)
    assert spread("L4-L5", ambiguity=3.0).spread / clear - 1 == pytest.approx(3 * extra)
    fatty = spread("L4-L5", fat=0.5).spread / clear - 1
    assert fatty - extra == pytest.approx(0.9 * 0.5)
    noise = np.random.default_rng(0).random((128, 140))
    coupled = spread("L4-L5", noise=noise, noise_coupling=0.3)
    local = 1 + 0.3 * noise[coupled.window]
    assert coupled.spread / clear - 1 == pytest.approx((1 + extra) * local - 1)
    # Far from the border MF is as clear as can be, but at S1, by what fat and bone leave open.
    assert extra[0].min() == pytest.approx(0, abs=0.01)
    sacral = spread("S1").spread[0] / spread("S1", ambiguity=0.0).spread.flat[0] - 1
    assert sacral.min() == pytest.approx(0.9, abs=0.01)


def test_a_rater_has_a_style():
    config = PhantomConfig(rater_bias=1.0, rater_roughness=0.1)
    names = ("right MF", "left MF", "right ES", "left ES")
    drawn = [raters.style(0, ("r", k), names, config) for k in range(3000)]
    bias = np.array([[s.bias[n] for n in names] for s in drawn])
    assert bias.std(0) == pytest.approx(np.ones(4), abs=0.05)
    assert bias.mean(0) == pytest.approx(np.zeros(4), abs=0.06)
    assert np.corrcoef(bias.T)[0, 1:] == pytest.approx([0.9, 0.3, 0.3], abs=0.04)
    assert np.mean([s.gap for s in drawn]) == pytest.approx(config.rater_gap, rel=0.05)
    for logs, middle, deviation in (
        (np.log([s.steadiness for s in drawn]), 0.0, 0.12),
        (np.log([s.roughness for s in drawn]), np.log(0.1), 0.3),
    ):
        assert logs.mean() == pytest.approx(middle, abs=0.02)
        assert logs.std() == pytest.approx(deviation, rel=0.08)
    assert drawn[0] == raters.style(0, ("r", 0), names[::-1], config)


@pytest.mark.parametrize("whose", ["the cohort's", "of P*"])
def test_a_hand_is_smooth_over_14_mm_and_rough_over_3(whose):
    """Unit variance; covariance a mixture of two Gaussians, and along the spine over 8 mm."""
    rows, columns, share = np.array([0.0, 3.0]), np.arange(-120.0, 121, 40), 0.25
    _, _, who, z, _ = set_up(2, "L4-L5")
    seen = raters.Scene(None, rows, columns, ("left MF",), None, None)

    def hand(k, dz=0.0):
        if whose == "of P*":
            return truth._hand(np.random.default_rng(k), ["MF"], seen, share)["MF"]
        return raters.fields(k, "a", who, z + dz, seen, share)["MF"]

    drawn = np.array([hand(k) for k in range(100)])
    assert (drawn**2).mean() == pytest.approx(1, abs=0.15)
    apart = ((drawn[:, 1] - drawn[:, 0]) ** 2).mean() / 2
    expected = 1 - (0.75 * np.exp(-(3**2) / 2 / 14**2) + 0.25 * np.exp(-1 / 2))
    assert apart == pytest.approx(expected, rel=0.2)
    if whose == "the cohort's":
        above = ((np.array([hand(k, 4.0) for k in range(100)]) - drawn) ** 2).mean() / 2
        assert above == pytest.approx(1 - np.exp(-((4 / 8) ** 2) / 2), rel=0.2)


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


@pytest.mark.parametrize("population", [True, False])
def test_true_probabilities_of_one_muscle_are_the_normal_distribution(population):
    """Alone, a muscle's P* is Phi((bias - distance) / spread) of each rater: by closed form.

    Of the population, biases are normal themselves and steadiness is log-normal; of the cohort,
    here of two, the raters have equal shares.
    """
    settings = {"raters": 2, "rater_bias": 1.5, "rater_gap": 0.0, "noise_coupling": 0.5}
    found = phantom.true_probabilities(
        2, "L4-L5", draws=400, population=population, **SMALL, **settings
    )
    protocol, config, who, z, grid = set_up(2, "L4-L5", **settings)
    fat = acquire(who, z, protocol, config)[2]
    noise = local_noise(who, z, protocol, config)
    seen = raters.scene(who, z, grid, protocol, config, fat, noise)
    distance, spread = seen.distance[3], seen.spread[3]
    if population:
        steady = np.exp(0.12 * norm.ppf((np.arange(20) + 0.5) / 20))
        shares = [norm.cdf(-distance / np.hypot(1.5, s * spread)) for s in steady]
    else:
        styles = [raters.style(0, name, seen.names, config) for name in "ab"]
        biases = [how.bias["left ES"] for how in styles]
        shares = [
            norm.cdf((bias - distance) / (how.steadiness * spread))
            for bias, how in zip(biases, styles, strict=True)
        ]
        assert abs(biases[0] - biases[1]) > 0.5
    monte_carlo = found.probabilities[4, 0][seen.window]
    alone = (np.abs(distance) < 5) & (np.delete(seen.distance, 3, 0).min(0) > 12)
    assert alone.sum() > 100
    score = (monte_carlo - np.mean(shares, axis=0))[alone] / np.sqrt(0.25 / 400)
    assert np.abs(score).max() < 4.5
    assert np.abs(score.mean()) < 0.5


def test_true_probabilities_and_their_error():
    found = phantom.true_probabilities(1, "L4-L5", draws=100, **SMALL)
    assert found.probabilities.shape == (5, 1, 128, 140)
    assert found.probabilities.sum(0) == pytest.approx(np.ones((1, 128, 140)), abs=1e-6)
    assert found.error == pytest.approx(
        np.sqrt(found.probabilities * (1 - found.probabilities) / 100), abs=1e-6
    )
    again = phantom.true_probabilities(1, "L4-L5", draws=100, draw_seed=1, **SMALL)
    both = np.hypot(found.error, again.error)
    seen = both > 0.03
    score = (found.probabilities - again.probabilities)[seen] / both[seen]
    assert np.sqrt(np.mean(score**2)) == pytest.approx(1, abs=0.35)
    for wrong in (1, 2.5, True):
        with pytest.raises(SettingsError, match="draws"):
            phantom.true_probabilities(1, "L4-L5", draws=wrong)
    with pytest.raises(SettingsError, match="level"):
        phantom.true_probabilities(1, "L9")
    with pytest.raises(SettingsError, match="subject"):
        phantom.true_probabilities(0, "L4-L5")


@pytest.fixture(scope="module")
def base():
    return phantom.simulate(4, "L4-L5", **SMALL)


@pytest.mark.parametrize(
    ("knob", "value", "changed"),
    [
        ("noise", 30.0, {"image"}),
        ("bias_field", 0.0, {"image", "clean"}),
        ("partial_volume", 2.5, {"image", "clean"}),
        ("thickness", 8.0, {"image", "clean"}),
        ("fat", 3.0, {"image", "clean", "fat", "labels"}),
        ("fat_by_age", 0.0, {"image", "clean", "fat", "labels"}),
        ("saturation_band", 1.0 - draw(3, Protocol(), PhantomConfig()).band, {"image", "clean"}),
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
def test_one_knob_changes_only_what_it_acts_on(base, knob, value, changed):
    case = phantom.simulate(4, "L4-L5", **SMALL, **{knob: value})
    for part in ("image", "clean", "fat", "truth", "labels", "rated"):
        same = np.array_equal(getattr(case, part), getattr(base, part))
        assert same == (part not in changed), part


def test_more_fat_changes_the_image_inside_muscle_only(base):
    case = phantom.simulate(4, "L4-L5", fat=3.0, **SMALL)
    moved = case.image != base.image
    with_psoas = phantom.simulate(4, "L4-L5", psoas=True, **SMALL).truth > 0
    assert moved[with_psoas].mean() > 0.3
    assert not moved[~binary_dilation(with_psoas, np.ones((1, 5, 5)))].any()
    assert (case.fat >= base.fat - 1e-6).all()


def test_more_raters_and_psoas_leave_the_rest(base):
    case = phantom.simulate(4, "L4-L5", raters=5, **SMALL)
    assert np.array_equal(case.labels[:3], base.labels)
    assert len({v.tobytes() for v in case.labels}) == 5
    case = phantom.simulate(4, "L4-L5", psoas=True, **SMALL)
    assert case.classes.foreground[4:] == ("right PM", "left PM")
    assert np.array_equal(case.image, base.image)
    columns = [np.nonzero(case.truth[0] == c)[1].mean() for c in (5, 6)]
    assert columns[0] < columns[1]


def test_missing_muscle_is_background_for_everyone():
    case = phantom.simulate(4, "S1", missing_muscle=1.0, **SMALL)
    assert set(np.unique(case.truth)) == {0, 1, 2}
    assert set(np.unique(case.labels)) <= {0, 1, 2}
    assert 3 in phantom.true_outlines(4, "L5-S1", missing_muscle=1.0, **SMALL)
    config = PhantomConfig(missing_muscle=0.5)
    right = next(k for k in range(20) if draw(k, Protocol(), config).missing_es == (True, False))
    found = phantom.true_outlines(right + 1, "S1", missing_muscle=0.5, **SMALL)
    assert set(np.unique(found)) == {0, 1, 2, 4}


def test_shares_are_those_that_the_knobs_ask_for():
    """Within four standard errors of the binomial distribution."""
    protocol = Protocol()
    config = PhantomConfig(saturation_band=0.3, missing_muscle=0.2, single_rater=0.25)
    people = [draw(k, protocol, config) for k in range(800)]
    given = np.array([rated(p, "S1", protocol, config) for p in people])
    alone = given.sum(axis=1) == 1
    assert (alone | given.all(axis=1)).all()
    found = {
        0.3: [p.band for p in people],
        0.2: np.ravel([p.missing_es for p in people]),
        0.25: alone,
        1 / 3: given[alone, 2],  # each of the three alike
    }
    levels = {"L3-L4": 13, "L4-L5": 1, "L5-S1": 0, "S1": 14}  # of 118: roshanzamir2022
    for level, count in levels.items():
        found[max(count, 0.7) / 118] = [missing(p, level, config) for p in people]
    for share, values in found.items():
        error = np.sqrt(share * (1 - share) / len(values))
        assert np.mean(values) == pytest.approx(share, abs=4 * error), share


def test_odds_of_fat_are_those_that_the_knobs_ask_for():
    protocol = Protocol()
    for index in range(20):
        plain = draw(index, protocol, PhantomConfig(fat_by_age=0.0))
        aged = draw(index, protocol, PhantomConfig(fat_by_age=0.5)).fat_logit - plain.fat_logit
        assert plain.age <= 53 + 10 * aged / 0.5 + 1e-9 < plain.age + 1
        more = draw(index, protocol, PhantomConfig(fat_by_age=0.0, fat=3.0)).fat_logit
        assert more - plain.fat_logit == pytest.approx(np.log(3))


@pytest.mark.parametrize(
    ("center", "noise", "bias"), [(0, 1.0, 1.0), (1, 0.8, 1.2), (2, 1.25, 0.75)]
)
def test_noise_and_bias_field_have_the_strength_that_is_asked_for(center, noise, bias):
    """Rician in air (Rayleigh's mean), normal in tissue; the field's logarithm is proportional."""
    index = next(k for k in range(20) if draw(k, Protocol(), PhantomConfig()).center == center)
    images = {}
    for sigma, strength in ((0.0, 0.0), (50.0, 1.0), (100.0, 2.0)):
        settings = {"noise": sigma, "bias_field": strength, "saturation_band": 0.0}
        protocol, config, who, z, grid = set_up(index + 1, "L4-L5", size=(170, 150), **settings)
        image, clean, _ = acquire(who, z, protocol, config)
        images[strength] = clean
        if sigma:
            air = image[-8:].ravel().astype(float)
            assert (clean[-8:] == 0).all()
            assert air.mean() == pytest.approx(rayleigh(scale=noise * sigma).mean(), rel=0.05)
            own = np.random.default_rng(0).random(air.size) - 0.5  # undo the rounding
            assert kstest(air + own, rayleigh(scale=noise * sigma).cdf).pvalue > 0.001
            bright = clean > 6 * noise * sigma
            assert (image - clean)[bright].std() == pytest.approx(noise * sigma, rel=0.06)
            local = local_noise(who, z, protocol, config)
            assert np.sqrt((local**2).mean()) == pytest.approx(noise * sigma / 14, rel=0.03)
    seen = images[0.0] > 0
    once, twice = (np.log(images[b][seen] / images[0.0][seen]) for b in (1.0, 2.0))
    assert twice == pytest.approx(2 * once)
    spread = np.ptp(np.quantile(once, [0.1, 0.9])) / bias
    assert 1.6 < np.exp(spread) < 4  # about a factor of 2 across the body
    rows = np.broadcast_to(grid.y, seen.shape)[seen]
    assert np.corrcoef(rows, once)[0, 1] > 0.5  # the coil lies under the back


def test_a_slab_is_averaged_over_its_thickness(monkeypatch):
    """The mean of z^3 over t mm around z is z^3 + z t^2 / 4; of the plane alone it is z^3."""

    def cubes(subject, z, grid, *_):
        return np.full(grid.shape, z**3)

    monkeypatch.setattr(acquisition, "signal", cubes)
    for thickness in (0.0, 4.0, 7.0):
        made, _ = acquisition._tissue.__wrapped__(
            draw(0, Protocol(), PhantomConfig()), 10.0, (64, 72), (2.4, 2.4), 1.2, thickness
        )
        assert made == pytest.approx(10.0**3 + 10.0 * thickness**2 / 4)
