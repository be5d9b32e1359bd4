"""What few raters recover of a known truth: hand-worked answers, enumeration, simulated votes."""

from itertools import product
from math import log

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from paraspine import fusion, metrics, phantom, slices, statistics
from paraspine.arrays import SettingsError, ShapeError
from paraspine.evidence import plan
from paraspine.studies.truth import panels, tables, theory, words
from paraspine.studies.truth.panels import error_against, panel_errors, panels_of
from paraspine.studies.truth.theory import Known, expected_entropy_of_votes, miller_madow
from paraspine.volumes import from_array
from tests.studies.both_ways import both_ways


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    monkeypatch.setattr(statistics.defaults, "resamples", 100)


def known(probabilities, labels=None, draws=10**9):
    """A slice with this truth; so many draws that they make no error unless asked for."""
    p = np.asarray(probabilities, dtype=np.float32)
    labels = np.zeros((2, *p.shape[1:])) if labels is None else np.asarray(labels)
    grid = from_array(np.zeros(p.shape[1:]), (1.0, 1.0)).grid
    return Known(np.zeros(p.shape[1:], np.float32), labels.astype(np.uint8), p, draws, grid)


def column(*p):
    """Probabilities of one voxel, (C, 1, 1)."""
    return np.array(p, dtype=float)[:, None, None]


# --- the entropy that few raters show ----------------------------------------------------------


def test_expected_entropy_by_hand():
    half = column(0.5, 0.5)
    assert expected_entropy_of_votes(half, 1).item() == 0
    assert expected_entropy_of_votes(half, 2).item() == pytest.approx(log(2) / 2)
    split = log(3) - 2 / 3 * log(2)  # two against one, in 3 of 4 cases
    assert expected_entropy_of_votes(half, 3).item() == pytest.approx(0.75 * split)
    thirds = column(1 / 3, 1 / 3, 1 / 3)
    assert expected_entropy_of_votes(thirds, 2).item() == pytest.approx(2 / 3 * log(2))
    assert expected_entropy_of_votes(column(1.0, 0.0), 5).item() == 0


def test_expected_entropy_of_few_out_of_a_few_draws_by_hand():
    """Two of four draws, two of each class: they differ in 4 of 6 pairs."""
    half = column(0.5, 0.5)
    assert expected_entropy_of_votes(half, 2, 4).item() == pytest.approx(2 / 3 * log(2))
    assert expected_entropy_of_votes(half, 4, 4).item() == pytest.approx(log(2))
    with pytest.raises(SettingsError, match="no more than the draws"):
        expected_entropy_of_votes(half, 5, 4)
    with pytest.raises(SettingsError, match="at least 1"):
        expected_entropy_of_votes(half, 0)


@pytest.mark.parametrize("raters", [2, 3, 4])
def test_expected_entropy_is_that_of_all_possible_votes(raters):
    p = np.array([0.6, 0.3, 0.1])
    total = 0.0
    for votes in product(range(3), repeat=raters):
        shares = np.bincount(votes, minlength=3) / raters
        total += np.prod(p[list(votes)]) * stats.entropy(shares)
    assert expected_entropy_of_votes(column(*p), raters).item() == pytest.approx(total, abs=1e-12)


def test_drawing_from_the_draws_has_no_bias():
    """Averaged over samples of draws, the estimate is the expectation under the truth itself."""
    p, draws, raters = np.array([0.7, 0.25, 0.05]), 8, 3
    counts = np.random.default_rng(3).multinomial(draws, p, size=20_000)
    shares = (counts / draws).T[:, :, None]
    found = expected_entropy_of_votes(shares, raters, draws).mean()
    exact = expected_entropy_of_votes(column(*p), raters).item()
    assert found == pytest.approx(exact, rel=0.01)
    plug_in = expected_entropy_of_votes(shares, raters).mean()
    assert plug_in < 0.97 * exact  # which taking the shares for the truth would have


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 50), min_size=2, max_size=5), st.integers(1, 12))
def test_more_raters_show_more_entropy_and_never_all(weights, raters):
    p = column(*(np.array(weights) / sum(weights)))
    fewer, more = (expected_entropy_of_votes(p, r).item() for r in (raters, raters + 1))
    assert -1e-12 <= fewer <= more + 1e-12
    assert more <= stats.entropy(p.ravel()) + 1e-12


