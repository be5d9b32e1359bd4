"""Sentences of the label-fusion study."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from paraspine import text
from paraspine.evidence.judge import claims_summary, judge
from paraspine.evidence.show import estimate
from paraspine.statistics import Estimate
from paraspine.studies.label_fusion.claims import entropy_ratios, framework_difference
from paraspine.studies.label_fusion.frames import CONVENTIONAL, SOFTSEG, Repetition
from paraspine.studies.label_fusion.tables import FAVOUR, NEEDED

NO_DISAGREEMENT = (
    "**Left out: one rater only.** No test image has two raters, so their disagreement is unknown."
)


def setup_sentence(repeated: Iterable[Repetition], thresholds: Mapping) -> str:
    """Trainings, test images and, for one class, the thresholds that validation images chose."""
    repeated = list(repeated)
    networks = sum(len(runs) for one in repeated for runs in one.networks.values())
    parts = [
        f"{one.name}, {text.count(len(one.test), 'test slice')} of "
        f"{text.count(one.test.table['subject'].nunique(), 'subject')}"
        for one in repeated
    ]
    settings = repeated[0].parameters
    sentence = (
        f"{text.count(len(repeated[0].networks), 'candidate')}, "
        f"{text.count(networks, 'training')}, {text.count(len(repeated[0].test.raters), 'rater')}: "
        f"{'; '.join(parts)}. Trained for at most {text.count(settings['epochs'], 'epoch')} on "
        f"images of up to {settings['max_size']} pixels a side."
    )
    if not thresholds:
        return sentence
    found = [float(threshold) for threshold in thresholds.values()]
    return (
        f"{sentence} The one class is where its probability exceeds the threshold with the best "
        f"validation Dice, {text.number(min(found), 2)} to {text.number(max(found), 2)}."
    )


def learned_sentence(repeated: Iterable[Repetition]) -> str:
    """Best validation Dice of the trainings: of the worst and the best candidate."""
    best: dict[str, list[float]] = {}
    for one in repeated:
        for who, members in one.networks.items():
            own = [run.read_frame("history.parquet")["validation_dice"].max() for run in members]
            best.setdefault(who.label, []).extend(own)
    dice = pd.Series({who: np.mean(values) for who, values in best.items()}).dropna()
    if dice.empty:
        return "No validation image marks a structure, so what was learned is unknown."
    return (
        f"Best validation Dice, mean over splits: from {text.number(dice.min(), 2)} "
        f"({dice.idxmin()}) to {text.number(dice.max(), 2)} ({dice.idxmax()})."
    )


def ratio_sentence(frame: pd.DataFrame) -> str:
    """Predictive entropy of each framework as a multiple of the raters'."""
    ratios = entropy_ratios(frame).set_index("framework")
    if ratios["ratio"].isna().all():
        return NO_DISAGREEMENT
    soft, plain = (estimate(ratios.loc[name], "ratio") for name in ("SoftSeg", "conventional"))
    return (
        f"**Predictive entropy is {soft:.1f} times the raters' entropy with SoftSeg and "
        f"{plain:.1f} times with conventional training.**"
    )


def error_sentence(frame: pd.DataFrame) -> str:
    """Which framework's entropy is closer to the raters', beside what the paper found."""
    found, left, subjects = framework_difference(frame, "entropy_error")
    if np.isnan(found.value):
        return ""
    verdict, why = judge(found, "below", subjects=subjects, without=left.each)
    words = {
        "supported": "SoftSeg's entropy is the closer one, as in the paper",
        "contradicted": "SoftSeg's entropy is the further one, the opposite of the paper's finding",
        "can't tell": f"Whose entropy is closer can't be told ({why})",
    }[verdict]
    return (
        f"{words}: its error minus that of conventional training is "
        f"{_scaled(found, 1e3):.1f} × 10⁻³ nats a voxel{_left(left, 1e3, 1)}."
    )


def _scaled(found: Estimate, factor: float) -> Estimate:
    return Estimate(factor * found.value, factor * found.low, factor * found.high)


