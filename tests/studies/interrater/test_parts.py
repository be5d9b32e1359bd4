"""What changes where predictive entropy is taken apart, against SciPy and scikit-learn."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.linear_model import LinearRegression
from sklearn.metrics import average_precision_score
from statsmodels.stats.multitest import multipletests

from paraspine import frames, statistics
from paraspine.evidence import comparisons, conditions
from paraspine.fusion import majority_vote
from paraspine.studies.interrater import detection, parts, tables

FEW = {"resamples": 200}
PARTS = ("expected_entropy", "mutual_information")


@pytest.fixture(scope="module")
def study(tools):
    """Dropout and augmentation of one network on 12 images of 6 subjects, and one pass."""
    rng = np.random.default_rng(3)
    data = tools.data(rng.integers(0, 3, (12, 3, 6, 6)), subject=np.repeat(list("abcdef"), 2))
    sampled, moments = [], {}
    for method in ("dropout", "tta", "single"):
        mean = rng.dirichlet([0.6] * 3, (12, 6, 6)).transpose(0, 3, 1, 2).astype(np.float32)
        entropy = -(mean * np.log(np.maximum(mean, 1e-30))).sum(axis=1)
        share = rng.uniform(0.2, 0.9, entropy.shape)
        several = method != "single"
        moments[method] = tools.moments(mean, entropy * share, samples=5 if several else 1)
        frame = frames.prediction_frame(data, moments[method])
        arrays = frames.error_arrays(data, moments[method])
        sampled.append(tools.Sampled(frame, arrays, method=method))
    return data, moments, sampled, conditions.join(sampled, "measures.parquet")


def images_of(frame, method):
    images = conditions.wide(frame)
    return images[images["method"] == method].set_index("image")


def test_change_of_r_is_scipys(study):
    frame = study[3]
    table = parts.correlation_changes(frame, **FEW).set_index(["condition", "score"])
    assert len(table) == 4  # of dropout and augmentation; one pass has no parts
    for method in ("dropout", "tta"):
        own = images_of(frame, method)
        whole = stats.pearsonr(own["gt_entropy"], own["entropy"])[0]
        for part in PARTS:
            row = table.loc[f"unet, majority, {method}", part]
            expected = stats.pearsonr(own["gt_entropy"], own[part])[0] - whole
            assert row["mean"] == pytest.approx(expected)
            assert row["low"] < row["high"]


def test_interval_of_a_change_of_r_equals_a_plain_loop(study):
    """The same draws of subjects for both sides, so that the difference is a paired one."""
    from paraspine.statistics import cluster_weights

    own = images_of(study[3], "dropout")
    subjects = own["subject"].to_numpy()
    drawn = cluster_weights(subjects, 200)
    changes = []
    for weights in drawn.weights:
        rows = np.repeat(np.arange(len(own)), weights[drawn.codes])
        gt, whole, part = own[["gt_entropy", "entropy", PARTS[0]]].to_numpy()[rows].T
        changes.append(stats.pearsonr(gt, part)[0] - stats.pearsonr(gt, whole)[0])
    table = parts.correlation_changes(study[3], **FEW)
    row = table.iloc[0]
    rarer = min(np.sum(np.array(changes) <= 0), np.sum(np.array(changes) >= 0))
    floor = 2.0 ** (1 - len(drawn.labels))  # that few subjects could all lie on one side by chance
    assert row["p"] == pytest.approx(min(1, max(floor, 2 * (rarer + 1) / (len(changes) + 1))))
    adjusted = multipletests(table["p"], method="holm")[1]
    assert table["p_holm"].to_numpy() == pytest.approx(adjusted)
    assert (row["score"], row["low"]) == (PARTS[0], pytest.approx(np.quantile(changes, 0.025)))
    assert row["high"] == pytest.approx(np.quantile(changes, 0.975))


def test_change_of_the_share_explained_is_scikit_learns(study):
    frame = study[3]
    table = parts.partition_changes(frame, **FEW).set_index("score")
    own, other = images_of(frame, "dropout"), images_of(frame, "tta")["entropy"]

    def explained(part):
        x = np.column_stack([own[part], other.reindex(own.index)])
        return LinearRegression().fit(x, own["gt_entropy"]).score(x, own["gt_entropy"])

    for part in PARTS:
        expected = 100 * (explained(part) - explained("entropy"))
        assert table.loc[part, "mean"] == pytest.approx(expected)
    assert set(table["condition"]) == {"unet, majority, dropout"}


def test_change_of_average_precision_is_scikit_learns(study):
    data, moments, sampled, _ = study
    errors = detection.detection_table(detection.detectors(sampled), **FEW)
    table = parts.detection_changes(errors).set_index(["condition", "score"])
    assert len(table) == 4
    vote = np.stack([majority_vote(item, 3) for item in data.labels])
    subjects = data.table["subject"].drop_duplicates().to_numpy()
    for method in ("dropout", "tta"):
        found = moments[method]
        wrong = (found.mean.argmax(axis=1) != vote).ravel()
        entropy = -(found.mean * np.log(np.maximum(found.mean, 1e-30))).sum(axis=1)
        scores = {PARTS[0]: found.expected_entropy, PARTS[1]: entropy - found.expected_entropy}
        whole = average_precision_score(wrong, entropy.ravel())
        for part, score in scores.items():
            row = table.loc[f"unet, majority, {method}", part]
            change = average_precision_score(wrong, score.ravel()) - whole
            assert row["mean"] == pytest.approx(change, abs=2e-5)
            assert row["low"] <= row["high"]
            if method == "dropout":
                again = []
                for weights in statistics.cluster_weights(subjects, 200).weights:
                    chosen = np.repeat(np.arange(len(data)), np.repeat(weights, 2))
                    drawn = [
                        a.reshape(len(data), -1)[chosen].ravel() for a in (wrong, score, entropy)
                    ]
                    one, other = (average_precision_score(drawn[0], s) for s in drawn[1:])
                    again.append(one - other)
                expected = statistics.bootstrap_p(again, clusters=6)
                assert row["p"] == pytest.approx(expected, abs=0.03)
                assert (row["low"], row["high"]) == pytest.approx(
                    statistics.percentile_interval(again), abs=1e-3
                )
    assert (table["p_holm"] >= table["p"]).all()


def test_a_part_that_is_the_whole_changes_nothing(study, tools):
    """Then both sides of every resample are the same, and so are the ends of the interval."""
    data, moments, _, _ = study
    mean = moments["dropout"].mean
    entropy = -(mean * np.log(np.maximum(mean, 1e-30))).sum(axis=1)
    same = tools.moments(mean, entropy, samples=5)
    runs = [
        tools.Sampled(
            frames.prediction_frame(data, same), frames.error_arrays(data, same), method=m
        )
        for m in ("dropout", "tta")
    ]
    frame = conditions.join(runs, "measures.parquet")
    errors = detection.detection_table(detection.detectors(runs), **FEW)
    for table in (
        parts.correlation_changes(frame, **FEW),
        parts.partition_changes(frame, **FEW),
        parts.detection_changes(errors),
    ):
        row = table[table["score"] == PARTS[0]].iloc[0]
        assert row[["mean", "low", "high"]].tolist() == pytest.approx([0, 0, 0], abs=1e-4)


def test_without_disagreement_or_samples_there_is_nothing(study, tools):
    frame = study[3]
    silent = frame[frame["measure"] != "gt_entropy"]
    single = frame[frame["method"] == "single"]
    for given in (silent, single):
        assert parts.correlation_changes(given, **FEW).empty
        assert parts.partition_changes(given, **FEW).empty
    one = conditions.join([tools.Sampled(arrays={}, frame=single)], "measures.parquet")
    assert parts.correlation_changes(one, **FEW).empty


# --- Table 4: both means with intervals, an ensemble with its kind ---------------------------


def test_means_of_a_comparison_have_intervals_and_ensembles_their_kind(tools):
    rng = np.random.default_rng(0)
    data = tools.data(rng.integers(0, 3, (6, 3, 6, 6)), subject=list("aabbbc"))
    runs = []
    for model in ("unet", "transunet"):
        mean = rng.dirichlet([0.6] * 3, (6, 6, 6)).transpose(0, 3, 1, 2)
        frame = frames.prediction_frame(data, tools.moments(mean, samples=2))
        runs.append(tools.Sampled(frame, model=model, method="ensemble", members=[0, 1, 2]))
    frame = conditions.join(runs, "measures.parquet")
    table = tables.comparison_table(frame, **FEW)
    assert set(table["trained"]) == {"majority, ensemble of 3 seeds"}
    dice = frames.rows(frame, "dice").dropna(subset="value")
    wide = dice.set_index(["subject", "image", "class", "model"])["value"].unstack("model").dropna()
    by_subject = tables.comparison_table(frame, by_subject=True, **FEW)
    for _, row in table.iterrows():
        pairs = wide.xs(row["class"], level="class")
        assert row["mean_a"] == pytest.approx(pairs[row["a"]].mean())
        assert row["mean_a_low"] <= row["mean_a"] <= row["mean_a_high"]
        same = by_subject[by_subject["class"] == row["class"]].iloc[0]
        means = pairs.groupby("subject").mean()
        assert same["mean_b"] == pytest.approx(means[row["b"]].mean())
        assert same["mean_a"] - same["mean_b"] == pytest.approx(same["difference"])
        # Every interval is of resampled subjects, by image and by subject.
        for line, part in ((row, pairs), (same, means)):
            change = part[row["a"]] - part[row["b"]]
            subjects = change.index.get_level_values("subject").to_numpy()
            expected = statistics.mean_interval(change.to_numpy(), subjects, **FEW)
            assert (line["low"], line["high"]) == pytest.approx((expected.low, expected.high))

            ends = np.array([line["effect_low"], line["effect_high"]])
            assert np.isnan(ends).all() or ends[0] < line["effect"] < ends[1]
    shown = tables.comparison_display(table, source="made by hand")
    assert shown.columns.name == "made by hand"
    for column in ("a: mean", "a - b", "effect, d"):
        assert shown[column].str.contains("95 % CI").all()
    assert list(shown["pairs"]) == list(table["n"])
    assert "left out in all" not in comparisons.comparison_sentence(table)
    words = comparisons.comparison_sentence(table.assign(dropped=[1, *[0] * (len(table) - 1)]))
    assert "1 pair is left out in all, where Dice is undefined for one of the two" in words
    empty = tables.comparison_table(frame[frame["model"] == "unet"], **FEW)
    assert tables.comparison_display(empty, source="x").empty
    assert isinstance(empty, pd.DataFrame)