def test_miller_madow_by_hand():
    two_to_one = column(2 / 3, 1 / 3, 0.0)
    assert miller_madow(two_to_one, 3).item() == pytest.approx(stats.entropy([2, 1]) + 1 / 6)
    assert miller_madow(column(1.0, 0.0), 3).item() == 0
    votes = np.random.default_rng(0).binomial(20, 0.5, 2000) / 20
    corrected = miller_madow(np.stack([votes, 1 - votes])[:, None], 20)
    assert corrected.mean() == pytest.approx(log(2), abs=0.004)  # where votes are many


# --- errors against the truth ------------------------------------------------------------------


def test_error_by_hand():
    truth = known([[[1.0, 0.5]], [[0.0, 0.5]]])
    found = error_against([[[1.0, 1.0]], [[0.0, 0.0]]], truth)
    np.testing.assert_allclose(found["brier"], [0.125, 0.125])
    assert (found["entropy"], found["entropy_bias"]) == (0, pytest.approx(-log(2) / 2))
    assert found["entropy_error"] == pytest.approx(log(2) / 2)
    unseen = error_against([[[np.nan, 1.0]], [[np.nan, 0.0]]], truth)
    np.testing.assert_allclose(unseen["brier"], [0.25, 0.25])
    assert unseen["entropy_error"] == pytest.approx(log(2))
    with pytest.raises(ShapeError):
        error_against([[[1.0]], [[0.0]]], truth)


def test_what_the_draws_of_the_truth_add_is_corrected():
    """Over many truths of 5 draws each the Brier score is that against the probability itself."""
    few = known(column(0.5, 0.5), draws=10)
    assert few.entropy.item() == pytest.approx(log(2) + 1 / 20)
    assert few.variance[0] == pytest.approx(0.25 * 10 / 9)
    rng = np.random.default_rng(1)
    shares = rng.binomial(5, 0.3, 20_000) / 5
    truth = known(np.stack([1 - shares, shares])[:, None], draws=5)
    estimate = np.broadcast_to(column(0.4, 0.6), (2, 1, 20_000))
    assert error_against(estimate, truth)["brier"][0] == pytest.approx(0.09, rel=0.02)


