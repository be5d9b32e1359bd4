"""Tables of several conditions, against independent implementations."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import average_precision_score, roc_auc_score
from statsmodels.stats.multitest import multipletests

from paraspine import frames
from paraspine.arrays import SettingsError
from paraspine.evidence import conditions, show, views
from paraspine.studies.calibration import tables as calibration_tables
from paraspine.studies.interrater import detection, tables
from paraspine.studies.interrater import views as interrater_views

FEW = {"resamples": 60}
MAJORITY, RANDOM = "unet, majority, single", "unet, random, single"


def random_case(tools, seed=0, n=6, raters=3, size=6, **columns):
    """Random labels, and random predictions that lean towards the vote."""
    rng = np.random.default_rng(seed)
    data = tools.data(rng.integers(0, 3, (n, raters, size, size)), **columns)
    lean = 1.5 * tools.one_hot(data.labels[:, 0]).transpose(0, 2, 3, 1)
    mean = rng.dirichlet([0.7] * 3, (n, size, size)) + lean
    mean = (mean / mean.sum(axis=-1, keepdims=True)).transpose(0, 3, 1, 2)
    return data, mean


@pytest.fixture
def study(tools):
    """Two conditions on the same six images of three subjects."""
    subjects = np.repeat(["p1", "p2", "p3"], 2)
    data, first = random_case(tools, 0, subject=subjects)
    second = random_case(tools, 1)[1]
    sampled = []
    for fusion, mean in (("majority", first), ("random", second)):
        moments = tools.moments(mean)
        run = tools.Sampled(
            frames.prediction_frame(data, moments),
            frames.error_arrays(data, moments),
            fusion=fusion,
        )
        run.reliability = frames.reliability_frame(data, moments)
        run.mean = mean
        sampled.append(run)
    return data, sampled, conditions.join(sampled, "measures.parquet")


# --- joining ---------------------------------------------------------------------------------


def test_conditions_are_named_by_what_tells_them_apart(tools):
    sampled = [
        tools.Sampled(fusion="random", method="tta"),
        tools.Sampled(method="ensemble", members=[1, 2, 3]),
    ]
    assert conditions.join_parameters(sampled)["condition"].tolist() == [
        "unet, random, tta",
        "unet, majority, ensemble of 3 seeds",
    ]
    sampled.append(tools.Sampled(seed=7))
    assert (
        conditions.join_parameters(sampled)["condition"].tolist()[2]
        == "unet, majority, seed 7, single"
    )


def test_frames_are_joined_in_the_order_of_the_runs(study):
    _, sampled, frame = study
    assert conditions.conditions(frame) == [MAJORITY, RANDOM]
    assert len(frame) == sum(len(run.frame) for run in sampled)
    turned = conditions.join(sampled[::-1], "measures.parquet")
    assert conditions.conditions(turned) == [RANDOM, MAJORITY]
    assert {"model", "fusion", "seed", "method", "condition"} <= set(frame)


def test_wide_has_a_row_for_each_image_and_condition(study):
    _, _, frame = study
    images = conditions.wide(frame)
    assert len(images) == 12
    one = frame[(frame["image"] == "3.nii.gz") & (frame["condition"] == RANDOM)]
    row = images[(images["image"] == "3.nii.gz") & (images["condition"] == RANDOM)].iloc[0]
    for name in ("entropy", "gt_entropy", "error_rate"):
        assert row[name] == frames.rows(one, name)["value"].item()


def test_images_of_unknown_age_are_not_lost(tools):
    data, mean = random_case(tools, age=[40, np.nan] * 3, sex=["F", None, None] * 2)
    run = tools.Sampled(frames.prediction_frame(data, tools.moments(mean)))
    frame = conditions.join([run], "measures.parquet")
    assert len(conditions.wide(frame)) == 6
    table = tables.correlation_table(frame, **FEW)
    assert (table[table["kind"] != "by subject"]["n"] == 6).all()


# --- means -----------------------------------------------------------------------------------


def test_summaries_are_means_over_images(study):
    _, _, frame = study
    table = conditions.summarise(frame, "dice", ["condition", "class"], **FEW)
    expected = (
        frames.rows(frame, "dice").groupby(["condition", "class"], sort=False)["value"].mean()
    )
    assert table.set_index(["condition", "class"])["mean"].to_dict() == pytest.approx(
        expected.to_dict()
    )
    assert (table["low"] <= table["mean"]).all()
    assert (table["clusters"] == 3).all()
    everything = conditions.summarise(frame, None, ["measure", "class"], **FEW)
    assert len(everything) == len(frame[["measure", "class"]].drop_duplicates())
    per_subject = conditions.summarise(frame, "entropy", ["subject"], **FEW)
    assert per_subject["low"].isna().all()
    assert conditions.mean_of(frame, "dice", **FEW).value == pytest.approx(
        frames.rows(frame, "dice")["value"].mean()
    )


def test_overlap_sets_the_raters_beside_the_networks(study, tools):
    data, _, frame = study
    table = tables.overlap_table(frame, data, **FEW)
    assert list(dict.fromkeys(table["condition"])) == [MAJORITY, RANDOM, "raters, in pairs"]
    raters = frames.rows(frames.rater_frame(data), "pairwise_dice")
    expected = raters.groupby("class")["value"].mean()
    found = table[table["condition"] == "raters, in pairs"].set_index("class")["mean"]
    assert found.to_dict() == pytest.approx(expected.to_dict())
    alone, mean = random_case(tools, raters=1)
    run = tools.Sampled(frames.prediction_frame(alone, tools.moments(mean)))
    table = tables.overlap_table(conditions.join([run], "measures.parquet"), alone, **FEW)
    assert set(table["condition"]) == {MAJORITY}


def test_brier_table_by_hand(tools):
    data = tools.data([[[[1, 1], [0, 2]], [[1, 0], [0, 2]], [[1, 0], [0, 0]]]] * 2)
    moments = tools.moments(tools.one_hot([[[1, 1], [0, 0]], [[1, 0], [0, 2]]]))
    frame = conditions.join(
        [tools.Sampled(frames.prediction_frame(data, moments))], "measures.parquet"
    )
    table = tables.brier_table(frame, **FEW).set_index("class")
    assert list(table.index) == ["MF", "ES"]  # not background
    # MF: (2/3)² / 4 and (1/3)² / 4; ES: (2/3)² / 4 and (1/3)² / 4; times a thousand.
    assert table["mean"].to_dict() == pytest.approx({"MF": 1000 * 5 / 72, "ES": 1000 * 5 / 72})
    thousand = tables.brier_table(frame, scale=1, **FEW)
    assert thousand["mean"].tolist() == pytest.approx([5 / 72, 5 / 72])


# --- correlation -----------------------------------------------------------------------------


def test_correlations_are_scipys_and_adjusted_over_each_kind(study):
    _, _, frame = study
    table = tables.correlation_table(frame, **FEW)
    images = conditions.wide(frame)
    for kind, function in (("pearson", stats.pearsonr), ("spearman", stats.spearmanr)):
        for who in (MAJORITY, RANDOM):
            part = images[images["condition"] == who]
            row = table[(table["kind"] == kind) & (table["condition"] == who)].iloc[0]
            assert row["r"] == pytest.approx(function(part["gt_entropy"], part["entropy"])[0])
            assert row["n"] == 6
            assert row["clusters"] == 3
    assert set(table["score"]) == {"entropy"}  # a single pass has nothing else
    assert set(table["kind"]) == {"pearson", "spearman", "by subject"}
    for _, part in table.groupby("kind"):
        expected = multipletests(part["p"], method="holm")[1]
        np.testing.assert_allclose(part["p_holm"], expected)


def test_correlation_by_subject_is_over_the_subjects_means(study):
    _, _, frame = study
    table = tables.correlation_table(frame, **FEW)
    images = conditions.wide(frame)
    part = (
        images[images["condition"] == RANDOM].groupby("subject")[["gt_entropy", "entropy"]].mean()
    )
    row = table[(table["kind"] == "by subject") & (table["condition"] == RANDOM)].iloc[0]
    assert row["r"] == pytest.approx(stats.pearsonr(part["gt_entropy"], part["entropy"])[0])
    assert row["n"] == 3


def test_without_gt_entropy_there_is_no_correlation(tools):
    for rated in (np.ones((6, 1)), np.zeros((6, 1))):
        data, mean = random_case(tools, raters=1)
        data = tools.data(data.labels, rated)
        run = tools.Sampled(frames.prediction_frame(data, tools.moments(mean)))
        table = tables.correlation_table(conditions.join([run], "measures.parquet"), **FEW)
        assert table.empty
        assert {"condition", "score", "kind", "r", "low", "high", "p_holm"} <= set(table)


# --- error detection -------------------------------------------------------------------------


def test_detection_is_scikit_learns_over_all_voxels(study):
    data, sampled, _ = study
    found = detection.detectors(sampled)
    assert set(found) == {(MAJORITY, "entropy"), (RANDOM, "entropy")}
    table = detection.detection_table(found, **FEW).set_index("condition")
    from paraspine.fusion import majority_vote

    vote = np.stack([majority_vote(item, 3) for item in data.labels])
    for who, run in zip((MAJORITY, RANDOM), sampled, strict=True):
        wrong = (run.mean.argmax(axis=1) != vote).ravel()
        mean = run.mean.astype(np.float32).astype(float)
        entropy = -(mean * np.log(mean)).sum(axis=1).ravel()
        row = table.loc[who]
        assert row["mean"] == pytest.approx(average_precision_score(wrong, entropy), abs=1e-6)
        assert row["auroc"] == pytest.approx(roc_auc_score(wrong, entropy), abs=1e-6)
        assert row["prevalence"] == pytest.approx(wrong.mean())
        assert row["voxels"] == wrong.size
        assert row["left_out"] == 0
        assert row["low"] <= row["mean"] <= row["high"]
        each = [
            average_precision_score(wrong.reshape(3, -1)[s], entropy.reshape(3, -1)[s])
            for s in range(3)
        ]
        assert row["by_subject"] == pytest.approx(np.mean(each), abs=1e-6)
        for name in ("auroc", "prevalence", "by_subject"):
            assert row[f"{name}_low"] <= row[name] <= row[f"{name}_high"], name
        shares = wrong.reshape(3, -1).mean(axis=1)  # each subject has two images of one size
        assert shares.min() <= row["prevalence_low"] <= row["prevalence_high"] <= shares.max()
    curves = detection.detection_curves(found, [RANDOM])
    recall, precision = curves[RANDOM]
    assert recall[-1] == 1
    assert precision[-1] == pytest.approx(table.loc[RANDOM, "prevalence"])


def test_one_subject_gives_no_interval_and_unseen_voxels_are_counted(tools):
    data, mean = random_case(tools, subject="p1")
    mean[:, :, 0, 0] = np.nan
    arrays = frames.error_arrays(data, tools.moments(mean, samples=3))
    table = detection.detection_table(detection.detectors([tools.Sampled(arrays=arrays)]), **FEW)
    assert len(table) == 3
    assert table[["low", "high"]].isna().all(axis=None)
    assert (table["left_out"] == 6).all()


def test_nothing_to_detect(tools):
    table = detection.detection_table(detection.detectors([tools.Sampled(arrays={})]), **FEW)
    assert table.empty
    assert {"condition", "score", "mean", "prevalence", "auroc"} <= set(table)
    data, _ = random_case(tools, raters=1)
    perfect = tools.moments(tools.one_hot(data.labels[:, 0]))
    arrays = frames.error_arrays(data, perfect)
    table = detection.detection_table(detection.detectors([tools.Sampled(arrays=arrays)]), **FEW)
    assert table["mean"].isna().all()
    assert table["prevalence"].tolist() == [0]


# --- calibration -----------------------------------------------------------------------------


def reliability(sampled):
    return pd.concat(
        [
            run.reliability.assign(condition=who)
            for who, run in zip((MAJORITY, RANDOM), sampled, strict=True)
        ],
        ignore_index=True,
    )


def test_calibration_error_is_torchmetrics(study):
    torch = pytest.importorskip("torch")
    from torchmetrics.functional.classification import multiclass_calibration_error

    from paraspine.fusion import majority_vote

    data, sampled, _ = study
    frame = reliability(sampled)
    table = calibration_tables.calibration_table(frame, **FEW).set_index("condition")
    vote = torch.tensor(np.stack([majority_vote(item, 3) for item in data.labels]))
    for who, run in zip((MAJORITY, RANDOM), sampled, strict=True):
        mean = torch.tensor(run.mean)
        row = table.loc[who]
        pooled = multiclass_calibration_error(mean, vote, 3, n_bins=10, norm="l1")
        assert row["mean"] == pytest.approx(float(pooled), abs=1e-6)
        each = [
            float(multiclass_calibration_error(m[None], v[None], 3, n_bins=10, norm="l1"))
            for m, v in zip(mean, vote, strict=True)
        ]
        assert row["by_image"] == pytest.approx(np.mean(each), abs=1e-6)
        assert row["over"] + row["under"] == pytest.approx(row["mean"])
        right = run.mean.argmax(axis=1) == vote.numpy()
        assert row["accuracy"] == pytest.approx(right.mean())
        assert row["confidence"] == pytest.approx(run.mean.max(axis=1).mean(), abs=1e-6)
        assert row["low"] <= row["mean"] <= row["high"]


def counts(*lines):
    columns = ["subject", "image", "slice", "region", "bin", "count", "confidence", "correct"]
    return pd.DataFrame(lines, columns=columns).assign(condition="net")


def test_calibration_by_hand():
    frame = counts(
        ("p1", "1", 0, "all", 0, 4, 1.6, 2),  # 0.4 said, 0.5 right
        ("p1", "1", 0, "all", 1, 6, 5.4, 3),  # 0.9 said, 0.5 right
        ("p2", "2", 0, "all", 0, 0, 0, 0),
        ("p2", "2", 0, "all", 1, 10, 9, 9),
    )
    row = calibration_tables.calibration_table(frame, **FEW).iloc[0]
    assert row["over"] == pytest.approx(2.4 / 20)
    assert row["under"] == pytest.approx(0.4 / 20)
    assert row["mean"] == pytest.approx(2.8 / 20)
    assert row["by_image"] == row["by_subject"] == pytest.approx((2.8 / 10 + 0) / 2)
    assert row["accuracy"] == pytest.approx(14 / 20)
    assert row["confidence"] == pytest.approx(16 / 20)
    # Resamples draw p1 twice, both, or p2 twice.
    ends = {"": 2.8 / 10, "over_": 2.4 / 10, "under_": 0.4 / 10, "by_image_": 2.8 / 10}
    ends["by_subject_"] = 2.8 / 10
    for name, high in ends.items():
        assert row[f"{name}low"] == pytest.approx(0, abs=1e-12), name
        assert row[f"{name}high"] == pytest.approx(high), name
    curve = calibration_tables.reliability_curves(frame)["net"]
    np.testing.assert_allclose(curve.accuracy, [2 / 4, (3 / 6 + 9 / 10) / 2])
    np.testing.assert_allclose(curve.confidence, [0.4, 0.9])
    one = calibration_tables.calibration_table(frame[frame["subject"] == "p1"], **FEW).iloc[0]
    ends = [f"{name}{end}" for name in ("", "over_", "by_image_") for end in ("low", "high")]
    assert one[ends].isna().all()


def test_calibration_by_subject_counts_a_subject_once():
    frame = counts(
        ("p1", "1", 0, "all", 0, 10, 9, 5),  # 0.9 said, 0.5 right
        ("p1", "1", 1, "all", 0, 30, 27, 27),  # as said
        ("p2", "2", 0, "all", 0, 10, 9, 9),
    )
    row = calibration_tables.calibration_table(frame, **FEW).iloc[0]
    assert row["mean"] == pytest.approx(4 / 50)
    assert row["by_image"] == pytest.approx(0.4 / 3)
    assert row["by_subject"] == pytest.approx((4 / 40 + 0) / 2)


def test_calibration_where_no_voxel_counts():
    frame = counts(
        ("p1", "1", 0, "near", 0, 0, 0, 0),
        ("p1", "1", 0, "near", 1, 4, 3.6, 2),
        ("p2", "2", 0, "near", 0, 0, 0, 0),
        ("p2", "2", 0, "near", 1, 0, 0, 0),
    )
    row = calibration_tables.calibration_table(frame, region="near", **FEW).iloc[0]
    assert row["mean"] == pytest.approx(0.4)
    assert row["by_image"] == pytest.approx(0.4)
    nothing = calibration_tables.calibration_table(
        frame[frame["subject"] == "p2"], region="near", **FEW
    )
    assert nothing.drop(columns="condition").isna().all(axis=None)
    assert calibration_tables.calibration_table(frame, **FEW).empty  # no row of the region "all"
    with pytest.raises(SettingsError, match="region: expected 'all' or 'near', got 'far'"):
        calibration_tables.calibration_table(frame, region="far")


# --- for reading -----------------------------------------------------------------------------


def test_tables_for_reading():
    table = pd.DataFrame(
        {
            "condition": ["x", "y", "x"],
            "class": ["MF", "ES", "ES"],
            "mean": [0.12345, np.nan, 0.5],
            "low": [0.1, np.nan, np.nan],
            "high": [0.2, np.nan, np.nan],
            "share": [0.25, np.nan, 1],
        }
    )
    found = show.pretty(table, "condition", "class", digits=2, source="made up")
    assert found.columns.name == "made up"
    assert found.columns.tolist() == ["MF", "ES"]
    assert found.to_numpy().tolist() == [["0.12 (0.10 to 0.20)", "0.50"], ["", "undefined"]]
    ends = table.assign(share_low=[0.0, np.nan, np.nan], share_high=[0.5, np.nan, np.nan])
    rows = show.pretty(ends, "condition", source="made up", beside={"share": 2})
    assert rows["share"].tolist() == ["0.25 (0.00 to 0.50)", "undefined", "1.00"]
    rows = show.pretty(table, ["condition", "class"], source="made up", beside={"share": 1})
    assert rows.index.tolist() == [("x", "MF"), ("y", "ES"), ("x", "ES")]
    assert rows["share"].tolist() == ["0.2", "undefined", "1.0"]
    assert rows.iloc[:, 0].tolist() == ["0.123 (0.100 to 0.200)", "undefined", "0.500"]
    for columns in ("class", None):
        assert show.pretty(table.iloc[:0], "condition", columns, source="made up").empty
        empty = show.pretty(table.iloc[:0], ["condition", "share"], columns, source="made up")
        assert empty.empty
    by_r = table.rename(columns={"mean": "r"})
    assert show.pretty(by_r, "condition", "class", source="").loc["x", "ES"] == "0.500"


def test_rows_as_estimates():
    table = pd.DataFrame(
        {"condition": ["x"], "class": ["MF"], "r": [0.5], "low": [0.25], "high": [0.75]}
    )
    found = show.estimates(table, ["condition", "class"])
    assert list(found) == ["x, MF"]
    assert (found["x, MF"].value, found["x, MF"].low, found["x, MF"].high) == (0.5, 0.25, 0.75)
    row = table.rename(columns={"r": "mean"}).iloc[0]
    assert show.estimate(row).value == 0.5


# --- views -----------------------------------------------------------------------------------


def test_views_show_what_there_is(three, tools):
    mean = np.full((1, 3, 2, 2), 1 / 3)
    mean[0, :, 0, 0] = np.nan
    (view,) = views.views(three, [0], tools.moments(mean))
    assert list(view.maps) == ["GT entropy", "predictive entropy"]  # no second sample
    assert view.title == "p0"
    assert view.rated.tolist() == [True] * 3
    assert view.prediction.shape == (2, 2)
    several = tools.moments(mean, np.full((1, 2, 2), 0.1), samples=4)
    (view,) = views.views(three, [0], several)
    assert list(view.maps)[2:] == ["expected entropy", "mutual information"]
    limits = views.map_limits([view])
    assert limits == {"mutual information": pytest.approx(np.log(3) - 0.1, abs=1e-6)}
    (view,) = views.views(three, [0])
    assert view.prediction is None
    alone = tools.data(np.ones((1, 1, 2, 2)))
    (view,) = views.views(alone, [0], several)
    assert "GT entropy" not in view.maps
    nobody = tools.data(np.ones((1, 1, 2, 2)), [[False]])
    (view,) = views.views(nobody, [0], several)
    assert view.labels is None
    assert views.map_limits([]) == {}


def test_networks_are_compared_on_the_same_slices(three, tools):
    """A view for every way of sampling, with its prediction; augmentation's map beside each."""
    runs, entropies = [], {}
    for value, (model, method) in enumerate(
        [("unet", "tta"), ("unet", "single"), ("unet", "dropout"), ("transunet", "ensemble")]
    ):
        mean = np.full((1, 3, 2, 2), 0.1)
        mean[:, value % 3] = 0.8
        mean[:, (value + 1) % 3, 0, 0] += value / 20
        moments = tools.moments(mean / mean.sum(1, keepdims=True), samples=3)
        arrays = frames.stored_maps(three, [0], moments)
        entropies[method] = arrays["entropy"][0]
        runs.append(tools.Sampled(arrays=arrays, model=model, method=method, members=[0, 1]))
    found = interrater_views.compared_views(three, runs)
    assert [list(v.choices.values()) for v in found] == [
        ["p0", "the only one", "unet, majority", "dropout (epistemic)"],
        ["p0", "the only one", "unet, majority", "one pass"],
        ["p0", "the only one", "unet, majority", "augmentation (aleatoric)"],
        ["p0", "the only one", "transunet, majority", "ensemble (epistemic)"],
    ]
    dropout, single, tta, ensemble = found
    assert [v.prediction[1, 1] for v in found] == [2, 1, 0, 0]
    for view, epistemic, aleatoric in [
        (dropout, "dropout", "tta"), (single, "single", "tta"), (tta, None, "tta"),
        (ensemble, "ensemble", None),
    ]:  # fmt: skip
        assert "GT entropy" in view.maps
        for panel, method in (("epistemic", epistemic), ("aleatoric", aleatoric)):
            assert (panel in view.maps) == (method is not None) == (panel not in view.notes)
            if method is not None:
                np.testing.assert_array_equal(view.maps[panel], entropies[method])
    assert dropout.titles["epistemic"] == "epistemic: dropout"
    assert single.titles["epistemic"] == "entropy: one pass"
    assert ensemble.titles["prediction"] == "prediction: ensemble"
    seeds = [tools.Sampled(arrays=arrays, seed=s) for s in (0, 1)]
    networks = [view.choices["network"] for view in interrater_views.compared_views(three, seeds)]
    assert networks == ["unet, majority, seed 0", "unet, majority, seed 1"]


