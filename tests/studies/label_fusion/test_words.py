"""Sentences in every direction."""

import numpy as np
import pandas as pd
import pytest

from paraspine.evidence.influence import Influence
from paraspine.statistics import Estimate
from paraspine.studies.label_fusion import calibration, claims, frames, tables, views, words
from tests.studies.label_fusion.small import CANDIDATES, both_ways, make, tidy, trained

SUBJECTS = 8
STEPS = np.array([0.9, 1.1, 1.0, 1.2, 0.8, 1.0, 1.1, 0.9])


def entropies(soft, plain, gt=0.02):
    """Entropies of eight subjects, one image each, as multiples of the raters'."""
    parts = []
    for who in CANDIDATES:
        times = soft if who.framework == "SoftSeg" else plain
        entropy = gt * (1 + (times - 1) * STEPS)
        for measure, values in (
            ("entropy", entropy),
            ("gt_entropy", np.full(SUBJECTS, gt)),
            ("entropy_error", abs(entropy - gt)),
        ):
            parts.append(tidy({who: values}, measure, "", "all"))
    return pd.concat([*parts, tidy(dict.fromkeys(CANDIDATES, STEPS))], ignore_index=True)


def test_whose_entropy_is_closer_turns():
    both_ways(
        lambda sign: words.error_sentence(entropies(*((3.0, 0.8), (1.1, 0.5))[sign < 0])),
        "SoftSeg's entropy is the further one, the opposite of the paper's finding",
        "SoftSeg's entropy is the closer one, as in the paper",
    )
    frame = entropies(3.0, 0.8)
    said = words.ratio_sentence(frame)
    assert "is 3.0 (95 % CI 2.8 to 3.1) times the raters' entropy with SoftSeg and 0.8 (" in said
    said = words.error_sentence(frame)
    assert "conventional training is 36.0 (" in said
    assert said.endswith("× 10⁻³ nats a voxel, 35.0 to 37.0 leaving one subject out.")
    same = words.error_sentence(entropies(1.2, 0.8))
    assert "Whose entropy is closer can't be told (the interval includes 0)" in same
    few = frame[frame["subject"].isin(["p0", "p1", "p2"])]
    assert "can't be told (fewer than 6 subjects)" in words.error_sentence(few)
    alone = frame.assign(value=np.nan)
    assert words.ratio_sentence(alone) == words.NO_DISAGREEMENT
    assert words.error_sentence(alone) == ""
    assert words.answer_sentence(alone, None).startswith("No test image")


def test_an_answer_that_one_subject_decides_is_not_given(monkeypatch):
    left = Influence(-0.02, -0.001, each=(Estimate(-0.001, -0.002, 0.001),))
    found = Estimate(-0.01, -0.02, -0.001), left, 8
    monkeypatch.setattr(words, "framework_difference", lambda frame, measure: found)
    assert "closer can't be told (one subject decides)" in words.error_sentence(None)


def test_one_subject_and_one_class_have_tables_and_sentences_without_intervals(tools):
    repeated, predictions = make(tools, classes=2, raters=4, images=4, splits=1)
    thresholds = calibration.fusion_thresholds(repeated, predictions)
    frame = frames.fusion_frame(repeated, predictions, thresholds)
    counts = frames.fusion_reliability(repeated, predictions)
    near = calibration.fusion_calibration(counts, region="near")
    judged = claims.fusion_claims(counts, frame)
    assert set(judged["verdict"]) == {"can't tell"}
    tests = tables.wilcoxon_table(frame, tables.composite_score(frame))
    assert set(views.tests_view(tests, "Table", "hand").frame.to_numpy().ravel()) == {"·"}
    assert views.places_view(judged, "Table", "hand").frame["leaving one subject out"].eq("–").all()
    left_out = tables.left_out_frame(repeated, predictions, thresholds)
    by_rater = tables.left_out_table(left_out, ["rater"])
    said = [
        words.ratio_sentence(frame), words.error_sentence(frame), words.distance_sentence(frame),
        words.calibration_sentence(near), words.found_sentences(frame, near, judged),
        words.reference_sentence(tables.reference_table(frame)),
        words.left_out_sentence(tables.left_out_table(left_out), by_rater, repeated),
        words.scaling_sentence(
            calibration.scaling_table(repeated, predictions, frame, near)
        ),
    ]  # fmt: skip
    assert not any("nan" in sentence for sentence in said)
    assert "can't be told (no interval" in said[1]