def random_truth(seed=0, pool=6, size=12, draws=200):
    """Voxels some of which are torn, some sure, and raters drawn from them."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet([0.5] * 3, (size, size))
    p[: size // 2] = np.eye(3)[rng.integers(0, 3, (size // 2, size))]
    shares = np.stack([rng.multinomial(draws, v) for v in p.reshape(-1, 3)]) / draws
    labels = np.stack([rng.multinomial(1, v, pool).argmax(-1) for v in p.reshape(-1, 3)], axis=1)
    shares = shares.T.reshape(3, size, size)
    return known(shares, labels.reshape(pool, size, size), draws)


def test_sure_voxels_stand_for_each_other():
    truth = random_truth()
    voxels, weights = truth.distinct
    assert weights.sum() == truth.entropy.size
    assert len(voxels) < truth.entropy.size / 1.5
    assert truth.entropy.ravel()[voxels] @ weights == pytest.approx(truth.entropy.sum())


@pytest.mark.parametrize("raters", [1, 2, 3, 6])
def test_panels_are_the_fusions_voxel_by_voxel(raters):
    """Against the rooms that fuse and measure, on all voxels of every panel."""
    truth = random_truth()
    found = panel_errors(truth, raters, panels=3)
    noise = (truth.variance / truth.draws).astype(float)
    briers = {panels.MAJORITY: [], panels.SOFT: [], panels.STAPLE: []}
    entropies = []
    for panel in panels_of(6, raters, 3):
        labels = truth.labels[panel]
        vote = np.eye(3)[fusion.majority_vote(labels, 3)].transpose(2, 0, 1)
        soft = fusion.soft_labels(labels, 3)
        posterior = fusion.staple(labels, 3).posterior
        for name, estimate in zip(briers, (vote, soft, posterior), strict=True):
            briers[name].append(metrics.brier(estimate, truth.probabilities) - noise)
        entropies.append(fusion.ground_truth_entropy(labels, 3))
    for name, each in briers.items():
        np.testing.assert_allclose(found[name]["brier"], np.mean(each, axis=0), atol=1e-6)
    off = np.array(entropies) - truth.entropy
    assert found[panels.SOFT]["entropy_bias"] == pytest.approx(off.mean(), abs=1e-6)
    assert found[panels.SOFT]["entropy_error"] == pytest.approx(np.abs(off).mean(), abs=1e-6)
    assert found[panels.MAJORITY]["entropy"] == 0
    assert "brier" not in found[panels.CORRECTED]
    np.testing.assert_allclose(found[panels.EXPECTED]["brier"], truth.variance / raters)
    classes = (truth.probabilities > 0).sum(axis=0)
    assert found[panels.APPROXIMATED]["entropy_bias"] == pytest.approx(
        -((classes - 1) / (2 * raters)).mean()
    )


def test_everybody_sits_on_panels_equally_often():
    assert panels_of(4, 3, 2) == [[0, 1, 2], [2, 3, 0]]
    assert panels_of(5, 5, 4) == [[0, 1, 2, 3, 4]]
    assert panels_of(2, 1, 10) == [[0], [1]]
    members = np.bincount(np.ravel(panels_of(20, 7, 10)))
    assert members.max() - members.min() <= 1
    with pytest.raises(SettingsError, match="the size of the pool"):
        panels_of(4, 5, 1)


# --- the phantom -------------------------------------------------------------------------------

SMALL = {"seed": 5, "size": (64, 64), "spacing": (2.8, 2.8)}


@pytest.fixture(scope="module")
def drawn(tools):
    where = {"subject": ["sub-002"], "level": ["L4-L5"], "spacing": (2.8, 2.8)}
    data = tools.data(np.zeros((1, 3, 64, 64)), classes=3, **where)
    return data, theory.known_truth(data, SMALL, pool=20, draws=150)


def test_the_first_of_the_pool_are_the_cohorts_raters(drawn):
    _, (truth,) = drawn
    case = phantom.simulate(2, "L4-L5", **SMALL)
    np.testing.assert_array_equal(truth.labels[:3], case.labels[:, 0])
    assert len(truth.labels) == 20
    assert not (truth.labels[0] == truth.labels[10]).all()
    np.testing.assert_allclose(truth.probabilities.sum(axis=0), 1, atol=1e-5)


def test_the_phantoms_raters_err_as_theory_says(drawn):
    _, (truth,) = drawn
    found = panel_errors(truth, 4, panels=5)
    soft, expected = found[panels.SOFT], found[panels.EXPECTED]
    assert soft["brier"][1:].sum() == pytest.approx(expected["brier"][1:].sum(), rel=0.25)
    assert soft["entropy"] == pytest.approx(expected["entropy"], rel=0.15)
    assert found[panels.MAJORITY]["brier"].sum() > 1.5 * soft["brier"].sum()


def test_volumes_and_empty_choices_are_refused(drawn):
    data, _ = drawn
    with pytest.raises(SettingsError, match="slices"):
        theory.known_truth(data, SMALL | {"kind": "volumes"})
    with pytest.raises(SettingsError, match="no slice"):
        slices.studied(data, levels=["S1"])


def test_studied_takes_the_first_subjects(tools):
    data = tools.data(
        np.zeros((4, 1, 2, 2)), subject=["b", "b", "a", "c"], level=["S1", "L3-L4", "S1", "S1"]
    )
    assert slices.studied(data, 2).tolist() == [True, True, True, False]
    assert slices.studied(data, 0, ["S1"]).tolist() == [True, False, True, True]


# --- networks ----------------------------------------------------------------------------------


def test_a_network_that_knows_the_truth_has_no_error(tools, drawn):
    data, (truth,) = drawn
    moments = tools.moments(truth.probabilities[None])
    (found,) = panels.network_errors([truth], data, moments)
    assert np.abs(found["brier"]).max() <= truth.variance.max() / 149
    assert found["entropy_error"] == pytest.approx((truth.entropy - _plug_in(truth)).mean())
    assert panels.through_grid([truth], data) == {}  # it lies on that grid already


def _plug_in(truth):
    return stats.entropy(np.clip(truth.probabilities, 0, 1).astype(float), axis=0)


def test_a_coarser_grid_costs_what_interpolation_blurs(tools):
    """Columns of 4 fine pixels from 2 coarse ones: 1, 3/4, 1/4, 0 where the truth is 1, 1, 0, 0."""
    data = tools.data(np.zeros((1, 2, 2, 2)), spacing=(2.0, 2.0))
    p = np.zeros((3, 4, 4))
    p[1, :, :2] = p[0, :, 2:] = 1
    truth = known(p)
    (found,) = panels.through_grid([truth], data)[panels.GRID]
    np.testing.assert_allclose(found["brier"], [1 / 32, 1 / 32, 0], atol=1e-7)
    coarse = np.zeros((1, 3, 2, 2))
    coarse[0, 1, :, 0] = coarse[0, 0, :, 1] = 1
    (back,) = panels.network_errors([truth], data, tools.moments(coarse))
    np.testing.assert_allclose(back["brier"], [1 / 32, 1 / 32, 0], atol=1e-7)
    assert back["entropy_bias"] == pytest.approx(stats.entropy([3, 1]) / 2, abs=1e-6)


def study_of(*fusions, seeds=(0,)):
    return [
        {"model": "unet", "fusion": f, "seed": s, "method": "single", "members": []}
        for f in fusions
        for s in seeds
    ]


def test_every_training_once(tools):
    study = [
        *study_of("majority", "majority", "random"),
        study_of("majority")[0] | {"method": "ensemble", "members": [1, 2]},
    ]
    trainings = plan.trainings(study)
    assert [(t["fusion"], t["seed"]) for t in trainings] == [
        ("majority", 0), ("random", 0), ("majority", 1), ("majority", 2),
    ]  # fmt: skip
    runs = [tools.Sampled(**t) for t in trainings]
    assert plan.sampled_from(study[2], runs) == [runs[1]]
    assert plan.sampled_from(study[3], runs) == runs[2:]
    with pytest.raises(SettingsError, match="no training"):
        plan.sampled_from(study[0], runs[1:])
    assert tables.condition_labels(study)[2:] == [
        "U-Net, random rater, one pass", "U-Net, majority vote, ensemble of 2 seeds",
    ]  # fmt: skip
    several = tables.condition_labels(study_of("rater:ann", seeds=(0, 4)))
    assert several[1] == "U-Net, rater ann, seed 4, one pass"


# --- tables and sentences ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def frame(tools):
    """Six subjects, one slice each, with a network of which half the truth's variance is known."""
    truths = [random_truth(seed) for seed in range(6)]
    data = tools.data(np.zeros((6, 3, 12, 12)))
    half = {"entropy": 0.5, "entropy_bias": -0.5, "entropy_error": 0.5}
    network = [
        {"brier": t.variance / 5} | {key: share * t.entropy.mean() for key, share in half.items()}
        for t in truths
    ]
    return panels.truth_frame(truths, data, most=4, panels=3, networks={"net": network}), truths


