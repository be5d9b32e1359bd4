"""Tables 2 to 4 of lemay2022 for this run, and what leaving a rater out says of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from paraspine import published, statistics, text
from paraspine.evidence.printed import digits_of, unit_words, with_sd
from paraspine.evidence.show import estimate
from paraspine.studies.label_fusion.frames import ENSEMBLE, Predicted, Repetition, segmented
from paraspine.studies.label_fusion.left_out import left_out_frame

__all__ = [
    "against",
    "fusion_beside",
    "fusion_beside_sentence",
    "fusion_left_out",
    "published_calibration",
]

PAPER = "lemay2022"


#: Candidates that the paper calls otherwise.
PUBLISHED = {ENSEMBLE: "loss ensemble (one model per rater)"}


#: Measure to the paper's word, the factor that it is printed with here, its unit and digits.
SHOWN = {
    "brier": ("Brier score", 1e4, ", × 10⁻⁴", 2),
    "entropy_error_total": ("entropy MAE", 1e-3, ", nats × voxels × 10³", 3),
    "dice": ("Dice", 100.0, ", %", 1),
    "precision": ("precision", 100.0, ", %", 1),
    "recall": ("recall", 100.0, ", %", 1),
    "absolute_volume_difference": ("AVD", 100.0, ", %", 1),
    "relative_volume_difference": ("RVD", 100.0, ", %", 1),
}


NOT_PUBLISHED = "not published"


def against(frame: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Rows of structures that do not depend on the reference, and those against this one."""
    structures = set(frame.loc[frame["measure"] == "dice", "class"])
    kept = frame["reference"].isin(["", reference]) & frame["class"].isin([*structures, "all"])
    return frame[kept]


def fusion_beside(
    frame: pd.DataFrame,
    measures: Iterable[str],
    tables: Iterable[str],
    *,
    source: str,
    only: Iterable[str] | None = None,
    resamples: int = 2000,
) -> pd.DataFrame:
    """Candidates of this run beside the published ones, for reading.

    Parameters
    ----------
    frame : pandas.DataFrame
        `fusion_frame` `against` one reference, with `entropy_errors`.
    measures : iterable of str
        Keys of `SHOWN`.
    tables : iterable of str
        Published tables, such as ``"Table 3a"``.
    source : str
        Where this run's data comes from; it stands over this run's numbers.
    only : iterable of str, optional
        Candidates to show; all if left out.
    resamples : int
        Bootstrap resamples of subjects.

    Returns
    -------
    pandas.DataFrame
        Indexed by measure and candidate. This run: mean over images and splits with its 95 %
        interval, subjects resampled, one column per class; published: mean ± standard deviation
        over trainings.
    """
    printed = published.table(PAPER)
    printed = printed[printed["table"].isin(list(tables))]
    structures = set(frame.loc[frame["measure"] == "dice", "class"])
    whos = [w for w in dict.fromkeys(frame["condition"]) if only is None or w in set(only)]
    lines = []
    for measure in measures:
        word, factor, unit, digits = SHOWN[measure]
        own = frame[(frame["measure"] == measure) & frame["condition"].isin(whos)]
        own = own[own["class"].isin([*structures, "all"])]
        own = own.assign(value=factor * own["value"])
        cells = statistics.mean_table(own, by=["condition", "class"], resamples=resamples)
        cells = cells.set_index(["condition", "class"])
        classes = list(dict.fromkeys(own["class"]))
        rows = printed[printed["metric"] == word]
        places = digits_of(rows["value"])
        targets = list(dict.fromkeys(rows["target"]))
        for who in whos:
            line = {"measure": f"{word}{unit}", "candidate": who}
            for name in classes:
                found = estimate(cells.loc[(who, name)])
                head = "image" if name == "all" else name
                line[f"{head} ({source})"] = _cell(found, digits)
            theirs = rows[rows["condition"] == PUBLISHED.get(who, who)].set_index("target")
            for target in targets:
                head = f"{target}, published"
                if _column_unit(rows, target) != _own_unit(unit):
                    head += unit_words(_column_unit(rows, target))
                there = target in theirs.index
                line[head] = (
                    with_sd(theirs.loc[target, "value"], theirs.loc[target, "sd"], places)
                    if there
                    else NOT_PUBLISHED
                )
            lines.append(line)
    table = pd.DataFrame(lines).fillna("")
    return table.set_index(["measure", "candidate"])


