"""The label-fusion study's measures on hand-made predictions."""

import types

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from paraspine import fusion, metrics
from paraspine.arrays import SettingsError
from paraspine.evidence import judge
from paraspine.studies.label_fusion import calibration as label_fusion_calibration
from paraspine.studies.label_fusion import claims, frames, left_out, tables
from paraspine.studies.label_fusion import views as label_fusion_views

FEW = {"resamples": 60}
CANDIDATES = (*frames.CONVENTIONAL, *frames.SOFTSEG, frames.ENSEMBLE)


class Trained:
    """What a run of 03_train holds, in memory."""

    def __init__(self, who, split=0, center="", rater=""):
        soft = who.startswith("SoftSeg")
        fused = f"rater:{rater}" if rater else who.split()[1].lower()
        self.parameters = {
            "loss": "adaptive_wing" if soft else "dice", "fusion": fused, "split_seed": split,
            "seed": split, "test_center": center, "max_size": 8, "dropout": 0.1,
        }  # fmt: skip

    def read_frame(self, name):
        assert name == "history.parquet"
        return pd.DataFrame(
            {"epoch": [1, 2], "validation_loss": [0.9, 0.5], "validation_dice": [0.4, 0.8]}
        )


def trained(splits=2, raters="abc", centers=("",)):
    found = []
    for split in range(splits):
        center = centers[split % len(centers)]
        found += [Trained(who, split, center) for who in CANDIDATES[:-1]]
        found += [Trained(frames.ENSEMBLE, split, center, rater) for rater in raters]
    return found