def errors(means, gaps):
    return pd.DataFrame(
        [
            who.columns() | {"mean": m, "gap_low": g - 0.01, "gap_high": g + 0.01}
            for who, m, g in zip(CANDIDATES, means, gaps, strict=True)
        ]
    )


MEANS = (0.06, 0.062, 0.064, 0.019, 0.02, 0.026, 0.04)


def test_calibration_names_spans_and_counts():
    both_ways(
        lambda sign: words.calibration_sentence(errors(MEANS, [0.05 * sign] * 7)),
        "All 7 candidates are over-confident.",
        "All 7 candidates are under-confident.",
    )
    said = words.calibration_sentence(errors(MEANS, [0.05, 0.05, 0.05, -0.05, 0, 0, 0]))
    assert "error is 1.9 to 2.6 % with SoftSeg and 6.0 to 6.4 % with conventional training." in said
    assert "Of 7 candidates 3 are over-confident, 1 is under-confident and whether" in said
    nothing = words.calibration_sentence(errors([np.nan] * 7, [np.nan] * 7))
    assert "calibration is undefined" in nothing


def test_the_answer_has_both_frameworks_numbers():
    said = words.answer_sentence(entropies(3.0, 0.8), errors(MEANS, [0.05] * 7))
    assert said.startswith("Networks trained on soft labels (SoftSeg) have 3.00 (")
    assert "those trained on hard labels 0.80 (" in said
    assert said.endswith("calibration errors are 0.022 and 0.062.")


def favoured(gain):
    base = np.linspace(0.6, 0.9, SUBJECTS)
    first = {w: base + (gain * STEPS if w.target == "staple" else 0) for w in CANDIDATES}
    rows = [tidy(first), tidy(dict.fromkeys(CANDIDATES, base), reference="majority")]
    return tables.reference_table(pd.concat(rows))


def test_whom_a_reference_favours_turns():
    both_ways(
        lambda sign: words.reference_sentence(favoured(0.05 * sign)),
        "It favours the candidates trained on STAPLE",
        "It puts the candidates trained on STAPLE at a disadvantage",
    )
    said = words.reference_sentence(favoured(0.05))
    assert "no candidate's mean Dice changes by more than 0.0500." in said
    assert "they gain 0.0500 (95 % CI 0.04" in said
    assert "by more than 0.0500." in words.reference_sentence(favoured(-0.05))
    assert "It isn't seen to favour" in words.reference_sentence(favoured(0.00001))
    table = favoured(0.05).assign(mean=np.nan)
    assert "nothing to compare" in words.reference_sentence(table)


def closer(lows, value=0.8):
    return pd.DataFrame(
        {"value": value, "value_left_out": 0.9, "mean": np.array(lows) + 0.01, "low": lows,
         "high": np.array(lows) + 0.02}
    )  # fmt: skip


def test_left_out_raters_in_every_direction(tools):
    repeated, _ = make(tools, images=4, splits=1)

    def say(sign):
        table = closer([0.05, 0.06] if sign > 0 else [-0.05, -0.06])
        return words.left_out_sentence(table, table, repeated)

    both_ways(
        say,
        "All 2 candidates are closer to the other raters than the left-out rater: Dice 0.80",
        "All 2 candidates are further from the other raters than the left-out rater: Dice 0.80",
    )
    assert "further away in 2 of 2 comparisons." in say(-1)
    assert "further away in 0 of 2 comparisons." in say(1)
    mixed = closer([0.05, -0.06, -0.01, 0.05])
    said = words.left_out_sentence(mixed, mixed, repeated)
    assert "Of 4 candidates 2 are closer" in said
    assert "1 is further" in said
    assert "of the rest the data can't tell" in said
    empty = closer([])
    assert "No structure is marked" in words.left_out_sentence(empty, empty, repeated)
    few, _ = make(tools, images=4, splits=1, raters=2)
    assert "at most 2 raters rated the same image" in words.left_out_sentence(empty, empty, few)


