"""What the chapter on label fusion shows: slices, points and tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from paraspine import fusion
from paraspine.evidence import show
from paraspine.evidence.judge import claims_summary
from paraspine.evidence.views import name_of
from paraspine.figures import View
from paraspine.studies.label_fusion.claims import UNITS
from paraspine.studies.label_fusion.frames import (
    CONVENTIONAL,
    ENSEMBLE,
    SOFTSEG,
    Predictions,
    Repetition,
    rated_labels,
)
from paraspine.studies.label_fusion.tables import SHOWN, TESTED, paper_table

STAPLE, AVERAGE = "STAPLE of the raters", "average of the raters"
SIX = tuple(who.label for who in CONVENTIONAL + SOFTSEG)


def entropy_points(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per image and candidate of the six with ``gt_entropy`` and ``entropy`` (nats)."""
    chosen = frame[frame["measure"].isin(["entropy", "gt_entropy"]) & frame["condition"].isin(SIX)]
    keys = [c for c in ("subject", "image", "slice", "level", "split", "condition") if c in chosen]
    table = chosen.set_index([*keys, "measure"])["value"].unstack("measure").reset_index()
    table = table.rename_axis(columns=None)
    table["condition"] = pd.Categorical(table["condition"], SIX)
    return table.sort_values("condition", kind="stable").reset_index(drop=True)


def fusion_views(
    one: Repetition, predictions: Predictions, shown: Iterable[int]
) -> tuple[list[View], dict[str, float]]:
    """Test slices: fused raters beside each candidate (lemay2022, Figs. 2 and 3), and limits.

    Maps hold the probability of any structure: STAPLE's outline, the raters' average, and the
    prediction of each candidate; their scales end at 1.
    """
    data, labels, found = one.test, rated_labels(one.test), []
    for item in shown:
        soft = fusion.soft_labels(labels[item], data.classes.num_classes)
        panels = {
            STAPLE: (one.references["STAPLE"][item] > 0).astype(np.float32),
            AVERAGE: 1 - soft[0],
        }
        panels |= {
            who.label: np.clip(1 - predicted.test[item, 0], 0, 1)
            for (name, who), predicted in predictions.items()
            if name == one.name
        }
        found.append(
            View(
                image=data.images[item, 0],
                title=name_of(data, item),
                labels=data.labels[item],
                rated=data.rated[item],
                maps=panels,
            )
        )
    return found, {name: 1.0 for view in found for name in view.maps}


