"""Figures 3.3 and 3.4 of roshanzamir2022: how a variance map is made, and predictions by level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from paraspine.anatomy import ClassTable
from paraspine.arrays import SettingsError, check_same_shape, check_spacing

from .encode import outlines, scale_ticks
from .grid import picture_grid
from .panels import (
    RATER_COLOURS,
    View,
    orientation_marks,
    outline_trace,
    picture_trace,
    scale_bars,
    shown_window,
)

#: Signed distances beyond so many pixels are drawn as so many: the sigmoid is flat there.
FAR = 6.0
#: The reference's outline in the panels of the networks.
REFERENCE = "#FFFFFF"
#: What is shown: what lies within so many mm of an outline.
STEPS_CROP, GRID_CROP = 12.0, 20.0


@dataclass(frozen=True)
class Steps:
    """One structure of one slice on its way to a variance map.

    Attributes
    ----------
    title : str
        Names it in the choice: slice and structure.
    image : (H, W)
        Row 0 is anterior, column 0 the patient's right.
    masks : (R, H, W) bool
        What each rater marked.
    distance : (R, H, W)
        Signed distance in pixels, positive inside; infinite where a rater marked nothing.
    soft : (R, H, W)
        Its sigmoid.
    variance : (H, W)
        Over the raters.
    """

    title: str
    image: np.ndarray
    masks: np.ndarray
    distance: np.ndarray
    soft: np.ndarray
    variance: np.ndarray


@dataclass(frozen=True)
class Compared:
    """Slices of one subject with several label maps each.

    Attributes
    ----------
    title : str
        Names the subject in the choice.
    images : sequence of (H, W) or None
        One per row; None leaves the row empty.
    labels : sequence of sequence of (H, W) integers
        For each row one label map per column, the reference first.
    """

    title: str
    images: Sequence[np.ndarray | None]
    labels: Sequence[Sequence[np.ndarray]]


def variance_steps(
    steps: Sequence[Steps],
    raters: Sequence[str],
    *,
    source: str,
    spacing: Sequence[float] = (1.0, 1.0),
) -> go.Figure:
    """Outline, signed distance and soft label of each rater, and what they give together.

    A column for each rater; the last one has all outlines, the mean soft label and the variance.
    All panels zoom together.

    Parameters
    ----------
    steps : sequence of Steps
        What can be chosen.
    raters : sequence of str
        Their names, for those who rated.
    source : str
        Where the data comes from.
    spacing : (row, column)
        mm.

    Raises
    ------
    SettingsError, ShapeError
        If there is nothing to show or arrays don't fit each other.
    """
    if not steps:
        raise SettingsError("steps: expected at least one structure to show, got none.")
    spacing = check_spacing(spacing, 2)
    count = max(len(s.masks) for s in steps)
    if len(raters) < count:
        raise SettingsError(f"raters: expected {count} names, got {len(raters)}.")
    for step in steps:
        for name in ("masks", "distance", "soft"):
            check_same_shape(step.image, getattr(step, name)[0], names=("image", name))
        check_same_shape(step.image, step.variance, names=("image", "variance"))
    views = [View(s.image, s.title, s.masks.astype(int)) for s in steps]
    windows = [shown_window(v, spacing, STEPS_CROP) for v in views]
    choices = [
        (step.title, window, _step_traces(step, raters, spacing, window))
        for step, window in zip(steps, windows, strict=True)
    ]
    names = [f"{n}: outline" for n in raters[:count]] + ["all outlines"]
    names += ["signed distance"] * count + ["mean soft label"]
    names += ["soft label"] * count + ["variance"]
    highest = max(float(s.variance.max()) for s in steps) or 0.25
    far = [-FAR, 0, FAR], [f"\u2212{FAR:g}", "0", f"{FAR:g}"]
    bars = [
        ((0, 1), "Inferno", "soft labels (0 to 1)", scale_ticks(1.0)),
        ((0, highest), "Inferno", "variance (of soft labels)", scale_ticks(highest)),
        ((-FAR, FAR), "RdBu_r", "signed distance (pixels)", far),
    ]
    return picture_grid(
        choices, (3, count + 1), names, title="From outlines to a variance map", source=source,
        detail="distances in pixels", bars=bars,
    )  # fmt: skip


def _step_traces(step: Steps, raters, spacing, window):
    """Row, column and trace of everything that one structure shows."""
    count, ground = len(step.masks), picture_trace(step.image, spacing)
    yield 0, count, ground
    for r, mask in enumerate(step.masks):
        x, y = outlines(mask, spacing)
        colour = RATER_COLOURS[r % len(RATER_COLOURS)]
        yield 0, r, go.Image(ground)
        yield 0, r, outline_trace(x, y, raters[r], colour, legend="legend", listed=False)
        yield 0, r, orientation_marks(window)
        yield 0, count, outline_trace(x, y, raters[r], colour, legend="legend")
        shown = np.clip(step.distance[r], -FAR, FAR)
        yield 1, r, _map_trace(shown, "coloraxis3", spacing, window, "signed distance", " pixels")
        yield 2, r, _map_trace(step.soft[r], "coloraxis", spacing, window, "soft label")
    mean = step.soft.mean(axis=0)
    yield 1, count, _map_trace(mean, "coloraxis", spacing, window, "mean soft label")
    yield 2, count, _map_trace(step.variance, "coloraxis2", spacing, window, "variance")
    for mark in (*scale_bars(window), orientation_marks(window)):
        yield 0, count, mark


def _map_trace(values, axis: str, spacing, window, name: str, unit: str = "") -> go.Heatmap:
    """The part of a map that the window shows."""
    edges = np.array(window).reshape(2, 2) / np.array(spacing)[::-1, None]  # columns, rows
    low, high = np.floor(edges[:, 0]).clip(0).astype(int), np.ceil(edges[:, 1]).astype(int) + 1
    part = np.asarray(values)[low[1] : high[1], low[0] : high[0]]
    return go.Heatmap(
        z=part.round(4).astype(np.float32), x0=low[0] * spacing[1], y0=low[1] * spacing[0],
        dx=spacing[1], dy=spacing[0], name=name, coloraxis=axis,
        hovertemplate=f"{name} %{{z:.3g}}{unit}<extra></extra>",
    )  # fmt: skip


def prediction_grid(
    subjects: Sequence[Compared],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    classes: ClassTable,
    source: str,
    spacing: Sequence[float] = (1.0, 1.0),
) -> go.Figure:
    """Outlines of the reference and of several networks, a row for each level.

    The reference is the first column; in the others it is a thin white line under theirs.

    Parameters
    ----------
    subjects : sequence of Compared
        What can be chosen.
    rows, columns : sequence of str
        What they are; an empty row's name is left out.
    classes : ClassTable
        Names and colours.
    source, spacing
        As in `variance_steps`.

    Raises
    ------
    SettingsError, ShapeError
        If there is nothing to show or arrays don't fit each other.
    """
    if not subjects or not rows or not columns:
        raise SettingsError("subjects: expected at least one with a row and a column, got none.")
    spacing = check_spacing(spacing, 2)
    choices = []
    for subject in subjects:
        window = _window(subject, spacing)
        traces = _grid_traces(subject, columns, classes, spacing, window)
        choices.append((subject.title, window, traces))
    names = [" · ".join(w for w in (row, column) if w) for row in rows for column in columns]
    return picture_grid(
        choices, (len(rows), len(columns)), names, title="Predictions at each level",
        source=source, detail=f"white: {columns[0]}",
    )  # fmt: skip


def _window(subject: Compared, spacing) -> tuple[float, float, float, float]:
    """Window of all rows: the largest that the reference of one of them needs."""
    found = [
        shown_window(View(image, "", np.asarray(labels[0])[None]), spacing, GRID_CROP)
        for image, labels in zip(subject.images, subject.labels, strict=True)
        if image is not None
    ]
    if not found:
        raise SettingsError(f"{subject.title}: expected at least one row with an image.")
    low, high = np.min(found, axis=0), np.max(found, axis=0)
    return float(low[0]), float(high[1]), float(low[2]), float(high[3])


def _grid_traces(subject: Compared, columns, classes: ClassTable, spacing, window):
    """Row, column and trace of everything that one subject shows."""
    listed: set[str] = set()
    for row, (image, labels) in enumerate(zip(subject.images, subject.labels, strict=True)):
        if image is None:
            continue
        if len(labels) != len(columns):
            raise SettingsError(f"labels: expected {len(columns)} in a row, got {len(labels)}.")
        ground = picture_trace(image, spacing)
        for column, said in enumerate(labels):
            check_same_shape(image, said, names=(f"'{subject.title}' image", columns[column]))
            yield row, column, go.Image(ground)
            for number, name in enumerate(classes.foreground, start=1):
                colour = classes.colours[number - 1]
                if column:
                    x, y = outlines(np.asarray(labels[0]) == number, spacing)
                    line = outline_trace(x, y, "", REFERENCE, legend="legend2", width=0.9,
                                         listed=False)  # fmt: skip
                    yield row, column, line
                x, y = outlines(np.asarray(said) == number, spacing)
                first = name not in listed
                listed.add(name)
                yield row, column, outline_trace(x, y, name, colour, legend="legend2", listed=first)
            yield row, column, orientation_marks(window)
