"""Leave one rater out: networks and raters measured against the same other raters.

Raters are compared in pairs and networks with a vote of all raters as a rule, which flatters the
networks. Here both meet the same reference: for each rater, the others fused. The rater has no
part in it, and it is no easier on the network than on the rater.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from paraspine import fusion, metrics, statistics, text
from paraspine.arrays import SettingsError, ShapeError, check_label_map, check_labels
from paraspine.evidence.show import estimate
from paraspine.frames import IDENTITY

__all__ = ["LEFT_OUT", "left_out_scores", "left_out_frame", "left_out_table", "left_out_sentence"]

#: How `left_out_frame` names the rater who has no part in the reference.
LEFT_OUT = "left-out rater"


#: Raters an image needs: one to leave out, two to fuse.
NEEDED = 3


_WORDS = {"dice": "Dice", "iou": "IoU"}


def left_out_scores(
    labels, prediction, num_classes: int, *, measure: str = "dice", reference: str = "majority"
) -> tuple[np.ndarray, np.ndarray]:
    """Each rater of an image, and a prediction, against the other raters fused.

    Parameters
    ----------
    labels : array-like of int, (R, *spatial)
        One label map per rater who rated; at least 3.
    prediction : array-like of int, (*spatial)
        Label map of the network.
    num_classes : int
        Classes including background.
    measure : {"dice", "iou"}
        How closeness is measured.
    reference : {"majority", "staple"}
        How the others are fused. Two others tie wherever they disagree; `fusion.majority_vote`
        says what happens then.

    Returns
    -------
    rater : numpy.ndarray of float64, (R, C - 1)
        Rater r against the others fused; NaN where neither has the class.
    network : numpy.ndarray of float64, (R, C - 1)
        The prediction against the same references.

    Raises
    ------
    ShapeError, LabelError
        If labels or prediction don't fit, or there are fewer than 3 raters.
    SettingsError
        If an option is unknown.
    """
    prediction = check_label_map(prediction, num_classes, name="prediction")
    rater, network = _scores(labels, [prediction], num_classes, measure, reference)
    return rater, network


def _scores(labels, predictions, num_classes: int, measure: str, reference: str) -> np.ndarray:
    """Of the left-out rater and of each prediction: ``(1 + predictions, R, C - 1)``."""
    if measure not in _WORDS:
        raise SettingsError(f"measure: expected one of {', '.join(_WORDS)}, got {measure!r}.")
    fuse = {
        "majority": fusion.majority_vote,
        "staple": lambda others, classes: fusion.staple(others, classes).labels,
    }.get(reference)
    if fuse is None:
        raise SettingsError(f"reference: expected 'majority' or 'staple', got {reference!r}.")
    labels = check_labels(labels, num_classes)
    if len(labels) < NEEDED:
        raise ShapeError(
            f"labels: expected at least {NEEDED} raters, one to leave out and two to fuse, got "
            f"{len(labels)}."
        )
    score = getattr(metrics, measure)
    found = []
    for rater, own in enumerate(labels):
        others = fuse(np.delete(labels, rater, axis=0), num_classes)
        found.append([score(map_, others, num_classes) for map_ in (own, *predictions)])
    return np.swapaxes(np.asarray(found), 0, 1)


def left_out_frame(
    data, predictions: Mapping[str, object], *, measure: str = "dice", reference: str = "majority"
) -> pd.DataFrame:
    """`left_out_scores` of every image with at least 3 raters, as a tidy frame.

    Parameters
    ----------
    data : slices.Slices
        Images with the label maps of their raters.
    predictions : mapping of str to array-like of int, (N, H, W)
        Label maps of each network for the same images, by its name.
    measure, reference
        As `left_out_scores`.

    Returns
    -------
    pandas.DataFrame
        Identifying columns, ``rater`` (who is left out), ``class``, ``measure``, ``condition`` (a
        network, or ``"left-out rater"``) and ``value``. Empty without such an image.
    """
    classes = data.classes
    expected = data.labels[:, 0].shape
    for name, found in predictions.items():
        if np.shape(found) != expected:
            raise ShapeError(
                f"{name}: expected one label map per image, {expected}, got {np.shape(found)}; "
                "select the same images for both."
            )
    lines = []
    for item in np.flatnonzero(data.rated.sum(axis=1) >= NEEDED):
        names = np.asarray(data.raters)[data.rated[item]]
        labels = data.labels[item][data.rated[item]]
        own = [np.asarray(found[item]) for found in predictions.values()]
        scores = _scores(labels, own, classes.num_classes, measure, reference)
        for who, values in zip((LEFT_OUT, *predictions), scores, strict=True):
            lines += [
                (item, name, structure, measure, who, value)
                for name, row in zip(names, values, strict=True)
                for structure, value in zip(classes.foreground, row, strict=True)
            ]
    columns = ["item", "rater", "class", "measure", "condition", "value"]
    frame = pd.DataFrame(lines, columns=columns).astype({"value": float})
    table = data.table[[c for c in IDENTITY if c in data.table]].reset_index(drop=True)
    identity = table.loc[frame.pop("item")].reset_index(drop=True)
    return pd.concat([identity, frame], axis=1)


def left_out_table(
    frame: pd.DataFrame, by: str | Sequence[str] = (), *, resamples: int = 2000
) -> pd.DataFrame:
    """How much closer each network is to the other raters than the left-out rater is.

    Parameters
    ----------
    frame : pandas.DataFrame
        `left_out_frame`.
    by : str or sequence of str
        Columns whose every combination is a table of its own, such as ``"rater"`` or ``"class"``.
    resamples : int
        Bootstrap resamples of subjects.

    Returns
    -------
    pandas.DataFrame
        The `by` columns, ``measure``, ``condition``, ``n`` (images x raters x structures),
        ``dropped`` (those in which a side is undefined), ``clusters`` (subjects), ``value`` and
        ``value_left_out`` (means of the network and of the left-out raters), ``mean`` (of their
        difference; above 0 the network is the closer one), ``low``, ``high``, ``p`` (bootstrap),
        ``p_holm``. Empty without an image or a network.
    """
    by = [by] if isinstance(by, str) else list(by)
    columns = [*by, "measure", "condition", "n", "dropped", "clusters", "value", "value_left_out"]
    columns += ["mean", "low", "high", "p", "p_holm"]
    if set(frame["condition"]) <= {LEFT_OUT}:
        return pd.DataFrame(columns=columns)
    keys = [c for c in ("subject", "image", "slice", "rater", "class") if c in frame]
    table = statistics.difference_table(
        frame,
        "value",
        "condition",
        [c for c in keys if c not in by],
        by=[*by, "measure"],
        resamples=resamples,
        reference=LEFT_OUT,
    )
    names = {"a": "condition", "mean_a": "value", "mean_b": "value_left_out", "difference": "mean"}
    return table.rename(columns=names)[columns]


def left_out_sentence(table: pd.DataFrame, data, by_rater: pd.DataFrame | None = None) -> str:
    """Whether each network is as close to the raters as they are to each other.

    Parameters
    ----------
    table : pandas.DataFrame
        `left_out_table` of all raters together.
    data : slices.Slices
        The images.
    by_rater : pandas.DataFrame, optional
        `left_out_table` by rater, for words about each.
    """
    known = table[table["mean"].notna()]
    if known.empty:
        return _why_not(data, table)
    measure = _WORDS[known["measure"].iloc[0]]
    words = []
    for _, row in known.iterrows():
        found = estimate(row)
        phrase = text.verdict(
            found, above="closer to the others than a left-out rater is",
            below="further from the others than a left-out rater is",
            unclear="not told apart from a left-out rater",
        )  # fmt: skip
        if np.isnan(found.low):
            phrase += " (there is no interval with a single subject)"
        words.append(
            f"{row['condition']} is {phrase}: {measure} {text.number(row['value'], 3)} against "
            f"{text.number(row['value_left_out'], 3)}, difference {text.interval(found, 3)}"
            f"{_raters(by_rater, row['condition'])}"
        )
    sentence = "Against the other raters fused, " + ". ".join(words)
    few = int((data.rated.sum(axis=1) < NEEDED).sum())
    if few:
        sentence += f". {text.count(few, 'image')} with fewer than {NEEDED} raters left out"
    if dropped := int(known["dropped"].max()):
        sentence += (
            f". {text.count(dropped, 'comparison')} undefined (a structure that neither side "
            "marked) and left out"
        )
    return f"{sentence}. ({data.source})"


def _raters(by_rater: pd.DataFrame | None, who: str) -> str:
    """Which raters a network beats, and which it does not reach."""
    if by_rater is None:
        return ""
    own = by_rater[(by_rater["condition"] == who) & by_rater["mean"].notna()]
    closer = own.loc[own["low"] > 0, "rater"]
    further = own.loc[own["high"] < 0, "rater"]
    words = []
    if len(closer):
        words.append(f"closer than {text.listing(closer)}")
    if len(further):
        words.append(f"not as close as {text.listing(further)}")
    if len(own) > len(closer) + len(further):
        rest = own.loc[~own["rater"].isin([*closer, *further]), "rater"]
        words.append(f"not told apart from {text.listing(rest)}")
    return f" (rater by rater: {', '.join(words)})" if words else ""


def _why_not(data, table: pd.DataFrame) -> str:
    most = int(data.rated.sum(axis=1).max(initial=0))
    if most >= NEEDED:
        reason = "no structure is marked in such an image" if len(table) else "there is no network"
        return f"Left out: {reason}, so there is nothing to compare. ({data.source})"
    found = f"at most {text.count(most, 'rater')} rated the same image" if most else "nobody rated"
    return (
        f"**Left out: {found}.** Whether a network is as close to the raters as they are to each "
        f"other takes {NEEDED}: one to leave out and two to make the reference that both are "
        f"measured against. ({data.source})"
    )
