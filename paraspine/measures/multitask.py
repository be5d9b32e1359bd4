"""Networks with two tasks: errors per image, Table 3.1 of roshanzamir2022, what sharing costs.

Errors of variance maps are mean squared errors over all pixels of an image and structure, in
units of 10⁻⁵ where they are shown, as printed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from paraspine import fusion, metrics, published, statistics, text
from paraspine.measures.frames import identified, rows
from paraspine.measures.published import place_of, structure_named
from paraspine.measures.tables import summarise
from paraspine.published.tables import SCALES

__all__ = [
    "NETWORKS",
    "TABLE",
    "beside_multitask",
    "both_frame",
    "joint_frame",
    "joint_frame_of",
    "network_sizes",
    "plain_name",
    "pretty_multitask",
    "pretty_tests",
    "sharing_table",
    "task_tests",
]

#: Architectures in roshanzamir2022's words; a multi-task network has that word before.
NETWORKS = {"unet": "U-Net", "transunet": "TransUNet"}
PREFIX, TOGETHER, ALONE = "multitask_", "multi-task", "single-task"
#: The published table, and its two parts with the measure and the unit of each.
TABLE = "thesis Table 3.1"
PARTS = {"dice": ("segmentation", "%"), "variance_mse": ("variance map", "1e-5")}
#: What the measures are called in tables, and the digits that are shown of them.
SHOWN = {"dice": ("Dice, %", 100.0, 1), "variance_mse": ("MSE of the variance map, × 10⁻⁵", 1e5, 2)}


def plain_name(model: str) -> str:
    """A network's name in words: ``"multitask_unet"`` becomes ``"multi-task U-Net"``."""
    bare = model.removeprefix(PREFIX)
    kind = TOGETHER if model.startswith(PREFIX) else ALONE
    return f"{kind} {NETWORKS.get(bare, bare)}"


def network_sizes(counts: Mapping[str, Mapping[str, int]]) -> pd.DataFrame:
    """Parameters of each network, shared and of each task, in thousands.

    Parameters
    ----------
    counts : mapping of str to mapping
        Network's name to `models.parameter_counts`.

    Returns
    -------
    pandas.DataFrame
        ``network``, ``shared``, one column per task and ``all``.
    """
    lines = [
        {"network": plain_name(name)}
        | {part: f"{number / 1e3:,.1f}" for part, number in own.items()}
        | {"all": f"{sum(own.values()) / 1e3:,.1f}"}
        for name, own in counts.items()
    ]
    return pd.DataFrame(lines)


