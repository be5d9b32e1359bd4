"""Tables of the label-fusion study: tests, references, left-out raters, and the paper's tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from paraspine import fusion, metrics, published, statistics
from paraspine.evidence.printed import digits_of, unit_words, with_sd
from paraspine.studies.label_fusion.frames import (
    CONVENTIONAL,
    ENSEMBLE,
    HARD,
    KEYS,
    SOFTSEG,
    Candidate,
    Predictions,
    Repetition,
    by_image,
    identified,
    rated_labels,
    segmented,
)

PAPER = "lemay2022"
#: Candidates' names in the published tables.
PRINTED = {
    who.label: f"{who.framework} {name}"
    for who, name in zip(CONVENTIONAL + SOFTSEG, ("STAPLE", "average", "random") * 2, strict=True)
} | {ENSEMBLE.label: "loss ensemble (one model per rater)"}


class Shown(NamedTuple):
    """A measure in the tables: the paper's word, our head, factor, unit as the paper's, digits."""

    metric: str
    head: str
    factor: float
    unit: str
    digits: int


SHOWN = {
    "brier": Shown("Brier score", "Brier score, × 10⁻⁴", 1e4, "1e-4", 1),
    "entropy_error_total": Shown("entropy MAE", "entropy MAE, nats × voxels", 1.0, "", 1),
    "dice": Shown("Dice", "Dice, %", 100.0, "%", 1),
    "precision": Shown("precision", "precision, %", 100.0, "%", 1),
    "recall": Shown("recall", "recall, %", 100.0, "%", 1),
    "absolute_volume_difference": Shown("AVD", "AVD, %", 100.0, "%", 1),
    "relative_volume_difference": Shown("RVD", "RVD, %", 100.0, "%", 1),
}
#: Measures of the tests against the baseline, in words.
TESTED = {
    "brier": "Brier score",
    "entropy_error": "entropy error",
    "dice": "Dice",
    "precision": "precision",
    "recall": "recall",
    "absolute_volume_difference": "AVD",
    "relative_volume_difference": "RVD",
    "composite": "composite score",
}
#: Measures of the composite score and their weights (lemay2022, 2.3.4).
COMPOSITE = {"dice": 1.0, "precision": 1.0, "recall": 1.0, "absolute_volume_difference": -1.0}
#: Condition of the rater who has no part in the reference, and of the favoured candidates together.
LEFT_OUT, FAVOUR = "left-out rater", "gain beyond the others'"
#: Raters an image needs: one to leave out, two to fuse.
NEEDED = 3


def reference_of(measure: str) -> str:
    """Reference that a measure is taken against as published; empty for one without."""
    return "STAPLE" if measure in (*HARD, "composite") else ""


def against(frame: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Rows of structures that do not depend on the reference, and those against this one."""
    structures = set(frame.loc[frame["measure"] == "dice", "class"])
    kept = frame["reference"].isin(["", reference]) & frame["class"].isin([*structures, "all"])
    return frame[kept]


def paper_table(
    frame: pd.DataFrame, measure: str, tables: Iterable[str] = ("Table 2", "Table 3a", "Table 3b")
) -> pd.DataFrame:
    """A measure of each candidate, in the paper's unit, beside the published values as text.

    ``measure`` (with unit), the candidate's columns, ``mean``, ``low``, ``high`` (over images,
    splits and structures) and a column for each published structure.
    """
    shown = SHOWN[measure]
    own = frame[frame["class"] != "background"]
    own = own[(own["measure"] == measure) & own["reference"].isin(["", "STAPLE"])]
    own = own.assign(value=shown.factor * own["value"])
    lines = statistics.mean_table(own, by=["framework", "target", "condition"])
    printed = published.table(PAPER)
    printed = printed[printed["table"].isin(list(tables)) & (printed["metric"] == shown.metric)]
    digits = digits_of(printed["value"])
    for target, rows in printed.groupby("target", sort=False):
        theirs = rows.set_index("condition")
        other = rows["unit"].iloc[0]
        lines[f"{target}{'' if other == shown.unit else unit_words(other)}"] = [
            with_sd(theirs.loc[PRINTED[who], "value"], theirs.loc[PRINTED[who], "sd"], digits)
            if PRINTED[who] in theirs.index
            else "–"
            for who in lines["condition"]
        ]
    return lines.assign(measure=shown.head)