def _left(left, factor: float, digits: int) -> str:
    """Range of a difference over leaving one subject out."""
    if np.isnan(left.low):
        return ""
    low, high = (text.number(factor * end, digits) for end in (left.low, left.high))
    return f", {low} to {high} leaving one subject out"


def calibration_sentence(near: pd.DataFrame) -> str:
    """Calibration error near structures of both frameworks, and who is over-confident."""
    known = near[near["mean"].notna()]
    if known.empty:
        return "No test voxel has a reference, so calibration is undefined."
    words = [
        f"{_span(100 * known.loc[known['condition'].isin([w.label for w in group]), 'mean'], 1)} % "
        f"with {name}"
        for name, group in (("SoftSeg", SOFTSEG), ("conventional training", CONVENTIONAL))
    ]
    over, under = int((known["gap_low"] > 0).sum()), int((known["gap_high"] < 0).sum())
    groups = {"over-confident": over, "under-confident": under}
    told = _counted(groups, len(known), "candidate", "whether the rest are the interval can't tell")
    return f"Near the structures the calibration error is {' and '.join(words)}. {told}."


def _counted(groups: Mapping[str, int], total: int, noun: str, rest: str) -> str:
    """Number of things in each group, and what is said of the rest."""
    found = [(how, number) for how, number in groups.items() if number]
    if len(found) == 1 and found[0][1] == total > 1:
        return f"All {text.count(total, noun)} are {found[0][0]}"
    told = [f"{number} {'is' if number == 1 else 'are'} {how}" for how, number in found]
    if sum(groups.values()) < total:
        told.append(rest)
    return f"Of {text.count(total, noun)} {text.listing(told)}"


def _span(values: pd.Series, digits: int) -> str:
    low, high = text.number(values.min(), digits), text.number(values.max(), digits)
    return low if low == high else f"{low} to {high}"


def reference_sentence(table: pd.DataFrame) -> str:
    """Change of Dice from majority vote to STAPLE, and whether it favours those trained on it."""
    known = table[(table["condition"] != FAVOUR) & table["mean"].notna()]
    if known.empty:
        return "Nothing was measured against both references, so there is nothing to compare."
    most = text.number(known["mean"].abs().max(), 4)
    found = estimate(table[table["condition"] == FAVOUR].iloc[0])
    # Decided as printed: what rounds to nothing favours nobody.
    as_printed = Estimate(*(round(v, 4) for v in (found.value, found.low, found.high)))
    phrase = text.verdict(
        as_printed,
        above="It favours the candidates trained on STAPLE",
        below="It puts the candidates trained on STAPLE at a disadvantage",
        unclear="It isn't seen to favour the candidates trained on STAPLE",
    )
    return (
        f"Measured against STAPLE instead of the majority vote, no candidate's mean Dice changes "
        f"by more than {most}. {phrase}: they gain {found:.4f} beyond the others."
    )


def left_out_sentence(
    table: pd.DataFrame, by_rater: pd.DataFrame, repeated: Iterable[Repetition]
) -> str:
    """Number of candidates closer to the other raters than the left-out rater, and further."""
    known = table[table["mean"].notna()]
    most = max((int(n) for one in repeated for n in one.test.rated.sum(axis=1)), default=0)
    if known.empty and most >= NEEDED:
        return "No structure is marked, so there is nothing to compare."
    if known.empty:
        return (
            f"**Left out: at most {text.count(most, 'rater')} rated the same image.** It takes "
            f"{NEEDED}: one to leave out and two to make the reference for rater and network."
        )
    groups = {
        "closer to the other raters than the left-out rater": int((known["low"] > 0).sum()),
        "further from the other raters than the left-out rater": int((known["high"] < 0).sum()),
    }
    told = _counted(groups, len(known), "candidate", "of the rest the data can't tell")
    apart = int((by_rater["high"] < 0).sum())
    return (
        f"{told}: Dice {_span(known['value'], 2)} against {_span(known['value_left_out'], 2)}. "
        f"Rater by rater, the candidate is further away in {apart} of "
        f"{text.count(len(by_rater), 'comparison')}."
    )