def joint_frame(data, moments, variance=None, wanted=None) -> pd.DataFrame:
    """Errors of one network on each image, per structure.

    Parameters
    ----------
    data : slices.Slices
        The images and raters.
    moments : sampling.SampleMoments
        Of the segmentation, for the same images.
    variance, wanted : (N, C - 1, H, W), optional
        The predicted variance maps and those of the raters (NaN where unknown).

    Returns
    -------
    pandas.DataFrame
        Measures ``dice`` (against the majority vote; NaN where nobody rated or both are empty) and,
        with variance maps, ``variance_mse`` (over the image's pixels; NaN where unknown).
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
    """`joint_frame` of what one pass of a multi-task network gave (`sampling.Joint`)."""
    return joint_frame(data, joint.moments, joint.variance, wanted)


def both_frame(data, wanted, together: Mapping, alone: Mapping) -> pd.DataFrame:
    """Errors of several networks: those with two tasks, and one pass of those with one.

    Parameters
    ----------
    data : slices.Slices
        The images.
    wanted : (N, C - 1, H, W)
        Variance maps of their raters.
    together : mapping of str to sampling.Joint
        By the network's name.
    alone : mapping of (str, str) to sampling.SampleMoments
        By the network's name and the way of sampling.

    Returns
    -------
    pandas.DataFrame
        `joint_frame` of each with the columns ``who`` (`plain_name`), ``network`` (without the
        tasks) and ``tasks``.
    """
    parts = [
        joint_frame(data, found.moments, found.variance, wanted).assign(**_columns(name))
        for name, found in together.items()
    ]
    parts += [
        joint_frame(data, found).assign(**_columns(name))
        for (name, how), found in alone.items()
        if how == "single"
    ]
    return pd.concat(parts, ignore_index=True)


def _columns(name: str) -> dict[str, str]:
    who = plain_name(name)
    tasks, network = who.split(" ", 1)
    return {"who": who, "network": network, "tasks": tasks}


def pretty_multitask(frame: pd.DataFrame, source: str) -> pd.DataFrame:
    """Table 3.1 of this run for reading: mean ± standard deviation over images.

    Parameters
    ----------
    frame : pandas.DataFrame
        `both_frame`.
    source : str
        Where the data comes from.
    """
    lines = []
    for measure, (words, scale, digits) in SHOWN.items():
        chosen = rows(frame, measure)
        table = statistics.mean_table(
            chosen.assign(value=scale * chosen["value"]), by=["who", "class"], resamples=1
        )
        for row in table.to_dict("records"):
            cell = text.number(row["mean"], digits)
            if np.isfinite(row["sd"]):
                cell += f" ± {text.number(row['sd'], digits)}"
            lines.append((words, row["who"], row["class"], cell))
    shown = pd.DataFrame(lines, columns=["measure", "network", "class", "cell"])
    keys = ["measure", "network"]
    order = list(dict.fromkeys(shown[keys].itertuples(index=False, name=None)))
    wide = shown.set_index([*keys, "class"])["cell"].unstack("class")
    columns = list(dict.fromkeys(shown["class"]))
    return wide.loc[order, columns].rename_axis(columns=source)


def task_tests(frame: pd.DataFrame, *, by_subject: bool = False) -> pd.DataFrame:
    """Paired tests between the multi-task networks, per task and structure.

    Parameters
    ----------
    frame : pandas.DataFrame
        `both_frame`.
    by_subject : bool
        Average a subject's differences first; the paper pairs by image.

    Returns
    -------
    pandas.DataFrame
        ``measure``, ``class``, ``a``, ``b``, ``n``, ``difference`` with its t interval ``low`` and
        ``high`` (units of 1), ``p`` of the two-sided paired t test (as published) and ``p_holm``,
        ``p_wilcoxon`` and ``p_wilcoxon_holm``, ``effect`` (Cohen's d of the differences). Adjusted
        over all rows. Empty with one multi-task network.
    """
    chosen = frame[frame["tasks"] == TOGETHER]
    columns = ["measure", "class", "a", "b", "n", "difference", "low", "high", "p", "p_holm"]
    columns += ["p_wilcoxon", "p_wilcoxon_holm", "effect"]
    if chosen["who"].nunique() < 2:
        return pd.DataFrame(columns=columns)
    options = {"by": ["measure", "class"], "average": "subject" if by_subject else None}
    pair = ["subject", "image", "slice"]
    t, ranks = (
        statistics.paired_test(chosen, "value", "who", pair, method, **options)
        for method in ("t", "wilcoxon")
    )
    table = t.assign(p_wilcoxon=ranks["p"], p_wilcoxon_holm=ranks["p_holm"])
    return table[columns]


def pretty_tests(table: pd.DataFrame, source: str) -> pd.DataFrame:
    """The tests for reading, differences in the units of Table 3.1.

    Parameters
    ----------
    table : pandas.DataFrame
        `task_tests`.
    source : str
        Where the data comes from.
    """
    lines = []
    for row in table.to_dict("records"):
        words, scale, digits = SHOWN[row["measure"]]
        value = statistics.Estimate(*(scale * row[k] for k in ("difference", "low", "high")))
        lines.append(
            {
                "measure": words,
                "class": row["class"],
                f"{row['a']} minus {row['b']}": text.interval(value, digits),
                "n": row["n"],
                "t: p": text.p_value(row["p"]),
                "t: p (Holm)": text.p_value(row["p_holm"]),
                "Wilcoxon: p": text.p_value(row["p_wilcoxon"]),
                "Wilcoxon: p (Holm)": text.p_value(row["p_wilcoxon_holm"]),
                "effect": text.number(row["effect"]),
            }
        )
    shown = pd.DataFrame(lines, columns=None if lines else ["measure", "class"])
    return shown.set_index(["measure", "class"]).rename_axis(columns=source)


def beside_multitask(frame: pd.DataFrame, *, resamples: int = 2000) -> pd.DataFrame:
    """Every published cell of Table 3.1 beside this run's.

    Parameters
    ----------
    frame : pandas.DataFrame
        `both_frame`.
    resamples : int
        Bootstrap resamples of subjects.

    Returns
    -------
    pandas.DataFrame
        As `measures.beside_published`; ``table`` is ``"thesis Table 3.1, segmentation"`` or
        ``"…, variance map"``.
    """
    lines = []
    structures = list(dict.fromkeys(frame["class"]))
    known = {k: summarise(frame, k, ["who", "class"], resamples=resamples) for k in PARTS}
    parts = {condition: measure for measure, (condition, _) in PARTS.items()}
    for row in published.table("roshanzamir2022", TABLE).itertuples():
        table = known[parts[row.condition]].set_index(["who", "class"])
        own = structure_named(structures, row.target)
        cell, status = dict.fromkeys(("mean", "low", "high", "sd"), np.nan), ""
        if row.system not in set(frame["who"]):
            status = "not run"
        elif own is None:
            status = f"this cohort has no {row.target}"
        else:
            cell = table.loc[(row.system, own)].to_dict()
            status = "" if np.isfinite(cell["mean"]) else "undefined in this run"
        scale = 1 / SCALES[row.unit]
        lines.append(
            {
                "table": f"{TABLE}, {row.condition}",
                "system": row.system,
                "condition": row.condition,
                "target": row.target,
                "metric": row.metric,
                "unit": row.unit,
                "published": row.value,
                "published_sd": row.sd,
                "note": row.note,
                "value": scale * cell["mean"],
                "low": scale * cell["low"],
                "high": scale * cell["high"],
                "sd": scale * cell["sd"],
                "status": status,
            }
        )
    table = pd.DataFrame(lines)
    return table.assign(place=[place_of(row) for row in table.itertuples()])


def sharing_table(
    frame: pd.DataFrame, models: Iterable[str], *, resamples: int = 2000
) -> pd.DataFrame:
    """Dice with two tasks minus Dice with one, image by image.

    Parameters
    ----------
    frame : pandas.DataFrame
        `both_frame`.
    models : iterable of str
        Architectures, single-task names.
    resamples : int
        Bootstrap resamples of subjects.

    Returns
    -------
    pandas.DataFrame
        ``network``, ``class`` (``"all"`` first: the mean over structures), ``mean`` (the
        difference), ``low``, ``high``, ``together`` and ``alone`` (mean Dice of the same images),
        ``n`` (pairs) and ``clusters`` (subjects).
    """
    dice = rows(frame, "dice")
    every = dice.assign(**{"class": "all", "structure": dice["class"]})
    both = pd.concat([every, dice.assign(structure=dice["class"])], ignore_index=True)
    paired = both.groupby("network")["tasks"].nunique()
    names = [NETWORKS.get(m, m) for m in models]
    both = both[both["network"].isin([n for n in names if paired.get(n, 0) > 1])]
    kept = ["network", "class", "mean", "low", "high", "together", "alone", "n", "clusters"]
    if both.empty:
        return pd.DataFrame(columns=kept)
    pair = ["subject", "image", "slice", "structure"]
    table = statistics.difference_table(
        both, "value", "tasks", pair, ["network", "class"], resamples=resamples, reference=ALONE
    )
    columns = {"difference": "mean", "mean_a": "together", "mean_b": "alone"}
    return table.rename(columns=columns)[kept]