def scaling(after, against):
    lines = [
        {"framework": "conventional", "scaled": False, "mean": 0.06},
        {"framework": "conventional", "scaled": True, "mean": after, "temperature": 1.5,
         "against_low": against, "against_high": against + 0.01},
        {"framework": "SoftSeg", "scaled": False, "mean": 0.02},
    ]  # fmt: skip
    return pd.DataFrame(lines * 3)


def test_temperature_scaling_in_both_directions():
    both_ways(
        lambda sign: words.scaling_sentence(scaling(0.06 - 0.03 * sign, -0.005 - 0.01 * sign)),
        "A temperature of 1.5 lowers the conventional networks' calibration error near the "
        "structures: 6.0 % before, 3.0 % after, 2.0 % with SoftSeg. The scaled Brier score is "
        "lower than SoftSeg's for 3 of 3 ways of fusing and higher for none.",
        "does not lower the conventional networks' calibration error near the structures: 6.0 % "
        "before, 9.0 % after, 2.0 % with SoftSeg. The scaled Brier score is lower than SoftSeg's "
        "for 0 of 3 ways of fusing and higher for 3.",
    )


def distances(sign):
    shift = {w: 0.1 * sign if w.framework == "SoftSeg" else 0 for w in CANDIDATES}
    ged = tidy({w: 0.3 + shift[w] * STEPS for w in CANDIDATES}, "energy_distance", "", "all")
    iou = tidy({w: 0.7 - shift[w] * STEPS for w in CANDIDATES}, "matched_iou", "", "all")
    return pd.concat([ged, iou, tidy(dict.fromkeys(CANDIDATES, STEPS))])


def test_distances_turn_and_agree_or_not():
    both_ways(
        lambda sign: words.distance_sentence(distances(sign)),
        "segmentations are further from the raters by generalised energy distance (difference "
        "0.100 [",
        "segmentations are closer to the raters by generalised energy distance (difference -0.100",
    )
    assert "and by matched IoU (difference -0.100 [" in words.distance_sentence(distances(1))
    frame = distances(1)
    frame.loc[frame["measure"] == "matched_iou", "value"] *= -1
    assert "and closer to the raters by matched IoU" in words.distance_sentence(frame)
    assert "not told apart" in words.distance_sentence(distances(0))
    assert words.distance_sentence(frame.assign(value=np.nan)) == words.NO_DISAGREEMENT


def test_what_was_found_turns_with_dice():
    judged = pd.DataFrame(
        {"claim": list("abc"), "table": "", "said": "",
         "verdict": ["contradicted", "supported", "can't tell"]}
    )  # fmt: skip

    def say(sign):
        dice = {w: 0.8 + 0.02 * sign * STEPS * (w.framework == "SoftSeg") for w in CANDIDATES}
        rest = entropies(3.0, 0.8)
        frame = pd.concat([rest[rest["measure"] != "dice"], tidy(dice)])
        return words.found_sentences(frame, errors(MEANS, [0.05] * 7), judged)

    both_ways(say, "- SoftSeg's Dice is higher: difference 2.0", "SoftSeg's Dice is lower: differ")
    assert "can't be told apart: difference 0.0" in say(0)
    assert "- Of the paper's claims: 1 supported, 1 contradicted and 1 can't tell, of 3." in say(1)


@pytest.mark.parametrize("thresholds", [{}, {"a": 0.35, "b": 0.6}])
def test_the_setup_and_what_was_learned(tools, thresholds):
    repeated, _ = make(tools, images=8)
    said = words.setup_sentence(repeated, thresholds)
    assert "7 candidates, 18 trainings, 3 raters: split 1, 4 test slices of 2 subjects; s" in said
    assert "Trained for at most 2 epochs on images of up to 8 pixels a side." in said
    assert ("threshold with the best validation Dice, 0.35 to 0.60." in said) == bool(thresholds)
    learned = words.learned_sentence(repeated)
    assert learned.endswith("from 0.70 (conventional, STAPLE) to 0.76 (loss ensemble).")
    for run in (run for one in repeated for runs in one.networks.values() for run in runs):
        run.dice = np.nan
    (one,) = frames.repetitions(trained(splits=1))
    for runs in one.networks.values():
        for run in runs:
            run.read_frame = lambda name: pd.DataFrame({"validation_dice": [np.nan]})
    assert "No validation image marks a structure" in words.learned_sentence([one])
