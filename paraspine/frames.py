"""Tidy frames of raters and predictions: one row per image, class and measure.

Every frame has the identifying columns of the images (`subject`, `image`, `slice` and those of
`level`, `sex`, `age`, `center` that the cohort has), `class` (a class's name, or ``"all"``),
`measure` and `value` (NaN where undefined).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.ndimage import distance_transform_edt

from paraspine import fusion, maps, metrics
from paraspine.arrays import ShapeError

__all__ = [
    "IDENTITY",
    "rater_frame",
    "pairwise_frame",
    "prediction_frame",
    "reliability_frame",
    "error_arrays",
    "error_detectors",
    "rows",
    "uncertainties",
    "samples_of",
    "identified",
    "stored_maps",
]

#: Columns that say which image a row is about.
IDENTITY = ("subject", "image", "slice", "level", "sex", "age", "center", "fat")


#: Measures of uncertainty, in nats.
UNCERTAINTIES = ("entropy", "expected_entropy", "mutual_information")
#: Voxels this far (pixels) from what any rater marked still count as near a structure.
NEAR = 5


def rater_frame(data) -> pd.DataFrame:
    """Disagreement of the raters of each image.

    Parameters
    ----------
    data : slices.Slices
        Images with the label maps of their raters.

    Returns
    -------
    pandas.DataFrame
        Measures: ``raters`` (how many rated), ``gt_entropy`` (nats, mean over voxels; NaN with
        fewer than two raters), ``tie_rate`` (share of voxels; NaN with fewer than two raters) for
        class ``"all"``; ``pairwise_dice`` (mean over pairs of raters) per class.
    """
    found = []
    for item in range(len(data)):
        labels = data.labels[item][data.rated[item]]
        several = len(labels) > 1
        entropy = fusion.ground_truth_entropy(labels, _classes(data)).mean() if several else np.nan
        ties = fusion.tie_rate(labels, _classes(data)) if several else np.nan
        found += [
            (item, "all", "raters", len(labels)),
            (item, "all", "gt_entropy", entropy),
            (item, "all", "tie_rate", ties),
        ]
        dice = _pairwise(labels, data)
        for name, values in zip(data.classes.foreground, dice.T, strict=True):
            known = values[~np.isnan(values)]
            found.append((item, name, "pairwise_dice", known.mean() if known.size else np.nan))
    return identified(data, found)


def pairwise_frame(data) -> pd.DataFrame:
    """Dice of every two raters of every image; as `rater_frame`, with the column `pair`."""
    found, pairs = [], []
    for item in range(len(data)):
        who = np.flatnonzero(data.rated[item])
        dice = _pairwise(data.labels[item][who], data)
        for (a, b), values in zip(combinations(who, 2), dice, strict=True):
            for name, value in zip(data.classes.foreground, values, strict=True):
                found.append((item, name, "dice", value))
                pairs.append(f"{data.raters[a]} and {data.raters[b]}")
    return identified(data, found).assign(pair=pairs)


def prediction_frame(data, moments) -> pd.DataFrame:
    """Quality and uncertainty of the predictions for each image.

    Parameters
    ----------
    data : slices.Slices
        The images and labels that `moments` were sampled for, in the same order.
    moments : sampling.SampleMoments
        Mean probabilities ``(N, C, H, W)`` and expected entropy ``(N, H, W)``.

    Returns
    -------
    pandas.DataFrame
        Per class: ``dice``, ``iou``, ``precision``, ``recall`` of the most probable class against
        the majority vote; ``brier`` against the soft label (background too). For class ``"all"``:
        ``gt_entropy`` (NaN with fewer than two raters), ``entropy``, ``expected_entropy``,
        ``mutual_information`` (nats; NaN for a single pass) and ``error_rate`` (share of
        misclassified voxels). Voxels that no sample saw are left out, but for the GT entropy, which
        is the same for every way of sampling.
    """
    _check(data, moments)
    classes = data.classes
    overlap = {name: getattr(metrics, name) for name in ("dice", "iou", "precision", "recall")}
    found = []
    for item in range(len(data)):
        mean = moments.mean[item].astype(np.float64)
        labels = data.labels[item][data.rated[item]]
        maps_ = uncertainties(mean, moments.expected_entropy[item], samples_of(moments))
        found += [(item, "all", name, _mean(values)) for name, values in maps_.items()]
        if not len(labels):
            continue
        seen = ~np.isnan(mean).any(axis=0)
        vote = fusion.majority_vote(labels, classes.num_classes)
        predicted, reference = mean[:, seen].argmax(axis=0), vote[seen]
        wrong = (predicted != reference).mean() if seen.any() else np.nan
        found.append((item, "all", "error_rate", wrong))
        several = len(labels) > 1
        entropy = fusion.ground_truth_entropy(labels, classes.num_classes)
        found.append((item, "all", "gt_entropy", entropy.mean() if several else np.nan))
        for name, function in overlap.items():
            values = function(predicted, reference, classes.num_classes)
            found += [(item, c, name, v) for c, v in zip(classes.foreground, values, strict=True)]
        soft = fusion.soft_labels(labels, classes.num_classes)
        brier = metrics.brier(mean[:, seen], soft[:, seen])
        found += [(item, c, "brier", v) for c, v in zip(classes.names, brier, strict=True)]
    return identified(data, found)


def reliability_frame(data, moments, bins: int = 10, *, references=None) -> pd.DataFrame:
    """Counts behind reliability diagrams: one row per image, region and confidence bin.

    Parameters
    ----------
    data, moments
        As `prediction_frame`.
    bins : int
        Equal bins of the largest probability.
    references : array-like of int, (N, H, W), optional
        Label maps that decide what is right; the majority vote if left out.

    Returns
    -------
    pandas.DataFrame
        Identifying columns, `region` (``"all"`` voxels, or those ``"near"`` a structure: within 5
        pixels of what any rater marked), `bin`, `count`, `confidence` (sum) and `correct` (count).
        No row for images that nobody rated.
    """
    _check(data, moments)
    columns = ["item", "region", "bin", "count", "confidence", "correct"]
    lines = [pd.DataFrame({name: [] for name in columns})]
    for item in range(len(data)):
        labels = data.labels[item][data.rated[item]]
        if not len(labels):
            continue
        if references is None:
            reference = fusion.majority_vote(labels, _classes(data))
        else:
            reference = references[item]
        marked = (labels > 0).any(axis=0)
        for region, mask in (("all", np.ones_like(marked)), ("near", _around(marked))):
            found = metrics.reliability(moments.mean[item], reference, bins, where=mask)
            count = found.count
            lines.append(
                pd.DataFrame(
                    {
                        "item": item,
                        "region": region,
                        "bin": np.arange(bins),
                        "count": count,
                        "confidence": np.where(count > 0, found.confidence, 0) * count,
                        "correct": np.where(count > 0, found.accuracy, 0) * count,
                    }
                )
            )
    frame = pd.concat(lines[1:] or lines, ignore_index=True)
    identity = _identity(data).loc[frame.pop("item")].reset_index(drop=True)
    return pd.concat([identity, frame], axis=1)


def error_arrays(data, moments) -> dict[str, np.ndarray]:
    """Counts behind error detection, one `metrics.ErrorDetection` per uncertainty and subject.

    Parameters
    ----------
    data, moments
        As `prediction_frame`.

    Returns
    -------
    dict of str to numpy.ndarray
        Arrays for an ``.npz`` file, named ``<uncertainty>/<subject>/<array>``; `error_detectors`
        reads them. Uncertainties that are undefined for a single pass are left out.
    """
    _check(data, moments)
    found: dict[tuple[str, str], metrics.ErrorDetection] = {}
    for item, subject in enumerate(data.table["subject"].astype(str)):
        labels = data.labels[item][data.rated[item]]
        if not len(labels):
            continue
        mean = moments.mean[item]
        vote = fusion.majority_vote(labels, _classes(data))
        wrong = np.nan_to_num(mean).argmax(axis=0) != vote
        scores = uncertainties(mean, moments.expected_entropy[item], samples_of(moments))
        for name, values in scores.items():
            if not np.isnan(values).all():
                detector = found.setdefault((name, subject), metrics.ErrorDetection())
                detector.update(values, wrong)
    return {
        f"{name}/{subject}/{key}": array
        for (name, subject), detector in found.items()
        for key, array in detector.to_arrays().items()
    }


def error_detectors(arrays) -> dict[str, dict[str, metrics.ErrorDetection]]:
    """Read what `error_arrays` gave: uncertainty to subject to its accumulator."""
    grouped: dict[tuple[str, str], dict[str, np.ndarray]] = {}
    for name, array in arrays.items():
        score, subject, key = name.split("/", 1)[0], *name.split("/", 1)[1].rsplit("/", 1)
        grouped.setdefault((score, subject), {})[key] = array
    found: dict[str, dict[str, metrics.ErrorDetection]] = {}
    for (score, subject), parts in grouped.items():
        found.setdefault(score, {})[subject] = metrics.ErrorDetection.from_arrays(parts)
    return found


def rows(frame: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Rows of one measure."""
    return frame[frame["measure"] == measure]


