"""Tables of chapter 5, against SciPy, scikit-learn and statsmodels."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.linear_model import LinearRegression
from statsmodels.stats.multitest import multipletests

from paraspine import frames, statistics
from paraspine.evidence import conditions
from paraspine.studies.interrater import tables

SUBJECTS = np.repeat(list("abcdefg"), [2, 1, 3, 2, 2, 1, 2])


@pytest.fixture(scope="module")
def study(tools):
    """Two networks on 13 images of 7 subjects, each by one pass, dropout and augmentation."""
    rng = np.random.default_rng(3)
    data = tools.data(rng.integers(0, 3, (13, 3, 5, 6)), subject=SUBJECTS)
    sampled = []
    for model in ("unet", "transunet"):
        for fusion in ("majority", "random"):
            for method in ("single", "dropout", "tta"):
                mean = rng.dirichlet([0.6] * 3, (13, 5, 6)).transpose(0, 3, 1, 2)
                entropy = -(mean * np.log(np.maximum(mean, 1e-30))).sum(axis=1)
                several = method != "single"
                expected = entropy * rng.uniform(0.2, 0.9, entropy.shape)
                moments = tools.moments(mean, expected, samples=5 if several else 1)
                frame = frames.prediction_frame(data, moments)
                keys = {"model": model, "fusion": fusion, "method": method}
                sampled.append(tools.Sampled(frame, **keys))
    return data, conditions.join(sampled, "measures.parquet")


@pytest.fixture(scope="module")
def correlations(study):
    return tables.correlation_table(study[1])


def images_of(frame, condition):
    images = conditions.wide(frame)
    return images[images["condition"] == condition].set_index("image")


FIRST = "U-Net, majority vote, test-time dropout"
OTHER = "U-Net, majority vote, test-time augmentation"


# --- means -----------------------------------------------------------------------------------


def test_overlap_sets_the_raters_beside_the_networks(study, tools):
    data, frame = study
    table = tables.overlap_table(frame, data)
    assert list(dict.fromkeys(table["condition"])) == [
        *conditions.conditions(frame), "raters, in pairs"
    ]  # fmt: skip
    expected = frames.rows(frames.rater_frame(data), "pairwise_dice")
    expected = expected.groupby("class")["value"].mean().to_dict()
    found = table[table["condition"] == "raters, in pairs"].set_index("class")["mean"]
    assert found.to_dict() == pytest.approx(expected)
    alone = tools.data(data.labels[:, :1], subject=SUBJECTS)
    assert "raters, in pairs" not in set(tables.overlap_table(frame, alone)["condition"])


def test_brier_score_by_hand(tools):
    data = tools.data([[[[1, 1], [0, 2]], [[1, 0], [0, 2]], [[1, 0], [0, 0]]]] * 2)
    moments = tools.moments(tools.one_hot([[[1, 1], [0, 0]], [[1, 0], [0, 2]]]))
    run = tools.Sampled(frames.prediction_frame(data, moments))
    table = tables.brier_table(conditions.join([run], "measures.parquet")).set_index("class")
    assert list(table.index) == ["MF", "ES"]  # not background
    # MF: (2/3)² / 4 and (1/3)² / 4; ES: (2/3)² / 4 and (1/3)² / 4; times a thousand.
    assert table["mean"].to_dict() == pytest.approx({"MF": 1000 * 5 / 72, "ES": 1000 * 5 / 72})


def test_entropy_over_gt_entropy(study):
    _, frame = study
    gap = tables.gap_table(frame).set_index("condition")
    assert gap.index.tolist() == conditions.conditions(frame)
    own = images_of(frame, FIRST)
    assert gap.loc[FIRST, "value"] == pytest.approx(own["entropy"].sum() / own["gt_entropy"].sum())
    others = own[own["subject"] != gap.loc[FIRST, "moved_by"]]
    ratio = others["entropy"].sum() / others["gt_entropy"].sum()
    assert gap.loc[FIRST, "moved_to"] == pytest.approx(ratio)
    assert gap.loc[FIRST, "low"] < gap.loc[FIRST, "value"] < gap.loc[FIRST, "high"]
    silent = frame[frame["measure"] != "gt_entropy"]
    assert tables.gap_table(silent).empty


# --- correlation -----------------------------------------------------------------------------


def test_correlations_are_scipys(study, correlations):
    (_, frame), table = study, correlations
    rows = table.set_index(["condition", "score", "kind"])
    assert list(dict.fromkeys(table["condition"])) == conditions.conditions(frame)
    assert len(table) == 3 * (4 + 3 * 8)  # one pass has no parts
    for name in (FIRST, "TransUNet, random rater, one pass"):
        own = images_of(frame, name)
        means = own.groupby("subject")[["gt_entropy", "entropy"]].mean()
        for kind, function, part, n in (
            ("pearson", stats.pearsonr, own, 13),
            ("spearman", stats.spearmanr, own, 13),
            ("by subject", stats.pearsonr, means, 7),
        ):
            row = rows.loc[name, "entropy", kind]
            assert row["r"] == pytest.approx(function(part["gt_entropy"], part["entropy"])[0])
            assert (row["n"], row["clusters"]) == (n, 7)


def test_p_is_adjusted_over_the_conditions_of_a_kind_and_score(correlations):
    for (score, _), part in correlations.groupby(["score", "kind"]):
        assert len(part) == (12 if score == "entropy" else 8)
        expected = multipletests(part["p"], method="holm")[1]
        np.testing.assert_allclose(part["p_holm"], expected)


def test_r_without_one_subject(study, correlations):
    (_, frame), table = study, correlations
    row = table[(table["condition"] == FIRST) & (table["kind"] == "pearson")].iloc[0]
    own = images_of(frame, FIRST)
    left = {
        s: stats.pearsonr(*own[own["subject"] != s][["gt_entropy", "entropy"]].T.to_numpy())[0]
        for s in "abcdefg"
    }
    assert (row["without_low"], row["without_high"]) == pytest.approx(
        (min(left.values()), max(left.values()))
    )
    assert row["moved_by"] == max(left, key=lambda s: abs(left[s] - row["r"]))
    assert row["moved_to"] == pytest.approx(left[row["moved_by"]])
    assert table.loc[table["kind"] != "pearson", "without_low"].isna().all()


def test_without_gt_entropy_there_is_no_correlation(study, tools):
    _, frame = study
    unknown = frame.assign(value=frame["value"].where(frame["measure"] != "gt_entropy"))
    for given in (frame[frame["measure"] != "gt_entropy"], unknown):
        table = tables.correlation_table(given)
        assert table.empty
        assert {"condition", "score", "kind", "r", "low", "p_holm", "moved_by"} <= set(table)


# --- differences -----------------------------------------------------------------------------


def network(values, fusion="majority", model="unet", seed=0, background=0.0, method="single"):
    """Two structures of one slice a subject, and the background."""
    lines = []
    for s, value in enumerate(values):
        place = {"subject": f"p{s}", "image": f"{s}.nii", "slice": 0}
        for name, v in (("background", background), ("MF", value), ("ES", 3 * value)):
            lines.append(place | {"class": name, "measure": "brier", "value": v})
            if name != "background":
                lines.append(place | {"class": name, "measure": "dice", "value": 1 - v})
    own = {"model": model, "fusion": fusion, "seed": seed, "method": method}
    return pd.DataFrame(lines).assign(**own, condition=f"{model}, {fusion}, {seed}, {method}")


def differences(*networks, measure="brier"):
    return tables.difference_table(pd.concat(networks, ignore_index=True), measure)


LOW, HIGH = np.full(7, 0.01), np.linspace(0.02, 0.03, 7)


def test_differences_are_scipys_over_the_mean_of_structures_and_seeds():
    rng = np.random.default_rng(0)
    values, every = {}, []
    for model in ("unet", "transunet"):
        for fusion in ("majority", "random"):
            values[model, fusion] = rng.random((2, 7))
            for seed, own in enumerate(values[model, fusion]):
                every.append(network(own, fusion, model, seed, background=rng.random()))
    table = differences(*every)
    assert table[["compared", "model", "fusion", "a", "b"]].to_numpy().tolist() == [
        ["architectures", "", "majority", "unet", "transunet"],
        ["architectures", "", "random", "unet", "transunet"],
        ["targets", "unet", "", "random", "majority"],
        ["targets", "transunet", "", "random", "majority"],
    ]
    sides = [(("unet", f), ("transunet", f)) for f in ("majority", "random")]
    sides += [((m, "random"), (m, "majority")) for m in ("unet", "transunet")]
    for row, (a, b) in zip(table.to_dict("records"), sides, strict=True):
        # Structures have 1 and 3 times the value: on average twice.
        one, other = (2 * values[side].mean(axis=0) for side in (a, b))
        change = one - other
        assert row["mean_a"] == pytest.approx(one.mean())
        assert row["difference"] == pytest.approx(change.mean())
        assert row["effect"] == pytest.approx(change.mean() / change.std(ddof=1))
        assert row["p"] == pytest.approx(stats.ttest_rel(one, other).pvalue)
        assert row["p_subject"] == pytest.approx(row["p"])  # one slice a subject
        assert row["low"] < row["difference"] < row["high"]
        assert (row["n"], row["subjects"]) == (7, 7)
        left = [np.delete(change, k).mean() for k in range(7)]
        assert (row["without_low"], row["without_high"]) == pytest.approx((min(left), max(left)))
    for _, part in table.groupby("compared"):
        for p, adjusted in (("p", "p_holm"), ("p_subject", "p_holm_subject")):
            expected = multipletests(part[p], method="holm")[1]
            assert part[adjusted].to_numpy() == pytest.approx(expected)


def test_slices_of_a_subject_count_once_by_subject():
    rng = np.random.default_rng(1)
    owner = {f"p{s}": f"p{s // 2}" for s in range(7)}
    both = [network(rng.random(7), "random"), network(rng.random(7))]
    both = [n.assign(subject=n["subject"].map(owner)) for n in both]
    row = differences(*both).iloc[0]
    brier = [n[(n["measure"] == "brier") & (n["class"] != "background")] for n in both]
    means = [n.groupby(["subject", "image"])["value"].mean() for n in brier]
    change = means[0] - means[1]
    assert row["p"] == pytest.approx(stats.ttest_1samp(change, 0).pvalue)
    pairs = change.groupby("subject").mean()
    assert row["p_subject"] == pytest.approx(stats.ttest_1samp(pairs, 0).pvalue)
    assert (row["n"], row["subjects"]) == (7, 4)


def test_background_and_images_with_an_undefined_structure_take_no_part():
    row = differences(network(LOW, "random", background=0.5), network(LOW)).iloc[0]
    assert (row["difference"], row["low"], row["high"]) == (0, 0, 0)
    lost = network(HIGH)
    lost.loc[(lost["measure"] == "dice") & (lost["class"] == "ES") & (lost["subject"] == "p6"),
             "value"] = np.nan  # fmt: skip
    row = differences(network(LOW, "random"), lost, measure="dice").iloc[0]
    assert row["n"] == 6
    assert row["mean_b"] == pytest.approx(1 - 2 * HIGH[:6].mean())


def test_targets_are_compared_with_the_majority_within_an_architecture():
    for apart in (
        [network(LOW, "random")],
        [network(LOW, "random"), network(HIGH, model="transunet")],
        [network(LOW, "random"), network(HIGH, "staple")],
        [network(LOW, "random", method="tta"), network(HIGH)],
    ):
        assert differences(*apart).empty
    three = differences(network(LOW, "random"), network(HIGH, "staple"), network(HIGH))
    assert three[["a", "b"]].to_numpy().tolist() == [["random", "majority"], ["staple", "majority"]]


def test_dice_of_each_structure_is_compared_with_intervals_over_subjects(study):
    _, frame = study
    table = tables.comparison_table(frame)
    assert set(table["trained"]) == {
        f"{target}, {how}"
        for target in ("majority vote", "random rater")
        for how in ("one pass", "test-time dropout", "test-time augmentation")
    }
    means = tables.comparison_table(frame, by_subject=True)
    dice = frames.rows(frame, "dice")
    dice = dice[(dice["fusion"] == "random") & (dice["method"] == "tta")]
    wide = dice.set_index(["subject", "image", "class", "model"])["value"].unstack("model").dropna()
    for name in ("MF", "ES"):
        pairs = wide.xs(name, level="class")
        change = pairs["unet"] - pairs["transunet"]
        for found, part in ((table, change), (means, change.groupby("subject").mean())):
            chosen = found["trained"] == "random rater, test-time augmentation"
            row = found[chosen & (found["class"] == name)].iloc[0]
            subjects = part.index.get_level_values("subject")
            expected = statistics.mean_interval(part, subjects)
            assert (row["difference"], row["low"], row["high"]) == pytest.approx(
                (expected.value, expected.low, expected.high)
            )
            assert row["p"] == pytest.approx(stats.ttest_1samp(part, 0).pvalue)
    expected = multipletests(table["p"], method="holm")[1]
    np.testing.assert_allclose(table["p_holm"], expected)
    assert tables.comparison_table(frame[frame["model"] == "unet"]).empty


# --- variance explained ----------------------------------------------------------------------


def test_the_share_explained_is_scikit_learns(study):
    _, frame = study
    table = tables.partition_table(frame)
    assert table["epistemic"].nunique() == 4
    own, other = images_of(frame, FIRST), images_of(frame, OTHER)["entropy"]
    other = other.reindex(own.index).to_numpy()
    y = own["gt_entropy"].to_numpy()

    def explained(*columns):
        x = np.column_stack(columns)
        return 100 * LinearRegression().fit(x, y).score(x, y)

    rows = table[(table["epistemic"] == FIRST) & (table["aleatoric"] == OTHER)]
    rows = rows.set_index(["score", "part"])["mean"]
    for score in tables.SCORES:
        assert rows[score, "epistemic"] == pytest.approx(explained(own[score]))
        assert rows[score, "aleatoric"] == pytest.approx(explained(other))
        assert rows[score, "joint"] == pytest.approx(explained(own[score], other))


def test_the_share_explained_without_one_subject(study):
    _, frame = study
    table = tables.partition_table(frame)
    own, other = images_of(frame, FIRST), images_of(frame, OTHER)["entropy"]
    own = own.assign(other=other.reindex(own.index))
    rows = table[(table["epistemic"] == FIRST) & (table["score"] == "entropy")].set_index("part")
    for part, columns in (
        ("epistemic", ["entropy"]), ("aleatoric", ["other"]), ("joint", ["entropy", "other"])
    ):  # fmt: skip
        left = []
        for subject in "abcdefg":
            rest = own[own["subject"] != subject]
            x, y = rest[columns], rest["gt_entropy"]
            left.append(100 * LinearRegression().fit(x, y).score(x, y))
        found = (rows.loc[part, "without_low"], rows.loc[part, "without_high"])
        assert found == pytest.approx((min(left), max(left)))
    assert np.isnan(rows.loc["shared", "without_low"])


def test_sources_are_paired_by_network_and_seed(tools):
    runs = [
        tools.Sampled(pd.DataFrame({"value": [0]}), seed=seed, method=method, members=[0, 1])
        for seed, methods in ((0, ["tta", "dropout", "ensemble"]), (1, ["dropout"]), (2, ["tta"]))
        for method in methods
    ]
    found = tables.sources_of_uncertainty(conditions.join(runs, "x"))
    assert found["seed"].tolist() == [0, 0]
    assert found["aleatoric"].str.endswith("seed 0, test-time augmentation").all()
    assert [name.split(", ")[-1] for name in found["epistemic"]] == [
        "test-time dropout", "ensemble of 2 seeds"
    ]  # fmt: skip


def test_best_dice_of_every_training():
    class Run:
        def __init__(self, **parameters):
            self.parameters = {"model": "unet", "fusion": "majority"} | parameters

        def read_json(self, name):
            assert name == "inputs.json"
            kinds = {name: {"kind": "run"} for name in self.parameters["inputs"]}
            return {"inputs": kinds | {"cohort.csv": {"kind": "cohort"}}}

        def read_frame(self, name):
            assert name == "history.parquet"
            return pd.DataFrame({"validation_dice": self.parameters["dice"]})

    trained = {"one": Run(seed=1, dice=[0.25, 0.75, 0.5]), "two": Run(seed=2, dice=[0.5, 0.125])}
    sampled = [Run(inputs=["two", "one"]), Run(inputs=["one"])]
    table = tables.training_table(sampled, trained.get)
    assert table[["seed", "dice"]].to_numpy().tolist() == [[2, 0.5], [1, 0.75]]