def test_frame_has_every_panel_size_once(frame):
    table, truths = frame
    chosen = table[(table["measure"] == "brier") & (table["condition"] == panels.SOFT)]
    assert len(chosen) == 6 * 4 * 3
    assert table["value"].notna().all()
    assert not table.duplicated(["subject", "raters", "condition", "class", "measure"]).any()
    one = chosen[(chosen["subject"] == "p2") & (chosen["raters"] == 3)]["value"]
    np.testing.assert_allclose(one, panel_errors(truths[2], 3, 3)[panels.SOFT]["brier"])


def test_shares_are_ratios_to_the_true_entropy(frame):
    table, truths = frame
    shares = tables.entropy_shares(table).set_index(["what", "raters"])["mean"]
    true = np.mean([t.entropy.mean() for t in truths])
    few = np.mean([panel_errors(t, 3, 3)[panels.SOFT]["entropy"] for t in truths])
    assert shares["measured", 3] == pytest.approx(100 * few / true)
    assert shares["measured", 1] == pytest.approx(0)
    support = np.mean([((t.probabilities > 0).sum(0) - 1).mean() for t in truths])
    assert shares["expected, Miller-Madow approximation", 4] == pytest.approx(
        100 * (1 - support / 8 / true)
    )
    assert shares["measured", 3] < shares["measured, Miller-Madow corrected", 3]


def uneven(table, measure, factors):
    """The table with the network's measure multiplied by a factor for each of the six subjects."""
    own = table[(table["condition"] == "net") & (table["measure"] == measure)]
    factor = own["subject"].map(dict(zip(own["subject"].unique(), factors, strict=True)))
    return pd.concat([table.drop(own.index), own.assign(value=own["value"] * factor)])


def test_a_network_in_raters(frame):
    table, truths = frame
    found = tables.effective_raters(table, 3)
    assert found[["condition", "mean"]].to_numpy().tolist() == [["net", pytest.approx(5.0)]]
    found = tables.effective_raters(uneven(table, "brier", [1, 1, 1, 1, 1, 4]), 2).iloc[0]
    one = np.array([t.variance[1:].mean() for t in truths])
    net = one / 5 * [1, 1, 1, 1, 1, 4]
    assert found["mean"] == pytest.approx(one.sum() / net.sum())
    left = [np.delete(one, k).sum() / np.delete(net, k).sum() for k in range(6)]
    assert found["without_high"] == pytest.approx(max(left))
    assert (found["clusters"], found["low"] < found["mean"] < found["high"]) == (6, True)
    assert found["decided_by"] == "p0, p1, p2, p3 and p4"  # that it is more than 2