def scaling_sentence(table: pd.DataFrame) -> str:
    """Calibration error before and after temperature scaling, and Brier score beside SoftSeg's."""
    scaled = table[table["scaled"]]
    plain = table[~table["scaled"] & (table["framework"] == "conventional")]
    soft = table[table["framework"] == "SoftSeg"]
    before, after, rival = (100 * own["mean"].mean() for own in (plain, scaled, soft))
    better, worse = (scaled["against_high"] < 0).sum(), (scaled["against_low"] > 0).sum()
    how = "lowers" if after < before else "does not lower"
    return (
        f"A temperature of {_span(scaled['temperature'], 1)} {how} the conventional networks' "
        f"calibration error near the structures: {text.number(before, 1)} % before, "
        f"{text.number(after, 1)} % after, {text.number(rival, 1)} % with SoftSeg. The scaled "
        f"Brier score is lower than SoftSeg's for {better} of {len(scaled)} ways of fusing "
        f"and higher for {worse or 'none'}."
    )


def distance_sentence(frame: pd.DataFrame) -> str:
    """Distance of sampled segmentations to the raters': SoftSeg against conventional training."""
    found = {}
    for measure, name, lower in (
        ("energy_distance", "generalised energy distance", True),
        ("matched_iou", "matched IoU", False),
    ):
        difference, left, _ = framework_difference(frame, measure)
        if np.isnan(difference.value):
            return NO_DISAGREEMENT
        closer, further = "closer to the raters", "further from the raters"
        phrase = text.verdict(
            difference,
            above=further if lower else closer,
            below=closer if lower else further,
            unclear="not told apart",
        )
        words = f"by {name} (difference {difference:.3f brackets}{_left(left, 1, 3)})"
        found.setdefault(phrase, []).append(words)
    told = text.listing(f"{phrase} {text.listing(words)}" for phrase, words in found.items())
    return (
        f"Compared with those of conventional training, SoftSeg's drawn segmentations are {told}."
    )


#: Verdicts in the order of a phrase.
ORDER = (
    "supported", "supported in part", "contradicted", "contradicted in part", "mixed", "can't tell",
)  # fmt: skip


def claims_headline(table: pd.DataFrame) -> str:
    """Number of claims with each verdict, in one phrase."""
    verdicts = claims_summary(table)["verdict"]
    counts = [(int((verdicts == v).sum()), v) for v in ORDER]
    told = text.listing(f"{count} {verdict}" for count, verdict in counts if count)
    return f"{told}, of {len(verdicts)}"


def found_sentences(frame: pd.DataFrame, near: pd.DataFrame, claims: pd.DataFrame) -> str:
    """What was found, as a list: the answer, segmentation, claims."""
    found, left, _ = framework_difference(frame, "dice")
    dice = text.verdict(
        found,
        above="SoftSeg's Dice is higher",
        below="SoftSeg's Dice is lower",
        unclear="Dice of SoftSeg and conventional training can't be told apart",
    )
    return "\n".join(
        f"- {item}"
        for item in (
            answer_sentence(frame, near),
            f"{dice}: difference {_scaled(found, 100):.1f} percentage points{_left(left, 100, 1)}.",
            f"Of the paper's claims: {claims_headline(claims)}.",
        )
    )


def answer_sentence(frame: pd.DataFrame, near: pd.DataFrame) -> str:
    """The chapter's answer in one sentence, for the first page."""
    ratios = entropy_ratios(frame).set_index("framework")
    if ratios["ratio"].isna().all():
        return (
            "No test image has two raters, so training targets can't be compared by disagreement."
        )
    soft, plain = (estimate(ratios.loc[name], "ratio") for name in ("SoftSeg", "conventional"))
    errors = [
        text.number(near.loc[near["condition"].isin([w.label for w in group]), "mean"].mean(), 3)
        for group in (SOFTSEG, CONVENTIONAL)
    ]
    return (
        f"Networks trained on soft labels (SoftSeg) have {soft:.2f} times the raters' entropy, "
        f"those trained on hard labels {plain:.2f} times; near the structures their calibration "
        f"errors are {errors[0]} and {errors[1]}."
    )
