"""Sentences say what the numbers allow, and why where there is nothing to say."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paraspine import frames, slices
from paraspine.evidence import comparisons, conditions, show, views
from paraspine.studies.calibration import tables as calibration_tables
from paraspine.studies.calibration import words as calibration_words
from paraspine.studies.interrater import brier, detection
from paraspine.studies.interrater import parts as interrater_parts
from paraspine.studies.interrater import tables as interrater_tables
from paraspine.studies.interrater import words as interrater_words
from paraspine.studies.raters import tables
from paraspine.studies.raters import words as raters_words

NAN = float("nan")
FEW = {"resamples": 30}
ONE_RATER = "**Left out: one rater only.**"
NOBODY = "Nobody rated these images, so there is nothing to compare the predictions with."


def table(*rows, **columns):
    """Cells as (class, mean, low, high)."""
    frame = pd.DataFrame(rows, columns=["class", "mean", "low", "high"])
    return frame.assign(condition="net", undefined=0).assign(**columns)


# --- networks and raters ---------------------------------------------------------------------

RATERS = table(("MF", 0.90, 0.88, 0.92), ("ES", 0.80, 0.78, 0.82), condition="raters, in pairs")


def overlap(*rows, raters=RATERS):
    return interrater_words.overlap_sentence(pd.concat([table(*rows), raters], ignore_index=True))


def test_overlap_in_both_directions_and_in_neither():
    words = overlap(("MF", 0.80, 0.75, 0.85), ("ES", 0.95, 0.9, 0.99))
    assert words.startswith("Mean Dice over structures: net: 0.875.")
    assert "The raters among themselves: 0.850." in words
    assert "Some network's interval lies wholly below the raters' for MF." in words
    assert "Some network's interval lies wholly above the raters' for ES." in words
    assert words.endswith("a rater against one other.")
    words = overlap(("MF", 0.9, 0.85, 0.95), ("ES", 0.8, 0.7, 0.9))
    assert "No network's interval lies wholly below or above the raters'." in words
    assert "Some network" not in words


def test_of_many_networks_the_overlap_sentence_says_the_extremes():
    cells = pd.concat(
        [
            table(
                ("MF", value, value - 0.1, value + 0.1), ("ES", 1.0, 0.9, 1.0), condition=f"net {n}"
            )
            for n, value in enumerate([0.8, 0.7, 0.9, NAN, 0.6])
        ]  # that of net 3 over ES alone is not set beside the others
    )
    words = interrater_words.overlap_sentence(cells.assign(undefined=0))
    assert words.startswith(
        "Mean Dice over structures: of 4 networks, from 0.800 (net 4) to 0.950 (net 2); 1 network "
        "more left out, undefined for a structure. "
    )
    same = interrater_words.overlap_sentence(cells.assign(undefined=0, mean=0.8))
    assert "net 0: 0.800; net 1: 0.800;" in same


def test_overlap_without_intervals_or_raters():
    words = overlap(("MF", 0.5, NAN, NAN), ("ES", 0.6, NAN, NAN))
    assert "There are no intervals to tell them apart by." in words
    assert "wholly" not in words
    words = overlap(("MF", 0.9, 0.8, 0.95), raters=RATERS.iloc[:0])
    assert words.startswith(f"Mean Dice over structures: net: 0.900. {ONE_RATER}")
    assert "flatters" not in words
    assert overlap(raters=RATERS) == NOBODY
    assert "ndefined" not in words
    some = pd.concat([table(("MF", 0.9, 0.8, 0.95), ("ES", 0.9, 0.8, 0.95)), RATERS])
    words = interrater_words.overlap_sentence(some.assign(undefined=[0, 2, 4, 4]))
    assert "the structure on the image: net 2 of ES. The raters' own is undefined on 4 im" in words
    words = interrater_words.overlap_sentence(some.assign(undefined=[1, 2, 0, 4]))
    assert "the image: net 1 of MF and 2 of ES. The raters' own is undefined on 0 to 4 im" in words
    undefined = overlap(
        ("MF", NAN, NAN, NAN), raters=table(("MF", *[NAN] * 3), condition=RATERS.who[0])
    )
    assert "net: undefined. The raters among themselves: undefined." in undefined


# --- errors, correlation, scatter ------------------------------------------------------------


def detected(*rows):
    columns = ["condition", "score", "mean", "low", "high", "prevalence"]
    return pd.DataFrame(rows, columns=columns)


def test_detection():
    words = interrater_words.detection_sentence(
        detected(
            ("net a", "entropy", 0.3, 0.2, 0.4, 0.01),
            ("net b", "mutual_information", 0.5, 0.4, 0.6, 0.02),
            ("net c", "entropy", NAN, NAN, NAN, 0),
        )
    )
    assert words == (
        "Highest for the mutual information of net b: 0.500 (95 % CI 0.400 to 0.600), where a "
        "random score would reach 0.0200."
    )
    none = interrater_words.detection_sentence(detected(("net", "entropy", NAN, NAN, NAN, 0)))
    assert none == "No voxel is misclassified, so there is no error to find."
    assert interrater_words.detection_sentence(detected()) == NOBODY


def correlated(*rows):
    columns = ["condition", "r", "low", "high"]
    return pd.DataFrame(rows, columns=columns).assign(kind="pearson", score="entropy")


def test_correlation_rises_falls_or_is_open(three):
    words = interrater_words.correlation_sentence(
        correlated(
            ("a", 0.7, 0.5, 0.8), ("b", -0.7, -0.8, -0.5), ("c", 0.1, -0.2, 0.3),
            ("d", 0.9, NAN, NAN), ("e", NAN, NAN, NAN),
        ),
        three,
    )  # fmt: skip
    assert words == (
        "For a predictive entropy rises with the raters' disagreement, r = 0.70 (95 % CI 0.50 to "
        "0.80); for b predictive entropy falls with the raters' disagreement, r = -0.70 (95 % CI "
        "-0.80 to -0.50); for c predictive entropy has no correlation with disagreement that the "
        "data can tell from none, r = 0.10 (95 % CI -0.20 to 0.30); for d predictive entropy has a "
        "correlation with disagreement that chance may have made, r = 0.90 (no interval). (made by "
        "hand)"
    )
    tested = correlated(("a", 0.7, 0.5, 0.8), ("b", 0.6, 0.1, 0.8)).assign(
        p=[0.001, 0.03], p_holm=[0.003, 0.06]
    )
    part = tested.iloc[:1].assign(score="mutual_information")
    words = interrater_words.correlation_sentence(pd.concat([tested, part]), three)
    assert "adjusted over the 3 coefficients over images" in words
    assert words.endswith("is below 0.05 for 1 of these 2.")
    spearman = correlated(("a", 0.7, 0.5, 0.8)).assign(kind="spearman")
    assert "r =" not in interrater_words.correlation_sentence(spearman, three)


def test_correlations_of_many_networks_are_told_together(three):
    words = interrater_words.correlation_sentence(
        correlated(
            ("a", 0.7, 0.5, 0.8), ("b", 0.5, 0.2, 0.7), ("c", 0.1, -0.2, 0.3),
            ("d", 0.9, 0.7, 0.95), ("e", 0.8, 0.6, 0.9), ("f", NAN, NAN, NAN),
        ),
        three,
    )  # fmt: skip
    assert words == (
        "Predictive entropy rises with the raters' disagreement for 4 of 5 networks, r from 0.50 "
        "(b) to 0.90 (d); predictive entropy has no correlation with disagreement that the data "
        "can tell from none for 1 of 5 networks, r 0.10 (c). (made by hand)"
    )


def test_few_subjects_cannot_tell_a_correlation_from_chance(three):
    few = correlated(("a", 0.65, 0.43, 0.67)).assign(clusters=3)
    assert (
        "for a predictive entropy has a correlation with disagreement that 3 subjects can't "
        in (interrater_words.correlation_sentence(few, three).lower())
    )
    six = interrater_words.correlation_sentence(few.assign(clusters=6), three)
    assert "rises with the raters' disagreement" in six


@pytest.mark.parametrize(
    ("subjects", "words"),
    [
        (1, "are of 1 rated subject: there is nothing to resample"),
        (3, "**The test images are of 3 rated subjects.** Resampling so few promises 75 % at most"),
        (5, "promises 94 % at most"),
        (6, "are of 6 rated subjects: intervals from resampling so few are noticeably too narrow"),
        (20, "The test images are of 20 rated subjects, which every interval here resamples."),
    ],
)
def test_number_of_subjects(tools, subjects, words):
    data = tools.data(np.ones((subjects + 1, 1, 2, 2)), [[True]] * subjects + [[False]])
    assert words in interrater_words.subjects_sentence(data)  # whom nobody rated does not count


def test_correlation_says_why_there_is_none(tools):
    empty = correlated()
    labels = np.ones((4, 2, 2, 2))
    alone = tools.data(labels[:, :1])
    assert interrater_words.correlation_sentence(empty, alone).startswith(ONE_RATER)
    assert interrater_words.headline(empty) == "undefined (one rater)"
    two = tools.data(labels, [[True, True]] * 2 + [[True, False]] * 2)
    words = interrater_words.correlation_sentence(correlated(("a", NAN, NAN, NAN)), two)
    assert words == "2 images with two raters: too few for a correlation."
    words = interrater_words.correlation_sentence(
        correlated(("a", NAN, NAN, NAN)), tools.data(labels)
    )
    assert words.startswith("GT entropy or uncertainty is the same for all images")


def scatter(entropy, gt, subjects=None, names=("net",)):
    n = len(entropy)
    subjects = subjects or [f"p{i}" for i in range(n)]
    lines = [
        (subjects[i], f"{i}.nii", 0, "all", name, values[i])
        for name, values in (("entropy", entropy), ("gt_entropy", gt))
        for i in range(n)
    ]
    columns = ["subject", "image", "slice", "class", "measure", "value"]
    frame = pd.DataFrame(lines, columns=columns)
    frame = frame.assign(model="m", fusion="f", seed=0, method="s")
    several = []
    for n, who in enumerate(names):
        more = 0.001 * n * (frame["measure"] == "entropy")
        several.append(frame.assign(condition=who, value=frame["value"] + more))
    return interrater_words.scatter_sentence(pd.concat(several), **FEW)


def test_scatter_more_less_or_open():
    gt = np.linspace(0.01, 0.02, 6)
    assert scatter(gt + 0.01, gt) == (
        "On average over images, net is more uncertain than the raters disagree (difference 0.0100 "
        "(95 % CI 0.0100 to 0.0100) nats)."
    )
    assert "net is less uncertain than the raters disagree (difference -0.0" in scatter(gt / 2, gt)
    swinging = gt + 0.001 * np.array([-1, 1, -1, 1, -1, 1])
    words = scatter(swinging, gt)
    assert "net is not told apart from the raters' disagreement (difference 0.0000 (95" in words
    one = scatter(gt + 0.01, gt, ["p"] * 6)
    assert "not told apart" in one
    assert "(no interval)" in one
    assert scatter(gt, np.full(6, NAN)).startswith(ONE_RATER)
    assert scatter(gt - 0.002, gt, names="abcde") == (
        "On average over images, 2 of 5 networks are less uncertain than the raters disagree "
        "(difference from -0.0020 (a) to -0.0010 (b) nats); 1 of 5 networks is not told apart "
        "from the raters' disagreement (difference 0.0000 (c) nats); 2 of 5 networks are more "
        "uncertain than the raters disagree (difference from 0.0010 (d) to 0.0020 (e) nats)."
    )


# --- calibration -----------------------------------------------------------------------------


def calibrated(*rows):
    return pd.DataFrame(rows, columns=["condition", "mean", "low", "high", "over", "under"])


def test_calibration():
    words = calibration_words.calibration_sentence(
        calibrated(
            ("a", 0.02, 0.01, 0.03, 0.015, 0.005),
            ("b", 0.01, 0.005, 0.02, 0.001, 0.009),
            ("c", 0.03, NAN, NAN, 0.015, 0.015),
            ("d", NAN, NAN, NAN, NAN, NAN),
        )
    )
    assert words == (
        "Lowest ECE: *b*, 0.0100 (95 % CI 0.0050 to 0.0200); more over- than underconfident: *a*; "
        "more under- than overconfident: *b*."
    )
    one = calibration_words.calibration_sentence(calibrated(("a", 0.02, NAN, NAN, 0.01, 0.01)))
    assert one == "ECE: *a*, 0.0200 (no interval)."
    assert calibration_words.calibration_sentence(calibrated()) == NOBODY
    nothing = calibration_words.calibration_sentence(calibrated(("a", *[NAN] * 5)))
    assert nothing.startswith("No voxel counts here, because no rater marked a structure")


# --- headlines -------------------------------------------------------------------------------


def test_headlines():
    two = correlated(("a", 0.7, 0.5, 0.8), ("b", 0.2, -0.1, 0.4), ("c", NAN, NAN, NAN))
    assert interrater_words.headline(two) == (
        "r = 0.70 (95 % CI 0.50 to 0.80) (a); r = 0.20 (95 % CI -0.10 to 0.40) (b)"
    )
    ways = correlated(("a, dropout", 0.7, 0.5, 0.8), ("a, tta", 0.2, -0.1, 0.4))
    assert interrater_words.headline(ways) == "r = 0.70 (95 % CI 0.50 to 0.80) (a, dropout)"
    assert interrater_words.headline(two.iloc[2:]) == (
        "undefined (too few images, or no difference among them)"
    )
    both = pd.concat([table(("MF", 0.9, 0.8, 1), ("ES", 0.7, 0.6, 0.8)), RATERS])
    assert interrater_words.headline_dice(both) == "0.800 (net)"
    assert interrater_words.headline_raters(both) == "0.850"
    assert interrater_words.headline_raters(both.iloc[:2]) == "undefined (one rater)"
    assert interrater_words.headline_dice(RATERS) == "undefined (nobody rated the test images)"
    ece = calibrated(("a", 0.02, 0, 1, 0, 0), ("b", 0.01, 0, 1, 0, 0))
    assert calibration_words.headline_calibration(ece) == "0.0100 (b) to 0.0200 (a)"
    assert calibration_words.headline_calibration(ece.iloc[:1]) == "0.0200 (a)"
    assert calibration_words.headline_calibration(ece.iloc[:0]).startswith(
        "undefined (nobody rated"
    )


# --- architectures and the division of variance ----------------------------------------------


def compared(*rows):
    return pd.DataFrame(rows, columns=["a", "b", "difference", "p_holm"])


def test_comparisons():
    words = comparisons.comparison_sentence(
        compared(
            ("x", "y", 0.1, 0.01), ("x", "y", -0.1, 0.02), ("x", "y", 0.2, 0.3), ("x", "y", 0, NAN)
        )
    )
    assert words == (
        "Of 4 comparisons of x with y, Dice is higher for x in 1 and for y in 1 at an adjusted p "
        "below 0.05; in 2 the data can't tell."
    )
    assert comparisons.comparison_sentence(compared()).startswith("Only one architecture was run")


def test_partitions():
    rows = [("epistemic", 30, 20, 40), ("aleatoric", 10, 5, 20), ("joint", 35, 25, 45)]
    columns = ["part", "mean", "low", "high"]
    found = pd.DataFrame(rows, columns=columns).assign(epistemic="net", score="entropy")
    assert interrater_words.partition_sentence(found) == (
        "Variance of GT entropy explained. net: epistemic 30.0 %, aleatoric 10.0 %, both 35.0 (95 "
        "% CI 25.0 to 45.0) %."
    )
    bare = interrater_words.partition_sentence(found.assign(low=NAN, high=NAN))
    assert bare.endswith("both 35.0 (no interval) %.")
    assert interrater_words.partition_sentence(found.iloc[:0]).startswith(
        "Left out: dividing the variance"
    )
    assert "nothing to divide" in interrater_words.partition_sentence(found.assign(mean=NAN))


# --- predictive entropy taken apart -----------------------------------------------------------


def changed(*rows):
    return pd.DataFrame(rows, columns=["condition", "score", "mean", "low", "high"])


def test_changes_are_said_in_both_directions_and_where_they_are_open():
    part = "expected_entropy"
    rows = [("a", part, 0.2, 0.1, 0.3), ("b, c", part, -0.2, -0.3, -0.1), ("d", part, 0, -0.1, 0.2)]
    rows += [("e", part, 0.1, NAN, NAN), ("f", part, NAN, NAN, NAN)]
    rows += [("g", part, -0.1, -0.2, -0.05)]
    mutual = ("a", "mutual_information", 0.1, -0.1, 0.2)
    words = interrater_parts.changes_sentence(changed(*rows, mutual), "r")
    assert words == (
        "With expected entropy in place of predictive entropy, r is higher for 1 of 5 sampled "
        "networks (a) and lower for 2 of 5 sampled networks (b, c; g); for 2 the data can't tell. "
        "With mutual information in place of predictive entropy, the data can't tell whether r "
        "changes."
    )
    open_ones = interrater_parts.changes_sentence(changed(mutual, mutual), "r")
    assert open_ones.endswith(
        "the data can't tell for any of 2 sampled networks whether r changes."
    )
    many = interrater_parts.changes_sentence(changed(*[rows[0]] * 4), "r")
    assert many.endswith("r is higher for 4 of 4 sampled networks.")
    for nothing in (changed(), changed(("a", part, NAN, NAN, NAN))):
        assert interrater_parts.changes_sentence(nothing, "r").startswith("Left out: what changes")


# --- the whole chain, on any cohort ----------------------------------------------------------


def everything(data, moments, tools):
    """Every sentence of the book on a cohort and its samples, keyed by name."""
    agreement = frames.rater_frame(data)
    group = tables.groups(agreement)
    pairwise = conditions.summarise(agreement, "pairwise_dice", ["class"], **FEW)
    grouped = conditions.summarise(agreement, "gt_entropy", group, **FEW)
    sampled, reliability = [], []
    for (model, fusion, method), found in moments.items():
        frame = frames.prediction_frame(data, found)
        arrays = frames.error_arrays(data, found)
        condition = {"model": model, "fusion": fusion, "method": method, "members": [1, 2]}
        sampled.append(tools.Sampled(frame, arrays, **condition))
        parts = tools.Sampled(frames.reliability_frame(data, found), **condition)
        reliability.append(parts)
    frame = conditions.join(sampled, "measures.parquet")
    bins = conditions.join(reliability, "reliability.parquet")
    overlap = interrater_tables.overlap_table(frame, data, **FEW)
    errors = detection.detection_table(detection.detectors(sampled), **FEW)
    correlations = interrater_tables.correlation_table(frame, **FEW)
    ece = calibration_tables.calibration_table(bins, **FEW)
    near = calibration_tables.calibration_table(bins, region="near", **FEW)
    for found in (pairwise, errors, correlations, ece, near, overlap):
        names = ["class"] if found is pairwise else ["condition"]
        show.pretty(found, names, source=data.source)
    styles, fused = tables.rater_styles(data, **FEW), tables.fusion_table(data, **FEW)
    blanks = tables.blank_table(data, **FEW)
    show.pretty(styles, "rater", "class", source=data.source)
    show.pretty(blanks, "measure", "blank", source=data.source)
    show.pretty(
        interrater_tables.brier_table(frame, **FEW), "condition", "class", source=data.source
    )
    views.views(data, slices.spread(data, 3), next(iter(moments.values())))
    return {
        "agreement": raters_words.agreement_sentence(pairwise, data),
        "group": raters_words.group_sentence(grouped, "GT entropy", group[0]),
        "style": raters_words.style_sentence(styles),
        "fusion": raters_words.fusion_sentence(fused, data),
        "blank": raters_words.blank_sentence(blanks, data),
        "subjects": interrater_words.subjects_sentence(data),
        "overlap": interrater_words.overlap_sentence(overlap),
        "brier": brier.brier_sentence(
            brier.brier_comparison(frame, **FEW), interrater_tables.brier_table(frame, **FEW)
        ),
        "detection": interrater_words.detection_sentence(errors),
        "correlation": interrater_words.correlation_sentence(correlations, data),
        "scatter": interrater_words.scatter_sentence(frame, **FEW),
        "calibration": calibration_words.calibration_sentence(ece),
        "calibration near": calibration_words.calibration_sentence(near),
        "headline": interrater_words.headline(correlations),
        "headline Dice": interrater_words.headline_dice(overlap),
        "headline raters": interrater_words.headline_raters(overlap),
        "headline calibration": calibration_words.headline_calibration(ece),
        "partition": interrater_words.partition_sentence(
            interrater_tables.partition_table(frame, **FEW)
        ),
        "partition by subject": interrater_words.partition_sentence(
            interrater_tables.partition_table(conditions.by_subject(frame), **FEW)
        ),
        "parts in detection": interrater_parts.changes_sentence(
            interrater_parts.detection_changes(errors), "average precision"
        ),
        "parts in correlation": interrater_parts.changes_sentence(
            interrater_parts.correlation_changes(frame, **FEW), "r"
        ),
        "parts in partition": interrater_parts.changes_sentence(
            interrater_parts.partition_changes(frame, **FEW), "the share explained"
        ),
    }


CONDITIONS = (
    ("unet", "majority", "single"),
    ("unet", "random", "single"),
    ("unet", "majority", "dropout"),
    ("unet", "majority", "tta"),
)


def samples(tools, rng, n, size, unseen=0.0):
    found = {}
    for condition in CONDITIONS:
        mean = rng.dirichlet([0.5] * 3, (n, size, size)).transpose(0, 3, 1, 2)
        entropy = -(mean * np.log(np.maximum(mean, 1e-30))).sum(axis=1)
        mean = np.where(rng.random((n, 1, size, size)) < unseen, NAN, mean)
        single = condition[2] == "single"
        expected = entropy if single else 0.5 * entropy
        found[condition] = tools.moments(mean, expected, samples=1 if single else 5)
    return found


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 2**16),
    n=st.integers(1, 6),
    raters=st.integers(1, 3),
    subjects=st.integers(1, 6),
    rated=st.sampled_from([0.0, 0.5, 1.0]),
    marked=st.sampled_from([0.0, 0.05, 0.6]),
    unseen=st.sampled_from([0.0, 0.3, 1.0]),
    levels=st.booleans(),
)
def test_any_cohort_gives_words_and_never_nan(
    tools, seed, n, raters, subjects, rated, marked, unseen, levels
):
    rng = np.random.default_rng(seed)
    size = 4
    labels = rng.integers(1, 3, (n, raters, size, size))
    labels = np.where(rng.random(labels.shape) < marked, labels, 0)
    columns = {"level": [("L3", "S1", None)[i % 3] for i in range(n)]} if levels else {}
    data = tools.data(
        labels,
        rng.random((n, raters)) < rated,
        subject=[f"p{i % subjects}" for i in range(n)],
        **columns,
    )
    if levels and n > 1:
        data = data.select(data.table["level"].notna().to_numpy())
    words = everything(data, samples(tools, rng, len(data), size, unseen), tools)
    for name, sentence in words.items():
        assert sentence, name
        assert not re.search(r"\b(nan|None|inf)\b", sentence), f"{name}: {sentence}"
    if (data.rated.sum(axis=1) < 2).all():
        invented = re.compile(r"GT entropy (is|from) |raters among themselves|r = ")
        for name, sentence in words.items():
            if name != "blank":  # which tells what empty outlines would make of it
                assert not invented.search(sentence), f"{name}: {sentence}"
        for name in ("agreement", "group", "style", "fusion", "correlation"):
            assert words[name].startswith(ONE_RATER), name


def test_a_cohort_of_one_rater_says_so_and_invents_nothing(tools):
    rng = np.random.default_rng(1)
    data = tools.data(rng.integers(0, 3, (5, 1, 6, 6)))
    words = everything(data, samples(tools, rng, 5, 6), tools)
    for name in ("agreement", "group", "style", "fusion", "correlation", "scatter"):
        assert words[name].startswith(ONE_RATER), name
    assert ONE_RATER in words["overlap"]
    assert "does not arise" in words["blank"]
    assert words["headline"] == words["headline raters"] == "undefined (one rater)"
    assert words["partition"].startswith("Left out")
    assert "ECE" in words["calibration"]
    assert "of random with majority, the Brier score is lower for" in words["brier"]


def test_images_that_nobody_rated_say_so(tools):
    rng = np.random.default_rng(2)
    data = tools.data(np.zeros((3, 2, 6, 6)), np.zeros((3, 2)))
    words = everything(data, samples(tools, rng, 3, 6), tools)
    for name in ("overlap", "brier", "detection", "scatter", "calibration"):
        assert words[name] == NOBODY, name


def test_titles_of_figure_2():
    titles = [interrater_words.figure_2_title(m) for m in ("single", "dropout", "ensemble", "tta")]
    assert titles[0].startswith("Figure 2(a): entropy of the prediction (one pass)")
    for title, method in zip(titles[1:3], ("dropout", "ensemble"), strict=True):
        assert title.startswith(f"Figure 2(b): epistemic uncertainty ({method})")
    assert titles[3].startswith("Beside Figure 2(b): aleatoric uncertainty (tta)")


def test_a_combination_that_does_not_occur_has_words():
    cells = table(("MF", 0.9, 0.8, 0.95)).assign(condition="a")
    other = table(("ES", 0.7, 0.6, 0.8)).assign(condition="b")
    both = pd.concat([cells, other])
    shown = show.pretty(both, "condition", "class", missing="needs samples", source="made by hand")
    assert shown.loc["a", "ES"] == shown.loc["b", "MF"] == "needs samples"
    assert show.pretty(both, "condition", "class", source="made by hand").loc["a", "ES"] == ""
