"""Calibration of the candidates; thresholds and temperatures chosen on validation images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from paraspine import fusion, metrics, statistics
from paraspine.statistics import sums
from paraspine.studies.label_fusion.frames import (
    CONVENTIONAL,
    SOFTSEG,
    Candidate,
    Predicted,
    Predictions,
    Repetition,
    by_image,
    fusion_frame,
    fusion_reliability,
    rated_labels,
    references_of,
    stacked,
    volumes_of,
)

#: Columns by whose sums subjects are told apart when they are drawn.
CONTENT = ["correct", "confidence", "count"]


def region_rows(
    counts: pd.DataFrame, region: str
) -> tuple[statistics.ClusterWeights, pd.DataFrame]:
    """Draws of subjects, and the counts of ``"all"`` voxels or of those ``"near"`` a structure."""
    rows = counts[counts["region"] == region].sort_values("subject", kind="stable")
    return statistics.cluster_weights(rows["subject"].to_numpy(), values=rows[CONTENT]), rows


def errors_by_split(draws, rows: pd.DataFrame, condition: str) -> np.ndarray:
    """Calibration of a candidate on each split ``(splits, 4, 1 + B)``.

    Expected calibration error, its over- and its under-confident part, and their difference:
    confidence minus accuracy. Rows are those of `draws`.
    """
    found = []
    for split in dict.fromkeys(rows["split"]):
        at = ((rows["split"] == split) & (rows["condition"] == condition)).to_numpy()
        own, drawn = rows[at], replace(draws, codes=draws.codes[at])
        columns = (own[name].to_numpy() for name in ("bin", "count", "confidence", "correct"))
        error, over, under = sums.ece(drawn, *columns)
        found.append([error, over, under, over - under])
    return np.array(found)


def over_splits(errors: np.ndarray) -> np.ndarray:
    """Mean over the splits that a resample has subjects of."""
    known = ~np.isnan(errors)
    with np.errstate(invalid="ignore"):
        return np.where(known, errors, 0).sum(axis=0) / known.sum(axis=0)


def fusion_calibration(counts: pd.DataFrame, *, region: str = "all") -> pd.DataFrame:
    """Expected calibration error of each candidate: of every network, then averaged over splits.

    ``mean`` (ECE) with ``low``, ``high``; ``over`` and ``under``, its parts from bins in which
    confidence is above and below accuracy; ``gap`` (confidence minus accuracy, above 0
    over-confident) with ``gap_low``, ``gap_high``; ``sd`` of the ECE over splits; ``splits``,
    ``subjects``. Subjects are resampled with their images of all splits.
    """
    draws, rows = region_rows(counts, region)
    lines = []
    for who, part in counts.groupby("condition", sort=False):
        errors = errors_by_split(draws, rows, who)
        mean, over, under, gap = (sums.estimate(drawn) for drawn in over_splits(errors))
        lines.append(
            {
                "framework": part["framework"].iloc[0],
                "target": part["target"].iloc[0],
                "condition": who,
                "mean": mean.value,
                "low": mean.low,
                "high": mean.high,
                "over": over.value,
                "under": under.value,
                "gap": gap.value,
                "gap_low": gap.low,
                "gap_high": gap.high,
                "sd": float(errors[:, 0, 0].std(ddof=1)) if len(errors) > 1 else np.nan,
                "splits": len(errors),
                "subjects": len(draws.labels),
            }
        )
    return pd.DataFrame(lines)


def fusion_diagrams(
    counts: pd.DataFrame, candidates: Iterable[Candidate], *, region: str = "near"
) -> dict[str, metrics.Reliability]:
    """Reliability of some candidates, all test voxels of all splits taken together."""
    names = ["count", "confidence", "correct"]
    found = {}
    for who in candidates:
        own = counts[(counts["condition"] == who.label) & (counts["region"] == region)]
        table = own.groupby("bin")[names].sum()
        count = table["count"].to_numpy(dtype=np.int64)
        with np.errstate(invalid="ignore"):
            ratio = table[names[1:]].to_numpy(dtype=float) / count[:, None]
        found[who.label] = metrics.Reliability(ratio[:, 0], ratio[:, 1], count)
    return found


def fusion_thresholds(
    repeated: Iterable[Repetition], predictions: Predictions
) -> dict[tuple[str, Candidate], metrics.ThresholdSearch]:
    """Threshold of each network with the best validation Dice against STAPLE (lemay2022, 2.3.4).

    Empty for several classes, of which the most probable one is taken.
    """
    found = {}
    for one in repeated:
        if one.validation.classes.num_classes != 2:
            continue
        images = volumes_of(one.validation)
        staple = references_of(one.validation)["STAPLE"]
        labels = [stacked(staple[:, None], items)[0] for items in images]
        for (name, who), predicted in predictions.items():
            if name == one.name:
                found[name, who] = metrics.search_threshold(
                    [stacked(predicted.validation, items) for items in images], labels
                )
    return found


def temperatures(
    repeated: Iterable[Repetition], predictions: Predictions
) -> dict[tuple[str, Candidate], metrics.Temperature]:
    """Temperature of each conventional candidate, fitted to the validation images' soft labels."""
    found = {}
    for one in repeated:
        classes = one.validation.classes.num_classes
        soft = np.stack([fusion.soft_labels(own, classes) for own in rated_labels(one.validation)])
        for who in CONVENTIONAL:
            predicted = predictions[one.name, who].validation
            found[one.name, who] = metrics.fit_temperature(predicted, soft, axis=1)
    return found


