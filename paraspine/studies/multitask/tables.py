"""Errors of both tasks: Table 3.1 of roshanzamir2022, its claims, cost of sharing, data leakage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from paraspine import fusion, metrics, published, statistics
from paraspine.evidence import influence
from paraspine.evidence.conditions import network_label, summarise
from paraspine.evidence.judge import judge
from paraspine.evidence.printed import place_of, structure_named
from paraspine.frames import identified, rows
from paraspine.models.architectures import NETWORKS
from paraspine.published.tables import SCALES
from paraspine.statistics import sums

TOGETHER, ALONE = "multi-task", "single-task"
IMAGE = ["subject", "image", "slice"]
PAPER, TABLE = "roshanzamir2022", "thesis Table 3.1"
#: Columns of `published_cells`.
CELLS = [
    "table", "system", "condition", "target", "metric", "unit", "published", "published_sd",
    "note", "value", "low", "high", "sd", "status", "trainings", "ensemble",
]  # fmt: skip
#: What `leakage_table` compares.
REPORTED, SAME = "as reported", "on the same slices"
#: Columns of `leakage_table` in units of the measure.
LEAKAGE = ["by_slice", "by_subject", "mean", "low", "high", "without_low", "without_high"]


class Quantity(NamedTuple):
    """How a measure is shown: words with unit, factor, digits; its part of Table 3.1."""

    words: str
    scale: float
    digits: int
    part: str


QUANTITIES = {
    "dice": Quantity("Dice, %", 100.0, 1, "segmentation"),
    "variance_mse": Quantity("MSE of the variance map, × 10⁻⁵", 1e5, 2, "variance map"),
}
#: Claims by measure: words, statistic, and the sign of TransUNet minus U-Net that supports them.
CLAIMS = {
    "dice": (
        "The multi-task TransUNet outlines better than the multi-task U-Net",
        "Dice, TransUNet minus U-Net, points",
        1,
    ),
    "variance_mse": (
        "The multi-task TransUNet predicts the raters' variance better",
        "MSE, U-Net minus TransUNet, × 10⁻⁵",
        -1,
    ),
}


def names_of(model: str) -> dict[str, str]:
    """Columns of a network: ``model``, its label ``condition``, ``network`` and ``tasks``."""
    single = NETWORKS[model].single
    tasks, network = TOGETHER if single else ALONE, network_label(single or model)
    return {
        "model": model, "condition": f"{tasks} {network}", "network": network, "tasks": tasks,
    }  # fmt: skip


def network_sizes(counts: Mapping[str, Mapping[str, int]]) -> pd.DataFrame:
    """Parameters of each network in thousands: shared, of each task, and ``all``."""
    lines = [
        {"condition": names_of(name)["condition"]}
        | {part: number / 1e3 for part, number in own.items()}
        | {"all": sum(own.values()) / 1e3}
        for name, own in counts.items()
    ]
    return pd.DataFrame(lines)


def joint_frame(data, moments, variance=None, wanted=None) -> pd.DataFrame:
    """Errors of one network on each image, per structure.

    ``dice`` against the majority vote (NaN where nobody rated or both are empty) and, with variance
    maps ``(N, C - 1, H, W)`` predicted and of the raters, ``variance_mse`` over the image's pixels
    (NaN where fewer than two rated).
    """
    names, classes = data.classes.foreground, data.classes.num_classes
    found = []
    for item in range(len(data)):
        labels = data.labels[item][data.rated[item]]
        dice = np.full(len(names), np.nan)
        if len(labels):
            predicted = np.nan_to_num(moments.mean[item]).argmax(axis=0)
            dice = metrics.dice(predicted, fusion.majority_vote(labels, classes), classes)
        found += [(item, name, "dice", value) for name, value in zip(names, dice, strict=True)]
        if variance is not None:
            error = np.square(variance[item].astype(float) - wanted[item]).mean(axis=(1, 2))
            found += [
                (item, name, "variance_mse", value)
                for name, value in zip(names, error, strict=True)
            ]
    return identified(data, found)


def joint_frame_of(data, joint, wanted) -> pd.DataFrame:
    """`joint_frame` of a `sampling.MultiTaskPrediction`."""
    return joint_frame(data, joint.moments, joint.variance, wanted)


def both_frame(data, wanted, together: Mapping, alone: Mapping) -> pd.DataFrame:
    """`joint_frame` of the networks with two tasks, and of one pass of those with one.

    `together` has predictions by the network's name, `alone` moments by its name and the method.
    """
    parts = [
        joint_frame_of(data, found, wanted).assign(**names_of(name))
        for name, found in together.items()
    ]
    parts += [
        joint_frame(data, found).assign(**names_of(name))
        for (name, method), found in alone.items()
        if method == "single"
    ]
    return pd.concat(parts, ignore_index=True)


# --- Table 3.1 -------------------------------------------------------------------------------


def published_cells(frame: pd.DataFrame) -> pd.DataFrame:
    """Every published cell of Table 3.1 beside this run's, in its units."""
    lines = []
    structures = list(dict.fromkeys(frame["class"]))
    known = {
        quantity.part: summarise(frame, measure, ["condition", "class"])
        for measure, quantity in QUANTITIES.items()
    }
    for row in published.table(PAPER, TABLE).to_dict("records"):
        table = known[row["condition"]].set_index(["condition", "class"])
        own = structure_named(structures, row["target"])
        cell, status = dict.fromkeys(("mean", "low", "high", "sd"), np.nan), ""
        if row["system"] not in set(frame["condition"]):
            status = "not run"
        elif own is None:
            status = f"this cohort has no {row['target']}"
        else:
            cell = table.loc[(row["system"], own)].to_dict()
            status = "" if np.isfinite(cell["mean"]) else "undefined in this run"
        theirs = {"published": row["value"], "published_sd": row["sd"], "status": status}
        ours = {k: cell[k] / SCALES[row["unit"]] for k in ("mean", "low", "high", "sd")}
        row |= theirs | ours | {"table": f"{TABLE}, {row['condition']}", "value": ours["mean"]}
        lines.append(row)
    table = pd.DataFrame(lines).assign(trainings=1, ensemble="")[CELLS]
    return table.assign(place=[place_of(row) for row in table.itertuples()])


