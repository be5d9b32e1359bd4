"""Uncertainty maps of multi-task and single-task networks: which one finds disputed voxels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from paraspine import fusion, maps, metrics, statistics, text
from paraspine.evidence import influence
from paraspine.evidence.conditions import ensemble_name, method_label, network_label
from paraspine.frames import identified, rows
from paraspine.models.architectures import NETWORKS
from paraspine.sampling.registry import ENSEMBLE, METHODS

#: Method of a multi-task network's second task, and of the map of the raters themselves.
VARIANCE, RATERS = "variance", "raters"
#: Of many raters, so large a share must contradict the others for a voxel to count as disputed.
DISPUTED = 0.1
#: A map whose values vary by less is constant but for rounding.
ROUNDING = 1e-9
#: Measures of `rank_frame`, in words.
MEASURES = {"average_precision": "average precision", "correlation": "Pearson's r"}
#: Columns that say which map a row is about; `label` is for showing.
MAP = ["network", "method", "label"]
IMAGE = ["subject", "image", "slice"]


@dataclass(frozen=True)
class UncertaintyMap:
    """Maps of some images that may show where raters disagree, and their cost.

    Attributes
    ----------
    network : str
        Label of the architecture, the same with one task and with two.
    method : str
        `VARIANCE`, `RATERS`, or an uncertainty method of which it is the predictive entropy.
    label : str
        As tables have the method.
    array : numpy.ndarray, (N, H, W)
        Larger where more disagreement is expected.
    passes, trainings : int
        Forward passes of an image; networks that had to be trained.
    seconds : float
        Of all images; NaN where it was not measured.
    """

    network: str
    method: str
    label: str
    array: np.ndarray
    passes: int
    trainings: int
    seconds: float


def compared_methods(members: Mapping[tuple[str, int], object], methods: Sequence[str]) -> list:
    """Network and method of every entropy that is compared.

    Test-time augmentation never is, nor dropout where the networks were trained without it.
    """
    able = all(network.sampled_dropout() for network in members.values())
    chosen = ["single", *(m for m in ("dropout", ENSEMBLE) if m in methods)]
    chosen = [method for method in chosen if able or method != "dropout"]
    return [(name, method) for name in dict.fromkeys(n for n, _ in members) for method in chosen]


def members_for(
    method: str, model: str, members: Mapping[tuple[str, int], object], seeds: Sequence[int]
) -> list:
    """The networks that a method takes: those of the seeds, or the first one trained."""
    own = {seed: network for (name, seed), network in members.items() if name == model}
    return [own[s] for s in seeds] if METHODS[method].several else [next(iter(own.values()))]


def uncertainty_maps(
    together: Mapping, alone: Mapping, samples: int, members: int
) -> list[UncertaintyMap]:
    """Predicted variance and predictive entropies of every architecture.

    Parameters
    ----------
    together : mapping of str to (sampling.MultiTaskPrediction, float)
        Prediction of each multi-task network, and the seconds that it took.
    alone : mapping of (str, str) to (sampling.SampleMoments, float)
        The same of single-task networks, by name and method.
    samples, members : int
        Passes with dropout; networks of an ensemble.
    """
    found = []
    for name, (joint, seconds) in together.items():
        network = network_label(NETWORKS[name].single)
        values = joint.variance.sum(axis=1)
        found.append(UncertaintyMap(network, VARIANCE, "predicted variance", values, 1, 1, seconds))
        for (other, method), (moments, taken) in alone.items():
            if other != NETWORKS[name].single:
                continue
            several = members if METHODS[method].several else 1
            passes = samples if method == "dropout" else several
            entropy = maps.entropy(moments.mean.astype(np.float64), axis=1)
            label = f"entropy of {_method_words(method, members)}"
            found.append(UncertaintyMap(network, method, label, entropy, passes, several, taken))
    return found


def _method_words(method: str, members: int) -> str:
    record = {"kind": "independent seeds", "passes": members}
    return f"an {ensemble_name(record)}" if METHODS[method].several else method_label(method)


def maps_on(found: Sequence[UncertaintyMap], chosen) -> list[UncertaintyMap]:
    """The same maps of some of the images."""
    return [replace(m, array=m.array[np.asarray(chosen)]) for m in found]


def cost_table(found: Sequence[UncertaintyMap], images: int) -> pd.DataFrame:
    """Passes, trainings, ``milliseconds`` an image, and ``times`` those of predicted variance."""
    first = {m.network: m.seconds for m in reversed(found) if m.method == VARIANCE}
    lines = [
        (m.network, m.method, m.label, m.passes, m.trainings, 1e3 * m.seconds / images,
         m.seconds / first.get(m.network, float("nan")))
        for m in found
    ]  # fmt: skip
    return pd.DataFrame(lines, columns=[*MAP, "passes", "trainings", "milliseconds", "times"])


def slices_of(data, subjects: int, levels: Sequence[str]) -> np.ndarray:
    """Which slices are of the first subjects (0: all) and, where there are any, at some levels."""
    names = list(dict.fromkeys(data.table["subject"]))
    chosen = data.table["subject"].isin(names[: subjects or None]).to_numpy()
    if "level" in data.table:
        there = data.table["level"].isin(list(levels)).to_numpy()
        chosen = chosen & there if (chosen & there).any() else chosen
    return chosen


# --- ranking ---------------------------------------------------------------------------------


def rank_frame(data, found: Sequence[UncertaintyMap], wanted) -> pd.DataFrame:
    """Agreement of each map with the disagreement of an image's raters.

    Measures: ``average_precision`` (positives: voxels whose votes are not unanimous; NaN where all
    are), ``correlation`` (Pearson's r over voxels with the raters' variance, summed over
    structures; NaN where one of them is constant) and ``prevalence`` (share of positives, what a
    random map reaches).

    Parameters
    ----------
    data : slices.Slices
        The images and raters; those of fewer than two are left out.
    found : sequence of UncertaintyMap
        Of the same images.
    wanted : (N, C - 1, H, W)
        Variance maps of the raters; NaN where fewer than two rated.
    """
    disputed = np.zeros((len(data), *data.size), dtype=bool)
    for item in range(len(data)):
        labels = data.labels[item, data.rated[item]]
        disputed[item] = (labels != labels[:1]).any(axis=0) if len(labels) > 1 else False
    return _ranked(data, found, np.asarray(wanted).sum(axis=1), disputed)


def extra_raters_frame(data, found: Sequence[UncertaintyMap], extra, wanted) -> pd.DataFrame:
    """As `rank_frame`, against the disagreement of many raters whom no network learned from.

    The variance of many is that of raters in general; the map of the cohort's few raters is
    compared with it too. Positives are voxels at which more than a tenth of the many contradict the
    class that most give. `extra` are the same images with many raters (`slices.crowd`), or None
    where there are none: then the frame is empty.
    """
    if extra is None:
        return pd.DataFrame(columns=[*IMAGE, "measure", "value", *MAP])
    raters, classes = len(extra.raters), data.classes.num_classes
    true = np.stack([fusion.variance_map(labels, classes) for labels in extra.labels]).sum(axis=1)
    counts = np.stack([(extra.labels == c).sum(axis=1) for c in range(classes)])
    disputed = counts.max(axis=0) < (1 - DISPUTED) * raters
    few = np.nan_to_num(np.asarray(wanted).sum(axis=1))
    words = text.count(len(data.raters), "rater")
    own = UncertaintyMap("the raters", RATERS, f"variance of {words}", few, 0, 0, float("nan"))
    return _ranked(data, [*found, own], true, disputed)


def _ranked(data, found, reference, disputed) -> pd.DataFrame:
    parts = []
    for own in found:
        lines = []
        for item in np.flatnonzero(data.rated.sum(axis=1) > 1):
            values = own.array[item]
            precision = metrics.average_precision(values, disputed[item])
            lines += [
                (item, "all", "average_precision", precision),
                (item, "all", "correlation", _pearson(values, reference[item])),
                (item, "all", "prevalence", disputed[item].mean()),
            ]
        names = {"network": own.network, "method": own.method, "label": own.label}
        parts.append(identified(data, lines).assign(**names))
    return pd.concat(parts, ignore_index=True)


def _pearson(a, b) -> float:
    a, b = (np.asarray(x, dtype=np.float64).ravel() for x in (a, b))
    a, b = a - a.mean(), b - b.mean()
    flat = min(a @ a, b @ b) <= len(a) * ROUNDING**2
    return float("nan") if flat else float(a @ b / np.sqrt((a @ a) * (b @ b)))


def ranking_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Mean over images of each measure (in words) and map."""
    return statistics.mean_table(_measured(frame), by=[*MAP, "measure"])


