"""What the label-fusion study shows: its setting in words, slices, curves and entropies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from paraspine import fusion, text
from paraspine.evidence.views import name_of
from paraspine.figures import View
from paraspine.studies.label_fusion.frames import CONVENTIONAL, SOFTSEG, Predicted, Repetition

__all__ = [
    "fusion_setup_sentence",
    "first_curves",
    "loss_words",
    "threshold_sentence",
    "fusion_entropies",
    "fusion_views",
    "fusion_limits",
]

STAPLE, AVERAGE = "STAPLE of the raters", "average of the raters"


def fusion_setup_sentence(repeated: Iterable[Repetition]) -> str:
    """How many networks were trained, and on what they are tested."""
    repeated = list(repeated)
    networks = sum(len(runs) for one in repeated for runs in one.networks.values())
    parts = [
        f"{one.name}: {text.count(len(one.test), 'test slice')} of "
        f"{text.count(one.test.table['subject'].nunique(), 'subject')}, "
        f"{text.count(len(one.validation), 'slice')} to validate"
        for one in repeated
    ]
    raters = len(repeated[0].test.raters)
    return (
        f"{text.count(len(repeated[0].networks), 'candidate')}, "
        f"{text.count(networks, 'training')}, {text.count(raters, 'rater')}. "
        f"{'; '.join(parts)}. A candidate's numbers are means over the test images of all splits."
    )


def first_curves(curves: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Epochs of the six candidates on the first split, as `figures.validation_losses` takes them.

    Parameters
    ----------
    curves : pandas.DataFrame
        `fusion_curves`.
    """
    first = curves[curves["split"] == curves["split"].iloc[0]]
    return {
        who: part
        for who, part in first.groupby("condition", sort=False)
        if who in (*CONVENTIONAL, *SOFTSEG)
    }


def loss_words(names: Iterable[str]) -> dict[str, str]:
    """Which loss each candidate was trained with."""
    return {
        name: "Adaptive Wing loss" if name.startswith("SoftSeg") else "Dice loss" for name in names
    }


def threshold_sentence(thresholds: Mapping[tuple[str, str], object]) -> str:
    """Thresholds that the validation images chose, candidate by candidate."""
    if not thresholds:
        return "Several classes: the most probable one is taken, without a threshold."
    found: dict[str, list[str]] = {}
    for (_, who), threshold in thresholds.items():
        found.setdefault(who, []).append(text.number(float(threshold), 2))
    words = [f"{who} {text.listing(values)}" for who, values in found.items()]
    return (
        "One class: its probability becomes a mask above the threshold with the best validation "
        f"Dice, of 0 to 1 in steps of 0.05, split by split: {'; '.join(words)}."
    )


def fusion_entropies(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per image and candidate with ``gt_entropy`` and ``entropy`` (nats) as columns."""
    chosen = frame[frame["measure"].isin(["entropy", "gt_entropy"])]
    keys = [c for c in ("subject", "image", "slice", "level", "split", "condition") if c in chosen]
    order = list(dict.fromkeys(chosen["condition"]))
    table = chosen.set_index([*keys, "measure"])["value"].unstack("measure").reset_index()
    table = table.rename_axis(columns=None)
    table["condition"] = pd.Categorical(table["condition"], order)
    return table.sort_values("condition", kind="stable").reset_index(drop=True)


def fusion_views(
    one: Repetition,
    predictions: Mapping[tuple[str, str], Predicted],
    shown: Iterable[int],
) -> list[View]:
    """Test slices of a repetition: fused raters beside each candidate (lemay2022, Figs. 2 and 3).

    Returns
    -------
    list of figures.View
        Maps hold the probability of any structure: STAPLE's labels, the raters' average, and what
        each candidate predicts.
    """
    data, found = one.test, []
    for item in shown:
        labels = data.labels[item][data.rated[item]]
        soft = fusion.soft_labels(labels, data.classes.num_classes)
        panels = {
            STAPLE: (one.references["STAPLE"][item] > 0).astype(np.float32),
            AVERAGE: 1 - soft[0],
        }
        panels |= {
            who: np.clip(1 - predicted.test[item, 0], 0, 1)
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
    return found


def fusion_limits(views: Iterable[View]) -> dict[str, float]:
    """Upper ends of the scales of `fusion_views`: a probability's."""
    return {name: 1.0 for view in views for name in view.maps}
