"""How the voxels that take part change STAPLE: the whole image, or the raters' foregrounds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from paraspine import fusion, statistics, text
from paraspine.evidence.words import ONE_RATER
from paraspine.frames import IDENTITY

__all__ = ["WHOLE", "extent_frame", "extent_table", "extent_curves", "extent_sentence"]

#: How `extent_frame` names the extent that other papers and libraries take.
WHOLE = "whole image"


_PANELS = {
    "area": "area beyond the majority's (%)",
    "sensitivity": "raters' sensitivity (%)",
    "specificity": "raters' specificity (%)",
    "changed": "voxels that change class (%)",
}


def extent_frame(data, margins: Sequence[float] = (0, 2, 5, 10, 20)) -> pd.DataFrame:
    """STAPLE of each image with several spatial extents.

    Agreed background makes every rater look specific and foreground look rare. So the whole
    image's answer depends on how much background the picture shows; the answer of the union of
    the raters' foregrounds does not, but rests on nothing except disputed and agreed foreground.

    Parameters
    ----------
    data : slices.Slices
        Images with the label maps of their raters; those of fewer than two are left out.
    margins : sequence of float
        Widths in mm around the union of the raters' foregrounds.

    Returns
    -------
    pandas.DataFrame
        Identifying columns, ``extent`` (``"whole image"`` first, then a width in words),
        ``class``, ``measure`` and ``value``: per structure ``area`` (consensus beyond the majority
        vote's area, %; NaN where that is empty) and ``sensitivity`` (mean over raters, %); for
        class ``"all"`` ``specificity`` (share of true background that raters call background,
        mean over raters, %), ``changed`` (voxels of another class than with the whole image, % of
        the voxels that any rater marked) and ``converged`` (1 or 0).
    """
    several = np.flatnonzero(data.rated.sum(axis=1) > 1)
    data = data.select(several)
    classes = data.classes
    lines = []
    if len(data):
        number = classes.num_classes
        majority = fusion.majority_vote_many(data.labels, number, data.rated)
        marked = ((data.labels > 0) & data.rated[:, :, None, None]).any(axis=1).sum(axis=(1, 2))
        whole = None
        for extent, options in _options(margins, data.spacing):
            found = fusion.staple_many(data.labels, number, data.rated, **options)
            whole = [one.labels for one in found] if whole is None else whole
            for item, one in enumerate(found):
                lines += [
                    (item, extent, *rest)
                    for rest in _of(one, majority[item], whole[item], marked[item], classes)
                ]
    frame = pd.DataFrame(lines, columns=["item", "extent", "class", "measure", "value"])
    table = data.table[[c for c in IDENTITY if c in data.table]].reset_index(drop=True)
    identity = table.loc[frame.pop("item")].reset_index(drop=True)
    return pd.concat([identity, frame.astype({"value": float})], axis=1)


def _options(margins, spacing):
    """Each extent in words, and as options of `fusion.staple_many`."""
    yield WHOLE, {}
    for margin in sorted(map(float, margins), reverse=True):
        name = f"foreground + {margin:g} mm" if margin else "foreground"
        yield name, {"extent": "foreground", "margin": margin, "spacing": spacing}


def _of(found, majority, whole, marked: int, classes):
    """Class, measure and value of one image's STAPLE."""
    for number, name in enumerate(classes.foreground, start=1):
        area, voted = (found.labels == number).sum(), (majority == number).sum()
        yield name, "area", 100 * (area / voted - 1) if voted else np.nan
        yield name, "sensitivity", 100 * found.confusion[:, number, number].mean()
    changed = (found.labels != whole).sum()
    yield "all", "specificity", 100 * found.confusion[:, 0, 0].mean()
    yield "all", "changed", 100 * changed / marked if marked else np.nan
    yield "all", "converged", found.converged


def extent_table(frame: pd.DataFrame, *, resamples: int = 2000) -> pd.DataFrame:
    """Mean of each measure with each extent.

    Parameters
    ----------
    frame : pandas.DataFrame
        `extent_frame`.
    resamples : int
        Bootstrap resamples of subjects.

    Returns
    -------
    pandas.DataFrame
        ``extent``, ``measure``, ``class`` and the columns of `statistics.mean_table`. Empty
        without two raters.
    """
    return statistics.mean_table(frame, by=["extent", "measure", "class"], resamples=resamples)


def extent_curves(table: pd.DataFrame) -> pd.DataFrame:
    """`extent_table` as `figures.small_multiples` takes it: over ``margin``, a panel a measure.

    Returns
    -------
    pandas.DataFrame
        ``margin`` (``"image"``, then widths around the raters' foregrounds such as ``"5 mm"``),
        ``panel`` (the measure in words, with its unit), ``class``, ``value``, ``low``, ``high``.
    """
    shown = table[table["measure"].isin(list(_PANELS))]
    words = {WHOLE: "image", "foreground": "0 mm"}
    margin = [words.get(w, w.removeprefix("foreground + ")) for w in shown["extent"]]
    panel = shown["measure"].map(_PANELS)
    shown = shown.assign(margin=margin, panel=panel, value=shown["mean"])
    return shown[["margin", "panel", "class", "value", "low", "high"]]


def extent_sentence(frame: pd.DataFrame, data, *, resamples: int = 2000) -> str:
    """What taking the raters' foregrounds alone does to the consensus, structure by structure.

    Parameters
    ----------
    frame : pandas.DataFrame
        `extent_frame`.
    data : slices.Slices
        The images.
    """
    known = frame[frame["value"].notna()]
    if known.empty:
        return ONE_RATER
    narrow = list(dict.fromkeys(known["extent"]))[-1]
    area = known[(known["measure"] == "area") & known["extent"].isin([WHOLE, narrow])]
    if area["extent"].nunique() < 2:
        return "Only the whole image was taken, so there is nothing to compare."
    keys = [c for c in ("subject", "image", "slice") if c in area]
    table = statistics.difference_table(
        area, "value", "extent", keys, by="class", reference=WHOLE, resamples=resamples
    )
    words = []
    for _, row in table.iterrows():
        gap = statistics.Estimate(row["difference"], row["low"], row["high"])
        phrase = text.verdict(
            gap, above="larger", below="smaller", unclear="not told apart in size"
        )
        words.append(f"{phrase} for {row['class']}, by {text.interval(gap, 1)} points")
    share = known[(known["measure"] == "changed") & (known["extent"] == narrow)]
    mean = statistics.mean_interval(
        share["value"].to_numpy(), share["subject"].to_numpy(), resamples
    )
    stuck = int((known[known["measure"] == "converged"]["value"] == 0).sum())
    sentence = (
        f"With the extent “{narrow}” instead of the {WHOLE}, STAPLE's consensus (its area, in "
        f"percent of the majority vote's) is {'; '.join(words)}. Of the marked voxels, in percent, "
        f"{text.interval(mean, 2)} change class"
    )
    if stuck:
        sentence += f". {text.count(stuck, 'estimation')} did not converge"
    return f"{sentence}. ({data.source})"
