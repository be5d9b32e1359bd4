"""Error detection and the parts of predictive entropy, against scikit-learn and plain loops."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import LinearRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from statsmodels.stats.multitest import multipletests

from paraspine import frames, statistics
from paraspine.evidence import conditions
from paraspine.fusion import majority_vote
from paraspine.studies.interrater import detection

PARTS = ("expected_entropy", "mutual_information")
DROPOUT, TTA, SINGLE = (
    f"U-Net, majority vote, {how}"
    for how in ("test-time dropout", "test-time augmentation", "one pass")
)
SUBJECTS = np.repeat(list("abcdef"), [1, 2, 3, 2, 2, 2])


@pytest.fixture(scope="module")
def study(tools):
    """Dropout, augmentation and one pass of one network on 12 images of 6 subjects."""
    rng = np.random.default_rng(3)
    data = tools.data(rng.integers(0, 3, (12, 3, 5, 6)), subject=SUBJECTS)
    sampled, moments = [], {}
    for name, method in ((DROPOUT, "dropout"), (TTA, "tta"), (SINGLE, "single")):
        mean = rng.dirichlet([0.6] * 3, (12, 5, 6)).transpose(0, 3, 1, 2).astype(np.float32)
        entropy = -(mean * np.log(np.maximum(mean, 1e-30))).sum(axis=1)
        share = rng.uniform(0.2, 0.9, entropy.shape)
        several = method != "single"
        moments[name] = tools.moments(mean, entropy * share, samples=5 if several else 1)
        frame = frames.prediction_frame(data, moments[name])
        arrays = frames.error_arrays(data, moments[name])
        sampled.append(tools.Sampled(frame, arrays, method=method))
    with statistics.set_defaults(resamples=200):
        table = detection.detection_table(detection.detectors(sampled))
    return data, moments, sampled, conditions.join(sampled, "measures.parquet"), table


@pytest.fixture(autouse=True)
def few():
    with statistics.set_defaults(resamples=200):
        yield


def scores_of(data, moments):
    """Which voxels are wrong, and each score of them, ``(12, voxels)``."""
    vote = np.stack([majority_vote(item, 3) for item in data.labels])
    entropy = -(moments.mean * np.log(np.maximum(moments.mean, 1e-30))).sum(axis=1)
    expected = moments.expected_entropy
    found = {"entropy": entropy, PARTS[0]: expected, PARTS[1]: entropy - expected}
    wrong = moments.mean.argmax(axis=1) != vote
    return wrong.reshape(12, -1), {k: v.reshape(12, -1) for k, v in found.items()}


def test_detection_is_scikit_learns(study):
    data, moments, _, _, table = study
    assert len(table) == 7
    rows = table.set_index(["condition", "score"])
    for name in (DROPOUT, SINGLE):
        wrong, scores = scores_of(data, moments[name])
        row, score = rows.loc[name, "entropy"], scores["entropy"]
        pooled = average_precision_score(wrong.ravel(), score.ravel())
        assert row["mean"] == pytest.approx(pooled, abs=2e-5)
        assert row["auroc"] == pytest.approx(roc_auc_score(wrong.ravel(), score.ravel()), abs=2e-5)
        assert row["prevalence"] == pytest.approx(wrong.mean())
        assert (row["voxels"], row["left_out"]) == (wrong.size, 0)
        each = [
            average_precision_score(wrong[s == SUBJECTS].ravel(), score[s == SUBJECTS].ravel())
            for s in "abcdef"
        ]
        assert row["by_subject"] == pytest.approx(np.mean(each), abs=2e-5)
        for measure in ("auroc", "prevalence", "by_subject"):
            assert row[f"{measure}_low"] < row[measure] < row[f"{measure}_high"], measure
        assert row["low"] < row["mean"] < row["high"]


def test_curves_end_at_the_prevalence(study):
    _, _, sampled, _, table = study
    curves = detection.detection_curves(detection.detectors(sampled), [TTA])
    recall, precision = curves[TTA]
    assert recall[-1] == 1
    chosen = table[table["condition"] == TTA]
    assert precision[-1] == pytest.approx(chosen["prevalence"].iloc[0])


def test_one_subject_gives_no_interval_and_unseen_voxels_are_counted(tools):
    rng = np.random.default_rng(0)
    data = tools.data(rng.integers(0, 3, (6, 3, 5, 4)), subject="p1")
    mean = rng.dirichlet([1] * 3, (6, 5, 4)).transpose(0, 3, 1, 2)
    mean[:, :, 0, 0] = np.nan
    arrays = frames.error_arrays(data, tools.moments(mean, samples=3))
    table = detection.detection_table(detection.detectors([tools.Sampled(arrays=arrays)]))
    assert len(table) == 3
    assert table[["low", "high"]].isna().all(axis=None)
    assert (table["left_out"] == 6).all()


def test_nothing_to_detect(tools):
    table = detection.detection_table(detection.detectors([tools.Sampled(arrays={})]))
    assert table.empty
    assert {"condition", "score", "mean", "prevalence", "auroc"} <= set(table)
    data = tools.data(np.arange(24).reshape(2, 1, 3, 4) % 3)
    perfect = tools.moments(tools.one_hot(data.labels[:, 0]))
    arrays = frames.error_arrays(data, perfect)
    table = detection.detection_table(detection.detectors([tools.Sampled(arrays=arrays)]))
    assert table["mean"].isna().all()
    assert table["prevalence"].tolist() == [0]


# --- parts of predictive entropy -------------------------------------------------------------


def test_change_of_average_precision_is_paired_and_scikit_learns(study):
    data, moments, _, _, errors = study
    changes = detection.detection_changes(errors)
    assert set(changes["condition"]) == {DROPOUT, TTA}
    for _, part in changes.groupby("score"):
        expected = multipletests(part["p"], method="holm")[1]
        np.testing.assert_allclose(part["p_holm"], expected)
    wrong, scores = scores_of(data, moments[DROPOUT])
    rows = changes.set_index(["condition", "score"])
    torn, known = scores_of(data, moments[errors["condition"].iloc[0]])  # the same draws for all
    content = [average_precision_score(torn[name == SUBJECTS].ravel(),
                                       known["entropy"][name == SUBJECTS].ravel())
               for name in "abcdef"]  # fmt: skip
    for part in PARTS:
        score, whole = scores[part], scores["entropy"]

        def change(images, score=score, whole=whole):
            one, other = (average_precision_score(wrong[images].ravel(), s[images].ravel())
                          for s in (score, whole))  # fmt: skip
            return one - other

        row = rows.loc[DROPOUT, part]
        assert row["mean"] == pytest.approx(change(np.arange(12)), abs=2e-5)
        drawn = replace(statistics.cluster_weights(SUBJECTS), weights=statistics.cluster_weights(
            list("abcdef"), values=content).weights)  # fmt: skip
        again = [
            change(np.repeat(np.arange(12), weights[drawn.codes])) for weights in drawn.weights
        ]
        ends = statistics.percentile_interval(again)
        assert (row["low"], row["high"]) == pytest.approx(ends, abs=2e-3)
        assert row["p"] == pytest.approx(statistics.bootstrap_p(again, clusters=6), abs=0.06)


def images_of(frame, condition):
    images = conditions.wide(frame)
    return images[images["condition"] == condition].set_index("image")


def test_change_of_r_is_paired_and_scipys(study):
    own = images_of(study[3], DROPOUT)

    def change(rows, part):
        gt, whole, score = own[["gt_entropy", "entropy", part]].to_numpy()[rows].T
        return stats.pearsonr(gt, score)[0] - stats.pearsonr(gt, whole)[0]

    table = detection.correlation_changes(study[3])
    assert len(table) == 4
    for part in PARTS:
        values = own[["gt_entropy", "entropy", part]]
        drawn = statistics.cluster_weights(SUBJECTS, values=values)
        row = table[(table["condition"] == DROPOUT) & (table["score"] == part)].iloc[0]
        again = [
            change(np.repeat(np.arange(12), weights[drawn.codes]), part)
            for weights in drawn.weights
        ]
        assert row["mean"] == pytest.approx(change(np.arange(12), part))
        ends = statistics.percentile_interval(again)
        assert (row["low"], row["high"]) == pytest.approx(ends)
        assert row["p"] == pytest.approx(statistics.bootstrap_p(again, clusters=6))


def test_change_of_the_share_explained_is_scikit_learns(study):
    table = detection.partition_changes(study[3]).set_index("score")
    own, other = images_of(study[3], DROPOUT), images_of(study[3], TTA)["entropy"]

    def explained(part):
        x = np.column_stack([own[part], other.reindex(own.index)])
        return LinearRegression().fit(x, own["gt_entropy"]).score(x, own["gt_entropy"])

    for part in PARTS:
        expected = 100 * (explained(part) - explained("entropy"))
        assert table.loc[part, "mean"] == pytest.approx(expected)
    assert set(table["condition"]) == {DROPOUT}


def test_changes_stand_side_by_side(study):
    _, _, _, frame, errors = study
    table = detection.changes(errors, frame)
    assert table[["condition", "score"]].to_numpy().tolist() == [
        [name, part] for name in (DROPOUT, TTA) for part in PARTS
    ]
    alone = detection.correlation_changes(frame)
    assert table["correlation"].tolist() == alone["mean"].tolist()
    assert table["correlation_p"].tolist() == alone["p"].tolist()
    assert table["R²_low"].notna().tolist() == [True, True, False, False]


def test_without_disagreement_or_samples_nothing_changes(study):
    frame = study[3]
    silent = frame[frame["measure"] != "gt_entropy"]
    for given in (silent, frame[frame["method"] == "single"]):
        assert detection.correlation_changes(given).empty
        assert detection.partition_changes(given).empty