def ensemble_pair(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows of SoftSeg on STAPLE and of the loss ensemble."""
    return frame[frame["condition"].isin([SOFTSEG[0].label, ENSEMBLE.label])]


def paper_view(
    frame: pd.DataFrame,
    measures: Sequence[str],
    caption: str,
    source: str,
    *,
    tables: Sequence[str] = ("Table 2", "Table 3a", "Table 3b"),
    folded: bool = False,
):
    """Measures side by side, one row a candidate, each with the published values after it."""
    whole, values = None, {}
    for measure in measures:
        table = paper_table(frame, measure, tables)
        printed = _printed_columns(table)
        names = {"mean": measure, "low": f"{measure}_low", "high": f"{measure}_high"}
        names |= {name: f"{measure} {name}" for name in printed}
        values[table["measure"].iloc[0]] = show.interval(measure, SHOWN[measure].digits)
        values |= {f"{name}, published": show.words(f"{measure} {name}") for name in printed}
        own = table.rename(columns=names)[["condition", *names.values()]]
        whole = own if whole is None else whole.merge(own, on="condition")
    return show.table(whole, "condition", values, caption=caption, source=source, folded=folded)


def paper_rows(frame: pd.DataFrame, measures: Sequence[str], caption: str, source: str):
    """Measures below each other, one row a measure and candidate; folded."""
    tables = [paper_table(frame, measure) for measure in measures]
    printed = _printed_columns(tables[0])
    values = {"this run": show.interval("mean", SHOWN[measures[0]].digits)}
    values |= {f"{name}, published": show.words(name) for name in printed}
    whole = pd.concat(tables, ignore_index=True).rename(columns={"measure": "of"})
    return show.table(
        whole, ["of", "condition"], values, caption=caption, source=source, folded=True
    )


def _printed_columns(table: pd.DataFrame) -> list[str]:
    """Names of the published structures' columns."""
    known = ("framework", "target", "condition", "n", "undefined", "infinite", "clusters", "mean",
             "sd", "median", "low", "high", "measure")  # fmt: skip
    return [name for name in table if name not in known]


def tests_view(tests: pd.DataFrame, caption: str, source: str):
    """Direction of each difference to the baseline, twice where it holds by subject too."""
    arrow = np.where(tests["effect"] > 0, "↑", "↓")
    image, subject = tests["p_holm"] < 0.05, tests["p_holm_subject"] < 0.05
    cells = np.where(image & subject, np.char.add(arrow, arrow), np.where(image, arrow, "·"))
    frame = tests.assign(cell=cells, measure=tests["measure"].map(TESTED))
    return show.table(
        frame, "measure", show.words("cell"), "condition", caption=caption, source=source
    )


def marks(tests: pd.DataFrame) -> dict[str, str]:
    """``"**"`` for each candidate whose composite score differs by image, adjusted p below 0.05."""
    sure = tests[(tests["measure"] == "composite") & (tests["p_holm"] < 0.05)]
    return dict.fromkeys(sure["condition"], "**")


def claims_view(claims: pd.DataFrame, caption: str, source: str):
    """One row a claim: its verdict and the places at which it holds and doesn't."""
    values = {
        "said in": show.words("said in"),
        "supported": show.number("supported"),
        "contradicted": show.number("contradicted"),
        "can't tell": show.number("can't tell"),
        "verdict": show.words("verdict"),
    }
    return show.table(claims_summary(claims), "claim", values, caption=caption, source=source)


def places_view(claims: pd.DataFrame, caption: str, source: str):
    """One row a claim and place: published and own difference, leaving one out, verdict; folded."""
    lines = []
    for row in claims.to_dict("records"):
        factor, unit, digits = UNITS[row["quantity"]]
        printed, low, high = (
            show.number(name, digits, factor).text(row)
            for name in ("printed", "without_low", "without_high")
        )
        lines.append(
            {
                "claim": f"{row['claim']} ({row['statistic']}, {unit})",
                "where": row["where"],
                "paper": "not printed" if np.isnan(row["printed"]) else printed,
                "found": show.interval("value", digits, factor).text(row),
                "left": "–" if np.isnan(row["without_low"]) else f"{low} to {high}",
                "verdict": ", ".join(filter(None, (row["verdict"], row["why"]))),
            }
        )
    values = {
        "in the paper": show.words("paper"),
        "this run": show.words("found"),
        "leaving one subject out": show.words("left"),
        "verdict": show.words("verdict"),
    }
    frame = pd.DataFrame(lines)
    return show.table(
        frame, ["claim", "where"], values, caption=caption, source=source, folded=True
    )


def errors_view(errors: pd.DataFrame, caption: str, source: str):
    """Calibration error by framework: near structures, over all voxels, and published."""
    values = {
        "near the structures": show.number("near", 1),
        "all voxels": show.number("all", 1),
        "SCGM, published": show.number("SCGM", 1),
        "MS, published": show.number("MS", 1),
    }
    return show.table(errors, "framework", values, caption=caption, source=source)


def calibration_view(calibration: pd.DataFrame, caption: str, source: str):
    """Calibration error of each candidate with its parts; folded."""
    values = {
        "ECE, %": show.interval("mean", 2, 100),
        "over-confident part, %": show.number("over", 2, 100),
        "under-confident part, %": show.number("under", 2, 100),
        "confidence minus accuracy, percentage points": show.interval("gap", 2, 100),
    }
    return show.table(calibration, "condition", values, caption=caption, source=source, folded=True)


def scaling_view(table: pd.DataFrame, caption: str, source: str):
    """Candidates with and without temperature; folded."""
    temperature, against = show.number("temperature", 2), show.interval("against", 2, 1e3)
    cells = [
        (temperature.text(row), against.text(row)) if row["scaled"] else ("–", "–")
        for row in table.to_dict("records")
    ]
    values = {
        "temperature": show.words("kept"),
        "ECE near structures, %": show.interval("mean", 2, 100),
        "Brier score, × 10⁻³": show.number("brier", 2, 1e3),
        "Brier score minus SoftSeg's, × 10⁻³": show.words("minus"),
    }
    shown = table.assign(kept=[t for t, _ in cells], minus=[m for _, m in cells])
    return show.table(shown, "condition", values, caption=caption, source=source, folded=True)


def left_out_view(table: pd.DataFrame, caption: str, source: str):
    """Candidates and left-out raters against the others; folded."""
    values = {
        "candidate": show.number("value", 3),
        "left-out rater": show.number("value_left_out", 3),
        "difference": show.interval("mean", 3),
        "comparisons": show.number("n"),
    }
    return show.table(table, "condition", values, caption=caption, source=source, folded=True)


def distance_view(table: pd.DataFrame, caption: str, source: str):
    """Generalised energy distance and matched IoU; folded."""
    heads = {"energy_distance": "generalised energy distance", "matched_iou": "matched IoU"}
    return show.table(
        table.assign(measure=table["measure"].map(heads)), "condition", show.interval("mean", 3),
        "measure", caption=caption, source=source, folded=True,
    )  # fmt: skip


def reference_view(table: pd.DataFrame, caption: str, source: str):
    """Dice of each candidate against both references; folded."""
    values = {
        "trained": show.words("trained"),
        "against STAPLE": show.number("value_first", 4),
        "against the majority vote": show.number("value_second", 4),
        "difference": show.interval("mean", 4),
    }
    own = table[table["value_first"].notna()]
    return show.table(own, "condition", values, caption=caption, source=source, folded=True)