def uncertainties(mean, expected, samples: int) -> dict[str, np.ndarray]:
    """Predictive entropy, expected entropy and mutual information of one image, in nats.

    Parameters
    ----------
    mean : array-like of float, (C, H, W)
        Mean probabilities over the samples.
    expected : array-like of float, (H, W)
        Mean entropy over the samples.
    samples : int
        How many; of a single pass the last two maps are NaN, having nothing to disagree with.
    """
    entropy = maps.entropy(np.asarray(mean, dtype=np.float64))
    if samples < 2:  # nothing to disagree with
        nothing = np.full_like(entropy, np.nan)
        return {"entropy": entropy, "expected_entropy": nothing, "mutual_information": nothing}
    expected = np.asarray(expected, dtype=np.float64)
    return {
        "entropy": entropy,
        "expected_entropy": expected,
        "mutual_information": maps.mutual_information_from_moments(mean, expected),
    }


def samples_of(moments) -> int:
    """How many samples were drawn: the most that saw any voxel."""
    return int(moments.seen.max(initial=0))


def _around(marked: np.ndarray) -> np.ndarray:
    if not marked.any():
        return marked
    return distance_transform_edt(~marked) <= NEAR


def _pairwise(labels, data) -> np.ndarray:
    if len(labels) < 2:
        return np.empty((0, _classes(data) - 1))
    return metrics.pairwise_dice(labels, _classes(data))


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")