def test_every_level_of_the_shown_subjects_is_stored(tools):
    level = ["L2", "L3", "L3", "L3", None, "L2", "L4"]
    data = tools.data(
        np.ones((7, 1, 2, 2)), subject=["p"] * 5 + ["q", "q"], level=level, slice=range(7)
    )
    moments = tools.moments(np.full((7, 3, 2, 2), 1 / 3), samples=2)

    def kept(shown):
        keys = frames.stored_maps(data, shown, moments)["keys"]
        return [data.keys.tolist().index(key) for key in keys]

    assert kept([0]) == [0, 2]  # the middle one of L3
    assert kept([1]) == [0, 1]
    assert kept([4, 5]) == [0, 2, 4, 5, 6]
    assert kept([]) == []
    bare = tools.data(np.ones((2, 1, 2, 2)), subject="p", slice=[0, 1])
    assert frames.stored_maps(bare, [1], moments)["keys"].tolist() == [bare.keys[1]]


def test_slices_of_one_subject_can_be_told_apart(tools):
    data = tools.data(np.ones((4, 1, 2, 2)), subject=["p", "p", "p", "q"], level=["L3", "L3", "L4",
                      None])  # fmt: skip
    moments = tools.moments(np.full((4, 3, 2, 2), 1 / 3))
    run = tools.Sampled(arrays=frames.stored_maps(data, range(4), moments))
    found = [view.choices for view in interrater_views.compared_views(data, [run])]
    assert [c["level"] for c in found] == [
        f"L3 ({data.keys[0]})", f"L3 ({data.keys[1]})", "L4", "the only one",
    ]  # fmt: skip
    (alone,) = (
        v for v in interrater_views.compared_views(data, [run]) if v.choices["subject"] == "q"
    )
    assert "two raters" in alone.notes["GT entropy"]


def test_slices_are_named_by_level_or_place(tools):
    data = tools.data(np.ones((3, 1, 2, 2)), level=["L3", None, "S1"])
    assert [views.name_of(data, i) for i in range(3)] == ["p0, L3", "p1", "p2, S1"]
    volume = tools.data(np.ones((2, 1, 2, 2)), subject="p", image="v", slice=[4, 5])
    assert [views.name_of(volume, i) for i in range(2)] == ["p, slice 4", "p, slice 5"]