def scaled_predictions(
    predictions: Predictions, fitted: Mapping[tuple[str, Candidate], metrics.Temperature]
) -> dict[tuple[str, Candidate], Predicted]:
    """Predictions of the conventional candidates at their temperatures, as further candidates."""
    return {
        (name, who._replace(scaled=True)): Predicted(
            predictions[name, who].validation,
            metrics.apply_temperature(predictions[name, who].test, found, axis=1),
        )
        for (name, who), found in fitted.items()
    }


def scaling_table(
    repeated: Sequence[Repetition],
    predictions: Predictions,
    frame: pd.DataFrame,
    near: pd.DataFrame,
    bins: int = 10,
) -> pd.DataFrame:
    """Conventional, the same at its temperature, and SoftSeg, for each way of fusing.

    ``temperature`` (mean over splits; NaN where none was fitted), ``mean`` (ECE near structures),
    ``low``, ``high``, ``brier`` (mean over structures), and of the scaled candidate ``against``,
    ``against_low``, ``against_high``: its Brier score minus SoftSeg's. `frame` and `near`: the
    candidates' `fusion_frame` and `fusion_calibration`.
    """
    fitted = temperatures(repeated, predictions)
    scaled = scaled_predictions(predictions, fitted)
    counts = fusion_reliability(repeated, scaled, bins)
    errors = pd.concat([near, fusion_calibration(counts, region="near")]).set_index("condition")
    brier = by_image(pd.concat([frame, fusion_frame(repeated, scaled)]), "brier")
    subjects = brier.index.get_level_values("subject").to_numpy()
    lines = []
    for plain, soft in zip(CONVENTIONAL, SOFTSEG, strict=True):
        other = plain._replace(scaled=True)
        values = [found.value for (_, name), found in fitted.items() if name == plain]
        against = statistics.difference_interval(
            brier[other.label].to_numpy(), brier[soft.label].to_numpy(), subjects
        )
        for who in (plain, other, soft):
            own = against if who == other else statistics.Estimate(np.nan)
            lines.append(
                who.columns()
                | {
                    "scaled": who.scaled,
                    "temperature": float(np.mean(values)) if who == other else np.nan,
                    **errors.loc[who.label, ["mean", "low", "high"]],
                    "brier": float(brier[who.label].mean()),
                    "against": own.value,
                    "against_low": own.low,
                    "against_high": own.high,
                }
            )
    return pd.DataFrame(lines)
