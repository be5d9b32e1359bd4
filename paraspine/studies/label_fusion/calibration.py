"""Calibration of the label-fusion study's candidates, and temperature scaling as their rival."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from paraspine import fusion, metrics, statistics, text
from paraspine.evidence.calibration import _ece
from paraspine.evidence.show import estimate
from paraspine.studies.label_fusion.frames import CONVENTIONAL, SOFTSEG, Predicted, Repetition

__all__ = [
    "fusion_calibration",
    "fusion_diagrams",
    "fusion_calibration_sentence",
    "fusion_thresholds",
    "temperatures",
    "scaled_predictions",
    "scaling_table",
    "pretty_scaling",
    "scaling_sentence",
]

_KEYS = ("count", "confidence", "correct")


SCALED = ", scaled"


def fusion_calibration(
    counts: pd.DataFrame,
    *,
    reference: str = "STAPLE",
    region: str = "all",
    resamples: int = 2000,
) -> pd.DataFrame:
    """Expected calibration error of each candidate: of every network, then averaged over splits.

    Parameters
    ----------
    counts : pandas.DataFrame
        `fusion_reliability`.
    reference : str
        What decides whether a voxel is right; STAPLE as published.
    region : {"all", "near"}
        Over all voxels, as published, or those near a structure.
    resamples : int
        Bootstrap resamples of subjects; a subject keeps its images of all splits.

    Returns
    -------
    pandas.DataFrame
        ``condition``; ``mean`` (ECE) with ``low``, ``high``; ``over`` and ``under``, its parts
        from bins in which confidence is above and below accuracy; ``gap`` (confidence minus
        accuracy, above 0 over-confident) with ``gap_low``, ``gap_high``; ``sd`` of the ECE over
        splits; ``splits``, ``subjects``. Intervals are NaN with a single subject.
    """
    chosen = counts[(counts["reference"] == reference) & (counts["region"] == region)]
    subjects, owner = np.unique(chosen["subject"].to_numpy(), return_inverse=True)
    drawn = statistics.cluster_weights(subjects, resamples).weights
    splits, part = np.unique(chosen["split"].to_numpy(), return_inverse=True)
    whos = list(dict.fromkeys(chosen["condition"]))
    bins = int(chosen["bin"].max()) + 1 if len(chosen) else 1
    lines = []
    for who in whos:
        mask = (chosen["condition"] == who).to_numpy()
        sums = np.zeros((3, len(splits), len(subjects), bins))
        at = (part[mask], owner[mask], chosen.loc[mask, "bin"].to_numpy())
        for row, name in zip(sums, _KEYS, strict=True):
            np.add.at(row, at, chosen.loc[mask, name].to_numpy(dtype=float))
        own = np.array([_parts(*sums[:, s].sum(axis=1, keepdims=True)) for s in range(len(splits))])
        value, over, under, gap = np.nanmean(own, axis=0)[:, 0]
        again = np.array(
            [_parts(*(drawn @ sums[k, s] for k in range(3))) for s in range(len(splits))]
        )
        with np.errstate(invalid="ignore"):
            known = ~np.isnan(again)
            again = np.where(known, again, 0).sum(axis=0) / known.sum(axis=0)
        several = len(subjects) > 1
        low, high = statistics.percentile_interval(again[0]) if several else (np.nan, np.nan)
        gaps = statistics.percentile_interval(again[3]) if several else (np.nan, np.nan)
        lines.append(
            {
                "condition": who,
                "mean": value,
                "low": low,
                "high": high,
                "over": over,
                "under": under,
                "gap": gap,
                "gap_low": gaps[0],
                "gap_high": gaps[1],
                "sd": float(own[:, 0, 0].std(ddof=1)) if len(splits) > 1 else np.nan,
                "splits": len(splits),
                "subjects": len(subjects),
            }
        )
    return pd.DataFrame(lines)


def _parts(count, confidence, correct) -> tuple[np.ndarray, ...]:
    """ECE, its two sides and their difference from sums per bin, ``(B, bins)`` each."""
    value, over, under = _ece(count, confidence, correct)
    return value, over, under, over - under


def fusion_diagrams(
    counts: pd.DataFrame, *, reference: str = "STAPLE", region: str = "all"
) -> dict[str, metrics.Reliability]:
    """Reliability of each candidate, all test voxels of all splits taken together."""
    chosen = counts[(counts["reference"] == reference) & (counts["region"] == region)]
    found = {}
    for who, part in chosen.groupby("condition", sort=False):
        sums = part.groupby("bin")[list(_KEYS)].sum()
        count = sums["count"].to_numpy(dtype=np.int64)
        with np.errstate(invalid="ignore"):
            ratio = sums[["confidence", "correct"]].to_numpy(dtype=float) / count[:, None]
        found[who] = metrics.Reliability(ratio[:, 0], ratio[:, 1], count)
    return found


def fusion_calibration_sentence(table: pd.DataFrame, of: str = "of all voxels") -> str:
    """Lowest and highest ECE, and who is over- and under-confident by interval."""
    known = table[table["mean"].notna()]
    if known.empty:
        return "No test voxel has a reference, so calibration is undefined."
    low, high = known.loc[known["mean"].idxmin()], known.loc[known["mean"].idxmax()]
    words = (
        f"Expected calibration error {of}: lowest for {low['condition']}, "
        f"{text.interval(estimate(low), 4)}, highest for {high['condition']}, "
        f"{text.interval(estimate(high), 4)}."
    )
    groups = {
        "Over-confident": known.loc[known["gap_low"] > 0, "condition"],
        "Under-confident": known.loc[known["gap_high"] < 0, "condition"],
        "Neither by interval": known.loc[
            ~((known["gap_low"] > 0) | (known["gap_high"] < 0)), "condition"
        ],
    }
    told = [f"{how}: {text.listing(them)}" for how, them in groups.items() if len(them)]
    return f"{words} {'. '.join(told)}."


def fusion_thresholds(
    repeated: Iterable[Repetition], predictions: Mapping[tuple[str, str], Predicted]
) -> dict[tuple[str, str], metrics.ThresholdSearch]:
    """Threshold of each network with the best validation Dice against STAPLE (lemay2022, 2.3.4).

    Empty for several classes, of which the most probable one is taken.
    """
    found = {}
    for one in repeated:
        if one.validation.classes.num_classes != 2:
            continue
        truth = fusion.staple_many(one.validation.labels, 2, one.validation.rated)
        labels = [t.labels for t in truth]
        for (name, who), predicted in predictions.items():
            if name == one.name:
                found[name, who] = metrics.search_threshold(predicted.validation, labels)
    return found


def temperatures(
    repeated: Iterable[Repetition], predictions: Mapping[tuple[str, str], Predicted]
) -> dict[tuple[str, str], metrics.Temperature]:
    """Temperature of each conventional candidate, fitted to the validation images' soft labels."""
    found = {}
    for one in repeated:
        data = one.validation
        soft = np.stack(
            [
                fusion.soft_labels(data.labels[i][data.rated[i]], data.classes.num_classes)
                for i in range(len(data))
            ]
        )
        for who in CONVENTIONAL:
            predicted = predictions[one.name, who].validation
            found[one.name, who] = metrics.fit_temperature(predicted, soft, axis=1)
    return found


