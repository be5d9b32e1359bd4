"""Which map ranks voxels by disagreement: hand-worked answers, scikit-learn and SciPy as judges."""

import types

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import average_precision_score

from paraspine import fusion, maps
from paraspine.studies.multitask import maps as multitask_maps
from paraspine.studies.multitask import ranking
from paraspine.studies.multitask import words as multitask_words

FEW = {"resamples": 100}


@pytest.fixture
def data(tools):
    rng = np.random.default_rng(0)
    labels = np.zeros((3, 3, 12, 12), int)
    labels[:, :, 3:8, 3:8] = 1
    labels[:2, 1, 8, 3:8] = 1  # a rater draws a row more
    labels[:2, 2, 3:8, 8] = 2
    return tools.data(labels, level=["L4", "L5", "S1"], seed=list(rng.random(3)))


@pytest.fixture
def wanted(data):
    return np.stack([fusion.variance_map(own, 3) for own in data.labels])


@pytest.fixture
def scores(tools, data, wanted):
    rng = np.random.default_rng(1)
    mean = rng.dirichlet((1, 1, 1), size=(3, 12, 12)).transpose(0, 3, 1, 2)
    moments = tools.moments(mean)
    joint = types.SimpleNamespace(moments=moments, variance=wanted)
    alone = {("unet", way): (moments, s) for way, s in (("single", 1), ("dropout", 5))}
    alone["unet", "ensemble"] = (moments, 4.0)
    return multitask_maps.scores_of({"multitask_unet": (joint, 2.0)}, alone, 10, 4)


def test_maps_and_costs(data, wanted, scores):
    assert [s.who for s in scores] == [
        "U-Net, predicted variance",
        "U-Net, entropy of one pass",
        "U-Net, entropy with dropout",
        "U-Net, entropy of an ensemble of 4",
    ]
    assert [(s.passes, s.trainings) for s in scores] == [(1, 1), (1, 1), (10, 1), (4, 4)]
    np.testing.assert_allclose(scores[0].array, wanted.sum(axis=1))
    cost = multitask_maps.cost_table(scores, 4)
    assert cost["milliseconds"].tolist() == [500, 250, 1250, 1000]
    assert cost["times"].tolist() == [1, 0.5, 2.5, 2]
    words = multitask_words.cost_sentence(cost)
    assert "U-Net: 500.0 ms, entropy of one pass 0.5 times as long" in words


def test_ranking_is_scikit_learns_and_scipys(data, wanted, scores):
    frame = ranking.rank_frame(data, scores, wanted)
    frame = frame.set_index(["condition", "subject", "measure"]).sort_index()
    for score in scores:
        for item in (0, 1):
            torn = np.ptp(data.labels[item], axis=0) > 0
            own = frame.loc[(score.who, f"p{item}")]["value"]
            expected = average_precision_score(torn.ravel(), score.array[item].ravel())
            assert own["average_precision"] == pytest.approx(expected, abs=1e-6)
            r = stats.pearsonr(score.array[item].ravel(), wanted[item].sum(axis=0).ravel())
            assert own["correlation"] == pytest.approx(r.statistic, abs=1e-6)
            assert own["prevalence"] == pytest.approx(10 / 144)
    mine = frame.loc[("U-Net, predicted variance", "p0")]["value"]
    assert mine["correlation"] == pytest.approx(1)
    agreed = frame.xs("p2", level="subject")["value"]  # nobody differs: nothing to rank
    assert np.isnan(agreed.xs("average_precision", level="measure")).all()
    assert np.isnan(agreed.xs("correlation", level="measure")).all()


def test_images_of_one_rater_are_left_out(tools, data, wanted, scores):
    rated = np.array([[1, 1, 1], [1, 0, 0], [1, 1, 1]])
    alone = tools.data(data.labels, rated)
    frame = ranking.rank_frame(alone, scores, np.where(rated.sum(1)[:, None, None, None] > 1,
                                                       wanted, np.nan))  # fmt: skip
    assert set(frame["subject"]) == {"p0", "p2"}


def test_tables_and_differences(data, wanted, scores):
    frame = ranking.rank_frame(data, scores, wanted)
    table = ranking.ranking_table(frame, **FEW)
    apart = ranking.ranking_difference(frame, **FEW)
    assert len(table) == 8
    assert len(apart) == 6
    own = table.set_index(["condition", "measure"])["mean"]
    for row in apart.to_dict("records"):
        expected = own[row["condition"], row["measure"]]
        expected -= own["U-Net, predicted variance", row["measure"]]
        assert row["mean"] == pytest.approx(expected)
    assert ranking.prevalence_of(frame) == pytest.approx(20 / 432)
    shown = ranking.pretty_ranking(table, apart, multitask_maps.cost_table(scores, 3), "made up")
    assert (
        shown.loc["U-Net, predicted variance", "average precision: minus predicted variance"] == ""
    )
    assert shown.loc["U-Net, entropy with dropout", "passes"] == 10
    assert "undefined" not in shown.to_string()