def published_errors(near: pd.DataFrame, every: pd.DataFrame) -> pd.DataFrame:
    """Calibration error of each framework, mean over its candidates, beside the paper's (%)."""
    rows = published.table(PAPER)
    rows = rows[rows["metric"] == "expected calibration error"].set_index(["condition", "target"])
    lines = []
    for candidates in (CONVENTIONAL, SOFTSEG):
        names, framework = [who.label for who in candidates], candidates[0].framework
        line = {"framework": framework}
        for region, table in (("near", near), ("all", every)):
            line[region] = 100 * table.loc[table["condition"].isin(names), "mean"].mean()
        lines.append(line | rows.loc[framework, "value"].to_dict())
    return pd.DataFrame(lines)


def wilcoxon_table(frame: pd.DataFrame, composite: pd.DataFrame) -> pd.DataFrame:
    """Every candidate against conventional STAPLE: Wilcoxon signed-rank test, over structures.

    By image, as published, ``n``, ``dropped`` (undefined in either), ``value`` and
    ``value_baseline`` (means), ``mean`` (of the differences) with ``low`` and ``high`` (subjects
    resampled), ``p``, ``p_holm``, ``effect`` (matched-pairs rank-biserial correlation); by subject,
    whose images are averaged first, ``subjects``, ``p_subject``, ``p_holm_subject``,
    ``effect_subject``. Holm's adjustment is over the candidates of a measure.
    """
    columns = ["measure", "condition", "n", "dropped", "value", "value_baseline", "mean", "low",
               "high", "p", "p_holm", "effect", "subjects", "p_subject", "p_holm_subject",
               "effect_subject"]  # fmt: skip
    names = {"a": "condition", "mean_a": "value", "mean_b": "value_baseline", "difference": "mean"}
    frame, tables = pd.concat([frame, composite]), []
    for measure in TESTED:
        wide = by_image(frame, measure, reference_of(measure))
        long = wide.stack(future_stack=True).rename("value").reset_index()
        given = long, "value", "condition", KEYS, "wilcoxon"
        options = {"reference": CONVENTIONAL[0].label}
        image = statistics.paired_test(*given, clusters="subject", **options)
        subject = statistics.paired_test(*given, average="subject", **options)
        own = {f"{n}_subject": subject[n] for n in ("p", "p_holm", "effect")}
        image = image.assign(measure=measure, subjects=subject["n"], **own)
        tables.append(image.rename(columns=names)[columns])
    return pd.concat(tables, ignore_index=True)


def composite_score(frame: pd.DataFrame) -> pd.DataFrame:
    """Weighted sum of z-scores across candidates, image by image (lemay2022, 2.3.4 and Fig. 5).

    Each measure of each structure is standardised over all images of all candidates together (a
    measure that never varies gives 0), the z-scores are added with the weights of `COMPOSITE`, and
    an image's score is the mean over its structures. A structure for which a measure of any
    candidate is undefined in an image counts for none of them there.
    """
    chosen = frame[frame["measure"].isin(list(COMPOSITE)) & (frame["reference"] == "STAPLE")]
    order = list(dict.fromkeys(chosen["condition"]))
    table = chosen.set_index([*KEYS, "class", "condition", "measure"])["value"]
    table = table.unstack(["condition", "measure"])
    table.loc[table.isna().any(axis=1)] = np.nan
    scores = [
        sum(w * _standard(part.xs(m, axis=1, level="measure")[order]) for m, w in COMPOSITE.items())
        for _, part in table.groupby("class", sort=False)
    ]
    images = pd.concat(scores).groupby(KEYS, sort=False).mean()
    found = images.rename_axis(columns="condition").stack(future_stack=True).rename("value")
    return found.reset_index().assign(
        **{"class": "all", "measure": "composite", "reference": "STAPLE"}
    )


def _standard(values: pd.DataFrame) -> pd.DataFrame:
    known = values.to_numpy(dtype=float)
    known = known[~np.isnan(known)]
    spread = known.std() if known.size else 0.0
    if not spread > 1e-13 * np.abs(known).max(initial=0.0):
        return values * 0.0
    return (values - known.mean()) / spread