def test_one_subject_decides_that_a_network_is_too_uncertain(frame):
    found = tables.network_entropy(uneven(frame[0], "entropy", [4, 4, 4, 4, 4, 0.4])).iloc[0]
    assert (found["low"] > 1, found["decided_by"]) == (True, "p0, p1, p2, p3 and p4")


def network(mean, low, high, name="net", decided=""):
    row = {"condition": name, "mean": mean, "low": low, "high": high}
    return row | {"clusters": 8, "decided_by": decided}


def test_networks_are_nearer_or_further_than_their_raters():
    def say(*rows):
        return words.network_sentence(pd.DataFrame(rows), 3)

    def two(sign):
        ends = [sorted((3 + sign * k / 2, 3 + sign * 2 * k)) for k in (0.5, 1)]
        return say(*(network(sum(e) / 2, *e, str(k)) for k, e in enumerate(ends)))

    both_ways(
        two,
        "**Every network is nearer to the truth than the mean of its 3 raters.**",
        "**No network is as near to the truth as the mean of its 3 raters.**",
    )
    mixed = say(network(5, 4, 6, "a"), network(1, 0.5, 2, "b"), network(3, 2, 4, "c"))
    assert mixed == (
        "**To the truth, 1 of 3 is nearer and 1 of 3 is further than the mean of its 3 raters; "
        "1 can't be told.** Over 3 ways of training and sampling, a network is as near as the "
        "mean of 1.0 (95 % CI 0.5 to 2.0) to 5.0 (4.0 to 6.0) raters would be (effective number)."
    )
    assert say(network(5, 4, 6, decided="s1")) == (
        "**Whether a network is nearer to the truth than the mean of its 3 raters can't be told.** "
        "It is as near as the mean of 5.0 (95 % CI 4.0 to 6.0) raters would be."
    )
    floor = network(109.4, 100, 120, panels.GRID)
    assert say(floor) == words.NO_NETWORK
    found = words.grid_sentence(pd.DataFrame([network(1, 1, 1), network(5.47, 4, 6), floor]))
    assert "make 5.0 % of the best network's error (an effective number of 109 raters)" in found
    assert words.grid_sentence(pd.DataFrame([network(5, 4, 6)])) == ""


def test_networks_are_too_sure_or_too_uncertain(frame):
    table, _ = frame
    shares = tables.entropy_shares(table)
    seen = shares.set_index(["what", "raters"]).loc[("measured", 3), "mean"] / 100
    found = tables.network_entropy(table)
    assert found[["condition", "mean", "clusters"]].to_numpy().tolist() == [["net", 0.5, 6]]
    assert found["without_high"].item() == pytest.approx(0.5)

    def say(sign):
        return words.entropy_sentence(found.assign(low=1 + sign / 2, high=1 + sign / 2), shares, 3)

    said = both_ways(say, "All are too uncertain:", "All are too sure:")
    assert said.endswith(f"entropy is 0.5 (95 % CI 1.5 to 1.5) times the true one. "
                         f"3 raters show {seen:.2f} of it.")  # fmt: skip
    more = [network(0.5, 0.4, 0.6), network(2, 1.5, 3), network(1.7, 1.2, 3, decided="s1")]
    said = words.entropy_sentence(pd.DataFrame(more), shares, 1)
    told = "1 of 3 is too uncertain, 1 of 3 is too sure and 1 of 3 is not told apart"
    assert said.startswith(told)
    assert "0.5 (95 % CI 0.4 to 0.6) to 2.0 (1.5 to 3.0) times the true one. 1 rater shows" in said