def task_tests(frame: pd.DataFrame) -> pd.DataFrame:
    """Paired tests by image between the multi-task networks, per task and structure.

    Two-sided t tests as published, and Wilcoxon's; p adjusted over all rows (Holm). Intervals of
    the difference (units of 1) and of Cohen's d resample subjects. Empty with one network.
    """
    chosen = frame[frame["tasks"] == TOGETHER]
    columns = ["measure", "class", "a", "b", "n", "difference", "low", "high", "p", "p_holm"]
    columns += ["p_wilcoxon", "p_wilcoxon_holm", "effect", "effect_low", "effect_high"]
    if chosen["condition"].nunique() < 2:
        return pd.DataFrame(columns=columns)
    given = chosen, "value", "condition", IMAGE
    by = ["measure", "class"]
    t = statistics.paired_test(*given, clusters="subject", by=by)
    ranks = statistics.paired_test(*given, "wilcoxon", by=by)
    table = t.assign(p_wilcoxon=ranks["p"], p_wilcoxon_holm=ranks["p_holm"])
    return table[columns]


def claims_table(frame: pd.DataFrame) -> pd.DataFrame:
    """The paper's claims on its two multi-task networks, judged over all structures and in each.

    In the units of Table 3.1. A claim that one subject decides is not told. Empty unless both
    networks were run.
    """
    lines = []
    models = ["multitask_transunet", "multitask_unet"]
    cells = published.table(PAPER, TABLE)
    for measure, (claim, statistic, sign) in CLAIMS.items():
        keys = [*IMAGE, "class"]
        wide = rows(frame, measure).pivot(index=keys, columns="model", values="value")
        if not set(models) <= set(wide):
            continue
        gap = sign * QUANTITIES[measure].scale * (wide[models[0]] - wide[models[1]])
        gap = gap.dropna().rename("gap").reset_index()
        part = cells[cells["condition"] == QUANTITIES[measure].part]
        printed = part.pivot(index="target", columns="system", values="value")
        printed = sign * (printed["multi-task TransUNet"] - printed["multi-task U-Net"])
        for name in ["all", *dict.fromkeys(frame["class"])]:
            own = gap if name == "all" else gap[gap["class"] == name]
            values, subjects = own["gap"].to_numpy(), own["subject"].to_numpy()
            found = statistics.mean_interval(values, subjects)
            moved = influence.mean(values, subjects)
            verdict, why = judge(found, "above", subjects=len(set(subjects)), without=moved.each)
            targets = [t for t in printed.index if name in ("all", structure_named([name], t))]
            row = {
                "paper": PAPER, "table": TABLE, "said": "Results",
                "claim": claim, "statistic": statistic, "measure": measure, "class": name,
                "published": printed[targets].mean(), "mean": found.value, "low": found.low,
                "high": found.high, "clusters": len(set(subjects)), "verdict": verdict, "why": why,
            }  # fmt: skip
            lines.append(row | moved.columns())
    columns = ["paper", "table", "said", "claim", "statistic", "measure", "class", "published"]
    columns += ["mean", "low", "high", "verdict", "why"]
    return pd.DataFrame(lines, columns=None if lines else columns)