def study(tools, *, classes=3, raters=3, images=8, splits=2, noise=0.15, seed=0, rated=None):
    """Random blobs, raters who shift them, candidates of known sharpness."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((images, raters, 16, 16), np.uint8)
    for n in range(images):
        for c in range(1, classes):
            row, column = rng.integers(1, 8), 1 + 7 * (c - 1)
            for r in range(raters):
                at = row + rng.integers(-1, 2)
                labels[n, r, max(at, 0) : at + 6, column : column + 6] = c
    data = tools.data(labels, rated, classes=classes, subject=[f"p{n // 2}" for n in range(images)])
    repeated = []
    half = np.arange(images) % 4 < 2
    for number, one in enumerate(frames.repetitions(trained(splits, "abcdefgh"[:raters]))):
        test = half if number % 2 == 0 else ~half
        repeated.append(one.on(data, np.where(test, "test", "validation")))
    sharpness = dict(zip(CANDIDATES, (9, 9, 6, 3, 1.5, 3, 5), strict=True))
    predictions = {}
    for one in repeated:
        for who in one.networks:
            made = {}
            for side in ("validation", "test"):
                own = getattr(one, side)
                soft = np.stack(
                    [
                        fusion.soft_labels(own.labels[i][own.rated[i]], classes)
                        for i in range(len(own))
                    ]
                )
                scores = sharpness[who] * (soft + noise * rng.standard_normal(soft.shape))
                values = np.exp(scores)
                made[side] = (values / values.sum(1, keepdims=True)).astype(np.float32)
            drawn = np.stack([made["test"].argmax(1)] * 2, axis=1).astype(np.uint8)
            predictions[one.name, who] = frames.Predicted(**made, drawn=drawn)
    return repeated, predictions


@pytest.fixture(scope="module")
def made(tools):
    repeated, predictions = study(tools)
    frame = frames.fusion_frame(repeated, predictions)
    return types.SimpleNamespace(
        repeated=repeated,
        predictions=predictions,
        frame=frame,
        counts=frames.fusion_reliability(repeated, predictions),
    )


# --- the trainings -----------------------------------------------------------------------------


def test_trainings_are_sorted_into_splits_and_candidates():
    found = frames.repetitions(trained(centers=("north", "south")))
    names = ["split 1 (tested on north)", "split 2 (tested on south)"]
    assert [one.name for one in found] == names
    assert list(found[0].networks) == list(CANDIDATES)
    assert [len(runs) for runs in found[0].networks.values()] == [1] * 6 + [3]
    one = found[0]
    assert (one.method(frames.ENSEMBLE), one.method("SoftSeg STAPLE")) == ("ensemble", "single")
    assert one.method("SoftSeg STAPLE", drawn=True) == "dropout"
    assert one.method(frames.ENSEMBLE, drawn=True) == "ensemble"
    one.parameters["dropout"] = 0.0
    assert one.method("SoftSeg STAPLE", drawn=True) == "tta"


def test_a_split_without_a_candidate_is_refused():
    with pytest.raises(SettingsError, match="expected runs of 03_train, got none"):
        frames.repetitions([])
    with pytest.raises(SettingsError, match="the same candidates in every split"):
        frames.repetitions(trained()[1:])


def test_curves_name_the_members_and_what_was_learned():
    repeated = frames.repetitions(trained(splits=1))
    curves = frames.fusion_curves(repeated)
    assert len(curves) == 2 * 9
    assert set(curves["member"]) == {"", "a", "b", "c"}
    assert list(label_fusion_views.first_curves(curves)) == list(CANDIDATES[:-1])
    assert "9 trainings; mean over trainings of the best validation Dice from 0.800" in (
        claims.learned_sentence(curves)
    )


# --- image by image ----------------------------------------------------------------------------


def value(frame, **chosen):
    for name, wanted in chosen.items():
        frame = frame[frame[name] == wanted]
    (found,) = frame["value"]
    return found


def test_the_frame_by_other_means(made):
    one = made.repeated[0]
    who, item = "SoftSeg average", 1
    mean = made.predictions[one.name, who].test[item]
    row = one.test.table.iloc[item]
    at = {"condition": who, "split": one.name, "image": row["image"]}
    labels = one.test.labels[item]
    share = (labels == 1).mean(axis=0)
    brier = ((mean[1] - share) ** 2).mean()
    assert value(made.frame, measure="brier", **{"class": "MF"}, **at) == pytest.approx(brier)
    voted = fusion.majority_vote(labels, 3)
    f1 = f1_score(voted.ravel() == 2, mean.argmax(0).ravel() == 2)
    dice = {"measure": "dice", "reference": "majority", "class": "ES"}
    assert value(made.frame, **dice, **at) == pytest.approx(f1)
    entropy = -(mean * np.log(mean)).sum(0)
    assert value(made.frame, measure="entropy", **at) == pytest.approx(entropy.mean(), rel=1e-5)
    total = value(made.frame, measure="entropy_error_total", **at)
    soft = fusion.soft_labels(labels, 3).astype(float)
    raters = -(soft * np.log(np.where(soft > 0, soft, 1))).sum(0)
    assert total == pytest.approx(abs(entropy.sum() - raters.sum()), rel=1e-4)
    drawn = made.predictions[one.name, who].drawn[item]
    expected = metrics.generalised_energy_distance(drawn, labels, 3)
    assert value(made.frame, measure="energy_distance", **at) == pytest.approx(expected)


def test_every_image_is_measured_for_every_candidate_and_reference(made):
    dice = made.frame[made.frame["measure"] == "dice"]
    images = sum(len(one.test) for one in made.repeated)
    assert len(dice) == images * len(CANDIDATES) * 2 * 2  # references, structures
    assert set(tables.against(made.frame, "STAPLE")["reference"]) == {"", "STAPLE"}
    assert "background" not in set(tables.against(made.frame, "STAPLE")["class"])


# --- calibration -------------------------------------------------------------------------------


def test_the_ece_of_a_split_is_that_of_its_voxels_and_their_mean_is_given(made):
    table = label_fusion_calibration.fusion_calibration(made.counts, **FEW).set_index("condition")
    own = []
    for one in made.repeated:
        pooled = metrics.Calibration(10)
        pooled.update_batch(
            made.predictions[one.name, "SoftSeg STAPLE"].test, one.references["STAPLE"]
        )
        own.append(pooled.error())
    row = table.loc["SoftSeg STAPLE"]
    assert row["mean"] == pytest.approx(np.mean([e.expected for e in own]))
    assert row["gap"] == pytest.approx(np.mean([e.over - e.under for e in own]))
    assert row["low"] <= row["mean"] <= row["high"]
    assert row["sd"] == pytest.approx(np.std([e.expected for e in own], ddof=1))
    assert (table.loc["SoftSeg average", "gap_high"]) < 0  # the softest by far
    pooled = label_fusion_calibration.fusion_diagrams(made.counts)["SoftSeg STAPLE"]
    assert pooled.count.sum() == sum(np.prod(o.references["STAPLE"].shape) for o in made.repeated)
    words = label_fusion_calibration.fusion_calibration_sentence(table.reset_index())
    assert "Under-confident:" in words
    assert "SoftSeg average" in words.split("Under-confident:")[1]


def test_temperature_scaling_is_fitted_on_validation_and_softens(made):
    fitted = label_fusion_calibration.temperatures(made.repeated, made.predictions)
    assert set(fitted) == {(o.name, w) for o in made.repeated for w in frames.CONVENTIONAL}
    one = made.repeated[0]
    soft = np.stack([fusion.soft_labels(labels, 3) for labels in one.validation.labels])
    again = metrics.fit_temperature(
        np.moveaxis(made.predictions[one.name, frames.BASELINE].validation, 1, 0),
        np.moveaxis(soft, 1, 0),
    )
    assert fitted[one.name, frames.BASELINE].value == pytest.approx(again.value, rel=1e-6)
    scaled = label_fusion_calibration.scaled_predictions(made.predictions, fitted)
    both = frames.fusion_frame(made.repeated, made.predictions | scaled)
    counts = frames.fusion_reliability(made.repeated, scaled)
    table = label_fusion_calibration.scaling_table(
        label_fusion_calibration.fusion_calibration(made.counts, **FEW),
        label_fusion_calibration.fusion_calibration(counts, **FEW),
        both,
        fitted,
        **FEW,
    )
    assert list(table["fused"]) == ["STAPLE"] * 3 + ["average"] * 3 + ["random"] * 3
    assert table["temperature"].notna().sum() == 3
    shown = label_fusion_calibration.pretty_scaling(table, "made by hand")
    assert not shown.astype(str).apply(lambda c: c.str.contains("nan|undefined")).any().any()
    assert label_fusion_calibration.scaling_sentence(table).count("a temperature of") == 3


# --- tables ------------------------------------------------------------------------------------


def test_the_published_tables_beside_this_run_have_every_cell(made):
    published = tables.against(made.frame, "STAPLE")
    beside = {"source": "made by hand", **FEW}
    brier = tables.fusion_beside(published, ["brier"], ["Table 2"], **beside)
    assert list(brier.index.get_level_values("candidate")) == list(CANDIDATES)
    row = brier.loc[("Brier score, × 10⁻⁴", "conventional STAPLE")]
    assert row["SCGM grey matter, published"] == "1.05 ± 0.04"
    assert row["MS lesions, published"] == "7.78 ± 5.84"
    mean = made.frame.query("measure == 'brier' and `class` == 'MF' and who == @row.name[1]")
    assert row["MF (made by hand)"].startswith(f"{1e4 * mean['value'].mean():.2f} (")
    entropy = tables.fusion_beside(published, ["entropy_error_total"], ["Table 2"], **beside)
    assert list(entropy.columns) == [
        "image (made by hand)", "SCGM image, published", "MS image, published, × 10⁴"
    ]  # fmt: skip
    hard = tables.fusion_beside(
        published, ["dice", "relative_volume_difference"], ["Table 3a", "Table 3b"], **beside
    )
    assert hard.loc[("Dice, %", "SoftSeg average"), "MS lesions, published"] == "56.0 ± 10.7"
    assert hard.loc[("Dice, %", "loss ensemble"), "MS lesions, published"] == "not published"
    four = tables.fusion_beside(
        published, ["brier"], ["Table 4"], only=["loss ensemble", "SoftSeg STAPLE"], **beside
    )
    assert list(four["MS lesions, published"]) == ["5.28 ± 1.83", "5.39 ± 1.94"]
    for table in (brier, entropy, hard, four):
        assert (table.astype(str) != "").all().all()
    words = tables.fusion_beside_sentence(published, "brier", ["Table 2"])
    assert "published: SoftSeg random (SCGM grey matter), SoftSeg random (SCGM white" in words
    ece = tables.published_calibration(
        "made by hand", label_fusion_calibration.fusion_calibration(made.counts, **FEW)
    )
    assert ece.loc["conventional", "SCGM, published, %"] == "16.2"


# --- claims ------------------------------------------------------------------------------------


def calibrated(gaps, subjects=8):
    return pd.DataFrame(
        [
            {
                "condition": who,
                "gap": g,
                "gap_low": g - 0.01,
                "gap_high": g + 0.01,
                "subjects": subjects,
            }
            for who, g in gaps.items()
        ]
    )


def scores(values, subjects=8):
    rng = np.random.default_rng(0)
    rows = []
    for n in range(subjects):
        for who, own in values.items():
            score = own + 1e-4 * rng.random()
            rows.append((f"p{n}", f"{n}", 0, "s", who, "", "MF", "brier", score))
            rows.append((f"p{n}", f"{n}", 0, "s", who, "STAPLE", "MF", "dice", 0.5))
    columns = ["subject", "image", "slice", "split", "condition", "reference", "class", "measure"]
    return pd.DataFrame(rows, columns=[*columns, "value"])


@pytest.mark.parametrize(
    ("over", "under", "random", "verdicts"),
    [
        (0.05, -0.05, 0.01, ["supported", "supported", "supported"]),
        (-0.05, 0.05, 0.09, ["contradicted", "contradicted", "contradicted"]),
        (0.001, 0.001, 0.05, ["can't tell", "can't tell", "can't tell"]),
    ],
)
def test_claims_in_both_directions_and_undecided(over, under, random, verdicts):
    six = CANDIDATES[:-1]
    gaps = dict.fromkeys(six, over) | {"SoftSeg average": under}
    brier = dict.fromkeys(six, 0.05) | {"SoftSeg random": random}
    table = claims.fusion_claims(calibrated(gaps), scores(brier), **FEW)
    found = judge.claims_summary(table)
    assert list(found["verdict"]) == verdicts
    words = claims.fusion_claims_sentence(table, "made by hand")
    assert all(f"**{v}**" in words for v in verdicts)
    assert claims.headline_fusion(table).count(verdicts[0]) == 3
    shown = judge.pretty_claims(table, "Table 2", "made by hand")
    assert len(shown) == 5


def test_too_few_subjects_tell_nothing():
    six = CANDIDATES[:-1]
    table = claims.fusion_claims(
        calibrated(dict.fromkeys(six, 0.1), 3), scores(dict.fromkeys(six, 0.1), 3), **FEW
    )
    assert set(table["verdict"]) == {"can't tell"}
    assert "fewer than 6 subjects" in claims.fusion_claims_sentence(table, "x")


# --- sentences ---------------------------------------------------------------------------------


def test_the_rest_of_the_words(made):
    distances = claims.distance_table(made.frame, **FEW)
    assert "generalised energy distance" in claims.distance_sentence(distances)
    calibration = label_fusion_calibration.fusion_calibration(made.counts, **FEW)
    words = claims.pair_sentence(made.frame, calibration, "SoftSeg STAPLE", frames.ENSEMBLE, **FEW)
    assert words.startswith("SoftSeg STAPLE has ")
    assert "18 trainings" in label_fusion_views.fusion_setup_sentence(made.repeated)
    left = tables.fusion_left_out(made.repeated, made.predictions, {})
    assert set(left["rater"]) == set("abc")
    table = left_out.left_out_table(left, **FEW)
    assert set(table["condition"]) == set(CANDIDATES)
    views = label_fusion_views.fusion_views(made.repeated[0], made.predictions, [0, 1])
    assert list(views[0].maps) == ["STAPLE of the raters", "average of the raters", *CANDIDATES]
    assert set(label_fusion_views.fusion_limits(views).values()) == {1.0}
    entropies = label_fusion_views.fusion_entropies(made.frame)
    assert len(entropies) == len(CANDIDATES) * sum(len(o.test) for o in made.repeated)
    assert claims.marks(pd.DataFrame({"condition": ["x", "y"], "p_holm": [0.01, 0.2]})) == {
        "x": "**"
    }


@pytest.mark.parametrize("raters", [1, 2, 4])
def test_one_class_takes_a_threshold_from_validation_for_any_number_of_raters(tools, raters):
    repeated, predictions = study(tools, classes=2, raters=raters, images=6, splits=1)
    thresholds = label_fusion_calibration.fusion_thresholds(repeated, predictions)
    assert set(thresholds) == set(predictions)
    assert label_fusion_views.threshold_sentence(thresholds).startswith("One class")
    assert label_fusion_views.threshold_sentence({}).startswith("Several classes")
    frame = frames.fusion_frame(repeated, predictions, thresholds)
    assert np.isfinite(frame.loc[frame["measure"] == "brier", "value"]).all()
    distances = claims.distance_table(frame, **FEW)
    told = claims.distance_sentence(distances)
    assert ("two raters" in told) == (raters == 1)
    assert np.isnan(frame.loc[frame["measure"] == "entropy_error", "value"]).all() == (raters == 1)