def ranking_difference(frame: pd.DataFrame, method: str = VARIANCE) -> pd.DataFrame:
    """Predicted variance minus each other map of its network, image by image.

    With the method `RATERS` minus the raters' own map alone. Columns as `ranking_table`, of the
    other map, and those of `influence.Influence`.
    """
    lines = []
    chosen = _measured(frame)
    for network, own in chosen[chosen["method"] == VARIANCE].groupby("network", sort=False):
        others = chosen[(chosen["network"] == network) & (chosen["method"] != VARIANCE)]
        if method == RATERS:
            others = chosen[chosen["method"] == RATERS].assign(network=network)
        for key, part in others.groupby([*MAP, "measure"], sort=False):
            one = own[own["measure"] == key[-1]]
            pair = one.merge(part[[*IMAGE, "value"]], on=IMAGE, suffixes=("_a", "_b"))
            pair = pair.dropna(subset=["value_a", "value_b"])
            values = [pair[name].to_numpy() for name in ("value_a", "value_b")]
            subjects = pair["subject"].to_numpy()
            found = statistics.difference_interval(*values, subjects)
            row = dict(zip([*MAP, "measure"], key, strict=True)) | {
                "n": len(pair), "clusters": len(set(subjects)),
                "mean": found.value, "low": found.low, "high": found.high,
            }  # fmt: skip
            lines.append(row | influence.difference(*values, subjects).columns())
    columns = [*MAP, "measure", "n", "clusters", "mean", "low", "high", "decided_by"]
    return pd.DataFrame(lines, columns=None if lines else columns)


def _measured(frame: pd.DataFrame) -> pd.DataFrame:
    chosen = frame[frame["measure"].isin(list(MEASURES))]
    return chosen.assign(measure=chosen["measure"].map(MEASURES))


def prevalence_of(frame: pd.DataFrame) -> float:
    """Mean share of positives, what a random map's average precision reaches."""
    own = rows(frame, "prevalence").drop_duplicates(IMAGE)
    return float(own["value"].mean()) if len(own) else float("nan")