def _classes(data) -> int:
    return data.classes.num_classes


def _check(data, moments) -> None:
    expected = (len(data), _classes(data), *data.images.shape[2:])
    if moments.mean.shape != expected:
        raise ShapeError(
            f"samples: expected one prediction per image, {expected}, got {moments.mean.shape}; "
            "select the same images for both."
        )


def _identity(data) -> pd.DataFrame:
    table = data.table
    return table[[c for c in IDENTITY if c in table]].reset_index(drop=True)


def identified(data, found: list[tuple]) -> pd.DataFrame:
    """A tidy frame of (place of the image, class, measure, value)."""
    frame = pd.DataFrame(found, columns=["item", "class", "measure", "value"])
    identity = _identity(data).loc[frame.pop("item")].reset_index(drop=True)
    return pd.concat([identity, frame.astype({"value": float})], axis=1)


def stored_maps(data, shown: Iterable[int], moments) -> dict[str, np.ndarray]:
    """Predictions and uncertainties of some slices as arrays for an ``.npz`` file.

    Parameters
    ----------
    data : slices.Slices
        The images.
    shown : iterable of int
        Which of them to keep; so is the middle slice of every other level of their subjects.
    moments : sampling.SampleMoments
        Samples of the same images.

    Returns
    -------
    dict of str to numpy.ndarray
        ``keys`` (N,) of the slices, ``prediction`` (N, H, W) and ``entropy``,
        ``expected_entropy``, ``mutual_information`` (N, H, W) in nats, float16.
    """
    shown = _with_levels(data, shown)
    kept = {name: [] for name in UNCERTAINTIES}
    for item in shown:
        scores = uncertainties(
            moments.mean[item], moments.expected_entropy[item], samples_of(moments)
        )
        for name, values in scores.items():
            kept[name].append(values.astype(np.float16))
    size = moments.mean.shape[2:]
    prediction = np.nan_to_num(moments.mean[shown]).argmax(axis=1).astype(np.uint8)
    maps = {n: np.reshape(v, (-1, *size)).astype(np.float16) for n, v in kept.items()}
    return {"keys": data.keys[shown], "prediction": prediction, **maps}


def _with_levels(data, shown: Iterable[int]) -> list[int]:
    """Slices, and the middle one of every level that they lack of their subjects."""
    table = data.table.reset_index(drop=True)
    kept = [int(item) for item in shown]
    if "level" not in table:
        return sorted(kept)
    there = set(zip(table["subject"][kept], table["level"][kept], strict=True))
    own = table[table["subject"].isin(table["subject"][kept]) & table["level"].notna()]
    for pair, rows in own.groupby(["subject", "level"], sort=False, observed=True):
        if pair not in there:
            kept.append(int(rows.index[len(rows) // 2]))
    return sorted(kept)
