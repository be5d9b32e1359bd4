"""Maps that may tell where raters disagree, of networks with two tasks and with one; costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from paraspine import maps
from paraspine.studies.multitask.frames import NETWORKS, PREFIX

__all__ = [
    "VARIANCE",
    "Score",
    "compared_ways",
    "members_for",
    "scores_of",
    "scores_on",
    "cost_table",
    "some_of",
]

#: What a voxel's score is, by the way it was computed.
VARIANCE = "predicted variance"


WAYS = {"single": "entropy of one pass", "dropout": "entropy with dropout"}


@dataclass(frozen=True)
class Score:
    """A map that may tell where raters disagree, and its cost."""

    who: str
    network: str
    array: np.ndarray
    """``(N, H, W)``; larger where more disagreement is expected."""
    passes: int
    """Forward passes of an image."""
    trainings: int
    """Networks that had to be trained."""
    seconds: float
    """Of all images; NaN where it was not measured."""


def compared_ways(members: Mapping[tuple[str, int], object], methods: Sequence[str]) -> list:
    """(network, way of sampling) of every entropy that is compared.

    Parameters
    ----------
    members : mapping of (str, int)
        Single-task networks by name and seed.
    methods : sequence of str
        What the study samples; one pass is always compared, test-time augmentation never.
    """
    ways = ["single", *(m for m in ("dropout", "ensemble") if m in methods)]
    return [(name, way) for name in dict.fromkeys(n for n, _ in members) for way in ways]


def members_for(
    method: str, model: str, members: Mapping[tuple[str, int], object], seeds: Sequence[int]
) -> list:
    """The networks that a way of sampling takes: those of the seeds, or the first one trained."""
    own = {seed: network for (name, seed), network in members.items() if name == model}
    return [own[s] for s in seeds] if method == "ensemble" else [next(iter(own.values()))]


def scores_of(together: Mapping, alone: Mapping, samples: int, members: int) -> list[Score]:
    """The maps that are compared.

    Parameters
    ----------
    together : mapping of str to (sampling.MultiTaskPrediction, float)
        What each multi-task network predicted, and the seconds that it took.
    alone : mapping of (str, str) to (sampling.SampleMoments, float)
        The same for single-task networks, by name and way of sampling.
    samples, members : int
        Passes with dropout; networks of an ensemble.

    Returns
    -------
    list of Score
        For each architecture the predicted variance, summed over structures, and the predictive
        entropies.
    """
    found = []
    for name, (joint, seconds) in together.items():
        network = _network(name)
        values = joint.variance.sum(axis=1)
        found.append(Score(f"{network}, {VARIANCE}", network, values, 1, 1, seconds))
        for (other, how), (moments, taken) in alone.items():
            if _network(other) != network:
                continue
            several = members if how == "ensemble" else 1
            words = WAYS.get(how, f"entropy of an ensemble of {members}")
            passes = samples if how == "dropout" else several
            entropy = maps.entropy(moments.mean.astype(np.float64), axis=1)
            found.append(Score(f"{network}, {words}", network, entropy, passes, several, taken))
    return found


def scores_on(scores: Sequence[Score], chosen) -> list[Score]:
    """The same maps on some of the images."""
    return [replace(s, array=s.array[np.asarray(chosen)]) for s in scores]


def _network(name: str) -> str:
    bare = name.removeprefix(PREFIX)
    return NETWORKS.get(bare, bare)


def cost_table(scores: Sequence[Score], images: int) -> pd.DataFrame:
    """What each map costs.

    Parameters
    ----------
    scores : sequence of Score
        The maps.
    images : int
        How many they are of.

    Returns
    -------
    pandas.DataFrame
        ``condition``, ``passes``, ``trainings``, ``milliseconds`` (an image) and ``times`` (over
        the predicted variance of the same architecture).
    """
    first = {s.network: s.seconds for s in reversed(scores) if s.who.endswith(VARIANCE)}
    return pd.DataFrame(
        {
            "condition": [s.who for s in scores],
            "passes": [s.passes for s in scores],
            "trainings": [s.trainings for s in scores],
            "milliseconds": [1e3 * s.seconds / images for s in scores],
            "times": [s.seconds / first.get(s.network, float("nan")) for s in scores],
        }
    )


def some_of(data, subjects: int, levels: Sequence[str]) -> np.ndarray:
    """Choose slices: of the first subjects, at some levels where the cohort has any of them.

    Parameters
    ----------
    data : slices.Slices
        To choose from.
    subjects : int
        How many, in the cohort's order; 0: all.
    levels : sequence of str
        Which levels; all where none of them occurs.

    Returns
    -------
    numpy.ndarray of bool, (N,)
    """
    names = list(dict.fromkeys(data.table["subject"]))
    chosen = data.table["subject"].isin(names[: subjects or None]).to_numpy()
    if "level" in data.table:
        there = data.table["level"].isin(list(levels)).to_numpy()
        chosen = chosen & there if (chosen & there).any() else chosen
    return chosen