# --- cost of sharing -------------------------------------------------------------------------


def sharing_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Dice with two tasks minus Dice with one, image by image; class ``"all"`` is their mean.

    ``mean`` is the difference, ``together`` and ``alone`` are means, ``n`` counts pairs.
    """
    dice = rows(frame, "dice")
    every = dice.assign(**{"class": "all", "structure": dice["class"]})
    both = pd.concat([every, dice.assign(structure=dice["class"])], ignore_index=True)
    both = both[both.groupby("network")["tasks"].transform("nunique") > 1]
    kept = ["network", "class", "mean", "low", "high", "together", "alone", "n", "clusters"]
    if both.empty:
        return pd.DataFrame(columns=kept)
    pair = [*IMAGE, "structure"]
    table = statistics.difference_table(
        both, "value", "tasks", pair, ["network", "class"], reference=ALONE
    )
    columns = {"difference": "mean", "mean_a": "together", "mean_b": "alone"}
    return table.rename(columns=columns)[kept]


def seed_table(data, predicted: Mapping) -> pd.DataFrame:
    """Mean Dice of each single-task training, by the network's name and seed."""
    parts = [
        rows(joint_frame(data, moments), "dice").assign(**names_of(name), seed=seed)
        for (name, seed), moments in predicted.items()
    ]
    return statistics.mean_table(pd.concat(parts, ignore_index=True), by=["network", "seed"])


# --- data leakage ----------------------------------------------------------------------------


def leakage_table(frames: Mapping[tuple[str, str], pd.DataFrame]) -> pd.DataFrame:
    """Errors of networks trained and tested by slice, minus by subject.

    `frames` are `joint_frame` of the test images, by the network's name and ``"slice"`` or
    ``"subject"``. Compared ``"as reported"``, each network on its own test set, which is what a
    paper prints, or ``"on the same slices"``, those in both test sets. Units of 1; ``slices`` and
    ``clusters`` (subjects) say how many a difference rests on; NaN where no slice is in both.
    """
    lines = []
    cells = ((name, m) for name, _ in frames for m in frames[name, "slice"]["measure"])
    for name, measure in dict.fromkeys(cells):
        one, other = (rows(frames[name, by], measure) for by in ("slice", "subject"))
        every = pd.concat([one.assign(value_a=one["value"]), other.assign(value_b=other["value"])])
        pair = one.merge(other, on=[*IMAGE, "class"], suffixes=("_a", "_b"))
        pair = pair.dropna(subset=["value_a", "value_b"])
        for compared, used in ((REPORTED, every), (SAME, pair)):
            known = used.dropna(subset=["value_a", "value_b"], how="all")
            a, b = (known[column].to_numpy() for column in ("value_a", "value_b"))
            subjects = known["subject"].to_numpy()

            def gap(draws, a=a, b=b):
                return sums.mean(draws, a) - sums.mean(draws, b)

            found, both = statistics.Estimate(np.nan), np.stack([a, b], axis=1)
            if len(known):
                found = sums.estimate(gap(statistics.cluster_weights(subjects, values=both)))
            row = {
                "network": names_of(name)["condition"], "measure": measure, "compared": compared,
                "by_slice": used["value_a"].mean(), "by_subject": used["value_b"].mean(),
                "mean": found.value, "low": found.low, "high": found.high,
                "slices": len(used[IMAGE].drop_duplicates()), "clusters": used["subject"].nunique(),
            }  # fmt: skip
            lines.append(row | influence.leave_one_out(gap, subjects, both).columns())
    columns = ["network", "measure", "compared", *LEAKAGE, "slices", "clusters"]
    return pd.DataFrame(lines, columns=None if lines else columns)


def tested_with_known_subjects(data, sides) -> tuple[int, int]:
    """Count test slices, and those whose subject has a slice to learn from as well."""
    sides = np.asarray(sides)
    learned = set(data.table["subject"][sides != "test"])
    tested = data.table["subject"][sides == "test"]
    return len(tested), int(tested.isin(learned).sum())