def differing(low, high, clusters=8):
    rows = [
        {"condition": who, "measure": m, "mean": (low + high) / 2, "low": low, "high": high,
         "clusters": clusters}
        for who in ("U-Net, entropy of one pass", "U-Net, entropy with dropout")
        for m in ("average precision", "Pearson's r")
    ]  # fmt: skip
    return pd.DataFrame(rows)


def means():
    rows = [
        {"condition": who, "measure": m, "mean": 0.5, "low": 0.4, "high": 0.6}
        for who in ("U-Net, predicted variance", "variance of the cohort's 3 raters")
        for m in ("average precision", "Pearson's r")
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("interval", "words"),
    [
        ((0.1, 0.2), "is worse than entropy of one pass and entropy with dropout"),
        ((-0.2, -0.1), "is better than entropy of one pass and entropy with dropout"),
        ((-0.1, 0.1), "is not told apart from entropy of one pass and entropy with dropout"),
        ((0.1, 0.2, 2), "is not told apart with 2 subjects from entropy of one pass"),
    ],
)
def test_worth_in_words(interval, words):
    found = multitask_words.worth_sentence(
        differing(*interval), means(), "the cohort's raters", 0.05
    )
    assert found.startswith("Against the cohort's raters: By average precision, 0.500")
    assert words in found
    assert "random map has an average precision of 0.050" in found


def test_words_where_nothing_is_known(tools, data, wanted, scores):
    nothing = ranking.crowd_frame(data, scores, None, wanted)
    table = ranking.ranking_table(nothing, **FEW)
    apart = ranking.ranking_difference(nothing, **FEW)
    assert table.empty
    assert apart.empty
    chance = ranking.prevalence_of(nothing)
    words = multitask_words.worth_sentence(apart, table, "raters in general", chance)
    assert words == "Left out: the disagreement of raters in general is not known here."
    assert multitask_words.few_raters_sentence(table, data).startswith("Left out")
    assert ranking.pretty_ranking(table, apart, None, "made up").empty
    alone = means().iloc[:2]
    words = multitask_words.worth_sentence(apart, alone, "the cohort's raters", 0.05)
    assert words.startswith("There is no single-task network")


def test_a_crowd_is_what_raters_in_general_say(tools, data, wanted, scores):
    many = np.repeat(data.labels[:, :1], 40, axis=1)
    many[0, :10, 8, 3:8] = 1  # a quarter of them draw a row more
    many[1, :3, 8, 3:8] = 1  # fewer than a tenth do
    crowd = tools.data(many, raters=[f"{r:03d}" for r in range(40)])
    frame = ranking.crowd_frame(data, scores, crowd, wanted)
    found = frame.set_index(["condition", "subject", "measure"])["value"].sort_index()
    raters = "variance of the cohort's 3 raters"
    assert found[raters, "p0", "prevalence"] == pytest.approx(5 / 144)
    assert found[raters, "p1", "prevalence"] == 0
    soft = np.stack([1 / (1 + np.exp(-fusion.signed_distance(m == 1))) for m in many[0]])
    true = soft.var(axis=0, ddof=1)  # unbiased of the population
    own = wanted[0].sum(axis=0)
    expected = np.corrcoef(true.ravel(), own.ravel())[0, 1]
    assert found[raters, "p0", "correlation"] == pytest.approx(expected, abs=1e-5)
    words = multitask_words.few_raters_sentence(ranking.ranking_table(frame, **FEW), data)
    assert "the map of the 3 raters whom the networks learned from has" in words


def test_entropies_are_those_of_the_moments(scores):
    assert scores[1].array.max() <= np.log(3) + 1e-9
    half = multitask_maps.scores_on(scores, np.array([True, False, True]))
    assert half[1].array.shape == (2, 12, 12)
    assert (half[1].array[1] == scores[1].array[2]).all()
    assert maps.entropy(np.full((3, 1), 1 / 3)).item() == pytest.approx(np.log(3))


def test_which_ways_and_networks_are_compared():
    members = {("unet", 0): "a", ("unet", 1): "b", ("unet", 2): "c"}
    ways = multitask_maps.compared_ways(members, ["tta", "dropout", "ensemble"])
    assert ways == [("unet", "single"), ("unet", "dropout"), ("unet", "ensemble")]
    assert multitask_maps.compared_ways(members, ["tta"]) == [("unet", "single")]
    assert multitask_maps.members_for("ensemble", "unet", members, [1, 2]) == ["b", "c"]
    assert multitask_maps.members_for("dropout", "unet", members, [1, 2]) == ["a"]


def test_some_slices(tools):
    labels = np.zeros((4, 1, 2, 2), int)
    data = tools.data(labels, subject=["a", "a", "b", "c"], level=["L4", "S1", "S1", "L4"])
    assert multitask_maps.some_of(data, 2, ["S1"]).tolist() == [False, True, True, False]
    assert multitask_maps.some_of(data, 2, ["L9"]).tolist() == [True, True, True, False]
    assert multitask_maps.some_of(data, 0, []).all()
    assert multitask_maps.some_of(tools.data(labels), 0, ["S1"]).all()