def scaled_predictions(
    predictions: Mapping[tuple[str, str], Predicted],
    fitted: Mapping[tuple[str, str], metrics.Temperature],
) -> dict[tuple[str, str], Predicted]:
    """Predictions of the conventional candidates at their temperatures, as further candidates."""
    return {
        (name, f"{who}{SCALED}"): Predicted(
            predictions[name, who].validation,
            metrics.apply_temperature(predictions[name, who].test, found, axis=1),
        )
        for (name, who), found in fitted.items()
    }


def scaling_table(
    calibration: pd.DataFrame,
    scaled: pd.DataFrame,
    frame: pd.DataFrame,
    fitted: Mapping[tuple[str, str], metrics.Temperature],
    *,
    resamples: int = 2000,
) -> pd.DataFrame:
    """Conventional, the same at its temperature, and SoftSeg, for each way of fusing.

    Parameters
    ----------
    calibration, scaled : pandas.DataFrame
        `fusion_calibration` of the candidates and of `scaled_predictions`.
    frame : pandas.DataFrame
        `fusion_frame` of both.
    fitted : mapping
        `temperatures`.
    resamples : int
        Bootstrap resamples of subjects.

    Returns
    -------
    pandas.DataFrame
        ``fused``, ``condition``, ``temperature`` (mean over splits; NaN where none was fitted),
        ``mean`` (ECE), ``low``, ``high``; ``brier`` (mean over structures), and for the scaled
        candidate ``against``, ``against_low``, ``against_high``: its Brier score minus SoftSeg's.
    """
    table = pd.concat([calibration, scaled], ignore_index=True).set_index("condition")
    brier = structure_means(frame, "brier")
    lines = []
    for plain, soft in zip(CONVENTIONAL, SOFTSEG, strict=True):
        other = f"{plain}{SCALED}"
        for who in (plain, other, soft):
            if who not in table.index:
                continue
            own = [f.value for (_, name), f in fitted.items() if name == plain]
            against = statistics.Estimate(np.nan)
            if who == other and soft in brier:
                subjects = brier.index.get_level_values("subject").to_numpy()
                against = statistics.difference_interval(
                    brier[who].to_numpy(), brier[soft].to_numpy(), subjects, resamples
                )
            row = table.loc[who]
            lines.append(
                {
                    "fused": plain.removeprefix("conventional "),
                    "condition": who,
                    "temperature": float(np.mean(own)) if who == other else np.nan,
                    "mean": row["mean"],
                    "low": row["low"],
                    "high": row["high"],
                    "brier": float(brier[who].mean()),
                    "against": against.value,
                    "against_low": against.low,
                    "against_high": against.high,
                }
            )
    return pd.DataFrame(lines)