def _column_unit(rows: pd.DataFrame, target: str) -> str:
    return rows.loc[rows["target"] == target, "unit"].iloc[0]


def _own_unit(unit: str) -> str:
    return {", × 10⁻⁴": "1e-4", ", %": "%", ", nats × voxels × 10³": "1e3"}[unit]


def _cell(found: statistics.Estimate, digits: int) -> str:
    words = text.number(found.value, digits)
    if np.isnan(found.low) or np.isnan(found.high):
        return words
    return f"{words} ({text.number(found.low, digits)} to {text.number(found.high, digits)})"


def fusion_beside_sentence(frame: pd.DataFrame, measure: str, tables: Iterable[str]) -> str:
    """Who is best by a measure here, and who was in the paper."""
    word = SHOWN[measure][0]
    lower = measure in ("brier", "entropy_error_total", "absolute_volume_difference")
    chosen = frame[frame["measure"] == measure]
    chosen = chosen[chosen["class"] != "background"]
    means = chosen.groupby("condition", sort=False)["value"].mean().dropna()
    how = "lowest" if lower else "highest"
    if means.empty:
        return f"The {word} is undefined on these images."
    best = means.idxmin() if lower else means.idxmax()
    rows = published.table(PAPER)
    rows = rows[rows["table"].isin(list(tables)) & (rows["metric"] == word)]
    theirs = []
    for target, part in rows.groupby("target", sort=False):
        place = part["value"].idxmin() if lower else part["value"].idxmax()
        theirs.append(f"{part.loc[place, 'condition']} ({target})")
    same = all(t.startswith(f"{PUBLISHED.get(best, best)} (") for t in theirs)
    return (
        f"The {how} mean {word} here: {best}; published: {text.listing(theirs)}"
        f"{', the same' if same else ''}."
    )


def fusion_left_out(
    repeated: Iterable[Repetition],
    predictions: Mapping[tuple[str, str], Predicted],
    thresholds: Mapping[tuple[str, str], float],
) -> pd.DataFrame:
    """`left_out_frame` of every repetition; an image of two splits counts as two."""
    parts = []
    for one in repeated:
        label_maps = {
            who: np.stack([segmented(p, thresholds.get((name, who))) for p in found.test])
            for (name, who), found in predictions.items()
            if name == one.name
        }
        part = left_out_frame(one.test, label_maps)
        parts.append(part.assign(image=part["image"].astype(str) + f", {one.name}"))
    return pd.concat(parts, ignore_index=True)


def published_calibration(source: str, table: pd.DataFrame) -> pd.DataFrame:
    """Mean ECE of each framework's three candidates beside the paper's, for reading.

    Parameters
    ----------
    source : str
        Where this run's data comes from.
    table : pandas.DataFrame
        `fusion_calibration`.
    """
    rows = published.table(PAPER)
    rows = rows[rows["metric"] == "expected calibration error"]
    lines = []
    for framework in ("conventional", "SoftSeg"):
        own = table[table["condition"].str.startswith(f"{framework} ")]
        own = own[~own["condition"].str.contains(", ")]
        line = {"framework": framework, f"this run ({source}), %": text.number(
            100 * own["mean"].mean(), 2)}  # fmt: skip
        for _, row in rows[rows["condition"] == framework].iterrows():
            line[f"{row['target']}, published, %"] = text.number(row["value"], 1)
        lines.append(line)
    return pd.DataFrame(lines).set_index("framework")