def test_errors_fall_with_the_number_of_raters():
    def say(sign, few=3, staple=1):
        falls = [3.3, 3.3 - sign, 3.3 - 2 * sign * staple]
        falls = dict(zip((panels.SOFT, panels.MAJORITY, panels.STAPLE), falls, strict=True))
        rows = [
            {"condition": name, "raters": raters, "mean": level * (fall if raters == few else 1)}
            for level, (name, fall) in zip((2, 1, 4), falls.items(), strict=True)
            for raters in (few, 10)
        ]
        return words.recovery_sentence(pd.DataFrame(rows), few)

    said = both_ways(
        say,
        "falls 3.3 times (3.3 expected, as 1/*R*), that of the majority vote 2.3 times and that of "
        "STAPLE's posterior 1.3 times: settling on one class stays wrong however many vote. "
        "With 3 raters the majority vote is nearest.",
        "vote 4.3 times and that of STAPLE's posterior 5.3 times. With 3 raters the majority vote",
    )
    assert said.startswith("From 3 raters to 10, the error of their mean (the soft label) falls")
    assert "settling" not in say(1, staple=-1)
    assert say(1, 1).endswith("With 1 rater all three are what that rater said.")


def test_sentences_say_what_the_numbers_say(frame):
    table, _ = frame
    shares = tables.entropy_shares(table)
    own = shares.set_index(["what", "raters"])["mean"]
    said = words.bias_sentence(shares, 3)
    assert said.startswith(f"3 raters see {own['measured', 3]:.1f} % (95 % CI")
    expected = f"Expected of 3 raters: {own['expected, exactly', 3]:.1f} %"
    assert words.correction_sentence(shares, 3).startswith(expected)
    assert f"; 4 see {own['measured', 4]:.1f} % (" in said
    assert words.bias_sentence(shares, 1).startswith("1 rater sees 0.0 % (")
    far = shares.assign(mean=shares["mean"].where(shares["what"] != words.EXACTLY, 99.0))
    assert "99.0 %, outside the interval, which" in words.correction_sentence(far, 3)
    effective, entropies = tables.effective_raters(table, 3), tables.network_entropy(table)
    assert words.answer(effective, shares, 3).endswith(said)
    assert words.found_sentence(effective, entropies, shares, 3).count("- ") == 3


def test_a_correction_is_too_little_or_too_much():
    def say(sign):
        row = {"raters": 3, "mean": 100 + 20 * sign}
        row |= dict(zip(("low", "high"), sorted((100 + 10 * sign, 100 + 30 * sign)), strict=True))
        names = (words.MEASURED, words.EXACTLY, words.CORRECTED)
        return words.correction_sentence(pd.DataFrame([row | {"what": n} for n in names]), 3)

    said = both_ways(say, "which is too much", "which is still too little")
    assert "they see 120.0 % (95 % CI 110.0 to 130.0), which" in said


def test_tables_leave_background_out_and_have_the_raters_beside(frame):
    table, truths = frame
    brier = tables.recovery_table(table).set_index(["raters", "condition"])
    expected = np.mean([t.variance[1:].mean() / 2 for t in truths])
    assert brier.loc[(2, panels.EXPECTED), "mean"] == pytest.approx(1e3 * expected)
    assert brier.loc[(2, panels.EXPECTED), "clusters"] == 6
    found = tables.network_table(table, 3).set_index(["condition", "measure"])["mean"]
    true = np.mean([t.entropy.mean() for t in truths])
    assert found["net", "entropy bias"] == pytest.approx(-500 * true)
    soft = brier.loc[(3, panels.SOFT), "mean"]
    assert found["soft label of 3 raters", "Brier"] == pytest.approx(soft)


def test_raters_who_never_disagree_have_nothing_to_underestimate(tools):
    sure = known(np.eye(2)[:, :, None], np.tile([[0], [1]], (3, 1, 1)))
    table = panels.truth_frame([sure], tools.data(np.zeros((1, 3, 2, 1)), classes=2), most=3)
    shares = tables.entropy_shares(table)
    assert shares["mean"].isna().all()
    assert words.bias_sentence(shares, 3) == words.correction_sentence(shares, 3) == words.SURE


def test_curves_and_views_for_figures(frame, tools, drawn):
    from paraspine import figures

    table, _ = frame
    curves = tables.recovery_curves(table)
    figure = figures.small_multiples(
        curves, "raters", group="condition", panel="measure", columns=1, x_title="raters",
        title="t",        theory=panels.THEORY, same_scale=False, source="made by hand",
    )  # fmt: skip
    assert len(figure.data) == curves.groupby(["measure", "condition"]).ngroups
    data, truth = drawn
    (view,) = words.truth_views(data, truth, [0], [3, 10])
    assert list(view.maps) == ["entropy of 3 raters", "entropy of 10 raters", "true entropy"]
    assert view.labels.shape[0] == 3
    assert "150 raters" in words.population_sentence(truth, data)