def pretty_scaling(table: pd.DataFrame, source: str) -> pd.DataFrame:
    """`scaling_table` for reading."""
    lines = []
    for _, row in table.iterrows():
        found = statistics.Estimate(
            *(1e3 * row[k] for k in ("against", "against_low", "against_high"))
        )
        temperature = row["temperature"]
        lines.append(
            {
                "fused by": row["fused"],
                "candidate": row["condition"],
                "temperature": "none" if np.isnan(temperature) else text.number(temperature, 2),
                "ECE (95 % interval)": text.cell(estimate(row), 4),
                "Brier score, × 10⁻³": text.number(1e3 * row["brier"], 2),
                "Brier score minus SoftSeg's, × 10⁻³ (95 % interval)": "–"
                if np.isnan(found.value)
                else text.cell(found, 2),
            }
        )
    shown = pd.DataFrame(lines)
    return shown.set_index(["fused by", "candidate"]).rename_axis(columns=source)


def structure_means(frame: pd.DataFrame, measure: str, reference: str = "") -> pd.DataFrame:
    """Mean over structures of a measure: images (rows) x candidates (columns)."""
    chosen = frame[(frame["measure"] == measure) & (frame["reference"] == reference)]
    structures = set(frame.loc[frame["measure"] == "dice", "class"])
    chosen = chosen[chosen["class"].isin(structures)]
    keys = ["subject", "image", "slice", "split"]
    order = list(dict.fromkeys(chosen["condition"]))
    return (
        chosen.groupby([*keys, "condition"], sort=False)["value"].mean().unstack("condition")[order]
    )


def scaling_sentence(table: pd.DataFrame) -> str:
    """Whether temperature scaling is enough: ECE and Brier score beside SoftSeg's."""
    words = []
    for fused, part in table.groupby("fused", sort=False):
        own = part.set_index("condition")
        plain, other, soft = (own.loc[who] for who in own.index)
        gained = plain["mean"] - other["mean"]
        found = statistics.Estimate(
            1e3 * other["against"], 1e3 * other["against_low"], 1e3 * other["against_high"]
        )
        verdict = text.verdict(
            found, above="worse than", below="better than", unclear="not told apart from"
        )
        words.append(
            f"{fused}: a temperature of {text.number(other['temperature'], 2)} "
            f"{'lowers' if gained > 0 else 'does not lower'} the calibration error, "
            f"{text.number(plain['mean'], 4)} before and {text.number(other['mean'], 4)} after, "
            f"with SoftSeg at {text.number(soft['mean'], 4)}; the scaled Brier score is {verdict} "
            f"SoftSeg's (difference {text.interval(found, 2)} × 10⁻³)"
        )
    return f"Temperature scaling of the conventional networks. {'. '.join(words)}."