def reference_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Gain in Dice of each candidate measured against STAPLE instead of the majority vote.

    ``trained`` (``"on STAPLE"`` or ``"otherwise"``), ``n`` (images x structures), ``value_first``,
    ``value_second`` (means against STAPLE and the majority), ``mean`` (the gain), ``low``,
    ``high``; the last row is how much larger the mean gain of candidates trained on STAPLE is.
    """
    chosen = frame[frame["measure"] == "dice"]
    table = chosen.set_index([*KEYS, "class", "condition", "reference"])["value"]
    table = table.unstack("reference").dropna()
    gain = (table["STAPLE"] - table["majority"]).unstack("condition")
    every = chosen.drop_duplicates("condition").set_index("condition")["target"]
    favoured = every == "staple"
    lines = []
    for who in every.index:
        own = gain[who].dropna() if who in gain else pd.Series(dtype=float)
        means = (
            table.xs(who, level="condition").mean()
            if len(own)
            else dict.fromkeys(table.columns, np.nan)
        )
        trained = "on STAPLE" if favoured[who] else "otherwise"
        lines.append((who, trained, len(own), means["STAPLE"], means["majority"], *_mean(own)))
    complete = gain.reindex(columns=every.index).dropna()
    beyond = complete.loc[:, favoured].mean(axis=1) - complete.loc[:, ~favoured].mean(axis=1)
    lines.append((FAVOUR, "", len(beyond), np.nan, np.nan, *_mean(beyond)))
    columns = ["condition", "trained", "n", "value_first", "value_second", "mean", "low", "high"]
    return pd.DataFrame(lines, columns=columns)


def _mean(values: pd.Series) -> tuple[float, float, float]:
    if values.empty:
        return np.nan, np.nan, np.nan
    subjects = values.index.get_level_values("subject").to_numpy()
    found = statistics.mean_interval(values.to_numpy(), subjects)
    return found.value, found.low, found.high


def distance_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Energy distance and matched IoU of each candidate's sampled segmentations and the raters."""
    chosen = frame[frame["measure"].isin(["energy_distance", "matched_iou"])]
    return statistics.mean_table(chosen, by=["condition", "measure"])


def left_out_scores(labels, predictions: Sequence, num_classes: int) -> np.ndarray:
    """Dice against the other raters' vote: ``(1 + predictions, R, C - 1)``.

    Row r is about the reference without rater r of ``labels`` ``(R, H, W)``, first of that rater,
    then of each prediction ``(H, W)``: both meet the same reference, in which neither has a part.
    """
    found = []
    for rater, own in enumerate(labels):
        others = fusion.majority_vote(np.delete(labels, rater, axis=0), num_classes)
        found.append([metrics.dice(map_, others, num_classes) for map_ in (own, *predictions)])
    return np.swapaxes(np.asarray(found), 0, 1)


def left_out_frame(
    repeated: Iterable[Repetition],
    predictions: Predictions,
    thresholds: Mapping[tuple[str, Candidate], float],
) -> pd.DataFrame:
    """`left_out_scores` of every test image with at least 3 raters, as a tidy frame.

    ``rater`` is who is left out, ``condition`` a candidate or the left-out rater.
    """
    parts = []
    for one in repeated:
        data, classes = one.test, one.test.classes
        own = {w: (found.test, thresholds.get((n, w))) for (n, w), found in predictions.items()
               if n == one.name}  # fmt: skip
        lines = []
        for item, labels in enumerate(rated_labels(data)):
            if len(labels) < NEEDED:
                continue
            raters = np.asarray(data.raters)[data.rated[item]]
            hard = [segmented(test[item], threshold) for test, threshold in own.values()]
            scores = left_out_scores(labels, hard, classes.num_classes)
            for who, values in zip((LEFT_OUT, *(w.label for w in own)), scores, strict=True):
                lines += [
                    (item, name, structure, "dice", who, value)
                    for name, row in zip(raters, values, strict=True)
                    for structure, value in zip(classes.foreground, row, strict=True)
                ]
        columns = ["item", "rater", "class", "measure", "condition", "value"]
        parts.append(identified(one, pd.DataFrame(lines, columns=columns)))
    return pd.concat(parts, ignore_index=True)


def left_out_table(frame: pd.DataFrame, by: Sequence[str] = ()) -> pd.DataFrame:
    """Closeness of each candidate to the other raters minus that of the left-out rater.

    ``n`` (images x raters x structures), ``dropped`` (undefined in either), ``clusters``
    (subjects), ``value`` and ``value_left_out`` (means), ``mean`` (of the difference) with ``low``,
    ``high``, ``p`` and ``p_holm``. Empty without an image that three raters rated.
    """
    names = {"a": "condition", "mean_a": "value", "mean_b": "value_left_out", "difference": "mean"}
    if set(frame["condition"]) <= {LEFT_OUT}:
        return pd.DataFrame(columns=[*by, *names.values(), "n", "low", "high"])
    keys = [c for c in (*KEYS, "rater", "class") if c not in by]
    return statistics.difference_table(
        frame, "value", "condition", keys, by=by, reference=LEFT_OUT
    ).rename(columns=names)
