"""Networks with two tasks: errors per image, and what sharing costs.

Errors of variance maps are mean squared errors over all pixels of an image and structure, in
units of 10⁻⁵ where they are shown, as printed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from paraspine import fusion, metrics, statistics
from paraspine.frames import identified, rows

__all__ = [
    "NETWORKS",
    "plain_name",
    "network_sizes",
    "joint_frame",
    "joint_frame_of",
    "both_frame",
    "sharing_table",
]

#: Architectures in roshanzamir2022's words; a multi-task network has that word before.
NETWORKS = {"unet": "U-Net", "transunet": "TransUNet"}


PREFIX, TOGETHER, ALONE = "multitask_", "multi-task", "single-task"


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
    """`joint_frame` of a `sampling.MultiTaskPrediction`."""
    return joint_frame(data, joint.moments, joint.variance, wanted)


def both_frame(data, wanted, together: Mapping, alone: Mapping) -> pd.DataFrame:
    """Errors of several networks: those with two tasks, and one pass of those with one.

    Parameters
    ----------
    data : slices.Slices
        The images.
    wanted : (N, C - 1, H, W)
        Variance maps of their raters.
    together : mapping of str to sampling.MultiTaskPrediction
        By the network's name.
    alone : mapping of (str, str) to sampling.SampleMoments
        By the network's name and the way of sampling.

    Returns
    -------
    pandas.DataFrame
        `joint_frame` of each with the columns ``condition`` (`plain_name`), ``network`` (without
        the tasks) and ``tasks``.
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
    return {"condition": who, "network": network, "tasks": tasks}


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
