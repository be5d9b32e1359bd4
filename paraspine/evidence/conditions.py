"""Conditions: which network, training target, seed and uncertainty method a row comes from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from paraspine import statistics, text
from paraspine.frames import IDENTITY, rows
from paraspine.models.architectures import NETWORKS
from paraspine.sampling.registry import ENSEMBLE, METHODS

__all__ = [
    "CONDITION",
    "RATERS",
    "join",
    "join_parameters",
    "LABELS",
    "TARGETS",
    "method_label",
    "method_labels",
    "network_label",
    "target_label",
    "conditions",
    "by_subject",
    "wide",
    "summarise",
    "mean_of",
    "ensemble_name",
    "ensemble_words",
]

#: Columns that say where a row comes from, as runs name them: network, training target, seed of the
#: training, uncertainty method. The column `condition` is their label, for showing alone.
CONDITION = ("model", "fusion", "seed", "method")
#: Labels of a condition: the method's (an ensemble with its kind and size), and the whole.
LABELS = ("method_label", "condition")
#: Condition of the raters where they are compared with each other.
RATERS = "raters, in pairs"
#: Labels of the ways to fuse raters into a training target.
TARGETS = {
    "majority": "majority vote",
    "random": "random rater",
    "average": "average of raters",
    "staple": "STAPLE",
}


def network_label(model: str) -> str:
    """Label of a network, ``"U-Net"``."""
    return NETWORKS[model].label if model in NETWORKS else model


def target_label(fusion: str) -> str:
    """Label of a training target, ``"majority vote"``; of one rater, ``"rater anna"``."""
    return TARGETS.get(fusion, fusion.replace("rater:", "rater ", 1))


def method_label(method: str, record: Mapping | None = None) -> str:
    """Label of an uncertainty method; of an ensemble with kind and size where its record is given.

    Parameters
    ----------
    method : str
        As runs name it.
    record : mapping, optional
        ``sampling.json`` of an ensemble's run.
    """
    if record and METHODS[method].several:
        return ensemble_name(record)
    return METHODS[method].label if method in METHODS else method


def join(sampled: Iterable, name: str) -> pd.DataFrame:
    """One frame of several sample runs, with the columns of `CONDITION` and `LABELS`.

    Parameters
    ----------
    sampled : iterable of runs.Run
        Runs of ``04_sample``.
    name : str
        The frame to read from each, for example ``"measures.parquet"``.

    Returns
    -------
    pandas.DataFrame
        The rows of all.
    """
    sampled = list(sampled)
    chosen = join_parameters(sampled)
    parts = [
        run.read_frame(name).assign(**condition)
        for run, condition in zip(sampled, chosen.to_dict("records"), strict=True)
    ]
    return pd.concat(parts, ignore_index=True)


def join_parameters(sampled: Iterable) -> pd.DataFrame:
    """The condition of each sample run: columns of `CONDITION` and `LABELS`."""
    sampled = list(sampled)
    frame = pd.DataFrame([{key: run.parameters[key] for key in CONDITION} for run in sampled])
    frame["method_label"] = [
        method_label(method, run.read_json("sampling.json") if method == ENSEMBLE else None)
        for method, run in zip(frame["method"], sampled, strict=True)
    ]
    parts = [frame["model"].map(network_label), frame["fusion"].map(target_label)]
    if frame["seed"].nunique() > 1:
        parts.append("seed " + frame["seed"].astype(str))
    labels = pd.concat([*parts, frame["method_label"]], axis=1)
    return frame.assign(condition=labels.agg(", ".join, axis=1))


def method_labels(frame: pd.DataFrame) -> pd.Series:
    """Label of each row's uncertainty method; of an ensemble with kind and size where known."""
    return frame["method_label"] if "method_label" in frame else frame["method"].map(method_label)


def conditions(frame: pd.DataFrame) -> list[str]:
    """The conditions of a frame, in the order in which their runs were given."""
    return list(dict.fromkeys(frame["condition"]))


def by_subject(frame: pd.DataFrame) -> pd.DataFrame:
    """A tidy frame with one row per subject instead of per image: the mean over its images.

    Parameters
    ----------
    frame : pandas.DataFrame
        A tidy frame; undefined values are left out of the means.
    """
    keys = [c for c in (*CONDITION, *LABELS, "class", "measure") if c in frame]
    return frame.groupby(["subject", *keys], sort=False, as_index=False)["value"].mean()


def wide(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per image and condition with the image-level measures as columns."""
    images = frame[frame["class"] == "all"]
    keys = [c for c in (*IDENTITY, *CONDITION, *LABELS) if c in images]
    table = images.set_index([*keys, "measure"])["value"].unstack("measure")
    return table.reset_index().rename_axis(columns=None)


def summarise(
    frame: pd.DataFrame,
    measure: str | None,
    by: str | Sequence[str],
    *,
    resamples: int = 2000,
) -> pd.DataFrame:
    """Mean with its 95 % interval over subjects in each cell; see `statistics.mean_table`.

    Parameters
    ----------
    frame : pandas.DataFrame
        A tidy frame.
    measure : str or None
        Which measure; None: all of them.
    by : str or sequence of str
        Columns whose combinations are the cells.
    resamples : int
        Bootstrap resamples of subjects.
    """
    chosen = frame if measure is None else rows(frame, measure)
    chosen = chosen.assign(cluster=chosen["subject"])  # so that cells may be subjects themselves
    return statistics.mean_table(chosen, by=by, groups="cluster", resamples=resamples)


def mean_of(frame: pd.DataFrame, measure: str, *, resamples: int = 2000) -> statistics.Estimate:
    """Mean of a measure over images and classes with its interval over subjects."""
    chosen = rows(frame, measure)
    return statistics.mean_interval(
        chosen["value"].to_numpy(), chosen["subject"].to_numpy(), resamples
    )


#: What an ensemble's members are called by its kind, and what makes them differ.
MEMBERS = {
    "independent seeds": ("seed", "with independent seeds"),
    "folds": ("fold", "on another fold each"),
}


def ensemble_name(record: dict) -> str:
    """What tables call an ensemble: its kind and size."""
    member, _ = MEMBERS.get(record["kind"], ("training", ""))
    return f"ensemble of {text.count(record['passes'], member)}"


def ensemble_words(records: Sequence[dict]) -> str:
    """Size and kind of several ensembles, in a few words."""
    found = {}
    for record in records:
        _, words = MEMBERS.get(record["kind"], ("", record["kind"].removeprefix("trainings ")))
        found.setdefault(words, set()).add(record["passes"])
    return text.listing(
        f"ensembles of {text.listing(sorted(sizes), 'or')} trainings {words}"
        for words, sizes in found.items()
    )
